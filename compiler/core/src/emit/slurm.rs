//! A batch script for Slurm, one task a device, from the plan's cluster.

use minijinja::{Environment, context};
use mmc_plan::{Device, Plan};

use super::EmitError;

/// The script; `templates/slurm.sh.j2`.
const TEMPLATE: &str = include_str!("templates/slurm.sh.j2");
/// What ranks end with when a signal made them stop after a checkpoint (`EX_TEMPFAIL` of sysexits.h: try again later).
const REQUEUE_CODE: u8 = 75;
/// Settings that become options of the same name.
const OPTIONS: &[&str] =
    &["account", "constraint", "gres", "mem", "partition", "qos", "reservation", "time"];
/// Settings with a meaning of their own; variables are `env.NAME`.
const OWN: &[&str] = &["cpu_bind", "cpus_per_task", "gpus_per_node", "setup"];
/// What is said about unknown settings.
pub(super) const KEYS_HELP: &str = "known are account, constraint, cpu_bind, cpus_per_task, env, gpus_per_node, gres, mem, partition, qos, reservation, setup and time";

pub(super) fn emit(plan: &Plan) -> Result<String, EmitError> {
    let settings = &plan.cluster.slurm;
    check(plan)?;
    let get = |key: &str| settings.get(key).map(String::as_str);
    let options: Vec<(&str, &str)> =
        OPTIONS.iter().filter_map(|key| Some((*key, get(key)?))).collect();
    let variables: Vec<(&str, String)> = settings
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix("env.")?, quoted(value))))
        .collect();
    // A site that counts GPUs with `gres` must not be asked twice.
    let gpus = (plan.cluster.device == Device::Gpu && get("gres").is_none()).then(|| {
        get("gpus_per_node")
            .map_or_else(|| plan.cluster.devices_per_node.to_string(), str::to_owned)
    });
    let values = context! {
        name => job_name(&plan.experiment.name),
        ranks => plan.ranks.len(),
        nodes => plan.cluster.nodes,
        devices => plan.cluster.devices_per_node,
        gpus,
        cpus => get("cpus_per_task"),
        options,
        variables,
        setup => get("setup").map(str::trim_end),
        srun => get("cpu_bind").map_or_else(String::new, |bind| format!("--cpu-bind={bind} ")),
        requeue_code => REQUEUE_CODE,
    };
    let mut environment = Environment::empty();
    environment.set_keep_trailing_newline(true);
    let fault = |fault: minijinja::Error| EmitError::Template { reason: fault.to_string() };
    environment.render_str(TEMPLATE, values).map_err(fault)
}

/// Unknown settings and values that would be more than a value.
fn check(plan: &Plan) -> Result<(), EmitError> {
    for (key, value) in &plan.cluster.slurm {
        let variable = key.strip_prefix("env.");
        if !OPTIONS.contains(&key.as_str()) && !OWN.contains(&key.as_str()) && variable.is_none() {
            return Err(EmitError::SlurmKey { key: key.clone() });
        }
        let is_fine = match variable {
            Some(name) => is_variable(name) && !value.contains(['\n', '\0']),
            // Lines of shell are the user's own.
            None if key == "setup" => !value.contains('\0'),
            None => !value.is_empty() && value.chars().all(is_plain),
        };
        if !is_fine {
            return Err(EmitError::SlurmValue { key: key.clone(), value: value.clone() });
        }
    }
    Ok(())
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// As one word of a shell.
fn quoted(value: &str) -> String {
    if !value.is_empty() && value.chars().all(is_plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', "'\\''"))
    }
}

/// Characters that a shell leaves alone, even unquoted.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.,:/=@%+".contains(c)
}

/// A name that Slurm and file names take.
fn job_name(name: &str) -> String {
    name.chars().map(|c| if is_plain(c) && c != '/' && c != '%' { c } else { '_' }).collect()
}
