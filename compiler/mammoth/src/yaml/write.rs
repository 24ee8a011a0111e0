//! A tree to the bytes of PyYAML's `safe_dump(default_flow_style=False, allow_unicode=True)`: block style, sorted keys, lists
//! not indented under their key, lines folded behind column 80, anchors on what is used twice.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::flow::Page;
use super::number;
use super::scalar::{self, Kind};
use super::style::{self, Style};
use super::tree::{Id, Tree, Value};

/// Longest key, anchor included, that stands on one line with its value.
const LONGEST_SIMPLE_KEY: usize = 128;

impl Tree {
    /// The document as text.
    pub fn write(&self) -> String {
        let mut writer = Writer { tree: self, anchors: self.anchors(), page: Page::default() };
        writer.node(self.root(), Place::Root);
        writer.page.end_document();
        writer.page.text
    }

    /// Names of the nodes that are used more than once, in the order in which that is found out.
    fn anchors(&self) -> BTreeMap<Id, Anchor> {
        let mut anchors = BTreeMap::new();
        let mut named = 0;
        self.mark(self.root(), &mut anchors, &mut named);
        anchors.retain(|_, anchor: &mut Anchor| anchor.number > 0);
        anchors
    }

    fn mark(&self, id: Id, anchors: &mut BTreeMap<Id, Anchor>, named: &mut usize) {
        // Python's texts, numbers and nothings have no identity.
        let is_object = matches!(self.value(id), Value::Time(_) | Value::List(_) | Value::Map(_));
        if !is_object {
            return;
        }
        if let Some(anchor) = anchors.get_mut(&id) {
            if anchor.number == 0 {
                *named += 1;
                anchor.number = *named;
            }
            return;
        }
        anchors.insert(id, Anchor { number: 0, is_written: false });
        for item in self.items(id) {
            self.mark(*item, anchors, named);
        }
        if !self.entries(id).is_empty() {
            for (key, value) in self.sorted(id) {
                self.mark(key, anchors, named);
                self.mark(value, anchors, named);
            }
        }
    }
}

/// A node that is used twice.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    /// From 1; 0 as long as the node was seen once.
    number: usize,
    is_written: bool,
}

impl Anchor {
    fn name(self) -> String {
        format!("id{:03}", self.number)
    }
}

/// What a node is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    Key,
    Value,
}

struct Writer<'a> {
    tree: &'a Tree,
    anchors: BTreeMap<Id, Anchor>,
    page: Page,
}

impl Writer<'_> {
    fn node(&mut self, id: Id, place: Place) {
        if let Some(anchor) = self.anchors.get_mut(&id) {
            let is_written = std::mem::replace(&mut anchor.is_written, true);
            let sign = if is_written { '*' } else { '&' };
            let mark = format!("{sign}{}", anchor.name());
            self.page.indicator(&mark, true, false, false);
            if is_written {
                return;
            }
        }
        let tree = self.tree;
        match tree.value(id) {
            Value::List(items) if items.is_empty() => self.empty("[", "]"),
            Value::Map(entries) if entries.is_empty() => self.empty("{", "}"),
            Value::List(items) => self.list(items, place),
            Value::Map(_) => self.map(&tree.sorted(id)),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Time(_) => self.scalar(id, place),
        }
    }

    fn empty(&mut self, open: &str, close: &str) {
        self.page.indicator(open, true, true, false);
        self.page.indicator(close, false, false, false);
    }

    fn list(&mut self, items: &[Id], place: Place) {
        let is_flush = place == Place::Value && !self.page.indention;
        let outer = self.page.enter(!is_flush);
        for item in items {
            self.page.new_line();
            self.page.indicator("-", true, false, true);
            self.node(*item, Place::Item);
        }
        self.page.leave(outer);
    }

    fn map(&mut self, entries: &[(Id, Id)]) {
        let outer = self.page.enter(true);
        for (key, value) in entries {
            self.page.new_line();
            if self.is_simple_key(*key) {
                self.node(*key, Place::Key);
                self.page.indicator(":", false, false, false);
            } else {
                self.page.indicator("?", true, false, true);
                self.node(*key, Place::Value);
                self.page.new_line();
                self.page.indicator(":", true, false, true);
            }
            self.node(*value, Place::Value);
        }
        self.page.leave(outer);
    }

    /// Whether a key stands on the line of its value. PyYAML counts an anchor and the tag that it may leave out.
    fn is_simple_key(&self, key: Id) -> bool {
        let anchor = self.anchors.get(&key);
        let anchored = anchor.map_or(0, |anchor| anchor.name().len());
        if anchor.is_some_and(|anchor| anchor.is_written) {
            return true;
        }
        let (kind, text) = text_of(self.tree.value(key));
        let analysis = style::analyse(&text);
        let length = anchored + tag_length(kind) + text.chars().count();
        length < LONGEST_SIMPLE_KEY && analysis.is_one_line()
    }

    fn scalar(&mut self, id: Id, place: Place) {
        let (kind, text) = text_of(self.tree.value(id));
        let is_key = place == Place::Key;
        let style = if is_word(&text) && kind != Kind::Text {
            Style::Plain
        } else {
            let implicit = scalar::resolve(&text) == kind && !is_special(&text);
            style::analyse(&text).style(implicit, is_key)
        };
        let outer = self.page.enter_scalar();
        match style {
            Style::Plain => self.page.plain(&text, !is_key, place == Place::Root),
            Style::Single => self.page.single(&text, !is_key),
            Style::Double => self.page.double(&text, !is_key),
        }
        self.page.leave(outer);
    }
}

/// What a scalar is written as, before quoting, and as what it must be read.
fn text_of(value: &Value) -> (Kind, Cow<'_, str>) {
    match value {
        Value::Null | Value::List(_) | Value::Map(_) => (Kind::Null, "null".into()),
        Value::Bool(true) => (Kind::Bool, "true".into()),
        Value::Bool(false) => (Kind::Bool, "false".into()),
        Value::Int(value) => (Kind::Int, value.to_string().into()),
        Value::Float(value) => (Kind::Float, number::float(*value).into()),
        Value::Text(text) => (Kind::Text, Cow::Borrowed(text)),
        Value::Time(time) => (Kind::Timestamp, time.to_string().into()),
    }
}

/// Length of `!!str` and the like.
fn tag_length(kind: Kind) -> usize {
    match kind {
        Kind::Null | Kind::Bool => "!!null".len(),
        Kind::Int | Kind::Text => "!!int".len(),
        Kind::Float => "!!float".len(),
        Kind::Timestamp => "!!timestamp".len(),
        Kind::Merge => "!!merge".len(),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

/// Plain scalars with a meaning of their own beside those of [`Kind`].
fn is_special(text: &str) -> bool {
    matches!(text, "=" | "!" | "&" | "*")
}
