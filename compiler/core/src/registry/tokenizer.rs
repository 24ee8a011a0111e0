//! Codes of the stage `tokenizer`.

use super::{Example, Row};

/// In order of code.
pub(super) const ROWS: &[Row] = &[
    Row {
        code: "mmc::tokenizer::missing",
        title: "a tokenizer file that is not there",
        meaning: "The `file` (or `model`) of the tokenizer, filled for a language in use. `mmc tokenizer train FILE.mmc` makes the files of tokenizers with `train`.",
        wrong: "languages pl\n#@ missing spm/pl.model",
        right: "languages pl",
        example: Example::Over,
    },
    Row {
        code: "mmc::tokenizer::one_way",
        title: "scores of text that a tokenizer can't give back",
        meaning: "`scores` compares translations as text, but the target's `tokenizer.json` cuts words into pieces and has no `decoder` that joins them.",
        wrong: "#@ one_way spm/fr.model\ncorpus held { train = \"held.{src_lang}\" -> \"held.{tgt_lang}\"  valid = \"valid.{src_lang}\" -> \"valid.{tgt_lang}\" }\ntasks more { pairs = cs -> fr  corpus = held  transforms = [pieces, prefix(target)] }\ntraining { scores = bleu }",
        right: "corpus held { train = \"held.{src_lang}\" -> \"held.{tgt_lang}\"  valid = \"valid.{src_lang}\" -> \"valid.{tgt_lang}\" }\ntasks more { pairs = cs -> fr  corpus = held  transforms = [pieces, prefix(target)] }\ntraining { scores = bleu }",
        example: Example::Over,
    },
    Row {
        code: "mmc::tokenizer::unreadable",
        title: "a tokenizer file that can not be read",
        meaning: "The file is there, but it is of another kind, or broken.",
        wrong: "kind = sentencepiece  model = \"tokenizer.json\"",
        right: "kind = huggingface  file = \"tokenizer.json\"",
        example: Example::Told,
    },
];
