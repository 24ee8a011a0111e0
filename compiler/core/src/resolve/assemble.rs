//! The constructs of a program put together: what each is read against, and what must fit between them.

use std::collections::{BTreeMap, BTreeSet};

use mmc_plan::ExperimentSpec;
use mmc_syntax::source::Span;

use super::derived::Ground;
use super::error::ResolveError;
use super::imports::{ImportGraph, Loaded};
use super::model::{Surroundings, name_of};
use super::pairs::{Algebra, Directions};
use super::program::Program;
use super::read::{PLAIN, Reader};
use super::section::{Known, Section};
use super::sharing::{InUse, Patterns};
use super::{
    causal, cluster, corpora, curriculum, groups, languages, model, names, placement, settings,
    tasks, training,
};
use crate::diagnostics::{Diagnostics, Halt};
use crate::directions::distinct;
use crate::ir::experiment::{Corpus, Experiment, Grouping, Language, Places, TaskBlock, Tokenizer};
use crate::ir::settings::Settings;
use crate::template::{TemplateFault, Templates};
use crate::world::World;

const EXPERIMENT: Known =
    Known { values: &["name", "output", "seed"], blocks: &[], not_built: &[] };

/// The experiment of some files.
pub(crate) fn experiment(
    files: &[Loaded],
    graph: &ImportGraph,
    (params, world): (&[(String, String)], &dyn World),
    diagnostics: &mut Diagnostics,
) -> Result<Experiment, Halt> {
    let program = Program::collect(files, graph, diagnostics);
    let values = names::param_values(&program.params, params, diagnostics);
    let scope = names::scope(&program.lets, &program.params, &values, diagnostics);
    let mut reader = Reader { scope: &scope, diagnostics };
    let start = files.first().map_or(Span::default(), |file| {
        let start = file.tree.span.start;
        Span::new(start, start)
    });
    let content = content(&program, start, world, &mut reader);
    let machine = machine(&program, &content, start, &mut reader);
    diagnostics.checkpoint()?;
    finish(content, machine).ok_or_else(|| {
        diagnostics.halt(ResolveError::Arithmetic {
            fault: "the experiment could not be resolved, and no reason was found".to_owned(),
            span: start,
            help: "this is a fault of `mmc`: please report it with the file".to_owned(),
        })
    })
}

/// Names, languages, text and tasks.
struct Content {
    spec: Option<ExperimentSpec>,
    languages: BTreeMap<String, Language>,
    groupings: Vec<Grouping>,
    corpora: Vec<Corpus>,
    tokenizers: Vec<Option<Tokenizer>>,
    blocks: Vec<TaskBlock>,
    /// Directions of all blocks; nothing when a block is faulty.
    used: Option<Directions>,
}

/// Model, training and what they run on.
struct Machine {
    model: Option<model::Resolved>,
    curriculum: Option<crate::ir::experiment::At<crate::ir::experiment::CurriculumRule>>,
    training: Option<training::Resolved>,
    cluster: Option<crate::ir::experiment::At<mmc_plan::ClusterSpec>>,
    placement: Option<crate::ir::experiment::PlacementWishes>,
    lints: BTreeMap<String, crate::ir::experiment::LintLevel>,
    mammoth: Settings,
    places: Places,
}

fn content<'a>(
    program: &Program<'a>,
    start: Span,
    world: &dyn World,
    reader: &mut Reader<'_, 'a>,
) -> Content {
    let spec = spec(program, start, reader);
    let languages = languages::resolve(program, reader);
    let missing = |block, help: &str| ResolveError::MissingBlock {
        block,
        span: start,
        help: help.to_owned(),
    };
    if languages.is_empty() {
        reader.report(missing("languages", "for example `languages cs, de, en`"));
    }
    let rows: Vec<Language> = languages.values().cloned().collect();
    let templates = Templates::new(&rows);
    let ground = Ground { languages: &languages, templates: &templates, world };
    let groupings = groups::resolve(program, ground, reader);
    let algebra = Algebra { languages: &languages, groupings: &groupings };
    let blocks =
        if languages.is_empty() { Vec::new() } else { tasks::resolve(program, algebra, reader) };
    if program.declared("tasks").is_empty() {
        let example = "for example `tasks translation { pairs = all <-> all  corpus = text  transforms = [pieces] }`";
        reader.report(missing("tasks", example));
    }
    let whole = !blocks.is_empty() && blocks.len() == program.declared("tasks").len();
    let used = whole.then(|| directions(&blocks));
    let in_use: BTreeSet<String> = match &used {
        Some(used) => {
            let codes = used.keys().flat_map(|(source, target)| [source.as_str(), target]);
            distinct(codes).into_iter().map(str::to_owned).collect()
        }
        None => languages.keys().cloned().collect(),
    };
    let corpora = corpora::corpora(program, &in_use, &templates, reader);
    let tokenizers = corpora::tokenizers(program, &in_use, &templates, reader);
    Content { spec, languages, groupings, corpora, tokenizers, blocks, used }
}

fn directions(blocks: &[TaskBlock]) -> Directions {
    let pairs = blocks.iter().flat_map(|block| &block.pairs);
    pairs
        .map(|pair| ((pair.source.clone(), pair.target.clone()), super::pairs::Chosen::from(pair)))
        .collect()
}

fn machine<'a>(
    program: &Program<'a>,
    content: &Content,
    start: Span,
    reader: &mut Reader<'_, 'a>,
) -> Machine {
    let algebra = Algebra { languages: &content.languages, groupings: &content.groupings };
    let used = || content.used.iter().flat_map(BTreeMap::keys);
    let owned = |codes: BTreeSet<&str>| codes.into_iter().map(str::to_owned).collect();
    let in_use = InUse {
        sources: owned(distinct(used().map(|(source, _)| source.as_str()))),
        targets: owned(distinct(used().map(|(_, target)| target.as_str()))),
    };
    let used = content.used.as_ref();
    let causal = causal::of_blocks(&content.blocks, reader);
    let around = Surroundings {
        causal,
        patterns: Patterns { groupings: &content.groupings, in_use: &in_use },
        algebra,
        used,
        by_language: content
            .tokenizers
            .iter()
            .flatten()
            .any(|tokenizer| tokenizer.file.value.contains('{')),
    };
    let example =
        "for example `model { dim = 512  heads = 8  encoder = [6 x FULL]  decoder = [6 x FULL] }`";
    let model = block(program, "model", example, start, reader)
        .and_then(|section| model::resolve(section, around, reader));
    let default = Section::empty("curriculum", start);
    let curriculum_section = program.single.get("curriculum").unwrap_or(&default);
    let curriculum = curriculum::resolve(curriculum_section, algebra, used, reader);
    let example = "for example `training { steps = 50k  batch = 4096 tokens  optimizer = adamw(lr = 3e-4)  schedule = constant }`";
    let training = block(program, "training", example, start, reader).and_then(|section| {
        let found = training::resolve(section, reader)?;
        training::check(&found.spec.value, section, reader);
        let steps = section.value("steps").map_or(section.span, |value| value.span);
        if let Some(curriculum) = &curriculum {
            let end = (found.spec.value.steps, steps);
            curriculum::check(&curriculum.value, curriculum_section, end, reader);
        }
        Some(found)
    });
    let precision = training.as_ref().map(|training| training.spec.value.precision);
    let cluster = cluster::resolve(program, precision, start, reader);
    let lanes = training.as_ref().and_then(|training| training.lanes.as_ref());
    if let (Some(curriculum), Some(cluster), true) = (&curriculum, &cluster, training.is_some()) {
        let spec = &cluster.value;
        let devices = spec.nodes.saturating_mul(spec.devices_per_node).max(1);
        let all = lanes.map_or((devices, cluster.span), |lanes| (lanes.value, lanes.span));
        curriculum::check_lanes(&curriculum.value, curriculum_section, all, reader);
    }
    let default = Section::empty("placement", start);
    let section = program.single.get("placement").unwrap_or(&default);
    // Without a training block that can be read, the number of lanes is not known.
    let counted = training.as_ref().and(cluster.as_ref());
    let placement = placement::resolve(section, algebra, (lanes, counted), reader);
    let default = Section::empty("lint", start);
    let lints = placement::lints(program.single.get("lint").unwrap_or(&default), reader);
    let (mammoth, places) = (carried(program, reader), places(program));
    Machine { model, curriculum, training, cluster, placement, lints, mammoth, places }
}

/// The `mammoth` block.
fn carried<'a>(program: &Program<'a>, reader: &mut Reader<'_, 'a>) -> Settings {
    let section = program.single.get("mammoth");
    section.map(|section| settings::resolve(section, reader)).unwrap_or_default()
}

/// Where fields were written.
fn places(program: &Program<'_>) -> Places {
    let mut places = Places::default();
    for (&block, section) in &program.single {
        places.blocks.insert(block, section.span);
        for (word, key, _) in section.fields() {
            let span = section.value(word).map_or(key, |value| value.span);
            places.fields.insert((block, word.to_owned()), span);
        }
    }
    places
}

fn block<'p, 'a>(
    program: &'p Program<'a>,
    block: &'static str,
    help: &str,
    span: Span,
    reader: &mut Reader<'_, 'a>,
) -> Option<&'p Section<'a>> {
    let found = program.single.get(block);
    if found.is_none() {
        reader.report(ResolveError::MissingBlock { block, span, help: help.to_owned() });
    }
    found
}

fn spec<'a>(
    program: &Program<'a>,
    start: Span,
    reader: &mut Reader<'_, 'a>,
) -> Option<ExperimentSpec> {
    let section = block(
        program,
        "experiment",
        "for example `experiment multi30k { seed = 1 }`",
        start,
        reader,
    )?;
    section.check(&EXPERIMENT, reader.diagnostics);
    let name = reader.required(section, "name", "experiment multi30k { ... }");
    let name = name.and_then(|expr| {
        let found = name_of(expr);
        if found.is_none() {
            reader.wrong_type("experiment", "a name", expr);
        }
        found
    });
    let seed = section
        .value("seed")
        .map_or(Some(1), |value| reader.whole(value, "seed", PLAIN, (0, u64::MAX)));
    let output = section
        .value("output")
        .map_or(Some(("runs/{experiment}", section.span)), |value| reader.text(value, "output"));
    let (name, seed, (output, span)) = (name?, seed?, output?);
    let templates = Templates::new(&[]);
    let variables = [("experiment", name.to_owned()), ("seed", seed.to_string())];
    match templates.render(output, variables) {
        Ok(output) => Some(ExperimentSpec {
            name: name.to_owned(),
            about: section.docs.clone(),
            seed,
            output,
        }),
        Err(fault) => {
            let help = match &fault {
                TemplateFault::Variable(_) => "variables here: `experiment` and `seed`",
                _ => "a template is text with variables in braces, `runs/{experiment}`",
            };
            let (field, help) = ("output".to_owned(), help.to_owned());
            reader.report(ResolveError::Template { field, fault: fault.to_string(), span, help });
            None
        }
    }
}

/// The parts as one; nothing if one is missing, which its reader has then reported.
fn finish(content: Content, machine: Machine) -> Option<Experiment> {
    let training = machine.training?;
    let model = machine.model?;
    Some(Experiment {
        spec: content.spec?,
        languages: content.languages.into_values().collect(),
        groupings: content.groupings,
        corpora: content.corpora,
        tokenizers: content.tokenizers.into_iter().collect::<Option<Vec<_>>>()?,
        task_blocks: content.blocks,
        model: model.spec,
        model_spans: model.spans,
        curriculum: machine.curriculum?,
        training: training.spec,
        lanes: training.lanes,
        freeze: training.freeze,
        optimizers: training.optimizers,
        cluster: machine.cluster?,
        placement: machine.placement?,
        lints: machine.lints,
        mammoth: machine.mammoth,
        places: machine.places,
    })
}
