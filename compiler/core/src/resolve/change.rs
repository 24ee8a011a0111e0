//! A change of the cluster from the command line: one field, the values that it is tried with.

use mmc_plan::ClusterSpec;

use super::units::{self, Dimension};
use crate::suggest;

/// Most values of one field that are tried: each is a whole compilation.
const MOST: u64 = 256;

/// One value for one field of the cluster, in place of the file's.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterChange {
    field: &'static Field,
    value: f64,
    /// The value as it was written.
    pub text: String,
}

#[derive(Debug)]
struct Field {
    name: &'static str,
    dimension: Dimension,
    set: fn(&mut ClusterSpec, f64),
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Fields that can be changed. Devices of a node are written as the cluster's own block has them.
static FIELDS: [Field; 10] = [
    Field { name: "nodes", dimension: Dimension::Plain, set: |c, v| c.nodes = small(v) },
    Field { name: "ranks", dimension: Dimension::Plain, set: |c, v| c.devices_per_node = small(v) },
    Field {
        name: "gpus_per_node",
        dimension: Dimension::Plain,
        set: |c, v| c.devices_per_node = small(v),
    },
    Field { name: "memory", dimension: Dimension::Bytes, set: |c, v| c.device_memory = whole(v) },
    Field {
        name: "memory_bandwidth",
        dimension: Dimension::Rate,
        set: |c, v| c.device_bandwidth = Some(v),
    },
    Field { name: "power", dimension: Dimension::Power, set: |c, v| c.device_power = Some(v) },
    Field { name: "flops", dimension: Dimension::Flops, set: |c, v| c.device_flops = v },
    Field { name: "intra", dimension: Dimension::Rate, set: |c, v| c.links.intra = v },
    Field { name: "inter", dimension: Dimension::Rate, set: |c, v| c.links.inter = v },
    Field { name: "latency", dimension: Dimension::Time, set: |c, v| c.links.latency = v },
];

impl ClusterChange {
    /// Reads `nodes=1..8`, `nodes=1,2,4` or `inter=25 Gbit/s,200 Gbit/s`; ranges are of whole numbers and hold both ends.
    ///
    /// # Errors
    /// Words for people, when there is no such field, unit or number.
    pub fn read(text: &str) -> Result<Vec<Self>, String> {
        let (name, values) =
            text.split_once('=').ok_or("expected FIELD=VALUES, for example nodes=1..8")?;
        let field = FIELDS.iter().find(|field| field.name == name.trim()).ok_or_else(|| {
            let names: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
            format!("a cluster has no field `{}` to change; {}", name.trim(), {
                suggest::help(name.trim(), names, "see `mmc plan --help`")
            })
        })?;
        let mut changes = Vec::new();
        for part in values.split(',').map(str::trim) {
            match part.split_once("..") {
                Some((from, to)) if field.dimension == Dimension::Plain => {
                    let (from, to) = (count(from)?, count(to)?);
                    if to < from || to - from >= MOST {
                        return Err(format!("`{part}` has no values, or more than {MOST}"));
                    }
                    changes.extend((from..=to).map(|value| Self {
                        field,
                        value: float(value),
                        text: value.to_string(),
                    }));
                }
                _ => changes.push(Self {
                    field,
                    value: quantity(part, field.dimension)?,
                    text: part.to_owned(),
                }),
            }
        }
        Ok(changes)
    }

    /// The field's name.
    pub fn field(&self) -> &'static str {
        self.field.name
    }

    /// The value in the unit that plans have it in.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Changes a cluster.
    pub fn apply(&self, cluster: &mut ClusterSpec) {
        (self.field.set)(cluster, self.value);
    }
}

fn count(text: &str) -> Result<u64, String> {
    let number = text.trim().parse().ok().filter(|number| (1..=100_000).contains(number));
    number.ok_or_else(|| format!("`{}` is not a whole number from 1 to 100000", text.trim()))
}

/// A positive number with a unit of the dimension.
fn quantity(text: &str, dimension: Dimension) -> Result<f64, String> {
    if dimension == Dimension::Plain {
        return count(text).map(float);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, word) = text.split_at(digits);
    let number = number.parse::<f64>().ok().filter(|number| *number > 0.0 && number.is_finite());
    let unit = units::find(word.trim()).filter(|unit| unit.dimension == dimension);
    match (number, unit) {
        (Some(number), Some(unit)) => Ok(number * float(unit.times) / float(unit.over)),
        _ => Err(format!(
            "`{text}` is not {dimension}: a number with {}",
            suggest::listed(&units::words(dimension), "or")
        )),
    }
}

#[expect(clippy::cast_precision_loss, reason = "factors of units are exact in 53 bits")]
fn float(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 100000")]
fn small(value: f64) -> u32 {
    value as u32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<f64> {
        ClusterChange::read(text).expect(text).iter().map(ClusterChange::value).collect()
    }

    #[test]
    fn ranges_lists_and_units() {
        assert_eq!(values("nodes=1..3,8"), [1.0, 2.0, 3.0, 8.0]);
        assert_eq!(values("inter = 8 Gbit/s, 2GB/s"), [1e9, 2e9]);
        assert_eq!(values("latency=5 us"), [5e-6]);
        assert_eq!(values("memory=0.5 GiB"), [f64::from(1 << 29)]);
    }

    #[test]
    fn what_cannot_be_tried_is_said() {
        for (text, words) in [
            ("nodes", "FIELD=VALUES"),
            ("node=1", "did you mean"),
            ("nodes=0..2", "from 1"),
            ("nodes=4..1", "no values"),
            ("nodes=1..100000", "more than"),
            ("inter=5", "GB/s"),
            ("inter=5 GiB", "rate of transfer"),
            ("inter=1..2 GB/s", "rate of transfer"),
            ("memory=-1 GiB", "amount of memory"),
        ] {
            let fault = ClusterChange::read(text).expect_err(text);
            assert!(fault.contains(words), "{text}: {fault}");
        }
    }
}
