//! Experiments of a thousand invented languages, with the index of their corpora and tokenizers: nothing else is read.

use std::fmt::Write as _;

/// Languages of every program.
pub(super) const LANGUAGES: usize = 1000;

/// Groups that they are in.
const GROUPS: usize = 20;

/// An experiment and its index.
pub(super) struct Program {
    /// The experiment's name.
    pub(super) name: &'static str,
    /// Directions of translation.
    pub(super) tasks: usize,
    /// The experiment's text.
    pub(super) source: String,
    /// The index's text.
    pub(super) index: String,
}

/// One language from and to all others.
pub(super) fn centric() -> Program {
    let pairs = (1..LANGUAGES).map(|other| (0, other));
    program("centric", "l000 <-> all", pairs)
}

/// All languages from and to all others.
pub(super) fn all() -> Program {
    let pairs = (0..LANGUAGES).flat_map(|one| (one + 1..LANGUAGES).map(move |other| (one, other)));
    program("all_to_all", "all <-> all", pairs)
}

/// A program of these unordered pairs of languages: two files a pair, a tokenizer a language.
fn program(
    name: &'static str,
    directions: &str,
    pairs: impl Iterator<Item = (usize, usize)>,
) -> Program {
    let mut index = String::from("corpora:\n");
    let mut tasks = 0;
    for (one, other) in pairs {
        tasks += 2;
        // Sizes over three orders of magnitude.
        let lines = 1000 + (one * 7919 + other * 104_729) % 999_983;
        for language in [one, other] {
            let bytes = 60 * lines + language;
            let _ = write!(
                index,
                "  data/l{one:03}-l{other:03}.l{language:03}.gz:\n    bytes: {bytes}\n    lines: {lines}\n"
            );
        }
    }
    index.push_str("tokenizers:\n");
    for language in 0..LANGUAGES {
        let _ = write!(
            index,
            "  data/l{language:03}.model:\n    pieces: 4000\n    sha256: \"{language:064x}\"\n    unk: 0\n    bos: 1\n    eos: 2\n"
        );
    }
    let source = source(name, directions);
    Program { name, tasks, source, index }
}

fn source(name: &str, directions: &str) -> String {
    let code = |language: usize| format!("l{language:03}");
    let listed =
        |languages: Vec<usize>| languages.into_iter().map(code).collect::<Vec<String>>().join(", ");
    let languages = listed((0..LANGUAGES).collect());
    let mut groups = String::new();
    for group in 0..GROUPS {
        let members = listed((group..LANGUAGES).step_by(GROUPS).collect());
        let _ = writeln!(groups, "  g{group:02} = [{members}]");
    }
    format!(
        r#"import std.clusters.lumi_g

experiment {name} {{ seed = 1 }}

languages {languages}

groups {{
{groups}}}

corpus text {{ train = "data/{{sorted_pair}}.{{src_lang}}.gz" -> "data/{{sorted_pair}}.{{tgt_lang}}.gz" }}

tokenizer pieces {{ kind = sentencepiece  model = "data/{{lang}}.model" }}

tasks translation {{ pairs = {directions}  corpus = text  transforms = [pieces, filter_too_long(200, 200)] }}

model {{
  dim = 256  heads = 4  ffn = 1024
  encoder = [3 x SRC_GROUP, 6 x FULL]
  decoder = [2 x TGT_GROUP, 1 x TGT_LANGUAGE]
}}

curriculum {{ weight = temperature(0.3) }}

training {{
  steps = 100k  batch = 4096 tokens
  optimizer = adamw(lr = 5e-4)
  schedule = inverse_sqrt(warmup = 8k)
}}

cluster = lumi_g(nodes = 8)
"#
    )
}
