//! A folder with a small corpus and its tokenizer, plans over it, and workers started on them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use mmc_plan::random::{Purpose, Stream};
use mmc_plan::sample::{self, Sample};
use mmc_plan::{
    CorpusFiles, Event, ParallelFiles, Plan, Precision, VocabularyKind, VocabularySpec,
};
use sha2::{Digest as _, Sha256};

/// Words of the artificial languages; a language's word for meaning `i` is its letter and `i`.
const WORDS: u64 = 40;

/// Languages of the test corpus.
pub(crate) const LANGUAGES: [&str; 3] = ["cs", "de", "en"];

/// The folder.
pub(crate) struct Workplace {
    folder: tempfile::TempDir,
}

impl Workplace {
    /// Writes corpus and tokenizer.
    pub(crate) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.write_tokenizer();
        for (source, target) in pairs() {
            for (part, lines) in [("train", 300), ("valid", 20)] {
                place.write_text(part, source, target, lines);
            }
        }
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, part: &str, source: &str, target: &str, language: &str) -> PathBuf {
        self.path(&format!("{part}.{source}-{target}.{language}"))
    }

    fn write_text(&self, part: &str, source: &str, target: &str, lines: u64) {
        let mut sides = [String::new(), String::new()];
        for line in 0..lines {
            let key = mmc_plan::random::name_key(part);
            let mut stream = Stream::new(11, Purpose::Synth, &[key, line]);
            let words: Vec<u64> = (0..2 + stream.below(9)).map(|_| stream.below(WORDS)).collect();
            for (side, language) in sides.iter_mut().zip([source, target]) {
                let text: Vec<String> =
                    words.iter().map(|word| format!("{language}{word}")).collect();
                writeln!(side, "{}", text.join(" ")).unwrap();
            }
        }
        for (side, language) in sides.iter().zip([source, target]) {
            fs::write(self.text(part, source, target, language), side).unwrap();
        }
    }

    /// A `tokenizer.json` of whole words.
    fn write_tokenizer(&self) {
        let mut vocabulary: BTreeMap<String, u64> = (0..)
            .zip(["<unk>", "<s>", "</s>"])
            .map(|(id, t): (u64, &str)| (t.to_owned(), id))
            .collect();
        for language in LANGUAGES {
            for word in 0..WORDS {
                let id = vocabulary.len() as u64;
                vocabulary.insert(format!("{language}{word}"), id);
            }
        }
        let json = serde_json::json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": null, "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}
        });
        fs::write(self.path("tokenizer.json"), json.to_string()).unwrap();
    }

    /// An experiment of all directions on four lanes, laid on ranks by `mapping`; results go to `output`.
    pub(crate) fn sample(&self, mapping: &[&[u32]], precision: Precision, output: &str) -> Sample {
        let mut made = Sample::new(&LANGUAGES, 4, mapping);
        let files = |part: &str, source: &str, target: &str, lines| ParallelFiles {
            source: vec![display(&self.text(part, source, target, source))].into(),
            target: vec![display(&self.text(part, source, target, target))].into(),
            columns: None,
            lines,
        };
        made.corpora = made
            .pairs
            .iter()
            .map(|[source, target]| CorpusFiles {
                train: files("train", source, target, 300),
                valid: Some(files("valid", source, target, 20)),
                ..CorpusFiles::default()
            })
            .collect();
        let bytes = fs::read(self.path("tokenizer.json")).unwrap();
        let pieces = 3 + 3 * u32::try_from(WORDS).unwrap();
        let vocabulary = VocabularySpec {
            kind: VocabularyKind::Huggingface,
            file: display(&self.path("tokenizer.json")),
            sha256: format!("{:x}", Sha256::digest(&bytes)),
            ..sample::vocabulary("", pieces)
        };
        made.vocabularies.insert("joint".to_owned(), vocabulary);
        made.training.precision = precision;
        made.output = display(&self.path(output));
        made
    }

    /// Writes the plan of a sample.
    pub(crate) fn write_plan(&self, name: &str, sample: &Sample) -> PathBuf {
        self.write(name, &sample.plan())
    }

    /// Writes a plan.
    pub(crate) fn write(&self, name: &str, plan: &Plan) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, plan.to_yaml()).unwrap();
        path
    }
}

/// Starts a worker a rank.
pub(crate) fn start(plan: &Path, ranks: u32, more: &[&str]) -> Ranks {
    start_in(&[], plan, ranks, more)
}

/// Starts them with some variables of the environment.
pub(crate) fn start_in(
    environment: &[(&str, &str)],
    plan: &Path,
    ranks: u32,
    more: &[&str],
) -> Ranks {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = |rank: u32| {
        Command::new(env!("CARGO_BIN_EXE_mmc-worker"))
            .args(["train", "--threads", "1", "--plan"])
            .arg(plan)
            .args(more)
            .env_remove("SLURM_PROCID")
            .envs(environment.iter().copied())
            .env("RANK", rank.to_string())
            .env("WORLD_SIZE", ranks.to_string())
            .env("LOCAL_RANK", rank.to_string())
            .env("MASTER_ADDR", "127.0.0.1")
            .env("MASTER_PORT", port.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    Ranks((0..ranks).map(start).collect())
}

/// Runs all ranks to a good end.
pub(crate) fn train(plan: &Path, ranks: u32, more: &[&str]) -> Vec<Event> {
    let ends = start(plan, ranks, more).wait();
    for (rank, end) in ends.iter().enumerate() {
        let words = String::from_utf8_lossy(&end.stderr);
        assert!(end.status.success(), "rank {rank}: {} {words}", end.status);
    }
    events(&ends[0])
}

/// Started ranks; those that are left behind are killed.
pub(crate) struct Ranks(pub(crate) Vec<Child>);

impl Ranks {
    /// Waits for all.
    pub(crate) fn wait(mut self) -> Vec<Output> {
        std::mem::take(&mut self.0)
            .into_iter()
            .map(|rank| rank.wait_with_output().unwrap())
            .collect()
    }
}

impl Drop for Ranks {
    fn drop(&mut self) {
        for rank in &mut self.0 {
            let _ = rank.kill();
            let _ = rank.wait();
        }
    }
}

/// All directions.
pub(crate) fn pairs() -> Vec<(&'static str, &'static str)> {
    let all = LANGUAGES.iter().flat_map(|s| LANGUAGES.iter().map(move |t| (*s, *t)));
    all.filter(|(source, target)| source != target).collect()
}

/// What a rank told.
pub(crate) fn events(end: &Output) -> Vec<Event> {
    let text = String::from_utf8_lossy(&end.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn display(path: &Path) -> String {
    path.display().to_string()
}
