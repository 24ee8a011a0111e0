//! Causal language models, a decoder without an encoder: the same parameters on any mapping, resumption to the bit, a perplexity
//! that falls to what the text is, lines continued and scored.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use mmc_plan::sample::Sample;
use mmc_plan::{
    AdapterKind, CorpusFiles, Event, LoraPlace, Optimizer, ParallelFiles, Precision, Schedule,
    Sharing, StackSide, Transform,
};

use super::choices::adapter;
use super::train::{assert_same_checkpoint, difference, parameters};
use super::workplace::{LANGUAGES, Workplace, train};

/// Words of a language; behind each stands the next one, and the first behind the last.
const WORDS: usize = 40;

/// A language's lines: where they begin and how long they are differs.
fn lines(language: &str, count: usize, length: impl Fn(usize) -> usize) -> String {
    (0..count).fold(String::new(), |mut text, line| {
        let words = (0..length(line)).map(|at| format!("{language}{}", (7 * line + at) % WORDS));
        let _ = writeln!(text, "{}", words.collect::<Vec<_>>().join(" "));
        text
    })
}

/// A causal task of each language, told by a token before its text.
fn sample(place: &Workplace, mapping: &[&[u32]], output: &str) -> Sample {
    let parallel = place.sample(mapping, Precision::Fp32, output);
    let mut sample = Sample::causal(&LANGUAGES, 4, mapping);
    (sample.vocabularies, sample.output) = (parallel.vocabularies, parallel.output);
    let files = |part: &str, language: &str, count: usize| {
        let path = place.path(&format!("{part}.{language}"));
        fs::write(&path, lines(language, count, |line| 3 + line % 9)).unwrap();
        let side = vec![path.display().to_string()];
        let lines = u64::try_from(count).unwrap();
        ParallelFiles { source: side.clone().into(), target: side.into(), lines }
    };
    let corpus = |language: &&str| CorpusFiles {
        train: files("mono", language, 300),
        valid: Some(files("held", language, 40)),
        test: None,
        bad_lines: mmc_plan::BadLines::Skip,
    };
    sample.corpora = LANGUAGES.iter().map(corpus).collect();
    sample
}

#[test]
fn mapping_does_not_change_parameters_of_a_causal_model() {
    let place = Workplace::new();
    let mut runs = Vec::new();
    let mappings: [&[&[u32]]; 3] =
        [&[&[0, 1, 2, 3]], &[&[3, 0], &[2, 1]], &[&[0], &[1], &[2], &[3]]];
    for (at, mapping) in mappings.iter().enumerate() {
        let output = format!("run{at}");
        let mut sample = sample(&place, mapping, &output);
        (sample.model.attention_dropout, sample.training.clip) = (0.1, Some(0.5));
        let lora = AdapterKind::Lora { rank: 2, alpha: 4.0, on: LoraPlace::Attention };
        let prefix = AdapterKind::Prefix { length: 3 };
        sample.model.adapters = vec![
            adapter("a", StackSide::Decoder, lora, Sharing::TargetLanguage),
            adapter("b", StackSide::Decoder, prefix, Sharing::Full),
        ];
        let path = place.write_plan(&format!("plan{at}.yaml"), &sample);
        train(&path, u32::try_from(mapping.len()).unwrap(), &[]);
        runs.push(parameters(&place.path(&output), 20));
    }
    assert!(runs[0].keys().all(|name| !name.contains("cross_attention")));
    assert!(runs[0].keys().any(|name| name.starts_with("adapter.a.lang.")));
    let earlier = parameters(&place.path("run0"), 10);
    assert!(difference(&runs[0], &earlier) > 1e-2, "nothing was learnt between two checkpoints");
    for run in &runs[1..] {
        let found = difference(&runs[0], run);
        assert!(found < 1e-5, "{found:e}");
    }
}

#[test]
fn a_resumed_causal_run_equals_the_uninterrupted_one_to_the_bit() {
    let place = Workplace::new();
    let mapping: &[&[u32]] = &[&[0, 1], &[2, 3]];
    for output in ["whole", "halves"] {
        let path = place.write_plan(output, &sample(&place, mapping, &format!("{output}.run")));
        train(&path, 2, &[]);
    }
    let folder = place.path("halves.run/checkpoints");
    fs::remove_dir_all(folder.join("step_000020")).unwrap();
    fs::write(folder.join("latest"), "step_000010\n").unwrap();
    let told = train(&place.path("halves"), 2, &["--resume"]);
    assert!(matches!(told[0], Event::Started { step: 10, .. }), "{:?}", told[0]);
    assert_same_checkpoint(&place.path("whole.run"), &place.path("halves.run"), 20);
}

/// What `mmc-worker translate` makes of lines, from a language to itself.
fn asked(place: &Workplace, language: &str, text: &str, more: &[&str]) -> Vec<String> {
    let run = |path: &Path| path.display().to_string();
    let mut worker = Command::new(env!("CARGO_BIN_EXE_mmc-worker"))
        .args(["translate", "--threads", "1", "--source", language, "--target", language])
        .args(["--plan", &run(&place.path("plan.yaml")), "--checkpoint", &run(&place.path("run"))])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    worker.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let end = worker.wait_with_output().unwrap();
    assert!(end.status.success());
    String::from_utf8(end.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Behind a word stands the next: only where lines begin and end is to be guessed, and every line has a beginning of its own. The
/// perplexity must fall far below the number of a language's words, to which a model comes that knows the words alone.
#[test]
fn a_causal_model_learns_its_text_continues_lines_and_scores_them() {
    let place = Workplace::new();
    let mut sample = sample(&place, &[&[0, 1, 2, 3]], "run");
    (sample.model.dropout, sample.model.ffn_dropout) = (0.0, 0.0);
    sample.training.label_smoothing = 0.0;
    sample.training.optimizer =
        Optimizer::Adamw { lr: 1e-2, beta1: 0.9, beta2: 0.98, eps: 1e-9, weight_decay: 0.0 };
    sample.training.schedule = Schedule::InverseSqrt { warmup: 20 };
    (sample.training.steps, sample.training.validate_every) = (160, Some(40));
    sample.training.checkpoint.every = None;
    let joint = sample.vocabularies.get_mut("joint").unwrap();
    joint.added.extend(LANGUAGES.map(|language| format!("<to_{language}>")));
    joint.added.sort();
    let mut plan = sample.plan();
    for task in plan.tasks.values_mut() {
        let target = vec![format!("<to_{}>", task.target)];
        task.transforms.push(Transform::Prefix { source: Vec::new(), target });
    }
    plan.digest = plan.mathematics_digest();
    let told = train(&place.write("plan.yaml", &plan), 1, &[]);
    let validated: Vec<_> = told
        .iter()
        .filter_map(|event| {
            let Event::Validated { losses, .. } = event else { return None };
            Some(losses)
        })
        .collect();
    assert_eq!(validated.len(), 4);
    for task in plan.tasks.keys() {
        let perplexities: Vec<f64> = validated.iter().map(|losses| losses[task].exp()).collect();
        assert!(perplexities.is_sorted_by(|a, b| a > b), "{task}: {perplexities:?}");
        assert!(perplexities[3] < 5.0, "{task}: {perplexities:?}");
    }
    let source = told.iter().find_map(|event| {
        let Event::Step { source_tokens, target_tokens, .. } = event else { return None };
        Some((*source_tokens, *target_tokens))
    });
    assert!(source.is_some_and(|(source, target)| source == 0 && target > 0));
    // Lines go on with the next word.
    let begun = "de5 de6\nde38 de39\n";
    for line in asked(&place, "de", begun, &["--beam", "1"]).iter().zip(begun.lines()) {
        let (line, begun) = line;
        let rest = line.strip_prefix(begun).unwrap_or_else(|| panic!("{line}"));
        let last: usize = begun.rsplit("de").next().unwrap().parse().unwrap();
        let next = format!("de{}", (last + 1) % WORDS);
        assert!(rest.split_whitespace().next().is_none_or(|word| word == next), "{line}");
        assert!(!rest.is_empty(), "{line}");
    }
    // Log-probabilities of the lines are the validation's, and the end token's are among them.
    let held = fs::read_to_string(place.path("held.de")).unwrap();
    let scores = asked(&place, "de", &held, &["--given", "translation", "--length-penalty", "0"]);
    let sum: f64 = scores.iter().map(|score| score.parse::<f64>().unwrap()).sum();
    let tokens: usize = held.lines().map(|line| line.split(' ').count() + 1).sum();
    let loss = -sum / f64::from(u32::try_from(tokens).unwrap());
    assert!((loss - validated[3]["t.de-de"]).abs() < 1e-3, "{loss} {:?}", validated[3]);
}
