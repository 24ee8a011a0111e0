//! The two sides of a direction as text: lines to source ids, target ids to lines. Without an encoder there is one side.

use std::collections::BTreeMap;
use std::sync::Arc;

use mmc_plan::path::ModulePath;
use mmc_plan::{ModuleKind, Plan, TaskSpec, Transform, VocabularyKind, VocabularySpec};
use mmc_text::batch::Tokenizers;
use mmc_text::tokenizer::Tokenizer;

use super::TranslateError;

/// Both sides of a direction.
#[derive(Debug)]
pub(crate) struct Sides {
    /// None where there is no encoder: then lines are continued.
    source: Option<Side>,
    target: Side,
}

/// A line as ids.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Encoded {
    /// What the encoder reads: prefix tokens, pieces, end token; nothing where there is none.
    pub(super) source: Vec<u32>,
    /// The pieces that are given of what the decoder writes.
    pub(super) target: Vec<u32>,
}

impl Encoded {
    /// Ids of the longer side, the end of what is written counted.
    pub(super) fn longer(&self) -> usize {
        self.source.len().max(self.target.len() + 1)
    }
}

/// Tokenizers that were read, by their kind and the sum of their files: directions share them.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<(VocabularyKind, String), Arc<Tokenizer>>);

impl Known {
    /// The tokenizer of a vocabulary, read when it is asked for first. Refuses a file that is not the plan's.
    fn tokenizer(
        &mut self,
        name: &str,
        spec: &VocabularySpec,
    ) -> Result<Arc<Tokenizer>, TranslateError> {
        let key = (spec.kind, spec.sha256.clone());
        if let Some(known) = self.0.get(&key) {
            return Ok(Arc::clone(known));
        }
        let read = Tokenizer::load(spec.kind, &spec.file)
            .map_err(|reason| fault(name, reason.to_string()))?;
        let found = &read.facts().sha256;
        if *found != spec.sha256 {
            let words = format!(
                "{} has changed since the plan was made: its sha256 is {found}, the plan says {}",
                spec.file, spec.sha256
            );
            return Err(fault(name, words));
        }
        let read = Arc::new(read);
        self.0.insert(key, Arc::clone(&read));
        Ok(read)
    }
}

#[derive(Debug)]
struct Side {
    tokenizer: Arc<Tokenizer>,
    spec: VocabularySpec,
    prefix: Vec<u32>,
}

impl Sides {
    /// Vocabularies by the path's embeddings, prefix tokens as in the direction's task or, without one, as in a task of like
    /// languages.
    pub(super) fn load(
        plan: &Plan,
        path: &ModulePath,
        [source, target]: [&str; 2],
        known: &mut Known,
    ) -> Result<Self, TranslateError> {
        let prefixes = prefixes(plan, source, target);
        let direction = format!("{source}-{target}");
        let mut side = |module: Option<&String>, prefix: &[String]| {
            let name = module.and_then(|module| match &plan.modules.get(module)?.kind {
                ModuleKind::Embedding { vocabulary } => Some(vocabulary.as_str()),
                ModuleKind::EncoderStack { .. }
                | ModuleKind::DecoderStack { .. }
                | ModuleKind::Head { .. }
                | ModuleKind::Adapter { .. }
                | ModuleKind::Bridge => None,
            });
            let name = name.unwrap_or_default();
            let tokenizer = known.tokenizer(name, spec(plan, name)?)?;
            Side::new(plan, name, tokenizer, prefix, &direction)
        };
        let source = path.encoder.first().map(|module| side(Some(module), &prefixes[0]));
        Ok(Self { source: source.transpose()?, target: side(path.decoder.first(), &prefixes[1])? })
    }

    /// Those of a task, by the tokenizers that its training uses.
    pub(crate) fn of_task(
        plan: &Plan,
        task: &TaskSpec,
        tokenizers: &Tokenizers,
    ) -> Result<Self, TranslateError> {
        let [source, target] = own_prefixes(task, String::clone);
        let direction = format!("{}-{}", task.source, task.target);
        let side = |name: &str, prefix: &[String]| {
            let fault = |reason: &dyn ToString| fault(name, reason.to_string());
            let tokenizer = tokenizers.get(name).map_err(|reason| fault(&reason))?;
            Side::new(plan, name, tokenizer, prefix, &direction)
        };
        let source = plan.model.has_encoder().then(|| side(&task.source_vocabulary, &source));
        Ok(Self { source: source.transpose()?, target: side(&task.target_vocabulary, &target)? })
    }

    /// Whether lines are continued, as there is no encoder that reads them.
    pub(crate) fn continues(&self) -> bool {
        self.source.is_none()
    }

    /// What is read of a line, and of what is given of its translation. None for a line to translate without text.
    pub(super) fn encode(&self, line: &str, given: &str) -> Option<Encoded> {
        let Some(side) = &self.source else {
            return Some(Encoded {
                source: Vec::new(),
                target: self.target.tokenizer.encode(line),
            });
        };
        let pieces = side.tokenizer.encode(line);
        if pieces.is_empty() {
            return None;
        }
        let prefix = side.prefix.iter().copied();
        let source = prefix.chain(pieces).chain([side.spec.eos]).collect();
        Some(Encoded { source, target: self.target.tokenizer.encode(given) })
    }

    /// What the decoder is given first: start token and prefix tokens.
    pub(super) fn prompt(&self) -> Vec<u32> {
        std::iter::once(self.target.spec.bos).chain(self.target.prefix.iter().copied()).collect()
    }

    /// The token that ends a translation.
    pub(super) fn end(&self) -> u32 {
        self.target.spec.eos
    }

    /// Ids that are no text: start, padding and added tokens; and those that are not among `only`, in order, where it is given.
    pub(super) fn never(&self, only: Option<&[u32]>) -> Vec<i64> {
        let spec = &self.target.spec;
        let other = |id: &u32| only.is_some_and(|only| only.binary_search(id).is_err());
        let ids = (0..spec.size())
            .filter(|id| *id >= spec.pieces || *id == spec.bos || *id == spec.pad || other(id));
        ids.filter(|&id| id != spec.eos).map(i64::from).collect()
    }

    /// Refuses sides that read or write other ids than these, which cannot decode together.
    pub(super) fn same_as(&self, other: &Self, direction: &str) -> Result<(), TranslateError> {
        let target = [(Some(&self.target), Some(&other.target), "target")];
        let parts =
            [(self.source.as_ref(), other.source.as_ref(), "source")].into_iter().chain(target);
        for (one, two, side) in parts {
            let (one, two) = match (one, two) {
                (Some(one), Some(two)) => (one, two),
                (None, None) => continue,
                (Some(_), None) | (None, Some(_)) => {
                    let (direction, differs) = (direction.to_owned(), "encoders");
                    return Err(TranslateError::Apart { direction, side, differs });
                }
            };
            let (a, b) = (&one.spec, &two.spec);
            let differs = if a.sha256 != b.sha256
                || (a.unk, a.bos, a.eos, a.pad) != (b.unk, b.bos, b.eos, b.pad)
            {
                "vocabularies"
            } else if a.added != b.added || a.size() != b.size() {
                "added tokens"
            } else if one.prefix != two.prefix {
                "prefix tokens"
            } else {
                continue;
            };
            let direction = direction.to_owned();
            return Err(TranslateError::Apart { direction, side, differs });
        }
        Ok(())
    }

    /// The pieces that lines of the target language are split into, in order.
    pub(crate) fn pieces(&self, text: &str) -> Vec<u32> {
        let mut ids: Vec<u32> =
            text.lines().flat_map(|line| self.target.tokenizer.encode(line)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// A translation as one line.
    pub(crate) fn decode(&self, ids: &[u32]) -> String {
        let text = self.target.tokenizer.decode(ids);
        if text.contains(['\n', '\r']) { text.replace(['\n', '\r'], " ") } else { text }
    }
}

impl Side {
    fn new(
        plan: &Plan,
        name: &str,
        tokenizer: Arc<Tokenizer>,
        prefix: &[String],
        direction: &str,
    ) -> Result<Self, TranslateError> {
        let spec = spec(plan, name)?;
        let id = |token: &String| {
            spec.added_id(token).ok_or_else(|| TranslateError::NoToken {
                direction: direction.to_owned(),
                token: token.clone(),
                vocabulary: name.to_owned(),
            })
        };
        let prefix = prefix.iter().map(id).collect::<Result<_, _>>()?;
        Ok(Self { tokenizer, spec: spec.clone(), prefix })
    }
}

/// A vocabulary of the plan.
fn spec<'p>(plan: &'p Plan, name: &str) -> Result<&'p VocabularySpec, TranslateError> {
    plan.vocabularies.get(name).ok_or_else(|| fault(name, "is not in the plan".to_owned()))
}

fn fault(vocabulary: &str, fault: String) -> TranslateError {
    TranslateError::Tokenizer { vocabulary: vocabulary.to_owned(), fault }
}

/// Prefix tokens of source and target. A direction without a task takes those of a task with its target, else its source, else
/// of the first, and `<to_..>` and `<from_..>` tokens are turned to its own languages.
fn prefixes(plan: &Plan, source: &str, target: &str) -> [Vec<String>; 2] {
    let fits: [&dyn Fn(&TaskSpec) -> bool; 4] = [
        &|task| task.source == source && task.target == target,
        &|task| task.target == target,
        &|task| task.source == source,
        &|_| true,
    ];
    let like = fits.iter().find_map(|fits| plan.tasks.values().find(|task| fits(task)));
    let Some(like) = like else { return [Vec::new(), Vec::new()] };
    let own = |token: &String| {
        if *token == format!("<to_{}>", like.target) {
            format!("<to_{target}>")
        } else if *token == format!("<from_{}>", like.source) {
            format!("<from_{source}>")
        } else {
            token.clone()
        }
    };
    own_prefixes(like, own)
}

/// Prefix tokens of a task's source and target, each as `own` turns it.
fn own_prefixes(task: &TaskSpec, own: impl Fn(&String) -> String) -> [Vec<String>; 2] {
    let mut prefixes = [Vec::new(), Vec::new()];
    for transform in &task.transforms {
        // Filters and noise are for training only.
        if let Transform::Prefix { source, target } = transform {
            prefixes[0].extend(source.iter().map(&own));
            prefixes[1].extend(target.iter().map(&own));
        }
    }
    prefixes
}

#[cfg(test)]
mod tests {
    use mmc_plan::sample::{self, Sample};

    use super::*;

    /// One file may be a tokenizer of one kind and none of another.
    #[test]
    fn a_file_that_was_read_as_another_kind_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("words").display().to_string();
        std::fs::write(&file, "one\ntwo\n").unwrap();
        let sha256 = Tokenizer::load(VocabularyKind::Words, &file).unwrap().facts().sha256.clone();
        let of =
            |kind| VocabularySpec { kind, sha256: sha256.clone(), ..sample::vocabulary(&file, 3) };
        let mut known = Known::default();
        let mut read = |kind| known.tokenizer("joint", &of(kind));
        let first = read(VocabularyKind::Words).unwrap();
        assert!(Arc::ptr_eq(&first, &read(VocabularyKind::Words).unwrap()));
        assert!(read(VocabularyKind::Huggingface).is_err());
    }

    #[test]
    fn a_direction_without_a_task_gets_prefixes_of_its_own_languages() {
        let mut sample = Sample::new(&["cs", "de", "en"], 1, &[&[0]]);
        sample.pairs = vec![["cs".into(), "en".into()], ["en".into(), "de".into()]];
        let mut plan = sample.plan();
        for task in plan.tasks.values_mut() {
            let source = vec![format!("<from_{}>", task.source), format!("<to_{}>", task.target)];
            let target = vec![format!("<to_{}>", task.target), "<t>".to_owned()];
            task.transforms.push(Transform::Prefix { source, target });
        }
        let expected = [["<from_cs>", "<to_de>"], ["<to_de>", "<t>"]];
        assert_eq!(prefixes(&plan, "cs", "de"), expected.map(|side| side.map(str::to_owned)));
        assert_eq!(prefixes(&plan, "cs", "en")[0], ["<from_cs>", "<to_en>"]);
    }
}
