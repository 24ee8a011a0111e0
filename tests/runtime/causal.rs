//! Causal language models, a decoder without an encoder: the same parameters on any mapping, resumption to the bit, a perplexity
//! that falls to what the text is, lines continued and scored, by `translate` and by `serve`.

use std::fmt::Write as _;
use std::fs;

use mmc_plan::sample::Sample;
use mmc_plan::{
    AdapterKind, CorpusFiles, Event, LoraPlace, Optimizer, ParallelFiles, Precision, Schedule,
    Sharing, StackSide, Transform,
};
use rustix::process::Signal;
use serde_json::json;

use super::choices::adapter;
use super::serve::{self, translated};
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
pub(crate) fn sample(place: &Workplace, mapping: &[&[u32]], output: &str) -> Sample {
    let parallel = place.sample(mapping, Precision::Fp32, output);
    let mut sample = Sample::causal(&LANGUAGES, 4, mapping);
    (sample.vocabularies, sample.output) = (parallel.vocabularies, parallel.output);
    let files = |part: &str, language: &str, count: usize| {
        let path = place.path(&format!("{part}.{language}"));
        fs::write(&path, lines(language, count, |line| 3 + line % 9)).unwrap();
        let side = vec![path.display().to_string()];
        let lines = u64::try_from(count).unwrap();
        ParallelFiles { source: side.clone().into(), target: side.into(), columns: None, lines }
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
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let direction = ["--source", language, "--target", language];
    let (plan, run) = (place.path("plan.yaml"), place.path("run"));
    translated(&plan, &run, &lines, &[&direction, more].concat())
}

/// Behind a word stands the next: only where lines begin and end is to be guessed, and every line has a beginning of its own. The
/// perplexity must fall far below the number of a language's words, to which a model comes that knows the words alone.
#[test]
fn a_causal_model_learns_its_text_continues_lines_scores_them_and_serves() {
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
    assert_lists(&place);
    assert_served(&place);
}

/// Lists of continuations are the same in batches and alone, of one model and of several, and score alike when they are given.
fn assert_lists(place: &Workplace) {
    let begun = (0..70).map(|line| match line % 5 {
        0 => String::new(),
        words => {
            (0..words).map(|at| format!("de{}", (line + at) % WORDS)).collect::<Vec<_>>().join(" ")
        }
    });
    let begun: Vec<String> = begun.collect();
    let begun = begun.join("\n");
    let again = [place.path("plan.yaml"), place.path("run")].map(|path| path.display().to_string());
    let twice = ["--plan", again[0].as_str(), "--checkpoint", again[1].as_str()];
    let flags = ["--beam", "4", "--nbest", "2"];
    let lists = asked(place, "de", &begun, &flags);
    assert!(lists.len() > 70);
    for more in [&["--batch", "1"][..], &["--batch-tokens", "20"], &twice] {
        for (one, other) in asked(place, "de", &begun, &[&flags, more].concat()).iter().zip(&lists)
        {
            let [one, other] = [one, other].map(|row| row.split('\t').collect::<Vec<_>>());
            assert_eq!((one[0], one[2]), (other[0], other[2]), "{more:?}");
            assert_near(one[1], other[1]);
        }
    }
    let texts: Vec<&str> = lists.iter().map(|row| row.split('\t').nth(2).unwrap()).collect();
    let scores = asked(place, "de", &texts.join("\n"), &["--given", "translation"]);
    for (score, row) in scores.iter().zip(&lists) {
        assert_near(score, row.split('\t').nth(1).unwrap());
    }
}

/// Equal but for what floats of 32 bits lose.
#[track_caller]
fn assert_near(one: &str, other: &str) {
    let [a, b] = [one, other].map(|text| text.parse::<f64>().expect("a score"));
    assert!((a - b).abs() < 1e-4, "{one} is not {other}");
}

/// A server continues lines as `translate` does, and refuses what a model without a source can't do.
fn assert_served(place: &Workplace) {
    let limits = ["--max-pieces", "9", "--max-texts", "70"];
    let mut server = serve::start(&place.path("plan.yaml"), &place.path("run"), &limits);
    let texts = ["de5 de6", "", "de38 de39 de0", "de1"];
    for (flags, fields) in [
        (&["--beam", "1"][..], json!({ "beam": 1 })),
        (&["--beam", "3"], json!({ "beam": 3 })),
        (&["--sample", "--seed", "3"], json!({ "sample": true, "seed": 3 })),
        (&["--beam", "2", "--max-length", "3"], json!({ "beam": 2, "max_length": 3 })),
    ] {
        let mut body = json!({ "from": "de", "to": "de", "texts": texts });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let (status, answer) = server.translate(&body);
        assert_eq!(status, 200, "{answer}");
        let expected = asked(place, "de", &texts.join("\n"), &[flags, &["--scores"]].concat());
        let found = answer["translations"].as_array().expect("a list");
        assert_eq!(found.len(), expected.len());
        for ((found, expected), begun) in found.iter().zip(&expected).zip(texts) {
            let (score, text) = expected.split_once('\t').unwrap();
            assert_eq!(found["text"], *text);
            assert!(text.starts_with(begun), "{text}");
            assert_near(&found["score"].to_string(), score);
        }
    }
    let (status, answer) =
        server.translate(&json!({ "from": "de", "to": "de", "text": "de1", "nbest": 3 }));
    assert_eq!(
        (status, answer["translations"][0]["others"].as_array().map(Vec::len)),
        (200, Some(2))
    );
    let long = "de1 ".repeat(10);
    for (status, code, words, body) in [
        (404, "no_modules", "no encoder", json!({ "from": "de", "to": "en", "text": "de1" })),
        (404, "unknown_language", "`xx`", json!({ "from": "xx", "to": "xx", "text": "x" })),
        (
            400,
            "bad_request",
            "`coverage_penalty`",
            json!({ "from": "de", "to": "de", "text": "de1", "coverage_penalty": 0.5 }),
        ),
        (
            400,
            "bad_request",
            "`given`",
            json!({ "from": "de", "to": "de", "text": "de1", "given": "translation" }),
        ),
        (413, "too_long", "9 pieces", json!({ "from": "de", "to": "de", "text": long })),
    ] {
        let (found, answer) = server.translate(&body);
        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{answer}");
        assert!(answer["error"]["message"].to_string().contains(words), "{answer}");
    }
    assert_eq!(server.end(Signal::TERM), 0);
}
