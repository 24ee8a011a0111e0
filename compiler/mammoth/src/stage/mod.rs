//! The stages, one a file, and the order in which `config_all` runs them.

mod adapter_config;
mod allocate_devices;
mod assignment;
mod cluster_languages;
mod codes;
mod complete_language_pairs;
mod corpora_schedule;
mod extra;
mod line_counts;
mod set_transforms;
mod sharing_groups;

use mmc_core::diagnostics::{Diagnostics, Finding, Halt};
use mmc_syntax::SourceMap;

use crate::files::{Addition, Files, NoFiles};
use crate::flags::Flags;
use crate::job::{Job, OPTIONS};
use crate::warning::MammothWarning;
use crate::yaml::Tree;

/// A stage by its name in the peer's tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Languages and path templates to tasks.
    CompleteLanguagePairs,
    /// Lines to weights and starting steps.
    CorporaSchedule,
    /// Distances to groups.
    ClusterLanguages,
    /// Sharing patterns to each task's module names.
    SharingGroups,
    /// Tasks to GPUs.
    AllocateDevices,
    /// Each task's transforms and prefix.
    SetTransforms,
    /// Adapters' ids, and each task's adapters.
    AdapterConfig,
    /// Nothing, in the peer too.
    TranslationConfigs,
    /// Takes the options away.
    RemoveTemporaryKeys,
    /// All of the above.
    ConfigAll,
    /// For one process without a GPU.
    ExtraCpu,
    /// One language for all, a shared decoder.
    ExtraFullySharedHack,
    /// The GPUs of another configuration.
    ExtraCopyGpuAssignment,
}

/// What a stage made.
#[derive(Debug)]
pub struct Outcome {
    /// The configuration as text; none: there are errors.
    pub text: Option<String>,
    /// In the order of reporting.
    pub findings: Vec<Finding>,
    /// Lines to be added to files in the working directory.
    pub additions: Vec<Addition>,
}

const PAIRS: &[&str] = &[
    "src_path",
    "tgt_path",
    "ae_path",
    "valid_src_path",
    "valid_tgt_path",
    "autoencoder",
    "autoencoder_validation",
];
const SCHEDULE: &[&str] =
    &["use_weight", "ae_weight", "use_introduce_at_training_step", "temperature"];
const CLUSTER: &[&str] = &["distance_matrix", "cutoff_threshold", "n_groups"];
const SHARING: &[&str] = &["enc_sharing_groups", "dec_sharing_groups"];
const DEVICES: &[&str] =
    &["n_nodes", "n_gpus_per_node", "n_slots_per_gpu", "log_name", "time_budget_s"];
const TRANSFORMS: &[&str] = &["transforms", "ae_transforms"];
const TRANSLATION: &[&str] = &["zero_shot"];

impl Stage {
    /// All stages, in the order of `config_all`, then it and the extra ones.
    pub const ALL: &[Self] = &[
        Self::CompleteLanguagePairs,
        Self::CorporaSchedule,
        Self::ClusterLanguages,
        Self::SharingGroups,
        Self::AllocateDevices,
        Self::SetTransforms,
        Self::AdapterConfig,
        Self::TranslationConfigs,
        Self::RemoveTemporaryKeys,
        Self::ConfigAll,
        Self::ExtraCpu,
        Self::ExtraFullySharedHack,
        Self::ExtraCopyGpuAssignment,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::CompleteLanguagePairs => "complete_language_pairs",
            Self::CorporaSchedule => "corpora_schedule",
            Self::ClusterLanguages => "cluster_languages",
            Self::SharingGroups => "sharing_groups",
            Self::AllocateDevices => "allocate_devices",
            Self::SetTransforms => "set_transforms",
            Self::AdapterConfig => "adapter_config",
            Self::TranslationConfigs => "translation_configs",
            Self::RemoveTemporaryKeys => "remove_temporary_keys",
            Self::ConfigAll => "config_all",
            Self::ExtraCpu => "extra_cpu",
            Self::ExtraFullySharedHack => "extra_fully_shared_hack",
            Self::ExtraCopyGpuAssignment => "extra_copy_gpu_assignment",
        }
    }

    /// The stage of a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|stage| stage.name() == name)
    }

    /// The flags that it reads.
    pub fn flags(self) -> Vec<&'static str> {
        match self {
            Self::CompleteLanguagePairs => PAIRS.to_vec(),
            Self::CorporaSchedule => SCHEDULE.to_vec(),
            Self::ClusterLanguages => CLUSTER.to_vec(),
            Self::SharingGroups => SHARING.to_vec(),
            Self::AllocateDevices => DEVICES.to_vec(),
            Self::SetTransforms => TRANSFORMS.to_vec(),
            Self::TranslationConfigs => TRANSLATION.to_vec(),
            Self::ConfigAll => {
                [PAIRS, SCHEDULE, CLUSTER, SHARING, DEVICES, TRANSFORMS, TRANSLATION].concat()
            }
            Self::ExtraFullySharedHack => vec!["joint_vocab"],
            Self::ExtraCopyGpuAssignment => vec!["copy_from"],
            Self::AdapterConfig | Self::RemoveTemporaryKeys | Self::ExtraCpu => Vec::new(),
        }
    }

    /// Runs it on a configuration that was read from one of the sources.
    pub fn run(self, tree: Tree, sources: &SourceMap, flags: &Flags, files: &dyn Files) -> Outcome {
        let sink = Diagnostics::default();
        let mut job = Job { tree, flags, files, sources, sink, additions: Vec::new() };
        let ended = codes::check(&mut job).and_then(|()| self.work(&mut job));
        Outcome {
            // The peer prints the text, which ends its last line, and ends it once more.
            text: ended.is_ok().then(|| job.tree.write() + "\n"),
            findings: job.sink.into_findings(),
            additions: job.additions,
        }
    }

    fn work(self, job: &mut Job<'_>) -> Result<(), Halt> {
        match self {
            Self::CompleteLanguagePairs => complete_language_pairs::run(job),
            Self::CorporaSchedule => corpora_schedule::run(job),
            Self::ClusterLanguages => cluster_languages::run(job),
            Self::SharingGroups => sharing_groups::run(job),
            Self::AllocateDevices => allocate_devices::run(job),
            Self::SetTransforms => set_transforms::run(job),
            Self::AdapterConfig => adapter_config::run(job),
            Self::TranslationConfigs => translation_configs(job),
            Self::RemoveTemporaryKeys => remove_temporary_keys(job),
            Self::ConfigAll => Self::ALL
                .iter()
                .take_while(|stage| **stage != Self::ConfigAll)
                .try_for_each(|stage| stage.work(job)),
            Self::ExtraCpu => extra::cpu(job),
            Self::ExtraFullySharedHack => extra::fully_shared_hack(job),
            Self::ExtraCopyGpuAssignment => extra::copy_gpu_assignment(job),
        }
    }
}

/// Tasks to GPUs in a configuration with options that was made and not read; the options are taken away.
pub(crate) fn allocate(tree: Tree, sources: &SourceMap) -> (Tree, Vec<Finding>) {
    let (flags, sink) = (Flags::default(), Diagnostics::default());
    let mut job =
        Job { tree, flags: &flags, files: &NoFiles, sources, sink, additions: Vec::new() };
    // What goes wrong is among the findings.
    let _ = allocate_devices::run(&mut job).and_then(|()| remove_temporary_keys(&mut job));
    (job.tree, job.sink.into_findings())
}

/// The peer has a place for zero-shot tasks and does nothing there.
fn translation_configs(job: &mut Job<'_>) -> Result<(), Halt> {
    if job.switch("zero_shot")? {
        let span =
            job.option("zero_shot")?.map_or_else(|| job.options_place(), |id| job.tree.span(id));
        job.sink.report(MammothWarning::NoEffect {
            key: "zero_shot",
            reason: "MAMMOTH's configurations have no zero-shot tasks",
            span,
            help: "leave it out; `mmc translate` takes any direction whose modules were trained",
        });
    }
    Ok(())
}

fn remove_temporary_keys(job: &mut Job<'_>) -> Result<(), Halt> {
    job.options()?;
    let root = job.tree.root();
    job.tree.remove(root, OPTIONS);
    Ok(())
}
