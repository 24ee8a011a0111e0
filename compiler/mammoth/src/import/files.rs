//! Corpora of a finished configuration: templates for all files that have them in common, further corpora for others.

use super::reader::Reader;
use super::task::Task;
use super::template::{Candidates, Of, Template, candidates};
use super::writer::quoted;

/// Tasks of one block whose files have templates in common.
#[derive(Debug)]
pub(super) struct Class<'t> {
    pub(super) members: Vec<&'t Task>,
    /// One text of each language, on both sides.
    pub(super) is_mono: bool,
    train: [Template; 2],
    valid: Option<[Template; 2]>,
}

/// A class in the making.
struct Draft<'t> {
    members: Vec<&'t Task>,
    is_mono: bool,
    train: [Candidates; 2],
    valid: Option<[Candidates; 2]>,
}

/// A corpus of the experiment.
#[derive(Debug, Default)]
struct Corpus {
    train: Option<[Template; 2]>,
    valid: Option<[Template; 2]>,
    mono: Option<Template>,
    mono_valid: Option<Template>,
}

/// Cuts the tasks of a block into classes.
pub(super) fn classes<'t>(members: &[&'t Task]) -> Vec<Class<'t>> {
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for task in members {
        let wanted = Draft::of(task);
        let place = drafts.iter().position(|draft| draft.meets(&wanted));
        match place.and_then(|at| drafts.get_mut(at)) {
            Some(draft) => draft.join(wanted),
            None => drafts.push(wanted),
        }
    }
    drafts.into_iter().filter_map(Draft::finished).collect()
}

impl<'t> Draft<'t> {
    fn of(task: &'t Task) -> Self {
        let valid_is_mono = task.valid.as_ref().is_none_or(|[source, target]| source == target);
        let is_mono = task.is_own() && task.train[0] == task.train[1] && valid_is_mono;
        let of = if is_mono { Of::Languages } else { Of::Directions };
        let found = |path: &String| candidates(of, &task.source, &task.target, path);
        Self {
            members: vec![task],
            is_mono,
            train: [found(&task.train[0]), found(&task.train[1])],
            valid: task.valid.as_ref().map(|[source, target]| [found(source), found(target)]),
        }
    }

    fn meets(&self, other: &Self) -> bool {
        let meet = |a: &Candidates, b: &Candidates| a.intersection(b).next().is_some();
        let both =
            |a: &[Candidates; 2], b: &[Candidates; 2]| meet(&a[0], &b[0]) && meet(&a[1], &b[1]);
        let valid = match (&self.valid, &other.valid) {
            (Some(a), Some(b)) => both(a, b),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.is_mono == other.is_mono && both(&self.train, &other.train) && valid
    }

    fn join(&mut self, other: Self) {
        let keep = |a: &mut [Candidates; 2], b: [Candidates; 2]| {
            for (a, b) in a.iter_mut().zip(b) {
                a.retain(|template| b.contains(template));
            }
        };
        keep(&mut self.train, other.train);
        if let (Some(a), Some(b)) = (&mut self.valid, other.valid) {
            keep(a, b);
        }
        self.members.extend(other.members);
    }

    /// The order of pieces prefers variables that say more.
    fn finished(self) -> Option<Class<'t>> {
        let best = |[source, target]: [Candidates; 2]| {
            Some([source.into_iter().next()?, target.into_iter().next()?])
        };
        let (members, is_mono) = (self.members, self.is_mono);
        Some(Class { members, is_mono, train: best(self.train)?, valid: self.valid.and_then(best) })
    }
}

impl Class<'_> {
    /// Whether templates give the files of all members.
    fn is_given_by(&self, train: &[Template; 2], valid: Option<&[Template; 2]>) -> bool {
        let gives = |templates: &[Template; 2], paths: &[String; 2], task: &Task| {
            templates.iter().zip(paths).all(|(template, path)| {
                template.fill(Of::Directions, &task.source, &task.target) == *path
            })
        };
        self.members.iter().all(|task| {
            gives(train, &task.train, task)
                && match (valid, &task.valid) {
                    (Some(templates), Some(paths)) => gives(templates, paths, task),
                    (None, None) => true,
                    (Some(_), None) | (None, Some(_)) => false,
                }
        })
    }
}

/// Writes the corpora of all classes, and gives each class the name of its own.
pub(super) fn write(classes: &[Class<'_>], reader: &mut Reader<'_>) -> Vec<String> {
    let mut corpora: Vec<Corpus> = Vec::new();
    let names = classes.iter().map(|class| place(class, &mut corpora)).collect();
    let from = classes.first().and_then(|class| class.members.first());
    let span = from.map_or(reader.start(), |task| task.span);
    for (at, corpus) in corpora.iter().enumerate() {
        reader.out.put(&format!("corpus {} {{\n", numbered("text", at)), span);
        for (field, pair) in [("train", &corpus.train), ("valid", &corpus.valid)] {
            if let Some([source, target]) = pair {
                let (source, target) = (quoted(&source.text()), quoted(&target.text()));
                reader.out.field(field, &format!("{source} -> {target}"), span);
            }
        }
        for (field, template) in [("mono", &corpus.mono), ("mono_valid", &corpus.mono_valid)] {
            if let Some(template) = template {
                reader.out.field(field, &quoted(&template.text()), span);
            }
        }
        reader.out.put("}\n", span);
    }
    names
}

/// The corpus of a class: one that has its files, one that has room for them, or a new one.
fn place(class: &Class<'_>, corpora: &mut Vec<Corpus>) -> String {
    if class.is_mono {
        let template = class.train[0].clone();
        let valid = class.valid.as_ref().map(|[source, _]| source.clone());
        let fits = |corpus: &Corpus| {
            corpus.mono.is_none()
                || corpus.mono.as_ref() == Some(&template) && corpus.mono_valid == valid
        };
        let at = corpora.iter().position(fits).unwrap_or(corpora.len());
        if at == corpora.len() {
            corpora.push(Corpus::default());
        }
        if let Some(corpus) = corpora.get_mut(at) {
            (corpus.mono, corpus.mono_valid) = (Some(template), valid);
        }
        return format!("{}.mono", numbered("text", at));
    }
    let gives = |corpus: &Corpus| {
        let train = corpus.train.as_ref();
        train.is_some_and(|train| class.is_given_by(train, corpus.valid.as_ref()))
    };
    let has_room = |corpus: &Corpus| corpus.train.is_none();
    let at = corpora.iter().position(gives).or_else(|| corpora.iter().position(has_room));
    let at = at.unwrap_or(corpora.len());
    if at == corpora.len() {
        corpora.push(Corpus::default());
    }
    if let Some(corpus) = corpora.get_mut(at).filter(|corpus| corpus.train.is_none()) {
        (corpus.train, corpus.valid) = (Some(class.train.clone()), class.valid.clone());
    }
    numbered("text", at)
}

/// `text`, `text2`, `text3`.
pub(super) fn numbered(name: &str, at: usize) -> String {
    if at == 0 { name.to_owned() } else { format!("{name}{}", at + 1) }
}
