//! The digest of a plan's mathematics: plans with equal digests train equal parameters, wherever they run.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::curriculum::CurriculumSpec;
use crate::model::{ModelSpec, ModuleSpec};
use crate::plan::{
    CorpusFiles, Device, ExperimentSpec, LaneSpec, LanguageSpec, ParallelFiles, Plan, TaskKind,
    TaskSpec, VocabularyKind, VocabularySpec,
};
use crate::training::{
    CheckpointSpec, ClipScope, Clock, LrScale, Normalise, Optimizer, Precision, Schedule,
    TrainingSpec,
};
use crate::transform::{Sampling, Transform};

/// Bytes that are hashed at once.
const BUFFER: usize = 64 << 10;

/// All that trained parameters depend on, as it is hashed: JSON of this, maps by name, fields in this order.
#[derive(Serialize)]
struct Mathematics<'a> {
    seed: u64,
    languages: &'a BTreeMap<String, LanguageSpec>,
    vocabularies: BTreeMap<&'a str, Vocabulary<'a>>,
    model: &'a ModelSpec,
    modules: &'a BTreeMap<String, ModuleSpec>,
    tasks: Tasks<'a>,
    training: Training<'a>,
    /// Left out when it is plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    curriculum: Option<&'a CurriculumSpec>,
    lanes: &'a [LaneSpec],
    /// Left out when they are the CPU's, or there is no dropout.
    #[serde(skip_serializing_if = "Option::is_none")]
    dropout_masks: Option<Device>,
}

/// A vocabulary by its content; the file may lie anywhere.
#[derive(Serialize)]
struct Vocabulary<'a> {
    kind: VocabularyKind,
    sha256: &'a str,
    pieces: u32,
    added: &'a [String],
    ids: [u32; 4],
    mask: Option<u32>,
    sampling: Option<Sampling>,
}

/// All tasks by name, each made when it is written: there may be a million.
struct Tasks<'a>(&'a BTreeMap<String, TaskSpec>);

impl Serialize for Tasks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, spec)| (name, task(spec))))
    }
}

/// A task with its training text; validation and test text train nothing.
#[derive(Serialize)]
struct Task<'a> {
    kind: TaskKind,
    source: &'a str,
    target: &'a str,
    share: u64,
    train: &'a ParallelFiles,
    transforms: &'a [Transform],
    vocabularies: [&'a str; 2],
    encoder: &'a [String],
    bridge: Option<&'a str>,
    decoder: &'a [String],
    adapters: &'a BTreeMap<String, Vec<String>>,
}

/// Training without the rhythm of validation and checkpoints.
#[derive(Serialize)]
struct Training<'a> {
    steps: u64,
    batch_tokens: u32,
    accumulate: u32,
    shuffle: u32,
    optimizer: &'a Optimizer,
    schedule: &'a Schedule,
    clock: Clock,
    /// Left out when there is none.
    #[serde(skip_serializing_if = "LrScale::is_none")]
    lr_scale: LrScale,
    precision: Precision,
    clip: Option<f64>,
    clip_scope: ClipScope,
    label_smoothing: f64,
    normalise: Normalise,
    /// Left out when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    ema: Option<f64>,
}

impl Plan {
    /// `sha256:<hex>` of the plan's mathematics: seed, groups, vocabularies by content, model, modules, tasks, training and
    /// lanes, and whose masks dropout has; not names, folders, the rest of the cluster, ranks, communicators, estimates or when
    /// validation and checkpoints happen.
    ///
    /// # Panics
    /// Never: the mathematics holds nothing that JSON cannot write.
    pub fn mathematics_digest(&self) -> String {
        let mut hash = Hash(Sha256::new());
        let mut buffer = BufWriter::with_capacity(BUFFER, &mut hash);
        serde_json::to_writer(&mut buffer, &mathematics(self))
            .and_then(|()| buffer.flush().map_err(serde_json::Error::io))
            .expect("maps have names as keys, and a hash takes all bytes");
        drop(buffer);
        let mut text = String::from("sha256:");
        for byte in hash.0.finalize() {
            text.push(hexadecimal(byte >> 4));
            text.push(hexadecimal(byte & 15));
        }
        text
    }
}

/// A hash that takes bytes as a file would.
struct Hash(Sha256);

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One hexadecimal digit of a number below 16.
fn hexadecimal(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

/// The mathematics of a plan. Every field of a plan is named here, so that a new one must be classified.
fn mathematics(plan: &Plan) -> Mathematics<'_> {
    let Plan {
        format: _,
        digest: _,
        experiment,
        languages,
        vocabularies,
        model,
        modules,
        tasks,
        training,
        curriculum,
        lanes,
        cluster,
        ranks: _,
        communicators: _,
        synchronised: _,
        placement: _,
        totals: _,
        run: _,
    } = plan;
    let ExperimentSpec { name: _, about: _, seed, output: _ } = experiment;
    Mathematics {
        seed: *seed,
        languages,
        vocabularies: vocabularies
            .iter()
            .map(|(name, spec)| (name.as_str(), vocabulary(spec)))
            .collect(),
        model,
        modules,
        tasks: Tasks(tasks),
        training: training_mathematics(training),
        curriculum: (!curriculum.is_plain()).then_some(curriculum),
        lanes,
        dropout_masks: (cluster.device == Device::Gpu && model.drops()).then_some(cluster.device),
    }
}

fn vocabulary(spec: &VocabularySpec) -> Vocabulary<'_> {
    let VocabularySpec { kind, file: _, sha256, pieces, added, unk, bos, eos, pad, mask, sampling } =
        spec;
    Vocabulary {
        kind: *kind,
        sha256,
        pieces: *pieces,
        added,
        ids: [*unk, *bos, *eos, *pad],
        mask: *mask,
        sampling: *sampling,
    }
}

fn task(spec: &TaskSpec) -> Task<'_> {
    let TaskSpec {
        kind,
        source,
        target,
        share,
        corpus,
        transforms,
        source_vocabulary,
        target_vocabulary,
        encoder,
        bridge,
        decoder,
        adapters,
    } = spec;
    // Bad lines end training sooner or are left out; what is learnt until then stays what it is.
    let CorpusFiles { train, valid: _, test: _, bad_lines: _ } = corpus;
    Task {
        kind: *kind,
        source,
        target,
        share: *share,
        train,
        transforms,
        vocabularies: [source_vocabulary, target_vocabulary],
        encoder,
        bridge: bridge.as_deref(),
        decoder,
        adapters,
    }
}

fn training_mathematics(spec: &TrainingSpec) -> Training<'_> {
    let TrainingSpec {
        steps,
        batch_tokens,
        accumulate,
        shuffle,
        optimizer,
        schedule,
        clock,
        lr_scale,
        precision,
        clip,
        clip_scope,
        label_smoothing,
        normalise,
        ema,
        validate_every: _,
        scores: _,
        // These end training sooner; the parameters after each step stay what they are.
        on_nan: _,
        stop_early: _,
        // Made of what was trained, or some of it.
        average: _,
        best: _,
        checkpoint,
    } = spec;
    let CheckpointSpec { every: _, keep: _ } = checkpoint;
    Training {
        steps: *steps,
        batch_tokens: *batch_tokens,
        accumulate: *accumulate,
        shuffle: *shuffle,
        optimizer,
        schedule,
        clock: *clock,
        lr_scale: *lr_scale,
        precision: *precision,
        clip: *clip,
        clip_scope: *clip_scope,
        label_smoothing: *label_smoothing,
        normalise: *normalise,
        ema: *ema,
    }
}

#[cfg(test)]
mod tests {
    use crate::mutation;
    use crate::sample;

    /// Every single field counts or does not count, as [`mutation::is_mathematics`] says by its place.
    #[test]
    fn fields_of_the_mathematics_change_it_and_no_others() {
        let plan = mutation::subject();
        let digest = plan.mathematics_digest();
        let mutants = mutation::mutants(&plan);
        assert!(mutants.len() > 400, "only {} mutants", mutants.len());
        for (place, mutant) in mutants {
            let changed = mutant.mathematics_digest() != digest;
            assert_eq!(changed, mutation::is_mathematics(&place), "{place}");
        }
    }

    #[test]
    fn mapping_is_not_mathematics() {
        let one = sample::plan(&["cs", "de", "en"], 4, &[&[0, 1, 2, 3]]);
        let two = sample::plan(&["cs", "de", "en"], 4, &[&[3, 0], &[1, 2]]);
        assert_eq!(one.digest, two.digest);
        let other = sample::plan(&["cs", "de", "en"], 2, &[&[0, 1]]);
        assert_ne!(one.digest, other.digest);
    }

    /// The digest goes into checkpoints: it may change only with the format.
    #[test]
    fn digest_is_of_canonical_bytes() {
        let plan = sample::plan(&["de", "en"], 1, &[&[0]]);
        let digest = plan.mathematics_digest();
        assert_eq!(digest.len(), "sha256:".len() + 64);
        assert_eq!(
            digest,
            crate::Plan::from_yaml(&plan.to_yaml()).expect("a plan").mathematics_digest()
        );
    }
}
