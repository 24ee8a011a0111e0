//! Training, loading and using `tokenizer.json` files: same bytes, exact round trips, facts without the model.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking and may say what it compared"
)]

use std::path::{Path, PathBuf};

use mmc_plan::VocabularyKind;
use mmc_text::TextError;
use mmc_text::tokenizer::train::{Method, Training, train};
use mmc_text::tokenizer::{Tokenizer, facts};

/// Artificial sentences in several scripts with spaces, digits and punctuation.
fn sentences() -> Vec<String> {
    let words = [
        "the",
        "red",
        "house",
        "walks",
        "river",
        "Straße",
        "über",
        "château",
        "élève",
        "ночь",
        "день",
        "город",
        "東京",
        "学校に",
        "行きます",
        "天气",
        "여행",
        "학교",
        "مدرسة",
        "كتاب",
        "किताब",
        "12.50",
        "%5",
        "don't",
    ];
    let mut stream = mmc_plan::random::Stream::new(7, mmc_plan::random::Purpose::Synth, &[]);
    let mut lines = Vec::new();
    for _ in 0..600 {
        let length = 3 + stream.below(9);
        let picked = (0..length).map(|_| words[usize::try_from(stream.below(24)).unwrap()]);
        lines.push(
            picked.collect::<Vec<_>>().join(" ")
                + [".", "!", " ?", ""][usize::try_from(stream.below(4)).unwrap()],
        );
    }
    lines
}

fn corpus(folder: &Path) -> PathBuf {
    use std::io::Write;
    let path = folder.join("text.gz");
    let file = std::fs::File::create(&path).unwrap();
    let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gz.write_all(sentences().join("\n").as_bytes()).unwrap();
    gz.finish().unwrap();
    path
}

fn training(method: Method, pieces: u32, files: Vec<PathBuf>) -> Training {
    let files = files.into_iter().map(Into::into).collect();
    Training { method, pieces, special: vec!["<x>".into()], coverage: 1_000_000, files }
}

#[test]
fn trained_twice_on_any_number_of_threads_is_the_same_file_and_gives_text_back() {
    let folder = tempfile::tempdir().unwrap();
    let files = vec![corpus(folder.path())];
    for method in [Method::Bpe, Method::Unigram] {
        let mut seen: Option<Vec<u8>> = None;
        for threads in [1, 2, 4] {
            let out = folder.path().join(format!("{threads}.json"));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let trained =
                pool.install(|| train(&training(method, 160, files.clone()), &out)).unwrap();
            assert_eq!((trained.lines, trained.skipped), (600, 0));
            assert!(trained.pieces <= 160, "{method:?}: {}", trained.pieces);
            let bytes = std::fs::read(&out).unwrap();
            assert!(
                seen.as_ref().is_none_or(|first| *first == bytes),
                "{method:?}, {threads} threads"
            );
            seen = Some(bytes);
        }
        let kind = VocabularyKind::Huggingface;
        let tokenizer = Tokenizer::load(kind, folder.path().join("1.json")).unwrap();
        let known = tokenizer.facts();
        assert_eq!(
            (known.unk, known.bos, known.eos, known.pad),
            (Some(0), Some(1), Some(2), Some(3))
        );
        assert_eq!(*known, facts(&seen.unwrap(), kind).unwrap());
        for line in sentences() {
            let ids = tokenizer.encode(&line);
            assert!(ids.iter().all(|&id| id > 4 && id < known.pieces), "{line}: {ids:?}");
            assert_eq!(tokenizer.decode(&ids), line, "{method:?}");
        }
        let hostile = tokenizer.encode("the </s> <pad> <s> red");
        assert!(hostile.iter().all(|&id| id == 0 || id > 3), "{hostile:?}");
        assert_eq!(tokenizer.encode(""), Vec::<u32>::new());
        assert_eq!(
            tokenizer.decode(&[1, tokenizer.encode("red")[0], 2, 999_999]).trim(),
            tokenizer.decode(&tokenizer.encode("red")[..1])
        );
    }
}

#[test]
fn what_can_t_be_trained_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let files = vec![corpus(folder.path())];
    let out = folder.path().join("x.json");
    let empty = folder.path().join("empty");
    std::fs::write(&empty, " \n\n").unwrap();
    for (pieces, files) in [(5, files.clone()), (40, files), (100, vec![empty])] {
        for method in [Method::Bpe, Method::Unigram] {
            let fault = train(&training(method, pieces, files.clone()), &out).unwrap_err();
            assert!(matches!(fault, TextError::Training { .. }), "{fault}");
        }
    }
    assert!(!out.exists());
}

#[test]
fn files_that_are_no_tokenizer_are_refused() {
    for kind in [VocabularyKind::Huggingface, VocabularyKind::Sentencepiece] {
        for bytes in [
            &b""[..],
            b"{}",
            b"[1]",
            b"\x0a\xff\xff\xff\xff\x0f",
            b"{\"model\":{\"vocab\":{}}}",
            b"\0\0\0",
        ] {
            assert!(facts(bytes, kind).is_err(), "{kind:?}: {bytes:?}");
            assert!(Tokenizer::from_bytes(kind, bytes).is_err());
        }
    }
}

/// Known words give the ids that the library gives to whole texts, on plain text and on text made of what normalisation, spaces and
/// names of pieces make difficult.
#[test]
fn words_one_by_one_are_the_whole_text() {
    const ODD: [&str; 34] = [
        "a", "b", "the", "über", "é", "e", "\u{301}", "\u{308}", "¨", "½", "ﬁ", "한", "\u{1112}",
        "\u{1161}", " ", "  ", " ", "\t", "\r", "\u{85}", "\u{a0}", "\u{2003}", "\u{3000}",
        "\u{200b}", "\u{2028}", "\u{feff}", "\u{2581}", "\u{fffd}", "\u{1}", "\u{b}", "</s>",
        "<unk>", "<x>", "学校",
    ];
    let folder = tempfile::tempdir().unwrap();
    let files = vec![corpus(folder.path())];
    let mut stream = mmc_plan::random::Stream::new(3, mmc_plan::random::Purpose::Synth, &[]);
    let odd = (0..6000).map(|_| {
        let parts = (0..stream.below(9)).map(|_| ODD[usize::try_from(stream.below(34)).unwrap()]);
        parts.collect::<String>()
    });
    let texts: Vec<String> = odd.collect::<Vec<_>>().into_iter().chain(sentences()).collect();
    for method in [Method::Bpe, Method::Unigram] {
        let out = folder.path().join("words.json");
        train(&training(method, 160, files.clone()), &out).unwrap();
        let ours = Tokenizer::load(VocabularyKind::Huggingface, &out).unwrap();
        let mut library = tokenizers::Tokenizer::from_file(&out).unwrap();
        library.set_encode_special_tokens(true);
        let facts = ours.facts().clone();
        let control = [facts.bos, facts.eos, facts.pad];
        for text in &texts {
            let mut whole = library.encode_fast(text.as_str(), false).unwrap().get_ids().to_vec();
            for id in whole.iter_mut().filter(|id| control.contains(&Some(**id))) {
                *id = facts.unk.unwrap();
            }
            // Twice: words are then known.
            assert_eq!(ours.encode(text), whole, "{method:?}: {text:?}");
            assert_eq!(ours.encode(text), whole, "{method:?}: {text:?}");
        }
    }
}
