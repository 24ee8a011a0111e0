//! Plans and checkpoints to translators of directions; what was read stays for the next direction.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use mmc_plan::Plan;

use super::load::{self, Stock};
use super::sides::{Known, Sides};
use super::translator::Translator;
use super::{Batching, Models, TranslateError};
use crate::shortage;

/// One network, or several that translate together.
#[derive(Debug)]
pub(crate) struct Engine {
    members: Vec<Member>,
    tokenizers: Known,
    batching: Batching,
    translators: BTreeMap<[String; 2], Rc<Translator>>,
}

/// A plan, and the checkpoints whose mean its parameters are.
#[derive(Debug)]
struct Member {
    plan: Plan,
    checkpoints: Vec<PathBuf>,
    /// Parameters as they were trained, not their moving averages.
    raw: bool,
    stock: Stock,
}

impl Engine {
    /// Reads plans and finds checkpoints; no module is read yet.
    pub(crate) fn load(models: &Models, batching: Batching) -> Result<Self, TranslateError> {
        let device = models.device.device()?;
        if let Some(threads) = models.threads {
            tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
        }
        if models.plan.len() != models.checkpoint.len() {
            return Err(TranslateError::Members {
                plans: models.plan.len(),
                checkpoints: models.checkpoint.len(),
            });
        }
        let member = |(path, checkpoint): (&PathBuf, &PathBuf)| {
            let plan = Plan::from_path(path).map_err(|fault| TranslateError::Plan {
                path: path.clone(),
                fault: Box::new(fault),
            })?;
            let newest = load::checkpoint(checkpoint)?;
            let checkpoints = load::and_before(newest, models.average as usize)?;
            Ok(Member { plan, checkpoints, raw: models.raw, stock: Stock::on(device) })
        };
        let members = models.plan.iter().zip(&models.checkpoint).map(member);
        let members = members.collect::<Result<_, TranslateError>>()?;
        let (tokenizers, translators) = (Known::default(), BTreeMap::new());
        Ok(Self { members, tokenizers, batching, translators })
    }

    /// The first plan; all members know the languages that are asked for, or are refused then.
    pub(crate) fn plan(&self) -> Option<&Plan> {
        self.members.first().map(|member| &member.plan)
    }

    /// The translator of a direction; its modules are read when it is asked for first.
    pub(crate) fn translator(
        &mut self,
        source: &str,
        target: &str,
    ) -> Result<Rc<Translator>, TranslateError> {
        let key = [source.to_owned(), target.to_owned()];
        if let Some(known) = self.translators.get(&key) {
            return Ok(Rc::clone(known));
        }
        let loaded = shortage::caught(|| self.load_direction(source, target));
        let too_small = |words| {
            let direction = format!("{source}-{target}");
            TranslateError::MemoryOfModules { direction, words }
        };
        let made = Rc::new(loaded.map_err(too_small)??);
        self.translators.insert(key, Rc::clone(&made));
        Ok(made)
    }

    fn load_direction(&mut self, source: &str, target: &str) -> Result<Translator, TranslateError> {
        let name = format!("{source}-{target}");
        let mut directions = Vec::new();
        let mut common: Option<Sides> = None;
        for Member { plan, checkpoints, raw, stock } in &mut self.members {
            let path = load::path(plan, source, target)?;
            let sides = Sides::load(plan, &path, [source, target], &mut self.tokenizers)?;
            match &common {
                Some(first) => first.same_as(&sides, &name)?,
                None => common = Some(sides),
            }
            directions.push(load::direction(plan, &path, (checkpoints, *raw), &name, stock)?);
        }
        let sides = common.ok_or(TranslateError::Members { plans: 0, checkpoints: 0 })?;
        Ok(Translator::new(directions, sides, self.batching))
    }

    /// What has been read: modules and bytes, and those that the checkpoints hold.
    pub(crate) fn read(&self) -> Read {
        let mut all = Read::default();
        for Member { checkpoints, stock, .. } in &self.members {
            let (modules, bytes) = checkpoints
                .iter()
                .map(|folder| load::size(folder))
                .fold((0, 0), |(modules, bytes), (more, larger)| (modules + more, bytes + larger));
            all.modules += stock.files;
            all.bytes += stock.bytes;
            all.of_modules += modules;
            all.of_bytes += bytes;
        }
        all
    }
}

/// How much of the checkpoints was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) modules: u64,
    pub(crate) bytes: u64,
    pub(crate) of_modules: u64,
    pub(crate) of_bytes: u64,
}
