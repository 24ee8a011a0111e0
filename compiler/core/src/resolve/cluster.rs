//! The cluster: a block, a preset (`cluster NAME { ... }`) called by name, or a preset with a block over it.

use std::collections::BTreeMap;

use mmc_plan::{ClusterSpec, Device, LinkSpec, Precision};
use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::error::ResolveError;
use super::program::Program;
use super::read::{Bounds, PLAIN, Reader, arguments, head, needs};
use super::section::{Field, Known, Section};
use super::units::Dimension;
use crate::ir::experiment::At;
use crate::{stdlib, suggest};

const KNOWN: Known = Known {
    values: &["gpus_per_node", "nodes", "ranks"],
    blocks: &["cpu", "gpu", "links", "slurm"],
    not_built: &[
        ("parallel", "`parallel`"),
        ("slots_per_gpu", "`slots_per_gpu` (lanes take its place)"),
    ],
};

const DEVICE: Known = Known {
    values: &["bf16", "fp16", "fp32", "fp64", "memory", "memory_bandwidth", "power"],
    blocks: &[],
    not_built: &[],
};

const LINKS: Known = Known { values: &["inter", "intra", "latency"], blocks: &[], not_built: &[] };

const SLURM: Known = Known {
    values: &[
        "account",
        "constraint",
        "cpu_bind",
        "cpus_per_task",
        "gpus_per_node",
        "gres",
        "mem",
        "partition",
        "qos",
        "reservation",
        "setup",
        "time",
    ],
    blocks: &["env"],
    not_built: &[],
};

/// The cluster at a precision; nothing when a fault was reported.
pub(crate) fn resolve<'a>(
    program: &Program<'a>,
    precision: Option<Precision>,
    entry: Span,
    reader: &mut Reader<'_, 'a>,
) -> Option<At<ClusterSpec>> {
    for preset in program.declared("preset") {
        preset.section.check(&KNOWN, reader.diagnostics);
    }
    let block = program.single.get("cluster");
    let Some((key, value, file)) = program.cluster_call else {
        let Some(section) = block else {
            reader.report(ResolveError::MissingBlock {
                block: "cluster",
                span: entry,
                help: "for example `import std.clusters.laptop` and `cluster = laptop(ranks = 2)`"
                    .to_owned(),
            });
            return None;
        };
        section.check(&KNOWN, reader.diagnostics);
        return spec("custom", section, precision, reader);
    };
    let value = reader.follow(value)?;
    let Some((word, span)) = head(value) else {
        reader.wrong_type("cluster", "a preset such as `laptop(ranks = 2)`", value);
        return None;
    };
    let preset = preset(word, span, program, reader)?;
    let mut over = Section::empty(word, key);
    for arg in arguments(value) {
        let Some(name) = &arg.name else {
            reader.report(ResolveError::WrongType {
                field: word.to_owned(),
                expected: "arguments with names".to_owned(),
                found: super::values::describe(&arg.value),
                span: arg.value.span,
                help: Some(format!("for example `{word}(nodes = 2)`")),
            });
            continue;
        };
        over.set(name, &arg.value, file, reader.diagnostics);
    }
    over.check(&KNOWN, reader.diagnostics);
    let beside = block.cloned().unwrap_or_else(|| Section::empty("cluster", key));
    beside.check(&KNOWN, reader.diagnostics);
    let mut section = preset.clone().overridden_by(beside).overridden_by(over);
    section.span = span;
    spec(word, &section, precision, reader)
}

fn preset<'p, 'a>(
    word: &str,
    span: Span,
    program: &'p Program<'a>,
    reader: &mut Reader<'_, 'a>,
) -> Option<&'p Section<'a>> {
    let presets = program.declared("preset");
    if let Some(found) = presets.iter().find(|declared| declared.name == word) {
        return Some(&found.section);
    }
    let module = format!("std.clusters.{word}");
    let modules: Vec<String> = stdlib::modules().collect();
    let library = modules.iter().filter_map(|module| module.strip_prefix("std.clusters."));
    let words = presets.iter().map(|declared| declared.name).chain(library);
    let help = if modules.contains(&module) {
        format!("add `import {module}`")
    } else {
        suggest::help(word, words, "declare it: `cluster NAME { ... }`")
    };
    reader.report(ResolveError::UnknownName {
        kind: "cluster preset",
        word: word.to_owned(),
        span,
        help,
    });
    None
}

fn spec<'a>(
    name: &str,
    section: &Section<'a>,
    precision: Option<Precision>,
    reader: &mut Reader<'_, 'a>,
) -> Option<At<ClusterSpec>> {
    let small = |field, reader: &mut Reader<'_, 'a>| {
        section.value(field).map(|value| reader.whole(value, field, PLAIN, (1, 100_000)))
    };
    let nodes = small("nodes", reader).unwrap_or(Some(1));
    let (gpus, ranks) = (small("gpus_per_node", reader), small("ranks", reader));
    let (device, count) = match (gpus, ranks) {
        (Some(gpus), None) => (Device::Gpu, gpus),
        (None, Some(ranks)) => (Device::Cpu, ranks),
        (None, None) => {
            reader.missing(
                section,
                "gpus_per_node",
                "gpus_per_node = 4` or, without GPUs, `ranks = 2",
            );
            return None;
        }
        (Some(_), Some(_)) => {
            reader.report(ResolveError::Conflict {
                fault: "a cluster has GPUs or CPU ranks, not both".to_owned(),
                span: section.key("ranks").unwrap_or(section.span),
                here: "CPU ranks of a node",
                other: section.key("gpus_per_node").unwrap_or(section.span),
                there: "GPUs of a node",
                help: "keep one of the two".to_owned(),
            });
            return None;
        }
    };
    let unit = self::device(section, device, precision, reader);
    let links = links(section, reader);
    let slurm = slurm(section, reader);
    let Unit { memory, flops, bandwidth, power } = unit?;
    let value = ClusterSpec {
        name: name.to_owned(),
        nodes: u32::try_from(nodes?).ok()?,
        devices_per_node: u32::try_from(count?).ok()?,
        device_memory: memory,
        device_flops: flops,
        device_bandwidth: bandwidth,
        device_power: power,
        links: links?,
        device,
        slurm: slurm?,
    };
    Some(At { value, span: section.span })
}

/// What is told of a device.
struct Unit {
    /// Bytes.
    memory: u64,
    /// Operations a second at the plan's precision.
    flops: f64,
    /// Bytes a second.
    bandwidth: Option<f64>,
    /// Watts.
    power: Option<f64>,
}

fn device<'a>(
    cluster: &Section<'a>,
    device: Device,
    precision: Option<Precision>,
    reader: &mut Reader<'_, 'a>,
) -> Option<Unit> {
    let (block, other, example) = match device {
        Device::Gpu => ("gpu", "cpu", "gpu { memory = 40 GiB  fp32 = 19.5 TFLOP/s }"),
        Device::Cpu => ("cpu", "gpu", "cpu { memory = 8 GiB  fp32 = 100 GFLOP/s }"),
    };
    if let Some(span) = cluster.key(other) {
        reader.report(ResolveError::UnknownField {
            block: cluster.what.clone(),
            word: other.to_owned(),
            span,
            help: format!("this cluster's devices are told by `{block} {{ ... }}`"),
        });
    }
    let Some(section) = cluster.block(block) else {
        if cluster.key(block).is_none() {
            reader.missing(cluster, block, example);
        }
        return None;
    };
    section.check(&DEVICE, reader.diagnostics);
    let bytes = reader.required(section, "memory", "memory = 40 GiB");
    let bytes = bytes.and_then(|value| memory(value, reader));
    let mut told = |field, dimension| match section.value(field) {
        Some(value) => reader.real(value, field, needs(dimension), Bounds::POSITIVE).map(Some),
        None => Some(None),
    };
    let bandwidth = told("memory_bandwidth", Dimension::Rate);
    let power = told("power", Dimension::Power);
    let mut rates = BTreeMap::new();
    for field in ["bf16", "fp16", "fp32", "fp64"] {
        if let Some(value) = section.value(field) {
            rates.insert(
                field,
                reader.real(value, field, needs(Dimension::Flops), Bounds::POSITIVE),
            );
        }
    }
    let (field, example) = match precision? {
        Precision::Fp32 => ("fp32", "fp32 = 19.5 TFLOP/s"),
        Precision::Fp64 => ("fp64", "fp64 = 9.7 TFLOP/s"),
        Precision::Bf16 => ("bf16", "bf16 = 312 TFLOP/s"),
        Precision::Fp16 => ("fp16", "fp16 = 312 TFLOP/s"),
    };
    let Some(flops) = rates.get(field) else {
        if section.key(field).is_none() {
            reader.missing(section, field, example);
        }
        return None;
    };
    Some(Unit { memory: bytes?, flops: (*flops)?, bandwidth: bandwidth?, power: power? })
}

/// Bytes; a fraction of a byte is dropped.
fn memory<'a>(value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<u64> {
    let bounds = Bounds { low: 1.0, low_open: false, high: 1e18, high_open: false };
    let bytes = reader.real(value, "memory", needs(Dimension::Bytes), bounds)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 1e18")]
    Some(bytes as u64)
}

fn links<'a>(cluster: &Section<'a>, reader: &mut Reader<'_, 'a>) -> Option<LinkSpec> {
    let Some(section) = cluster.block("links") else {
        if cluster.key("links").is_none() {
            reader.missing(
                cluster,
                "links",
                "links { intra = 600 GB/s  inter = 200 Gbit/s  latency = 5 us }",
            );
        }
        return None;
    };
    section.check(&LINKS, reader.diagnostics);
    let mut rate = |field, example| {
        let value = reader.required(section, field, example)?;
        reader.real(value, field, needs(Dimension::Rate), Bounds::POSITIVE)
    };
    let (intra, inter) = (rate("intra", "intra = 600 GB/s"), rate("inter", "inter = 200 Gbit/s"));
    let latency = reader.required(section, "latency", "latency = 5 us");
    let latency = latency.and_then(|value| {
        reader.real(value, "latency", needs(Dimension::Time), Bounds::NOT_NEGATIVE)
    });
    Some(LinkSpec { intra: intra?, inter: inter?, latency: latency? })
}

/// What a batch script needs, as the script writes it; variables of `env` are called `env.NAME`.
fn slurm<'a>(
    cluster: &Section<'a>,
    reader: &mut Reader<'_, 'a>,
) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let Some(section) = cluster.block("slurm") else { return Some(found) };
    section.check(&SLURM, reader.diagnostics);
    let mut faulty = false;
    for field in SLURM.values {
        let Some(value) = section.value(field) else { continue };
        match word(field, value, reader) {
            Some(text) => drop(found.insert((*field).to_owned(), text)),
            None => faulty = true,
        }
    }
    let variables = section.block("env").map(Section::fields).into_iter().flatten();
    for (name, _, field) in variables {
        let text = match field {
            Field::Value(value) => word("env", value, reader),
            Field::Block(_) => None,
        };
        match text {
            Some(text) => drop(found.insert(format!("env.{name}"), text)),
            None => faulty = true,
        }
    }
    (!faulty).then_some(found)
}

/// Text, a word, a number, or a time in Slurm's form.
fn word<'a>(field: &str, value: &'a Expr, reader: &mut Reader<'_, 'a>) -> Option<String> {
    let value = reader.follow(value)?;
    match (&value.kind, field) {
        (ExprKind::Text(text), _) if !text.contains(['\n', '\r']) || field == "setup" => {
            Some(text.clone())
        }
        (ExprKind::Name(word), _) => Some(word.clone()),
        (_, "time") => {
            // A week and a bit more than any queue grants.
            let seconds =
                reader.whole(value, "time", needs(Dimension::Time), (60, 100 * 24 * 3600))?;
            Some(slurm_time(seconds))
        }
        (_, "cpus_per_task" | "gpus_per_node" | "mem" | "env") => {
            let low = u64::from(field != "mem" && field != "env");
            reader.whole(value, field, PLAIN, (low, u64::MAX)).map(|number| number.to_string())
        }
        _ => {
            reader.wrong_type(field, "text of one line in quotes", value);
            None
        }
    }
}

/// `days-hours:minutes:seconds`, without days when there are none.
fn slurm_time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60);
    if days > 0 { format!("{days}-{clock}") } else { clock }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_slurm_reads_them() {
        assert_eq!(slurm_time(7_200), "02:00:00");
        assert_eq!(slurm_time(90_061), "1-01:01:01");
    }
}
