//! Laws of the compiler: what must hold of every plan, tried on made-up experiments.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: the sentence is the failure's")]

use std::collections::BTreeSet;

use mmc_plan::Plan;
use mmc_plan::schedule::LANE_PARTS;
use proptest::prelude::*;

use crate::support::planned;
use crate::support::world::TestWorld;

const FRAME: &str = "
experiment demo { seed = 7 }
tokenizer pieces { kind = sentencepiece  model = \"spm/{lang}.model\" }
corpus text { train = \"train.{src_lang}-{tgt_lang}.s\" -> \"train.{src_lang}-{tgt_lang}.t\" }
";
const CLUSTER: &str = "
  cpu { memory = MEMORY  fp32 = 10 GFLOP/s  fp64 = 5 GFLOP/s }
  links { intra = 5 GB/s  inter = 1 Gbit/s  latency = 50 us }
}
";

/// A made-up experiment.
#[derive(Debug, Clone)]
struct Sample {
    /// Languages `qa`, `qb` ...
    languages: usize,
    /// Directions: bits over (source, target).
    directions: u64,
    /// Lines of each direction.
    lines: Vec<u64>,
    encoder: &'static str,
    decoder: &'static str,
    lanes: u32,
    nodes: u32,
    ranks: u32,
    mebibytes: u64,
}

impl Sample {
    fn pairs(&self) -> Vec<(usize, usize)> {
        let all = (0..self.languages).flat_map(|s| (0..self.languages).map(move |t| (s, t)));
        let all: Vec<_> = all.filter(|(s, t)| s != t).collect();
        let chosen: Vec<_> = all
            .iter()
            .enumerate()
            .filter(|(at, _)| self.directions >> (at % 64) & 1 == 1)
            .map(|(_, pair)| *pair)
            .collect();
        if chosen.is_empty() { vec![(0, 1)] } else { chosen }
    }

    /// The source; `name` names languages, `backwards` turns the order of declarations around.
    fn text(&self, name: &dyn Fn(usize) -> String, backwards: bool) -> String {
        let mut languages: Vec<String> = (0..self.languages).map(name).collect();
        let groups = |odd: usize| {
            let members: Vec<String> =
                (0..self.languages).filter(|at| at % 2 == odd).map(name).collect();
            members.join(", ")
        };
        let mut pairs: Vec<String> =
            self.pairs().iter().map(|(s, t)| format!("{} -> {}", name(*s), name(*t))).collect();
        if backwards {
            languages.reverse();
            pairs.reverse();
        }
        let mut blocks = [
            FRAME.to_owned(),
            format!("languages {}", languages.join(", ")),
            format!("groups {{ even = [{}]  odd = [{}] }}", groups(0), groups(1)),
            format!(
                "tasks all {{ pairs = {}  corpus = text  transforms = [pieces] }}",
                pairs.join(" + ")
            ),
            format!(
                "model {{ dim = 32  heads = 2  encoder = [{}]  decoder = [{}] }}",
                self.encoder, self.decoder
            ),
            format!(
                "training {{ steps = 500  batch = 256 tokens  lanes = {}  optimizer = adamw(lr = 1e-3)  schedule = constant }}",
                self.lanes
            ),
            "curriculum { weight = temperature(0.7) }".to_owned(),
            format!("cluster {{ nodes = {}  ranks = {}", self.nodes, self.ranks)
                + &CLUSTER.replace("MEMORY", &format!("{} MiB", self.mebibytes)),
        ];
        if backwards {
            blocks.reverse();
        }
        blocks.join("\n")
    }

    fn world(&self, text: String, name: &dyn Fn(usize) -> String) -> TestWorld {
        let mut world = TestWorld::default();
        world.sources.insert("main.mmc".to_owned(), text);
        for ((s, t), lines) in self.pairs().iter().zip(self.lines.iter().cycle()) {
            for side in ["s", "t"] {
                world.lines.insert(format!("train.{}-{}.{side}", name(*s), name(*t)), *lines);
            }
        }
        world
    }

    fn compiled(&self, name: &dyn Fn(usize) -> String, backwards: bool) -> Result<Plan, String> {
        let outcome = planned(&self.world(self.text(name, backwards), name), "main.mmc", &[]);
        let codes: Vec<String> =
            outcome.findings.iter().map(|finding| format!("{finding}")).collect();
        outcome.plan.ok_or_else(|| codes.join("\n"))
    }

    fn plan(&self) -> Plan {
        self.compiled(&short, false)
            .unwrap_or_else(|codes| panic!("{codes}\n{}", self.text(&short, false)))
    }
}

fn short(at: usize) -> String {
    format!("q{}", char::from(b'a' + u8::try_from(at).unwrap()))
}

/// The same order of names.
fn long(at: usize) -> String {
    format!("l{}x", char::from(b'c' + u8::try_from(at).unwrap()))
}

fn samples() -> impl Strategy<Value = Sample> {
    let encoders = prop::sample::select(vec![
        "FULL",
        "SRC_LANGUAGE",
        "SRC_GROUP, FULL",
        "2 x SRC_LANGUAGE, FULL",
        "TASK",
    ]);
    let decoders =
        prop::sample::select(vec!["FULL", "TGT_LANGUAGE", "TGT_GROUP, TGT_LANGUAGE", "PAIR"]);
    let shape = (2_usize..6, any::<u64>(), prop::collection::vec(1_000_u64..100_000, 1..8));
    (shape, encoders, decoders, 1_u32..7, 1_u32..3, 1_u32..4).prop_map(
        |((languages, directions, lines), encoder, decoder, lanes, nodes, ranks)| Sample {
            languages,
            directions,
            lines,
            encoder,
            decoder,
            lanes,
            nodes,
            ranks,
            mebibytes: 4096,
        },
    )
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(16))]

    #[test]
    fn plans_do_not_depend_on_the_order_of_declarations(sample in samples()) {
        let plan = sample.plan();
        prop_assert_eq!(plan.to_yaml(), sample.compiled(&short, true).unwrap().to_yaml());
        prop_assert_eq!(&plan, &sample.plan(), "a second time");
    }

    #[test]
    fn renamed_languages_change_names_alone(sample in samples()) {
        let mut text = sample.plan().to_yaml();
        let renamed = sample.compiled(&long, false).unwrap().to_yaml();
        for at in 0..sample.languages {
            text = text.replace(&short(at), &long(at));
        }
        let without_digest = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with("digest:")).map(str::to_owned).collect()
        };
        // Long names may turn a list of names into one name a line: compare words.
        let words = |text: &str| -> Vec<String> {
            let lines = without_digest(text).join(" ");
            let words = lines.split(|c: char| c.is_whitespace() || "[],".contains(c));
            words.filter(|word| !word.is_empty() && *word != "-").map(str::to_owned).collect()
        };
        prop_assert_eq!(words(&text), words(&renamed));
    }

    #[test]
    fn plans_read_back_and_differ_not_from_themselves(sample in samples()) {
        let plan = sample.plan();
        prop_assert_eq!(&Plan::from_yaml(&plan.to_yaml()).unwrap(), &plan);
        prop_assert!(mmc_plan::diff::PlanDiff::new(&plan, &plan).is_empty());
    }

    #[test]
    fn the_machine_is_no_part_of_the_mathematics(sample in samples(), nodes in 1_u32..3, ranks in 1_u32..5) {
        let other = Sample { nodes, ranks, ..sample.clone() };
        prop_assert_eq!(sample.plan().digest, other.plan().digest);
    }

    #[test]
    fn wishes_are_kept_or_refused(sample in samples(), pinned in 0_usize..20, rank in 0_u32..6, apart in 2_usize..4) {
        let name = |(s, t): &(usize, usize)| format!("{} -> {}", short(*s), short(*t));
        let pairs = sample.pairs();
        let pin = pairs[pinned % pairs.len()];
        let rank = rank % (sample.nodes * sample.ranks);
        let set: Vec<_> = pairs.iter().rev().take(apart).copied().collect();
        let wishes = format!(
            "placement {{ pin = {{ {} = (node {}, rank {}) }}  apart = [{}] }}",
            name(&pin),
            rank / sample.ranks,
            rank % sample.ranks,
            set.iter().map(name).collect::<Vec<_>>().join(" + "),
        );
        let text = sample.text(&short, false) + "\n" + &wishes;
        let outcome = planned(&sample.world(text, &short), "main.mmc", &[]);
        let Some(plan) = outcome.plan else {
            let codes: Vec<String> =
                outcome.findings.iter().filter_map(|of| of.code()).map(|code| code.to_string()).collect();
            prop_assert_eq!(codes, ["mmc::place::infeasible"], "{}", wishes);
            return Ok(());
        };
        let ranks_of = |pair: &(usize, usize)| {
            let task = format!("all.{}-{}", short(pair.0), short(pair.1));
            let ranks = (0_u32..).zip(&plan.ranks);
            let holds = |lane: &u32| plan.lanes[*lane as usize].tasks.contains_key(&task);
            let found = ranks.filter(|(_, spec)| spec.lanes.iter().any(holds));
            found.map(|(rank, _)| rank).collect::<BTreeSet<u32>>()
        };
        prop_assert_eq!(ranks_of(&pin), BTreeSet::from([rank]));
        for (at, one) in set.iter().enumerate() {
            for other in &set[..at] {
                prop_assert!(ranks_of(one).is_disjoint(&ranks_of(other)), "{}", wishes);
            }
        }
    }

    #[test]
    fn more_memory_never_makes_a_plan_impossible(sample in samples(), low in 1_u64..8, more in 0_u64..8) {
        let little = Sample { mebibytes: low, ..sample.clone() };
        let much = Sample { mebibytes: low + more, ..sample };
        if little.compiled(&short, false).is_ok() {
            prop_assert!(much.compiled(&short, false).is_ok());
        }
    }

    #[test]
    fn a_mapping_costs_a_step_and_no_less_than_its_bound(sample in samples()) {
        let plan = sample.plan();
        if let Some(found) = &plan.placement.ranks {
            prop_assert!(found.bound <= found.cost, "{:?}", found);
            // Communication of ranks that do not meet is added up; divisors in buckets are left out.
            let step = std::time::Duration::from_secs_f64(plan.totals.step_seconds).as_nanos();
            prop_assert!(u128::from(found.cost) * 1000 >= step * 999, "{} for {}", found.cost, step);
        }
    }

    #[test]
    fn shares_come_out_of_the_schedule(sample in samples()) {
        let plan = sample.plan();
        for (name, task) in &plan.tasks {
            let parts: u64 = plan.lanes.iter().filter_map(|lane| lane.tasks.get(name)).map(|task| u64::from(task.parts)).sum();
            // Parts per million of all lanes, against parts per billion.
            let given = parts * 1000 / plan.lanes.len() as u64;
            prop_assert!(given.abs_diff(task.share) <= 1000, "{}: {} for {}", name, given, task.share);
        }
        prop_assert!(chi_square(&plan, 10_000) < CRITICAL);
    }
}

/// `(chi square - degrees of freedom) / sqrt(2 * degrees)`: about a standard normal for many degrees; six deviations happen
/// once in a billion, and the skew of few degrees is within that.
const CRITICAL: f64 = 7.0;

#[expect(clippy::cast_precision_loss, reason = "counts of some ten thousands")]
fn chi_square(plan: &Plan, steps: u64) -> f64 {
    let mut counts: std::collections::BTreeMap<&str, f64> =
        plan.tasks.keys().map(|name| (name.as_str(), 0.0)).collect();
    let lanes = u32::try_from(plan.lanes.len()).unwrap();
    for step in 1..=steps {
        for lane in 0..lanes {
            *counts.get_mut(plan.task_at(step, lane).unwrap()).unwrap() += 1.0;
        }
    }
    let draws = (steps * u64::from(lanes)) as f64;
    let square: f64 = plan
        .tasks
        .iter()
        .map(|(name, task)| {
            let expected = draws * task.share as f64 / 1e9;
            (counts.get(name.as_str()).copied().unwrap_or_default() - expected).powi(2) / expected
        })
        .sum();
    let degrees = (plan.tasks.len().max(2) - 1) as f64;
    (square - degrees) / (2.0 * degrees).sqrt()
}

#[test]
fn lanes_are_full() {
    let sample = Sample {
        languages: 5,
        directions: u64::MAX,
        lines: vec![1000],
        encoder: "SRC_LANGUAGE, FULL",
        decoder: "TGT_LANGUAGE",
        lanes: 4,
        nodes: 1,
        ranks: 4,
        mebibytes: 4096,
    };
    let plan = sample.plan();
    for lane in &plan.lanes {
        assert_eq!(lane.tasks.values().map(|task| task.parts).sum::<u32>(), LANE_PARTS);
    }
    // Twenty equal tasks on four lanes: whole tasks.
    assert!(plan.lanes.iter().all(|lane| lane.tasks.len() == 5));
}

/// Two directions with a deep encoder, two with a shallow one, and nothing that their lanes share.
#[test]
fn heavy_lanes_lie_apart() {
    let sample = Sample {
        languages: 4,
        directions: 0b0010_0000_0001 | 0b1000 | 0b0001_0000_0000,
        lines: vec![1000],
        encoder: "TASK",
        decoder: "TASK",
        lanes: 4,
        nodes: 1,
        ranks: 2,
        mebibytes: 4096,
    };
    let deep = "decoder = [TASK]  for qa <-> qb { encoder = [8 x TASK] }";
    let text = sample.text(&short, false).replace("decoder = [TASK]", deep);
    let plan = planned(&sample.world(text, &short), "main.mmc", &[]).plan.unwrap();
    assert_eq!(plan.communicators.len(), 1, "nothing is shared");
    let of_ranks: Vec<u64> = plan.ranks.iter().map(|rank| rank.estimate.step_flops).collect();
    assert_eq!(of_ranks[0], of_ranks[1], "{of_ranks:?}");
    let found = plan.placement.ranks.as_ref().unwrap();
    assert_eq!(found.cost, found.bound);
}
