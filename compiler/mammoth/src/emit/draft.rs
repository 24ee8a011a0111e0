//! A configuration in the making, with what was found on the way.

use mmc_core::diagnostics::Diagnostics;
use mmc_core::ir::experiment::Experiment;
use mmc_plan::Plan;
use mmc_syntax::Span;

use super::error::EmitFault;
use crate::yaml::{Id, Tree, Value};

/// What the parts of the emitter share.
pub(super) struct Draft<'e> {
    pub(super) experiment: &'e Experiment,
    pub(super) plan: &'e Plan,
    pub(super) tree: Tree,
    pub(super) sink: Diagnostics,
}

impl<'e> Draft<'e> {
    pub(super) fn new(experiment: &'e Experiment, plan: &'e Plan) -> Self {
        let tree = Tree::new(experiment.places.of("experiment", ""));
        Self { experiment, plan, tree, sink: Diagnostics::default() }
    }

    /// Where a field of a block was written, or its block.
    pub(super) fn place(&self, block: &'static str, field: &str) -> Span {
        self.experiment.places.of(block, field)
    }

    /// Sets a key at the top.
    pub(super) fn top(&mut self, key: &str, value: Value) {
        self.put(self.tree.root(), key, value);
    }

    /// Sets a key of a mapping.
    pub(super) fn put(&mut self, map: Id, key: &str, value: Value) {
        let id = self.tree.add(value, self.tree.span(map));
        self.tree.set(map, key, id);
    }

    /// A mapping without entries under a new key; findings about either are shown at the place.
    pub(super) fn map(&mut self, map: Id, key: &str, span: Span) -> Id {
        let (key, id) =
            (self.tree.add(text(key), span), self.tree.add(Value::Map(Vec::new()), span));
        self.tree.push_entry(map, key, id);
        id
    }

    /// A list of values.
    pub(super) fn list(&mut self, items: impl IntoIterator<Item = Value>) -> Value {
        let items = items.into_iter().map(|item| self.tree.add(item, Span::default())).collect();
        Value::List(items)
    }

    /// A list of texts.
    pub(super) fn texts<'t>(&mut self, items: impl IntoIterator<Item = &'t str>) -> Value {
        self.list(items.into_iter().map(text))
    }

    /// Reports what MAMMOTH has not.
    pub(super) fn no_equal(&mut self, what: impl Into<String>, span: Span, help: &str) {
        self.sink.report(EmitFault::NoEqual { what: what.into(), span, help: help.to_owned() });
    }

    /// Reports what MAMMOTH does otherwise.
    pub(super) fn defect(&mut self, fault: &'static str, span: Span, help: &'static str) {
        self.sink.report(EmitFault::Defect { fault, span, help });
    }
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.into())
}

pub(super) fn whole(number: impl Into<i128>) -> Value {
    Value::Int(number.into())
}
