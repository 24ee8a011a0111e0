//! Codes of the stage `text`: corpora, tokenizers, scores. They come from files, not from the source, so examples are told.

use super::{Example, Row};

const fn row(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    [wrong, right]: [&'static str; 2],
) -> Row {
    Row { code, title, meaning, wrong, right, example: Example::Told }
}

/// In order of code.
pub(super) const ROWS: &[Row] = &[
    row(
        "mmc::text::damaged",
        "a compressed file that can't be read to its end",
        "The file is truncated, or isn't of the format that its suffix says. Test it with `gzip -t` or `zstd -t` and copy it again.",
        ["train.de.gz, cut off while it was copied", "train.de.gz, whole"],
    ),
    row(
        "mmc::text::line_too_long",
        "a line beyond the bound of 1 MiB",
        "Text files hold one segment a line; a longer line is mostly a file of another kind. Training skips and counts such lines.",
        ["a picture named train.de", "one sentence a line"],
    ),
    row(
        "mmc::text::no_references",
        "scores without references",
        "BLEU and chrF compare translations with at least one file of references.",
        ["translations alone", "translations and the test text's target side"],
    ),
    row(
        "mmc::text::no_translations",
        "scores without translations",
        "The file of translations is empty, so there is nothing to score.",
        ["an empty file", "one translation a line"],
    ),
    row(
        "mmc::text::not_utf8",
        "bytes that are no UTF-8 text",
        "All text is UTF-8; convert the file, e.g. with `iconv -f latin1 -t UTF-8`. Training skips and counts such lines.",
        ["stra\\xdfe", "straße"],
    ),
    row(
        "mmc::text::synth",
        "an artificial corpus that can't be made",
        "The options of `mmc synth` ask for too few or too many of something; the message says of what.",
        [
            "mmc synth with more held-out lines than there are sentences",
            "mmc synth with fewer lines",
        ],
    ),
    row(
        "mmc::text::tokenization_not_built",
        "a tokenization of sacreBLEU's that isn't built in",
        "`ja-mecab`, `ko-mecab`, `spm`, `flores101` and `flores200` need dictionaries or models. `13a`, `intl`, `zh`, `char` and `none` are \
         built in; scores of different tokenizations can't be compared.",
        ["ja-mecab", "char"],
    ),
    row(
        "mmc::text::tokenizer",
        "a file that is no tokenizer of its kind",
        "`kind = sentencepiece` reads `.model` files of unigram and BPE models; `kind = huggingface` reads `tokenizer.json` files; `kind = words` reads lists of tokens, one a line, each once.",
        [
            r#"tokenizer pieces { kind = sentencepiece  model = "tokenizer.json" }"#,
            r#"tokenizer pieces { kind = huggingface  file = "tokenizer.json" }"#,
        ],
    ),
    row(
        "mmc::text::unequal_files",
        "sides with different numbers of files",
        "File `i` of the source side belongs to file `i` of the target side.",
        [
            "train.0.de train.1.de beside train.0.en",
            "train.0.de train.1.de beside train.0.en train.1.en",
        ],
    ),
    row(
        "mmc::text::unequal_lines",
        "parallel files of different lengths",
        "Line `i` of one file translates line `i` of the other, so both have the same number of lines.",
        ["29000 lines beside 28999", "29000 lines beside 29000"],
    ),
    row(
        "mmc::text::unequal_references",
        "references that don't fit the translations",
        "Line `i` of every file of references belongs to line `i` of the translations.",
        ["1000 translations, 1014 references", "1014 translations, 1014 references"],
    ),
    row(
        "mmc::text::unknown_tokenization",
        "a tokenization that doesn't exist",
        "Choose one of `13a`, `intl`, `zh`, `char` and `none`.",
        ["v13", "13a"],
    ),
    row(
        "mmc::text::unreadable",
        "a file that can't be opened",
        "The file is absent, a folder, or not permitted. Paths are relative to the working directory.",
        ["data/trian.de", "data/train.de"],
    ),
    row(
        "mmc::text::untrainable",
        "a vocabulary that can't be trained",
        "There is no text, or there are fewer pieces than characters and special pieces: take more pieces or a lower coverage.",
        ["100 pieces for Chinese text", "8000 pieces for Chinese text"],
    ),
    row(
        "mmc::text::unwritable",
        "a file that can't be written",
        "Check the folder's permissions and the free space.",
        ["/tokenizer.json", "tokenizers/pieces.json"],
    ),
];
