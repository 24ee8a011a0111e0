//! Tokenizers -> vocabularies: which file serves which language, and which tokens are added behind its pieces.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mmc_plan::transform::MASK_TOKEN;
use mmc_plan::{Shared, StackSide, TaskKind, Transform, VocabularyKind, VocabularySpec, stretch};
use mmc_syntax::source::Span;

use super::error::BuildError;
use super::tasks::STRETCH;
use crate::diagnostics::Diagnostics;
use crate::directions::distinct;
use crate::ir::experiment::{Experiment, Pair, PrefixToken, TaskBlock, Tokenizer, TransformWish};
use crate::ir::task::TaskRow;
use crate::template::Templates;
use crate::world::{TokenizerFacts, World, WorldError};

/// Vocabularies in the making.
pub(super) struct Vocabularies<'a> {
    experiment: &'a Experiment,
    templates: &'a Templates,
    world: &'a dyn World,
    /// Name -> what it is made from.
    drafts: BTreeMap<String, Draft>,
    /// Tokenizer -> languages that it is used for, each with its vocabulary.
    languages: BTreeMap<usize, HashMap<String, String>>,
    /// Tokenizer -> whether every language has a file of its own.
    own: BTreeMap<usize, bool>,
    /// Tokenizer -> what its blocks tell by tokens.
    told: BTreeMap<usize, Told>,
    /// Tokenizers whose pieces are masked by some block.
    masked: BTreeSet<usize>,
}

/// What tokens tell.
#[derive(Default)]
struct Told {
    /// Source languages.
    source: bool,
    /// Target languages.
    target: bool,
    /// Whatever else, token by token.
    tokens: BTreeSet<String>,
}

/// A vocabulary before its added tokens are known.
struct Draft {
    tokenizer: usize,
    path: String,
    facts: Result<TokenizerFacts, WorldError>,
}

impl<'a> Vocabularies<'a> {
    pub(super) fn new(
        experiment: &'a Experiment,
        templates: &'a Templates,
        world: &'a dyn World,
    ) -> Self {
        let (drafts, languages, told) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (own, masked) = (BTreeMap::new(), BTreeSet::new());
        Self { experiment, templates, world, drafts, languages, own, told, masked }
    }

    /// Gives the rows of a block their vocabularies.
    pub(super) fn serve(&mut self, block: &TaskBlock, rows: &mut [TaskRow]) {
        if rows.is_empty() {
            return;
        }
        let at = block.tokenizer.value;
        for wish in &block.transforms {
            if let TransformWish::Prefix { tokens, .. } = &wish.value {
                self.told.entry(at).or_default().add(tokens, &block.name);
            }
        }
        if block.transforms.iter().any(|wish| wish.value.masks()) {
            self.masked.insert(at);
        }
        let found = stretch::each(rows, STRETCH, |rows| {
            distinct(rows.iter().flat_map(|row| [row.source.as_str(), &row.target]))
        });
        for language in found.into_iter().flatten().collect::<BTreeSet<&str>>() {
            self.side(at, language);
        }
        let Some(known) = self.languages.get(&at) else { return };
        let name = |language: &str| known.get(language).cloned().unwrap_or_default();
        stretch::change(rows, STRETCH, |row| {
            row.source_vocabulary = name(&row.source);
            row.target_vocabulary = name(&row.target);
        });
    }

    /// Finds the vocabulary of a language.
    fn side(&mut self, at: usize, language: &str) {
        if self.languages.get(&at).is_some_and(|known| known.contains_key(language)) {
            return;
        }
        let Some(tokenizer) = self.experiment.tokenizers.get(at) else { return };
        let template = &tokenizer.file.value;
        let templates = self.templates;
        let own = *self.own.entry(at).or_insert_with(|| {
            templates.variables(template).is_ok_and(|names| names.contains("lang"))
        });
        let name = format!("{}.{}", tokenizer.name, if own { language } else { "joint" });
        if !self.drafts.contains_key(&name) {
            let path =
                self.templates.language(template, language).unwrap_or_else(|_| template.clone());
            let facts = self.world.tokenizer(&path, tokenizer.kind);
            self.drafts.insert(name.clone(), Draft { tokenizer: at, path, facts });
        }
        self.languages.entry(at).or_default().insert(language.to_owned(), name);
    }

    /// Reports files that are missing or can't be read.
    pub(super) fn report(&self, diagnostics: &mut Diagnostics) {
        for draft in self.drafts.values() {
            let Some(tokenizer) = self.experiment.tokenizers.get(draft.tokenizer) else { continue };
            let (path, span) = (draft.path.clone(), tokenizer.file.span);
            match &draft.facts {
                Ok(_) => {}
                Err(WorldError::Missing) => {
                    let help = missing_help(tokenizer);
                    diagnostics.report(BuildError::TokenizerMissing { path, span, help });
                }
                Err(fault) => {
                    let reason = fault.to_string();
                    let help = "check `kind`, and the file itself";
                    diagnostics.report(BuildError::TokenizerUnreadable {
                        path,
                        reason,
                        span,
                        help,
                    });
                }
            }
        }
    }

    /// The path of a vocabulary whose pieces can't be turned back into text, and where its tokenizer tells it.
    pub(super) fn one_way(&self, name: &str) -> Option<(String, Span)> {
        let draft = self.drafts.get(name)?;
        let tokenizer = self.experiment.tokenizers.get(draft.tokenizer)?;
        let one_way = draft.facts.as_ref().is_ok_and(|facts| facts.one_way);
        one_way.then(|| (draft.path.clone(), tokenizer.file.span))
    }

    /// The finished vocabularies, all of whose files are known.
    pub(super) fn into_specs(self) -> BTreeMap<String, VocabularySpec> {
        let mut added: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        let mut specs = BTreeMap::new();
        for (name, draft) in &self.drafts {
            let Ok(facts) = &draft.facts else { continue };
            let Some(tokenizer) = self.experiment.tokenizers.get(draft.tokenizer) else { continue };
            let tokens =
                added.entry(draft.tokenizer).or_insert_with(|| self.added(draft.tokenizer));
            specs.insert(name.clone(), spec(tokenizer, &draft.path, facts, tokens));
        }
        specs
    }

    /// The tokens that the tasks of a tokenizer need besides its pieces.
    fn added(&self, tokenizer: usize) -> BTreeSet<String> {
        let languages = || self.languages.get(&tokenizer).into_iter().flat_map(HashMap::keys);
        let mut added = BTreeSet::new();
        if let Some(told) = self.told.get(&tokenizer) {
            added.extend(languages().filter(|_| told.source).map(|code| from_token(code)));
            added.extend(languages().filter(|_| told.target).map(|code| to_token(code)));
            added.extend(told.tokens.iter().cloned());
        }
        added.extend(self.masked.contains(&tokenizer).then(|| MASK_TOKEN.to_owned()));
        added
    }
}

impl Told {
    /// Takes what a block of this name tells.
    fn add(&mut self, tokens: &[PrefixToken], block: &str) {
        for token in tokens {
            match token {
                PrefixToken::Source => self.source = true,
                PrefixToken::Target => self.target = true,
                PrefixToken::Task => drop(self.tokens.insert(task_token(block))),
                PrefixToken::Text(text) => drop(self.tokens.insert(text.clone())),
            }
        }
    }
}

/// The tokenizer's file with the tokens that it lacks.
fn spec(
    tokenizer: &Tokenizer,
    file: &str,
    facts: &TokenizerFacts,
    needed: &BTreeSet<String>,
) -> VocabularySpec {
    let special =
        [("<unk>", facts.unk), ("<bos>", facts.bos), ("<eos>", facts.eos), ("<pad>", facts.pad)];
    let lacking: Vec<String> = special
        .iter()
        .filter(|(token, id)| id.is_none() && !needed.contains(*token))
        .map(|(token, _)| (*token).to_owned())
        .collect();
    let mut added: Vec<String> = needed.iter().cloned().chain(lacking).collect();
    added.sort_unstable();
    let mut spec = VocabularySpec {
        kind: tokenizer.kind,
        file: file.to_owned(),
        sha256: facts.sha256.clone(),
        pieces: facts.pieces,
        added,
        unk: 0,
        bos: 0,
        eos: 0,
        pad: 0,
        mask: None,
        sampling: tokenizer.sampling,
    };
    let [unk, bos, eos, pad] =
        special.map(|(token, id)| id.or_else(|| spec.added_id(token)).unwrap_or(0));
    (spec.unk, spec.bos, spec.eos, spec.pad) = (unk, bos, eos, pad);
    spec.mask = spec.added_id(MASK_TOKEN);
    spec
}

fn missing_help(tokenizer: &Tokenizer) -> String {
    if tokenizer.train.is_some() {
        "`mmc tokenizer train FILE.mmc` makes it from the training text".to_owned()
    } else if tokenizer.kind == VocabularyKind::Words {
        "put the file there: one token a line".to_owned()
    } else {
        format!(
            "put the file there, or add `train = bpe(pieces = 8k)` to `{}` and run `mmc tokenizer train FILE.mmc`",
            tokenizer.name
        )
    }
}

fn from_token(language: &str) -> String {
    format!("<from_{language}>")
}

fn to_token(language: &str) -> String {
    format!("<to_{language}>")
}

fn task_token(block: &str) -> String {
    format!("<task_{block}>")
}

/// The transforms of a block's directions; directions that they say the same of share them.
pub(super) struct Transformed<'a> {
    experiment: &'a Experiment,
    block: &'a TaskBlock,
    /// Whether they depend on the source language, and on the target language.
    depends: (bool, bool),
    known: HashMap<(&'a str, &'a str), Shared<Vec<Transform>>>,
}

impl<'a> Transformed<'a> {
    pub(super) fn new(experiment: &'a Experiment, block: &'a TaskBlock) -> Self {
        let mut depends = (false, false);
        for wish in &block.transforms {
            if let TransformWish::Prefix { tokens, .. } = &wish.value {
                depends.0 |= tokens.contains(&PrefixToken::Source);
                depends.1 |= tokens.contains(&PrefixToken::Target);
            } else if matches!(wish.value, TransformWish::FilterScript { .. }) {
                depends = (true, true);
            }
        }
        Self { experiment, block, depends, known: HashMap::new() }
    }

    /// The transforms of a direction, as the plan spells them.
    pub(super) fn of(&mut self, pair: &'a Pair) -> Shared<Vec<Transform>> {
        let key = (
            if self.depends.0 { pair.source.as_str() } else { "" },
            if self.depends.1 { pair.target.as_str() } else { "" },
        );
        let made = || transforms(self.experiment, self.block, pair).into();
        self.known.entry(key).or_insert_with(made).clone()
    }
}

/// The transforms of a direction, as the plan spells them.
fn transforms(experiment: &Experiment, block: &TaskBlock, pair: &Pair) -> Vec<Transform> {
    // The resolver lets no block filter by scripts that are not known.
    let script = |code: &str| {
        let language = experiment.languages.iter().find(|language| language.code == code);
        let script = language.and_then(|language| language.attributes.get("script"));
        script.cloned().unwrap_or_default()
    };
    block
        .transforms
        .iter()
        .map(|wish| match &wish.value {
            TransformWish::Tokenize => Transform::Tokenize,
            TransformWish::Prefix { tokens, side } => {
                let told = |token: &PrefixToken| match token {
                    PrefixToken::Source => from_token(&pair.source),
                    PrefixToken::Target => to_token(&pair.target),
                    PrefixToken::Task => task_token(&block.name),
                    PrefixToken::Text(text) => text.clone(),
                };
                let tokens = tokens.iter().map(told).collect();
                let first = match block.kind.value {
                    TaskKind::Causal => StackSide::Decoder,
                    TaskKind::Translate | TaskKind::Denoise => StackSide::Encoder,
                };
                match side.unwrap_or(first) {
                    StackSide::Encoder => Transform::Prefix { source: tokens, target: vec![] },
                    StackSide::Decoder => Transform::Prefix { source: vec![], target: tokens },
                }
            }
            TransformWish::FilterScript { least } => Transform::FilterScript {
                source: script(&pair.source),
                target: script(&pair.target),
                least: *least,
            },
            TransformWish::Plain(transform) => transform.clone(),
        })
        .collect()
}
