//! Streams as a whole: coverage, exact resumption, lanes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mmc_plan::sample::{Sample, in_columns, vocabulary};
use mmc_plan::{
    BadLines, Competence, CorpusFiles, Difficulty, Growth, LaneTask, ParallelFiles, Plan, Sampling,
    Shared, SkippedPairs, VocabularyKind,
};

use super::{Batch, StreamError, StreamState, TaskStream, Tokenizers, ValidationStream};

/// A tokenizer of whole words `w0`..`w999`, ids 3 to 1002, behind `<unk> <s> </s>`.
fn tokenizer() -> String {
    let words: BTreeMap<String, u32> = ["<unk>", "<s>", "</s>"]
        .into_iter()
        .map(str::to_owned)
        .chain((0..1000).map(|at| format!("w{at}")))
        .zip(0..)
        .collect();
    serde_json::json!({
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": { "type": "Whitespace" },
        "model": { "type": "WordLevel", "vocab": words, "unk_token": "<unk>" },
    })
    .to_string()
}

const TASK: &str = "t.de-en";

/// A corpus of `lines` numbered pairs, the number being the first word of both sides, and a plan for it.
fn corpus(folder: &Path, lines: u64, shuffle: u32) -> Plan {
    let text = |line: u64| {
        let rest: Vec<String> = (0..line % 7).map(|at| format!("w{at}")).collect();
        format!("w{line} {}", rest.join(" ")).trim_end().to_owned() + "\n"
    };
    let whole: String = (0..lines).map(text).collect();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let tokenizer = file("tokenizer.json", &tokenizer());
    let sides = || ParallelFiles {
        source: vec![file("text.de", &whole)].into(),
        target: vec![file("text.en", &whole)].into(),
        columns: None,
        lines,
    };
    let mut sample = Sample::new(&["de", "en"], 2, &[&[0, 1]]);
    sample.corpora =
        vec![CorpusFiles { train: sides(), valid: Some(sides()), ..CorpusFiles::default() }; 2];
    let mut joint = vocabulary(&tokenizer, 1003);
    joint.kind = VocabularyKind::Huggingface;
    let bytes = fs::read(&tokenizer).unwrap();
    joint.sha256 = crate::tokenizer::facts(&bytes, joint.kind).unwrap().sha256;
    sample.vocabularies.insert("joint".to_owned(), joint);
    let mut plan = sample.plan();
    plan.training.shuffle = shuffle;
    plan.training.batch_tokens = 64;
    for lane in &mut plan.lanes {
        lane.tasks.insert(TASK.to_owned(), LaneTask { parts: 1, lines: [0, 1_000_000] });
    }
    plan
}

fn open(plan: &Plan, lane: u32) -> TaskStream {
    let tokenizers = Tokenizers::load(plan, &[TASK]).unwrap();
    TaskStream::open(plan, TASK, lane, &tokenizers).unwrap()
}

/// The line numbers of a batch, read off its first pieces, target beside source.
fn lines(plan: &Plan, batch: &Batch) -> Vec<u64> {
    let prefix =
        plan.tasks[TASK].transforms.iter().any(|t| matches!(t, mmc_plan::Transform::Prefix { .. }));
    let number = |row: &[u32], at: usize| u64::from(row[at]) - 3;
    let (source_at, target_at) =
        (usize::from(prefix && batch.source[0][0] >= 1003), 1 + batch.scored[0].start);
    let rows = batch.source.iter().zip(&batch.target);
    rows.map(|(source, target)| {
        assert_eq!(number(source, source_at), number(target, target_at), "sides belong together");
        number(source, source_at)
    })
    .collect()
}

/// Line numbers of whole epochs of `lines` examples each.
fn epochs(plan: &Plan, stream: &mut TaskStream, lines_each: usize, count: usize) -> Vec<Vec<u64>> {
    (0..count)
        .map(|_| {
            let mut epoch = Vec::new();
            while epoch.len() < lines_each {
                epoch.extend(lines(plan, &stream.next_batch(1).unwrap()));
            }
            epoch
        })
        .collect()
}

#[test]
fn every_pair_comes_once_an_epoch_in_another_order() {
    let folder = tempfile::tempdir().unwrap();
    for shuffle in [50, 200, 1000] {
        let plan = corpus(folder.path(), 200, shuffle);
        let passes = epochs(&plan, &mut open(&plan, 0), 200, 3);
        for pass in &passes {
            let mut sorted = pass.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..200).collect::<Vec<u64>>(), "shuffle {shuffle}");
        }
        assert_ne!(passes[0], passes[1]);
        assert_ne!(passes[1], passes[2]);
    }
}

#[test]
fn a_stream_resumes_exactly_after_any_batch() {
    let folder = tempfile::tempdir().unwrap();
    let plan = corpus(folder.path(), 150, 40);
    let mut stream = open(&plan, 1);
    let mut states = vec![stream.state()];
    let mut batches = Vec::new();
    for _ in 0..90 {
        batches.push(stream.next_batch(1).unwrap());
        states.push(stream.state());
    }
    for (at, state) in states.iter().enumerate() {
        let mut again = open(&plan, 1);
        again.resume(state).unwrap();
        assert_eq!(again.state(), *state);
        for batch in batches.iter().skip(at).take(12) {
            assert_eq!(again.next_batch(1).unwrap(), *batch, "resumed after {at}");
        }
    }
}

/// The plan with a SentencePiece model that draws its segmentations.
fn sampling(folder: &Path, nbest: Option<u32>) -> Plan {
    let mut plan = corpus(folder, 150, 40);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sentencepiece");
    let lines = fs::read_to_string(fixtures.join("eval.txt")).unwrap();
    let lines: Vec<&str> = lines.lines().cycle().take(150).collect();
    for side in ["text.de", "text.en"] {
        fs::write(folder.join(side), lines.join("\n") + "\n").unwrap();
    }
    let model = fixtures.join("unigram_bytes.model");
    let model = model.to_str().unwrap();
    let bytes = fs::read(model).unwrap();
    let facts = crate::tokenizer::facts(&bytes, VocabularyKind::Sentencepiece).unwrap();
    let mut joint = vocabulary(model, facts.pieces);
    joint.kind = VocabularyKind::Sentencepiece;
    joint.sha256 = facts.sha256;
    joint.sampling = Some(Sampling { nbest, alpha: 0.2 });
    plan.vocabularies.insert("joint".to_owned(), joint);
    plan
}

#[test]
fn drawn_segmentations_differ_by_epoch_and_resume_exactly() {
    let folder = tempfile::tempdir().unwrap();
    for nbest in [None, Some(8)] {
        let plan = sampling(folder.path(), nbest);
        let tokenizers = Tokenizers::load(&plan, &[TASK]).unwrap();
        let tokenizer = tokenizers.get("joint").unwrap();
        let mut stream = open(&plan, 0);
        let mut states = vec![stream.state()];
        let mut batches = Vec::new();
        let mut ways: BTreeMap<String, BTreeSet<Vec<u32>>> = BTreeMap::new();
        while stream.state().epoch < 3 {
            let batch = stream.next_batch(1).unwrap();
            for row in &batch.source {
                ways.entry(tokenizer.decode(row)).or_default().insert(row.clone());
            }
            batches.push(batch);
            states.push(stream.state());
        }
        assert!(ways.values().filter(|ways| ways.len() > 1).count() > 20, "{nbest:?}");
        for (at, state) in states.iter().enumerate().step_by(7) {
            let mut again = open(&plan, 0);
            again.resume(state).unwrap();
            for batch in batches.iter().skip(at).take(5) {
                assert_eq!(again.next_batch(1).unwrap(), *batch, "resumed after {at}");
            }
        }
        // Validation takes the best.
        let text = fs::read_to_string(folder.path().join("text.de")).unwrap();
        let best: BTreeSet<Vec<u32>> = text.lines().map(|line| tokenizer.encode(line)).collect();
        let mut valid = ValidationStream::open(&plan, TASK, &tokenizers).unwrap();
        let spec = &plan.vocabularies["joint"];
        while let Some(batch) = valid.next_batch().unwrap() {
            for row in &batch.source {
                let of_text = |id: &u32| *id < spec.pieces && *id != spec.eos;
                assert!(best.contains(&row.iter().copied().filter(of_text).collect::<Vec<u32>>()));
            }
        }
    }
}

#[test]
fn a_tokenizer_that_cannot_draw_segmentations_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = corpus(folder.path(), 10, 40);
    if let Some(joint) = plan.vocabularies.get_mut("joint") {
        joint.sampling = Some(Sampling { nbest: None, alpha: 0.1 });
    }
    let tokenizers = Tokenizers::load(&plan, &[TASK]).unwrap();
    let fault = TaskStream::open(&plan, TASK, 0, &tokenizers).unwrap_err();
    assert!(matches!(&fault, StreamError::NoSampling { .. }), "{fault}");
}

#[test]
fn lanes_divide_the_corpus_and_differ_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = corpus(folder.path(), 300, 1000);
    for (lane, interval) in [(0, [0, 300_000]), (1, [300_000, 1_000_000])] {
        plan.lanes[lane].tasks.insert(TASK.to_owned(), LaneTask { parts: 1, lines: interval });
    }
    let of = |lane: u32, count: usize| epochs(&plan, &mut open(&plan, lane), count, 1).remove(0);
    let (first, second) = (of(0, 90), of(1, 210));
    let mut both: Vec<u64> = first.iter().chain(&second).copied().collect();
    both.sort_unstable();
    assert_eq!(both, (0..300).collect::<Vec<u64>>());
    assert_eq!(first, of(0, 90), "a stream depends on the plan alone");
}

#[test]
fn unusable_pairs_are_counted_and_nothing_usable_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = corpus(folder.path(), 60, 1000);
    let source = plan.tasks[TASK].corpus.train.source[0].clone();
    let mut text = fs::read(&source).unwrap();
    let length = text.len();
    text.splice(0..2, *b"\xff\xff");
    text[length - 1] = b'\n';
    fs::write(&source, &text).unwrap();
    let mut stream = open(&plan, 0);
    epochs(&plan, &mut stream, 59, 1);
    assert_eq!(stream.state().skipped.not_utf8, 1);
    let mut again = open(&plan, 0);
    again.resume(&stream.state()).unwrap();
    stream.next_batch(1).unwrap();
    again.next_batch(1).unwrap();
    assert_eq!((again.state(), stream.state().skipped.not_utf8), (stream.state(), 2));
    plan.training.batch_tokens = 1;
    let fault = open(&plan, 0).next_batch(1).unwrap_err();
    assert!(matches!(fault, StreamError::NothingUsable { .. }), "{fault}");
}

/// Of four bad lines each is counted by its reason, or named; both sides without text are no bad line.
#[test]
fn bad_lines_are_left_out_or_end_training_as_the_corpus_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = corpus(folder.path(), 60, 1000);
    let tokenizers = Tokenizers::load(&plan, &[TASK]).unwrap();
    let files = plan.tasks[TASK].corpus.train.clone();
    let whole = fs::read(&files.source[0]).unwrap();
    let long = "w1 ".repeat(500_000);
    let cases = [
        (b"w\xff".as_slice(), b"w1".as_slice(), [0, 0, 1], "text.de, line 3: not UTF-8"),
        (b"w1".as_slice(), long.as_bytes(), [0, 1, 0], "text.en, line 3: longer than 1 MiB"),
        (b" ".as_slice(), b"w1".as_slice(), [1, 0, 0], "text.de, line 3: no text"),
        (b"w1".as_slice(), b"".as_slice(), [1, 0, 0], "text.en, line 3: no text"),
        (b"".as_slice(), b"\t".as_slice(), [1, 0, 0], ""),
    ];
    for (source, target, counts, fault) in cases {
        for (file, line) in [(&files.source[0], source), (&files.target[0], target)] {
            fs::write(file, [b"w8\nw9\n", line, b"\n".as_slice(), whole.as_slice()].concat())
                .unwrap();
        }
        let mut said = Vec::new();
        for bad_lines in [BadLines::Skip, BadLines::Fatal] {
            plan.tasks.get_mut(TASK).unwrap().corpus.bad_lines = bad_lines;
            let mut stream = open(&plan, 0);
            let mut valid = ValidationStream::open(&plan, TASK, &tokenizers).unwrap();
            let first = stream.next_batch(1).map(|_| stream.state().skipped);
            let second = valid.next_batch().map(|_| valid.skipped());
            said.extend([first, second].map(|found| found.map_err(|fault| fault.to_string())));
        }
        let [skipped, in_validation, fatal, fatal_in_validation] = said.as_slice() else {
            unreachable!("two ways, two streams")
        };
        let SkippedPairs { empty, too_long, not_utf8, filtered: 0 } = skipped.clone().unwrap()
        else {
            panic!("{skipped:?}")
        };
        assert_eq!([empty, too_long, not_utf8], counts);
        assert_eq!(skipped, in_validation);
        for found in [fatal, fatal_in_validation] {
            match found {
                Ok(_) => assert_eq!(fault, ""),
                Err(said) => assert!(!fault.is_empty() && said.contains(fault), "{said}"),
            }
        }
    }
}

/// A text that lacks a side's column is counted, or named.
#[test]
fn a_line_without_its_column_is_bad() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = corpus(folder.path(), 20, 1000);
    let path = folder.path().join("text.tsv");
    fs::write(&path, "w8\tw8\nw9\tw9\tw9\nw1 w1\n\nw2\tw2\n").unwrap();
    let mut stream = |bad_lines| {
        let corpus = &mut plan.tasks.get_mut(TASK).unwrap().corpus;
        corpus.train.source = vec![path.to_string_lossy().into_owned()].into();
        corpus.train = in_columns(&corpus.train, [1, 2]);
        corpus.bad_lines = bad_lines;
        open(&plan, 0)
    };
    let mut skipping = stream(BadLines::Skip);
    assert_eq!(skipping.next_batch(1).unwrap().source.len(), 3);
    assert_eq!(skipping.state().skipped, SkippedPairs { empty: 2, ..SkippedPairs::default() });
    let fault = stream(BadLines::Fatal).next_batch(1).unwrap_err().to_string();
    assert!(fault.contains("text.tsv, line 3: fewer columns"), "{fault}");
}

/// All batches of a task up to the end of a few epochs, with the states before each, and its validation text.
fn read(plan: &Plan, task: &str) -> (Vec<Batch>, Vec<StreamState>, Vec<Batch>) {
    let tokenizers = Tokenizers::load(plan, &[task]).unwrap();
    let mut stream = TaskStream::open(plan, task, 0, &tokenizers).unwrap();
    let (mut batches, mut states) = (Vec::new(), Vec::new());
    while stream.state().epoch < 2 {
        states.push(stream.state());
        batches.push(stream.next_batch(1).unwrap());
    }
    let (mut valid, mut held) =
        (ValidationStream::open(plan, task, &tokenizers).unwrap(), Vec::new());
    while let Some(batch) = valid.next_batch().unwrap() {
        held.push(batch);
    }
    (batches, states, held)
}

/// In both directions of one file, from any batch on, compressed or not, bad lines and a further column with it.
#[test]
fn columns_give_the_batches_of_the_files_that_they_were_pasted_from() {
    let folder = tempfile::tempdir().unwrap();
    let plan = corpus(folder.path(), 90, 25);
    let files = plan.tasks[TASK].corpus.train.clone();
    let long = "w1 ".repeat(400_000);
    let text = fs::read_to_string(&files.source[0]).unwrap();
    let turned = |line: &str| line.split(' ').rev().collect::<Vec<_>>().join(" ").into_bytes();
    let mut pairs: Vec<[Vec<u8>; 2]> =
        text.lines().map(|line| [line.into(), turned(line)]).collect();
    let bad: [[&[u8]; 2]; 5] =
        [[b"w\xff", b"w1"], [b"", b"w2"], [b"w3", b" "], [b"", b""], [long.as_bytes(), b"w4"]];
    pairs.extend(bad.map(|pair| pair.map(<[u8]>::to_vec)));
    let write = |name: &str, line: &dyn Fn(&[Vec<u8>; 2]) -> Vec<u8>| -> Shared<Vec<String>> {
        let text = pairs.iter().map(line).collect::<Vec<_>>().join(b"\n".as_slice());
        let bytes = match name.rsplit_once('.') {
            Some((_, "gz")) => {
                let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                std::io::Write::write_all(&mut gz, &text).unwrap();
                gz.finish().unwrap()
            }
            Some((_, "zst")) => zstd::encode_all(text.as_slice(), 1).unwrap(),
            _ => text,
        };
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        vec![path.to_string_lossy().into_owned()].into()
    };
    let sides = [0, 1].map(|side| write(["a", "b"][side], &|pair| pair[side].clone()));
    let pasted = ["ab.tsv", "ab.tsv.gz", "ab.tsv.zst"]
        .map(|name| write(name, &|[a, b]| [a.as_slice(), b, b"0.5"].join(b"\t".as_slice())));
    for (task, columns) in [("t.de-en", [1, 2]), ("t.en-de", [2, 1])] {
        let of = |train: ParallelFiles| {
            let mut plan = plan.clone();
            let corpus = &mut plan.tasks.get_mut(task).unwrap().corpus;
            (corpus.valid, corpus.train) = (Some(train.clone()), train);
            plan.lanes[0]
                .tasks
                .insert(task.to_owned(), LaneTask { parts: 1, lines: [0, 1_000_000] });
            plan
        };
        let [source, target] = columns.map(|column| sides[column as usize - 1].clone());
        let expected = read(&of(ParallelFiles { source, target, columns: None, lines: 95 }), task);
        let (batches, states, _) = &expected;
        assert_eq!(states.last().unwrap().skipped.not_utf8, 2);
        for source in &pasted {
            let files = ParallelFiles { source: source.clone(), ..files.clone() };
            let plan = of(in_columns(&files, columns));
            assert_eq!(read(&plan, task), expected, "{source:?}");
            let tokenizers = Tokenizers::load(&plan, &[task]).unwrap();
            for (state, batch) in states.iter().zip(batches) {
                let mut again = TaskStream::open(&plan, task, 0, &tokenizers).unwrap();
                again.resume(state).unwrap();
                assert_eq!(again.next_batch(1).unwrap(), *batch, "{source:?} from {state:?}");
            }
        }
    }
}

#[test]
fn validation_gives_each_pair_once() {
    let folder = tempfile::tempdir().unwrap();
    let plan = corpus(folder.path(), 120, 10);
    let tokenizers = Tokenizers::load(&plan, &[TASK]).unwrap();
    let mut stream = ValidationStream::open(&plan, TASK, &tokenizers).unwrap();
    let mut seen = Vec::new();
    while let Some(batch) = stream.next_batch().unwrap() {
        let predictions = batch.target.iter().map(|row| row.len() as u64 - 1);
        let unscored = batch.scored.iter().map(|scored| scored.start as u64);
        assert_eq!(batch.target_tokens, predictions.sum::<u64>() - unscored.sum::<u64>());
        seen.extend(lines(&plan, &batch));
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..120).collect::<Vec<u64>>());
}

#[test]
fn another_tokenizer_than_the_plan_s_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plan = corpus(folder.path(), 20, 10);
    let path = &plan.vocabularies["joint"].file;
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, text.replace("w999", "v999")).unwrap();
    let fault = Tokenizers::load(&plan, &[TASK]).unwrap_err();
    assert!(matches!(fault, StreamError::OtherTokenizer { .. }), "{fault}");
}

#[test]
fn noise_is_anew_in_every_epoch_the_same_after_a_resumption_and_absent_in_validation() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = corpus(folder.path(), 60, 20);
    let mask = 5_000;
    plan.vocabularies.get_mut("joint").unwrap().mask = Some(mask);
    let noise = mmc_plan::Denoise {
        objective: mmc_plan::Objective::Bart,
        ratio: 0.5,
        unit: mmc_plan::MaskUnit::Word,
        replace: mmc_plan::Replace::Each,
        random: 0.0,
        insert: 0.0,
        rotate: 0.0,
        permute: 0.0,
    };
    let task = plan.tasks.get_mut(TASK).unwrap();
    task.transforms.push(mmc_plan::Transform::Denoise(noise));
    // The target tells which line it is; the source is what noise made of it.
    let epoch = |stream: &mut TaskStream| {
        let mut sources = BTreeMap::new();
        while sources.len() < 60 {
            let batch = stream.next_batch(1).unwrap();
            sources.extend(batch.target.into_iter().zip(batch.source));
        }
        sources
    };
    let mut stream = open(&plan, 0);
    let (first, second) = (epoch(&mut stream), epoch(&mut stream));
    let masks = |sources: &BTreeMap<Vec<u32>, Vec<u32>>| {
        sources.values().flatten().filter(|&&id| id == mask).count()
    };
    assert!(masks(&first) > 60 && masks(&first) == masks(&second));
    assert_ne!(first, second);
    assert_eq!(first, epoch(&mut open(&plan, 1)), "by line, not by lane");
    let mut stream = open(&plan, 0);
    for _ in 0..3 {
        stream.next_batch(1).unwrap();
    }
    let mut again = open(&plan, 0);
    again.resume(&stream.state()).unwrap();
    assert_eq!(again.next_batch(1).unwrap(), stream.next_batch(1).unwrap());
    let tokenizers = Tokenizers::load(&plan, &[TASK]).unwrap();
    let mut valid = ValidationStream::open(&plan, TASK, &tokenizers).unwrap();
    while let Some(batch) = valid.next_batch().unwrap() {
        assert!(!batch.source.concat().contains(&mask));
    }
}

#[test]
fn competence_admits_longer_examples_step_by_step_and_resumes_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = corpus(folder.path(), 350, 70);
    let (growth, difficulty) = (Growth::Linear, Difficulty::Length);
    plan.curriculum.competence =
        Some(Competence { growth, initial: 100_000_000, steps: 100, difficulty });
    let longest = |batch: &Batch| batch.source.iter().map(Vec::len).max().unwrap_or(0);
    let mut stream = open(&plan, 0);
    let (mut batches, mut states) = (Vec::new(), vec![stream.state()]);
    for step in 1..=120 {
        batches.push(stream.next_batch(step).unwrap());
        states.push(stream.state());
    }
    // Lines have 1 to 7 words, each a seventh of them: a tenth of a chunk has one word.
    let all = batches.iter().map(longest).max().unwrap();
    assert_eq!(longest(&batches[0]), all - 6);
    assert!(batches[..20].iter().all(|batch| longest(batch) < all - 2));
    assert!(batches[100..].iter().any(|batch| longest(batch) == all));
    let rows = |batches: &[Batch]| batches.iter().map(|batch| batch.source.len()).sum::<usize>();
    assert_eq!(batches.iter().filter(|batch| batch.source.is_empty()).count(), 0);
    assert!(rows(&batches) > 350, "several passes through the text");
    for (at, state) in states.iter().enumerate().step_by(7) {
        let mut again = open(&plan, 0);
        again.resume(state).unwrap();
        for (step, batch) in (at as u64 + 1..).zip(batches.iter().skip(at).take(9)) {
            assert_eq!(again.next_batch(step).unwrap(), *batch, "resumed after {at}");
        }
    }
}
