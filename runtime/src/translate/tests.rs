//! Translation from files to lines: a plan, a trained tokenizer and a checkpoint of random parameters in a folder.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use clap::Parser as _;
use mmc_plan::sample::Sample;
use mmc_plan::{Plan, Precision, Transform, VocabularyKind};
use mmc_text::tokenizer::Tokenizer;
use mmc_text::tokenizer::train::{Method, Training, train};
use sha2::{Digest as _, Sha256};
use tch::Tensor;

use super::{
    Batching, Engine, Line, Models, Processor, Settings, TranslateArguments, TranslateError, run,
};
use crate::model::{init, layout};

const LINES: [&str; 6] = [
    "the quick brown fox jumps over the lazy dog",
    "a dog",
    "",
    "the fox jumps",
    "lazy dogs jump over brown foxes and over other lazy brown dogs",
    "   ",
];

/// A plan of a -> b, b -> a, b -> c, c -> b with its tokenizer and a checkpoint, in a folder.
fn prepared(folder: &Path) -> Plan {
    let (text, vocabulary) = (folder.join("text"), folder.join("joint.json"));
    fs::write(&text, LINES.join("\n").repeat(5)).expect("a file");
    let training = Training {
        method: Method::Bpe,
        pieces: 60,
        special: Vec::new(),
        coverage: 1_000_000,
        files: vec![text.into()],
    };
    let pieces = train(&training, &vocabulary).expect("a tokenizer").pieces;
    let kind = VocabularyKind::Huggingface;
    let facts = Tokenizer::load(kind, &vocabulary).expect("just written").facts().clone();
    let mut sample = Sample::new(&["a", "b", "c"], 1, &[&[0]]);
    sample.pairs.retain(|pair| pair.contains(&"b".to_owned()));
    let joint = sample.vocabularies.get_mut("joint").expect("the sample's vocabulary");
    (joint.kind, joint.file) = (kind, vocabulary.to_string_lossy().into_owned());
    (joint.pieces, joint.sha256) = (pieces, facts.sha256);
    (joint.unk, joint.bos, joint.eos, joint.pad) = (0, 1, 2, 3);
    joint.added = ["a", "b", "c"].map(|language| format!("<to_{language}>")).to_vec();
    sample.training.precision = Precision::Fp64;
    let mut plan = sample.plan();
    for task in plan.tasks.values_mut() {
        let source = vec![format!("<to_{}>", task.target)];
        task.transforms.push(Transform::Prefix { source, target: Vec::new() });
    }
    fs::write(folder.join("plan.yaml"), plan.to_yaml()).expect("a file");
    save(&plan, &folder.join("run/checkpoints/step_000007"), 3);
    fs::write(folder.join("run/checkpoints/latest"), "step_000007\n").expect("a file");
    plan
}

/// A checkpoint of parameters drawn by a seed.
fn save(plan: &Plan, checkpoint: &Path, seed: u64) {
    save_as("modules", plan, checkpoint, seed, BTreeMap::new());
}

/// A folder of a checkpoint that has other files already.
fn save_as(
    sub: &str,
    plan: &Plan,
    checkpoint: &Path,
    seed: u64,
    mut files: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    fs::create_dir_all(checkpoint.join(sub)).expect("a folder");
    for module in plan.modules.keys() {
        let parameters = layout(plan, module).expect("a module of the plan");
        let named: Vec<(String, Tensor)> = parameters
            .into_iter()
            .map(|spec| (spec.name.clone(), init::fill(seed, module, &spec) * 2.0))
            .collect();
        let name = format!("{sub}/{module}.safetensors");
        let file = checkpoint.join(&name);
        Tensor::write_safetensors(&named, &file).expect("a file");
        let sum = Sha256::digest(fs::read(file).expect("just written"));
        files.insert(name, format!("{sum:x}"));
    }
    let manifest = serde_json::json!({ "files": files }).to_string();
    fs::write(checkpoint.join("manifest.json"), manifest).expect("a file");
    files
}

fn line<'a>(source: &'a str, target: &'a str) -> Line<'a> {
    Line { number: 0, source, target }
}

/// By the run of a prepared folder.
fn engine(folder: &Path) -> Engine {
    let models = Models {
        plan: vec![folder.join("plan.yaml")],
        checkpoint: vec![folder.join("run")],
        average: 1,
        raw: false,
        device: Processor::Cpu,
        threads: None,
    };
    Engine::load(&models, Batching { batch: 8, batch_tokens: 512 }).expect("an engine")
}

fn translate(folder: &Path, flags: &str) -> Result<Vec<String>, TranslateError> {
    translate_lines(folder, flags, &LINES.join("\n"))
}

fn translate_lines(folder: &Path, flags: &str, lines: &str) -> Result<Vec<String>, TranslateError> {
    translate_by(folder, &["run"], flags, lines)
}

/// Translates by checkpoints of the folder together.
fn translate_by(
    folder: &Path,
    checkpoints: &[&str],
    flags: &str,
    lines: &str,
) -> Result<Vec<String>, TranslateError> {
    let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    let mut words = vec!["translate".to_owned()];
    for checkpoint in checkpoints {
        let pair = ["--plan".to_owned(), path("plan.yaml"), "--checkpoint".to_owned()];
        words.extend(pair.into_iter().chain([path(checkpoint)]));
    }
    words.extend(flags.split(' ').map(str::to_owned));
    let arguments = TranslateArguments::parse_from(words);
    let mut output = Vec::new();
    run(&arguments, &mut Cursor::new(lines), &mut output)?;
    let text = String::from_utf8(output).expect("text");
    Ok(text.lines().map(str::to_owned).collect())
}

#[test]
fn moving_averages_translate_unless_raw_parameters_are_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut plan = prepared(folder.path());
    let checkpoint = folder.path().join("run/checkpoints/step_000007");
    let [trained, averaged] = [3, 4].map(|seed| {
        save(&plan, &checkpoint, seed);
        translate(folder.path(), "--source a --target b").expect("translations")
    });
    assert_ne!(trained, averaged);
    plan.training.ema = Some(0.9);
    fs::write(folder.path().join("plan.yaml"), plan.to_yaml()).expect("a file");
    let files = save_as("modules", &plan, &checkpoint, 3, BTreeMap::new());
    save_as("ema", &plan, &checkpoint, 4, files);
    let by = |flags: &str| translate(folder.path(), flags).expect("translations");
    assert_eq!(by("--source a --target b"), averaged);
    assert_eq!(by("--source a --target b --raw"), trained);
    assert_eq!(by("--source a --target b --raw --average 1"), trained);
}

#[test]
fn lines_come_out_in_order_whatever_the_batch() {
    let folder = tempfile::tempdir().expect("a folder");
    prepared(folder.path());
    for beam in [1, 3] {
        let flags = format!("--source a --target b --beam {beam}");
        let together = translate(folder.path(), &flags).expect("translations");
        assert_eq!(together.len(), LINES.len());
        assert!(together[2].is_empty() && together[5].is_empty(), "{together:?}");
        assert!(!together[0].is_empty() && together[0] != together[1]);
        for batch in ["--batch 1", "--batch 2", "--batch-tokens 9"] {
            let apart = translate(folder.path(), &format!("{flags} {batch}"));
            assert_eq!(apart.expect("translations"), together, "{batch}");
        }
    }
}

/// Where there is a GPU it says what the processors do.
#[test]
fn a_gpu_that_is_not_there_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    prepared(folder.path());
    let [cpu, gpu] = ["cpu", "gpu"].map(|device| {
        translate(folder.path(), &format!("--source a --target b --device {device}"))
    });
    match gpu {
        Ok(gpu) => assert_eq!(gpu, cpu.expect("translations")),
        Err(fault) => {
            let said = fault.to_string();
            assert!(matches!(fault, TranslateError::Gpu(_)), "{said}");
            assert!(said.starts_with("`--device gpu`: "), "{said}");
            assert!(said.contains("LD_LIBRARY_PATH") || said.contains("0 are seen"), "{said}");
            assert!(said.ends_with("; or translate with `--device cpu`"), "{said}");
        }
    }
}

/// Tokens before the target are given to the decoder: what is written depends on them, and they are no part of it.
#[test]
fn tokens_before_the_target_begin_the_search_and_are_not_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = prepared(folder.path());
    let told = |token: &str, flags: &str| {
        let mut plan = plan.clone();
        for task in plan.tasks.values_mut() {
            let target = vec![token.to_owned()];
            task.transforms.push(Transform::Prefix { source: Vec::new(), target });
        }
        fs::write(folder.path().join("plan.yaml"), plan.to_yaml()).expect("a file");
        translate(folder.path(), &format!("--source a --target b {flags}")).expect("translations")
    };
    for flags in ["--beam 1", "--beam 3"] {
        let [a, c] = ["<to_a>", "<to_c>"].map(|token| told(token, flags));
        assert_ne!(a, c);
        assert!(a.iter().chain(&c).all(|line| !line.contains("<to_")), "{a:?} {c:?}");
    }
}

#[test]
fn scores_stand_before_the_text() {
    let folder = tempfile::tempdir().expect("a folder");
    prepared(folder.path());
    let flags = "--source a --target b --max-ratio 1 --max-length 2";
    let plain = translate(folder.path(), flags).expect("translations");
    let scored = translate(folder.path(), &format!("{flags} --scores")).expect("translations");
    for (plain, scored) in plain.iter().zip(&scored) {
        let (score, text) = scored.split_once('\t').expect("a tab");
        assert!(score.parse::<f64>().expect("a number") <= 0.0);
        assert_eq!(text, plain);
    }
}

#[test]
fn a_direction_that_no_task_trained_needs_its_modules_only() {
    let folder = tempfile::tempdir().expect("a folder");
    prepared(folder.path());
    let modules = folder.path().join("run/checkpoints/step_000007/modules");
    for module in ["encoder.0.lang.b", "decoder.0.lang.b", "decoder.0.lang.a"] {
        fs::remove_file(modules.join(format!("{module}.safetensors"))).expect("it was there");
    }
    let flags = "--source a --target c --beam 2";
    assert_eq!(translate(folder.path(), flags).expect("translations").len(), LINES.len());
    let missing = translate(folder.path(), "--source a --target b").expect_err("no decoder");
    assert!(missing.to_string().contains("`decoder.0.lang.b`"), "{missing}");
    assert!(missing.to_string().contains("step_000007"), "{missing}");
}

#[test]
fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut plan = prepared(folder.path());
    let unknown = translate(folder.path(), "--source a --target xx").expect_err("no language");
    assert!(unknown.to_string().contains("`xx`") && unknown.to_string().contains("a, b, c"));
    plan.modules.remove("decoder.0.lang.c");
    fs::write(folder.path().join("plan.yaml"), plan.to_yaml()).expect("a file");
    let untrained = translate(folder.path(), "--source a --target c").expect_err("no module");
    let message = untrained.to_string();
    assert!(message.contains("`decoder.0.lang.c`"), "{message}");
    assert!(message.contains("decoder.0.lang.a, decoder.0.lang.b"), "{message}");
    fs::remove_file(folder.path().join("run/checkpoints/latest")).expect("it was there");
    let empty = translate(folder.path(), "--source a --target b").expect_err("no checkpoint");
    assert!(matches!(empty, TranslateError::NoCheckpoint(_)), "{empty}");
}

#[test]
fn a_damaged_module_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    prepared(folder.path());
    let module = "run/checkpoints/step_000007/modules/encoder.1.full.safetensors";
    let file = folder.path().join(module);
    let mut bytes = fs::read(&file).expect("it is there");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::write(&file, bytes).expect("a file");
    let damaged = translate(folder.path(), "--source a --target b").expect_err("another file");
    assert!(damaged.to_string().contains("encoder.1.full.safetensors"), "{damaged}");
    assert!(damaged.to_string().contains("damaged"), "{damaged}");
}

#[test]
fn a_changed_tokenizer_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    prepared(folder.path());
    let file = folder.path().join("joint.json");
    let text = fs::read_to_string(&file).expect("it is there");
    fs::write(&file, format!("{text}\n")).expect("a file");
    let changed = translate(folder.path(), "--source a --target b").expect_err("another file");
    assert!(changed.to_string().contains("has changed since the plan was made"), "{changed}");
}

#[test]
fn lists_have_numbers_and_given_translations_two_columns() {
    let folder = tempfile::tempdir().expect("a folder");
    prepared(folder.path());
    let flags = "--source a --target b";
    let lists = format!("{flags} --max-ratio 1 --max-length 4 --beam 3 --nbest 2");
    // Two for each line with text, one for each of the two without.
    let numbers: Vec<String> = translate(folder.path(), &lists)
        .expect("lists")
        .iter()
        .map(|row| row.split('\t').next().expect("a column").to_owned())
        .collect();
    assert_eq!(numbers.join(" "), "1 1 2 2 3 4 4 5 5 6");
    let given = format!("{flags} --given translation");
    let scores = translate_lines(folder.path(), &given, "a dog\tdogs\n\tx").expect("scores");
    let scores: Vec<f64> = scores.iter().map(|score| score.parse().expect("a number")).collect();
    assert!(scores[0] < 0.0 && scores[1] == 0.0 && scores.len() == 2, "{scores:?}");
    let fault = translate_lines(folder.path(), &given, "a dog").expect_err("no tab");
    assert!(fault.to_string().contains("line 1"), "{fault}");
    for idle in [
        "--beam 2",
        "--nbest 2",
        "--sample",
        "--no-repeat 1",
        "--scores",
        "--only x",
        "--max-ratio 1",
    ] {
        let fault = translate(folder.path(), &format!("{given} {idle}")).expect_err("no search");
        assert!(matches!(fault, TranslateError::NoSearch), "{idle}: {fault}");
    }
}

#[test]
fn a_translation_scores_the_same_when_it_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    prepared(folder.path());
    let mut engine = engine(folder.path());
    let translator = engine.translator("a", "b").expect("a direction");
    let words: Vec<&str> = LINES.iter().flat_map(|line| line.split_whitespace()).collect();
    let texts: Vec<String> = (1..40)
        .map(|at| {
            words
                .iter()
                .cycle()
                .skip(at * 3)
                .take(1 + at % 5)
                .copied()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let lines: Vec<Line<'_>> = texts.iter().map(|text| line(text, "")).collect();
    for penalty in [1.0, 0.0] {
        let settings = Settings {
            nbest: 4,
            max_ratio: 0.0,
            max_length: 4,
            length_penalty: penalty,
            ..Settings::default()
        };
        let found = translator.translate(&settings, None, &lines).expect("translations");
        // Pieces that were found need not be those that their text is split into.
        let same = |ids: &[u32]| {
            let text = translator.sides().decode(ids);
            let again = translator.sides().encode("x", &text).expect("pieces");
            (again.target == ids).then_some(text)
        };
        let mut pairs: Vec<(&str, String, f64)> = Vec::new();
        for (text, found) in texts.iter().zip(&found) {
            assert_eq!(found.len(), 4);
            pairs.extend(
                found.iter().filter_map(|one| Some((text.as_str(), same(&one.ids)?, one.score))),
            );
        }
        assert!(pairs.len() >= 20, "{} of {}", pairs.len(), 4 * texts.len());
        let given: Vec<Line<'_>> =
            pairs.iter().map(|(text, target, _)| line(text, target)).collect();
        let scores = translator.score(&settings, &given).expect("scores");
        for ((_, target, found), score) in pairs.iter().zip(scores) {
            assert!((found - score).abs() < 1e-9, "{target}: {found} {score}");
        }
    }
}

#[test]
fn drawn_lines_do_not_depend_on_the_batch() {
    let folder = tempfile::tempdir().expect("a folder");
    prepared(folder.path());
    let flags = "--source a --target b --sample --nbest 3 --top-k 8 --temperature 1.5 --seed 4";
    let together = translate(folder.path(), flags).expect("translations");
    assert_eq!(together.len(), 3 * 4 + 2);
    assert!(together[0] != together[1] || together[1] != together[2], "{together:?}");
    let apart = translate(folder.path(), &format!("{flags} --batch 2")).expect("translations");
    assert_eq!(apart, together);
    let fault = translate(folder.path(), "--source a --target b --beam 2 --nbest 3");
    assert!(matches!(fault, Err(TranslateError::Beam { nbest: 3, beam: 2 })));
}

/// Two checkpoints more than the prepared one's: of other parameters, and of the mean of all three.
fn with_mean(folder: &Path, plan: &Plan) {
    save(plan, &folder.join("run/checkpoints/step_000003"), 11);
    save(plan, &folder.join("run/checkpoints/step_000005"), 12);
    save(plan, &folder.join("mean"), 3);
    let files = [
        "run/checkpoints/step_000003",
        "run/checkpoints/step_000005",
        "run/checkpoints/step_000007",
    ];
    let mut sums = BTreeMap::new();
    for module in plan.modules.keys() {
        let name = format!("modules/{module}.safetensors");
        let read = |at: &str| Tensor::read_safetensors(folder.join(at).join(&name)).expect("saved");
        let mut named = read(files[0]);
        named.sort_by(|a, b| a.0.cmp(&b.0));
        for (parameter, tensor) in &mut named {
            for file in &files[1..] {
                let other = read(file).into_iter().find(|(known, _)| known == parameter);
                *tensor = &*tensor + other.expect("the same parameters").1;
            }
            *tensor = &*tensor / 3.0;
        }
        let file = folder.join("mean").join(&name);
        Tensor::write_safetensors(&named, &file).expect("a file");
        sums.insert(name, format!("{:x}", Sha256::digest(fs::read(file).expect("written"))));
    }
    let manifest = serde_json::json!({ "files": sums }).to_string();
    fs::write(folder.join("mean/manifest.json"), manifest).expect("a file");
}

#[test]
fn checkpoints_are_averaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = prepared(folder.path());
    with_mean(folder.path(), &plan);
    let (flags, lines) = ("--source a --target b --scores", LINES.join("\n"));
    let mean = translate_by(folder.path(), &["mean"], flags, &lines).expect("translations");
    let averaged = translate_lines(folder.path(), &format!("{flags} --average 3"), &lines);
    assert_eq!(averaged.expect("translations"), mean);
    assert_ne!(translate_lines(folder.path(), flags, &lines).expect("translations"), mean);
    // Up to the checkpoint that is given, not to the newest.
    let two = format!("{flags} --average 2");
    let older = ["run/checkpoints/step_000005"];
    let early = translate_by(folder.path(), &older, &two, &lines).expect("translations");
    assert_ne!(early, translate_lines(folder.path(), &two, &lines).expect("translations"));
    let fault = translate_lines(folder.path(), &format!("{flags} --average 4"), &lines);
    assert!(matches!(fault, Err(TranslateError::TooFew { wanted: 4, found: 3, .. })));
}

#[test]
fn several_checkpoints_translate_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = prepared(folder.path());
    save(&plan, &folder.path().join("other"), 11);
    let (flags, lines) = ("--source a --target b --scores --beam 3", LINES.join("\n"));
    let by = |checkpoints: &[&str]| translate_by(folder.path(), checkpoints, flags, &lines);
    let (one, other) = (by(&["run"]).expect("lines"), by(&["other"]).expect("lines"));
    let both = by(&["run", "other"]).expect("lines");
    assert!(both != one && both != other);
    assert_eq!(by(&["run", "run"]).expect("lines"), one);
    assert_eq!(by(&["other", "run"]).expect("lines"), both);
    // Another tokenizer is another output: its ids mean other pieces.
    let mut stranger = plan;
    let joint = stranger.vocabularies.get_mut("joint").expect("its vocabulary");
    joint.added.swap(0, 1);
    let path = folder.path().join("stranger.yaml");
    fs::write(&path, stranger.to_yaml()).expect("a file");
    let place = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
    let apart =
        format!("{flags} --plan {} --checkpoint {}", place("stranger.yaml"), place("other"));
    let fault = translate_lines(folder.path(), &apart, &lines).expect_err("other ids");
    assert!(fault.to_string().contains("different added tokens on the source side"), "{fault}");
    let lacking = translate_lines(folder.path(), &format!("{flags} --plan x"), &lines);
    assert!(matches!(lacking, Err(TranslateError::Members { plans: 2, checkpoints: 1 })));
}

#[test]
fn only_pieces_of_a_text_are_used() {
    let folder = tempfile::tempdir().expect("a folder");
    prepared(folder.path());
    let file = folder.path().join("allowed");
    fs::write(&file, "a dog\njumps\n").expect("a file");
    let tokenizer = Tokenizer::load(VocabularyKind::Huggingface, folder.path().join("joint.json"));
    let tokenizer = tokenizer.expect("it is there");
    let allowed: Vec<u32> =
        ["a dog", "jumps"].iter().flat_map(|line| tokenizer.encode(line)).collect();
    let letters: std::collections::BTreeSet<char> =
        tokenizer.decode(&allowed).chars().chain([' ']).collect();
    let flags = "--source a --target b --beam 3";
    let free = translate(folder.path(), flags).expect("translations");
    assert!(free.iter().any(|line| !line.chars().all(|letter| letters.contains(&letter))));
    let only = format!("{flags} --only {}", file.display());
    let found = translate(folder.path(), &only).expect("translations");
    assert!(found.iter().any(|line| !line.is_empty()));
    for line in &found {
        assert!(line.chars().all(|letter| letters.contains(&letter)), "{line}");
    }
    fs::write(&file, " \n").expect("a file");
    let fault = translate(folder.path(), &only).expect_err("nothing is allowed");
    assert!(fault.to_string().contains("has no text"), "{fault}");
}

#[test]
fn settings_out_of_range_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for (flags, words) in [
        ("--beam 0", "`beam` is 0"),
        ("--length-penalty -1", "`length_penalty`"),
        ("--coverage-penalty nan", "`coverage_penalty`"),
        ("--sample --temperature 0", "`temperature`"),
        ("--sample --top-p 1.5", "`top_p`"),
    ] {
        let flags = format!("--source a --target b {flags}").replace("-penalty -1", "-penalty=-1");
        let fault = translate(folder.path(), &flags).expect_err("no such search");
        assert!(fault.to_string().contains(words), "{fault}");
    }
}

#[test]
fn only_what_a_direction_needs_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = prepared(folder.path());
    let mut engine = engine(folder.path());
    assert_eq!((engine.read().modules, engine.read().bytes), (0, 0));
    let sizes = |modules: &mut dyn Iterator<Item = &String>| -> u64 {
        let folder = folder.path().join("run/checkpoints/step_000007/modules");
        let size = |module| fs::metadata(folder.join(format!("{module}.safetensors")));
        modules.map(|module| size(module).expect("saved").len()).sum()
    };
    engine.translator("a", "b").expect("a direction");
    let path = plan.module_path("a", "b").expect("a path");
    let mut needed: Vec<&String> = path.modules().collect();
    needed.sort_unstable();
    needed.dedup();
    let read = engine.read();
    assert_eq!(read.modules, needed.len() as u64);
    assert_eq!(read.bytes, sizes(&mut needed.into_iter()));
    assert_eq!(read.of_bytes, sizes(&mut plan.modules.keys()));
    assert!(read.bytes < read.of_bytes);
    // What both directions need is read once, their tokenizer too.
    fs::remove_file(folder.path().join("joint.json")).expect("it was there");
    engine.translator("b", "a").expect("a direction");
    let again = engine.read();
    assert!(again.modules < 2 * read.modules && again.modules > read.modules);
}
