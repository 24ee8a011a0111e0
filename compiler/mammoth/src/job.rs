//! One run of a stage: the configuration, the flags, what was found; and how options and tasks are looked up.

use mmc_core::diagnostics::{Diagnostics, Halt};
use mmc_syntax::{SourceMap, Span};

use crate::error::MammothError;
use crate::files::{Addition, Files};
use crate::flags::Flags;
use crate::yaml::{Id, Tree, Value};

/// The section of the options.
pub(crate) const OPTIONS: &str = "config_config";

/// A run.
pub(crate) struct Job<'a> {
    pub(crate) tree: Tree,
    pub(crate) flags: &'a Flags,
    pub(crate) files: &'a dyn Files,
    pub(crate) sources: &'a SourceMap,
    pub(crate) sink: Diagnostics,
    pub(crate) additions: Vec<Addition>,
}

/// A task of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    /// Its name.
    pub(crate) key: String,
    /// Its mapping.
    pub(crate) id: Id,
    /// Its languages; both empty when nobody asked for them.
    pub(crate) source: String,
    pub(crate) target: String,
}

impl Job<'_> {
    /// Whether the peer's faults are wanted.
    pub(crate) fn bugs(&self) -> bool {
        self.flags.bug_for_bug
    }

    /// Reports an error.
    pub(crate) fn halt(&mut self, fault: MammothError) -> Halt {
        self.sink.halt(fault)
    }

    /// The place of the document.
    pub(crate) fn place(&self) -> Span {
        self.key_place(self.tree.root())
    }

    /// A mapping's place, short: that of its first key.
    pub(crate) fn key_place(&self, map: Id) -> Span {
        let first = self.tree.entries(map).first();
        first.map_or(self.tree.span(map), |(key, _)| self.tree.span(*key))
    }

    /// The place of the options: their key.
    pub(crate) fn options_place(&self) -> Span {
        let entry = self.tree.entry(self.tree.root(), OPTIONS);
        entry.map_or_else(|| self.place(), |(key, _)| self.tree.span(key))
    }

    /// The options, which every stage but the extra ones needs.
    pub(crate) fn options(&mut self) -> Result<Id, Halt> {
        self.root_map(OPTIONS, "`mmc mammoth` reads its options there")
    }

    /// A mapping at the top.
    pub(crate) fn root_map(&mut self, key: &str, help: &str) -> Result<Id, Halt> {
        let root = self.tree.root();
        if !matches!(self.tree.value(root), Value::Map(_)) {
            let (found, span) = (self.tree.value(root).kind(), self.tree.span(root));
            return Err(self.halt(MammothError::WrongType {
                key: "the document".to_owned(),
                expected: "a mapping",
                found,
                span,
                help: Some("is this a configuration?".to_owned()),
            }));
        }
        let Some(id) = self.tree.get(root, key) else {
            let span = self.place();
            return Err(self.missing("the configuration", key, span, help));
        };
        self.map(id, key)
    }

    /// A node that must be a mapping.
    pub(crate) fn map(&mut self, id: Id, key: &str) -> Result<Id, Halt> {
        if matches!(self.tree.value(id), Value::Map(_)) {
            return Ok(id);
        }
        Err(self.wrong(id, key, "a mapping", None))
    }

    pub(crate) fn missing(&mut self, section: &str, key: &str, span: Span, help: &str) -> Halt {
        self.halt(MammothError::MissingKey {
            section: section.to_owned(),
            key: key.to_owned(),
            span,
            help: help.to_owned(),
        })
    }

    pub(crate) fn wrong(
        &mut self,
        id: Id,
        key: &str,
        expected: &'static str,
        help: Option<&str>,
    ) -> Halt {
        let (found, span) = (self.tree.value(id).kind(), self.tree.span(id));
        let (key, help) = (key.to_owned(), help.map(str::to_owned));
        self.halt(MammothError::WrongType { key, expected, found, span, help })
    }

    /// An option of the configuration; null counts as none.
    pub(crate) fn option(&mut self, key: &str) -> Result<Option<Id>, Halt> {
        let options = self.options()?;
        let found = self.tree.get(options, key);
        Ok(found.filter(|id| *self.tree.value(*id) != Value::Null))
    }

    /// An option that must be there.
    pub(crate) fn required(&mut self, key: &'static str, help: &str) -> Result<Id, Halt> {
        if let Some(id) = self.option(key)? {
            return Ok(id);
        }
        let span = self.options_place();
        Err(self.missing(&format!("`{OPTIONS}`"), key, span, help))
    }

    /// A text by flag or option, with its place.
    pub(crate) fn text(&mut self, key: &'static str) -> Result<Option<(String, Span)>, Halt> {
        if let Some(given) = self.flags.text(key).filter(|text| !text.is_empty()) {
            return Ok(Some((given.to_owned(), self.options_place())));
        }
        let Some(id) = self.option(key)? else { return Ok(None) };
        match self.tree.text(id) {
            Some(text) => Ok(Some((text.to_owned(), self.tree.span(id)))),
            None => Err(self.wrong(id, key, "a text", Some("write it in quotes"))),
        }
    }

    /// A text that must be there.
    pub(crate) fn required_text(
        &mut self,
        key: &'static str,
        help: &str,
    ) -> Result<(String, Span), Halt> {
        if let Some(found) = self.text(key)? {
            return Ok(found);
        }
        let span = self.options_place();
        Err(self.missing(&format!("`{OPTIONS}`"), key, span, help))
    }

    /// A switch by flag or option.
    pub(crate) fn switch(&mut self, key: &str) -> Result<bool, Halt> {
        if self.flags.switch(key) {
            return Ok(true);
        }
        let Some(id) = self.option(key)? else { return Ok(false) };
        let value = self.tree.value(id);
        if matches!(value, Value::Bool(_)) || self.bugs() {
            return Ok(value.is_truthy());
        }
        Err(self.wrong(id, key, "a boolean", Some("write `true` or `false`")))
    }

    /// A number by option.
    pub(crate) fn number_option(&mut self, key: &str) -> Result<Option<(f64, Id)>, Halt> {
        let Some(id) = self.option(key)? else { return Ok(None) };
        self.number_at(id, key).map(|value| Some((value, id)))
    }

    /// A node that must be a number.
    #[expect(
        clippy::cast_precision_loss,
        reason = "as Python's division and powers of whole numbers"
    )]
    pub(crate) fn number_at(&mut self, id: Id, key: &str) -> Result<f64, Halt> {
        let value = self.tree.value(id);
        if let Value::Float(value) = value {
            return Ok(*value);
        }
        if let Value::Int(value) = value {
            return Ok(*value as f64);
        }
        let is_short = self
            .tree
            .text(id)
            .is_some_and(|text| text.contains(['e', 'E']) && text.parse::<f64>().is_ok());
        let help = "YAML 1.1 takes it for a text: write it with a dot and a sign, as `1.0e-4`";
        Err(self.wrong(id, key, "a number", is_short.then_some(help)))
    }

    /// A number by flag, then by option. A flag of zero is none for the peer.
    pub(crate) fn number(&mut self, key: &'static str) -> Result<Option<f64>, Halt> {
        match self.flags.number(key) {
            Some(given) if given.abs() > 0.0 => return Ok(Some(given)),
            Some(_) if !self.bugs() => {
                self.sink.report(crate::warning::MammothWarning::ZeroFlag { flag: key });
                return Ok(Some(0.0));
            }
            Some(_) | None => {}
        }
        Ok(self.number_option(key)?.map(|(value, _)| value))
    }

    /// A whole number by flag or option, at least one, with its place.
    pub(crate) fn count(&mut self, key: &'static str) -> Result<Option<usize>, Halt> {
        let given = self.flags.count(key).filter(|count| *count != 0).map(i128::from);
        let (value, span) = if let Some(given) = given {
            (given, self.options_place())
        } else {
            let Some(id) = self.option(key)? else { return Ok(None) };
            let Some(value) = self.tree.int(id) else {
                return Err(self.wrong(id, key, "a whole number", None));
            };
            (value, self.tree.span(id))
        };
        match usize::try_from(value) {
            Ok(count @ 1..=1_000_000) => Ok(Some(count)),
            _ => Err(self.halt(MammothError::BadCount { key, value, span })),
        }
    }

    /// A list by repeated flag or option: its nodes, and its place.
    pub(crate) fn list(&mut self, key: &'static str) -> Result<Option<(Vec<Id>, Span)>, Halt> {
        if let Some(given) = self.flags.list(key) {
            let span = self.options_place();
            let items =
                given.iter().map(|text| self.tree.add(Value::Text(text.as_str().into()), span));
            return Ok(Some((items.collect(), span)));
        }
        let Some(id) = self.option(key)? else { return Ok(None) };
        if let Value::List(items) = self.tree.value(id) {
            return Ok(Some((items.clone(), self.tree.span(id))));
        }
        Err(self.wrong(id, key, "a list", Some("write it as `[a, b]`")))
    }

    /// The tasks in the order of the configuration, without their languages.
    pub(crate) fn tasks(&mut self) -> Result<Vec<Task>, Halt> {
        let map = self.root_map("tasks", "the stage `complete_language_pairs` makes them")?;
        let mut tasks = Vec::new();
        for (key, id) in self.tree.entries(map).to_vec() {
            let Some(name) = self.tree.text(key).map(str::to_owned) else {
                return Err(self.wrong(key, "a task's name", "a text", Some("write it in quotes")));
            };
            self.map(id, &name)?;
            tasks.push(Task { key: name, id, source: String::new(), target: String::new() });
        }
        Ok(tasks)
    }

    /// The tasks with their languages.
    pub(crate) fn pairs(&mut self) -> Result<Vec<Task>, Halt> {
        let mut tasks = self.tasks()?;
        for task in &mut tasks {
            let pair = self.task_text(task, "src_tgt")?;
            let codes: Vec<&str> = self.tree.text(pair).unwrap_or_default().split('-').collect();
            let [source, target] = codes.as_slice() else {
                let written = codes.join("-");
                let span = self.tree.span(pair);
                return Err(self.halt(MammothError::BadSrcTgt { written, span }));
            };
            let (source, target) = ((*source).to_owned(), (*target).to_owned());
            task.source = source;
            task.target = target;
        }
        Ok(tasks)
    }

    /// A text of a task, as its node.
    pub(crate) fn task_text(&mut self, task: &Task, key: &'static str) -> Result<Id, Halt> {
        let Some(id) = self.tree.get(task.id, key) else {
            let span = self.key_place(task.id);
            let help = "the stage `complete_language_pairs` writes it";
            return Err(self.missing(&format!("task `{}`", task.key), key, span, help));
        };
        match self.tree.text(id) {
            Some(_) => Ok(id),
            None => Err(self.wrong(id, key, "a text", Some("write it in quotes"))),
        }
    }

    /// A whole number of a task, or what stands for a missing one.
    pub(crate) fn task_int(&mut self, task: &Task, key: &str) -> Result<Option<i128>, Halt> {
        let Some(id) = self.tree.get(task.id, key) else { return Ok(None) };
        match self.tree.int(id) {
            Some(value) => Ok(Some(value)),
            None => Err(self.wrong(id, key, "a whole number", None)),
        }
    }

    /// Sets a number of a task.
    pub(crate) fn set_int(&mut self, task: &Task, key: &str, value: i128) {
        let id = self.tree.add_int(value);
        self.tree.set(task.id, key, id);
    }

    /// The group of a language, as it stands in the configuration.
    pub(crate) fn group(&mut self, groups: Id, language: &str) -> Result<Id, Halt> {
        if let Some(group) = self.tree.get(groups, language) {
            return Ok(group);
        }
        let (language, span) = (language.to_owned(), self.groups_place());
        Err(self.halt(MammothError::NoGroup { language, span }))
    }

    fn groups_place(&self) -> Span {
        let options = self.tree.get(self.tree.root(), OPTIONS);
        let entry = options.and_then(|options| self.tree.entry(options, "groups"));
        entry.map_or_else(|| self.options_place(), |(key, _)| self.tree.span(key))
    }

    /// The mapping of languages to groups.
    pub(crate) fn groups(&mut self) -> Result<Id, Halt> {
        let help = "write `groups` with a group for every language; the stage `cluster_languages` makes them from distances";
        let groups = self.required("groups", help)?;
        self.map(groups, "groups")
    }

    /// The training steps, or the peer's default.
    pub(crate) fn train_steps(&mut self) -> Result<f64, Halt> {
        match self.tree.get(self.tree.root(), "train_steps") {
            None => Ok(100_000.0),
            Some(id) => self.number_at(id, "train_steps"),
        }
    }
}

/// The first few of some names, and how many there are more.
pub(crate) fn shortened<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const SHOWN: usize = 5;
    let names: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(SHOWN);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
