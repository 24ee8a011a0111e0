//! Codes of the command line and of `mmc run`.

use super::{Example, Row};

const fn told(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    [wrong, right]: [&'static str; 2],
) -> Row {
    Row { code, title, meaning, wrong, right, example: Example::Told }
}

/// In order of code.
pub(super) const CLI: &[Row] = &[
    told(
        "mmc::cli::bad_index",
        "a file that is no index",
        "`--index` names a file that `mmc index` has written.",
        [
            "mmc plan demo.mmc --index demo.mmc",
            "mmc index demo.mmc -o demo.index && mmc plan demo.mmc --index demo.index",
        ],
    ),
    told(
        "mmc::cli::bad_problem",
        "a file that is no problem of placement",
        "`mmc place` reads JSON with the keys that `docs/commands.md` lists; modules, tasks and GPUs are numbered from 0.",
        [
            r#"{"n_nodes": 1, "gpus_per_node": 2, "n_modules": 2, "tasks": [[0, 1], [2]]}"#,
            r#"{"n_nodes": 1, "gpus_per_node": 2, "n_modules": 3, "tasks": [[0, 1], [2]]}"#,
        ],
    ),
    told(
        "mmc::cli::no_assignment",
        "limits that no assignment keeps",
        "The message names the fewest limits that can't be kept together: without any one of them the others can.",
        [
            r#"{"n_nodes": 1, "gpus_per_node": 2, "tasks": [[0], [0], [1]], "limits": {"slots": 1}}"#,
            r#"{"n_nodes": 1, "gpus_per_node": 2, "tasks": [[0], [0], [1]], "limits": {"slots": 2}}"#,
        ],
    ),
    told(
        "mmc::cli::unreadable",
        "a file or folder that can't be read",
        "The system's reason stands in the message. Paths are relative to the working directory.",
        ["mmc check experiments/dmeo.mmc", "mmc check experiments/demo.mmc"],
    ),
    told(
        "mmc::cli::unwritable",
        "a file or folder that can't be written",
        "The system's reason stands in the message: permissions, a missing folder, a full disk.",
        ["mmc plan demo.mmc -o /plan.yaml", "mmc plan demo.mmc -o plan.yaml"],
    ),
    told(
        "mmc::cli::usage",
        "arguments that don't fit",
        "The arguments are well-formed, but not for each other or for this input; the help line says what goes.",
        ["mmc plan plan.yaml -p seed=2", "mmc plan demo.mmc -p seed=2"],
    ),
];

/// In order of code.
pub(super) const RUN: &[Row] = &[
    told(
        "mmc::run::environment",
        "a launcher's variable without sense",
        "torchrun, Slurm, Open MPI and PMI tell a process its rank by environment variables; one of them holds no number, or a rank beyond the world.",
        ["RANK=two WORLD_SIZE=2 mmc run demo.mmc", "unset RANK WORLD_SIZE; mmc run demo.mmc"],
    ),
    told(
        "mmc::run::no_checkpoint",
        "nothing to translate with",
        "The run has no complete checkpoint, or not the one that was asked for.",
        [
            "mmc translate runs/demo --checkpoint 99 --from en --to de",
            "mmc translate runs/demo --from en --to de",
        ],
    ),
    told(
        "mmc::run::no_modules",
        "a direction without modules",
        "A direction can be translated when every module on its way is in the plan, whether or not the direction was trained.",
        ["mmc translate runs/demo --from en --to xx", "mmc translate runs/demo --from en --to de"],
    ),
    told(
        "mmc::run::other_mathematics",
        "an output folder of another experiment",
        "The folder holds a run whose plan has another digest: its checkpoints don't fit, and training into it would mix two experiments.",
        ["mmc run demo.mmc -p seed=2", "mmc run demo.mmc -p seed=2 --output runs/demo-2"],
    ),
    told(
        "mmc::run::output_taken",
        "an output folder with checkpoints",
        "A run of this experiment is there. Nothing is deleted unasked.",
        ["mmc run demo.mmc && mmc run demo.mmc", "mmc run demo.mmc && mmc run demo.mmc --resume"],
    ),
    told(
        "mmc::run::plan_not_shared",
        "ranks that don't see one plan",
        "Rank 0 writes the plan into the output folder; the other ranks wait until the same plan is there. They don't share the folder, or their sources or corpora differ.",
        [
            "srun mmc run demo.mmc --output /tmp/run",
            "srun mmc run demo.mmc --output \"$SCRATCH/run\"",
        ],
    ),
    told(
        "mmc::run::rank_failed",
        "a rank failed",
        "The first rank that failed is named with its own words; all other ranks were ended. Checkpoints are whole.",
        ["mmc run demo.mmc", "mmc run demo.mmc --resume"],
    ),
    told(
        "mmc::run::start",
        "a program that can't be started",
        "The system refuses to start the worker: built for another machine, or a library is missing.",
        [
            "mmc run demo.mmc --worker mmc-worker-aarch64",
            "mmc run demo.mmc --worker target/release/mmc-worker",
        ],
    ),
    told(
        "mmc::run::worker_missing",
        "no worker program",
        "`mmc` itself has no libtorch: training and translation are done by `mmc-worker`. It is looked for beside `mmc`, in MMC_WORKER and in PATH.",
        [
            "mmc run demo.mmc",
            "cargo xtask worker && mmc run demo.mmc --worker target/release/mmc-worker",
        ],
    ),
    told(
        "mmc::run::worker_unusable",
        "a worker that is no program",
        "`--worker` or MMC_WORKER names something that is not an executable file.",
        [
            "mmc run demo.mmc --worker target/release",
            "mmc run demo.mmc --worker target/release/mmc-worker",
        ],
    ),
    told(
        "mmc::run::world_size",
        "another number of ranks than the plan's",
        "A launcher started so many processes; the plan has a place for exactly its ranks.",
        ["srun --ntasks=4 mmc run two-ranks.mmc", "srun --ntasks=2 mmc run two-ranks.mmc"],
    ),
];
