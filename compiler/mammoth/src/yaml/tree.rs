//! The tree of a YAML document: nodes by id, with their places.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use mmc_syntax::Span;

use super::time::Time;

/// A node of a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u32);

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number with a dot.
    Float(f64),
    /// A text.
    Text(Arc<str>),
    /// A date or a moment.
    Time(Time),
    /// A sequence.
    List(Vec<Id>),
    /// A mapping: keys and values in the order in which Python's dictionary has them.
    Map(Vec<(Id, Id)>),
}

impl Value {
    /// What people call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Time(_) => "a date",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    /// Whether it counts as true in Python.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => value.total_cmp(&0.0).is_ne() && value.total_cmp(&-0.0).is_ne(),
            Self::Text(text) => !text.is_empty(),
            Self::Time(_) => true,
            Self::List(items) => !items.is_empty(),
            Self::Map(entries) => !entries.is_empty(),
        }
    }
}

/// A node with its place.
#[derive(Debug, Clone, PartialEq)]
struct Node {
    value: Value,
    span: Span,
}

/// A document. See the [module](super) for how nodes are shared.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    nodes: Vec<Node>,
    root: Id,
}

impl Default for Tree {
    /// An empty mapping.
    fn default() -> Self {
        Self::new(Span::default())
    }
}

impl Tree {
    /// An empty mapping at a place.
    pub fn new(span: Span) -> Self {
        Self { nodes: vec![Node { value: Value::Map(Vec::new()), span }], root: Id(0) }
    }

    /// The document's node.
    pub fn root(&self) -> Id {
        self.root
    }

    /// Makes a node the document's.
    pub fn set_root(&mut self, root: Id) {
        self.root = root;
    }

    /// What a node is.
    pub fn value(&self, id: Id) -> &Value {
        &self.node(id).value
    }

    /// Where a node is written; a made node has the place that it was made with.
    pub fn span(&self, id: Id) -> Span {
        self.node(id).span
    }

    /// Number of nodes, used or not.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes; there always is a root.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds a node, which nothing names yet.
    pub fn add(&mut self, value: Value, span: Span) -> Id {
        // Beyond 2^32 nodes memory has ended long before.
        let id = Id(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(Node { value, span });
        id
    }

    /// Adds a text without a place.
    pub fn add_text(&mut self, text: &str) -> Id {
        self.add(Value::Text(text.into()), Span::default())
    }

    /// Adds a whole number without a place.
    pub fn add_int(&mut self, value: i128) -> Id {
        self.add(Value::Int(value), Span::default())
    }

    /// Adds a number without a place.
    pub fn add_float(&mut self, value: f64) -> Id {
        self.add(Value::Float(value), Span::default())
    }

    /// Adds a boolean without a place.
    pub fn add_bool(&mut self, value: bool) -> Id {
        self.add(Value::Bool(value), Span::default())
    }

    /// Gives a node another value, wherever it is used.
    pub fn replace(&mut self, id: Id, value: Value) {
        self.node_mut(id).value = value;
    }

    /// The text of a text.
    pub fn text(&self, id: Id) -> Option<&str> {
        if let Value::Text(text) = self.value(id) { Some(text) } else { None }
    }

    /// A whole number.
    pub fn int(&self, id: Id) -> Option<i128> {
        if let Value::Int(value) = self.value(id) { Some(*value) } else { None }
    }

    /// The items of a list; none for other nodes.
    pub fn items(&self, id: Id) -> &[Id] {
        if let Value::List(items) = self.value(id) { items } else { &[] }
    }

    /// Keys and values of a mapping; none for other nodes.
    pub fn entries(&self, id: Id) -> &[(Id, Id)] {
        if let Value::Map(entries) = self.value(id) { entries } else { &[] }
    }

    /// Key and value of a text key. Time is linear in the mapping's size: index large mappings.
    pub fn entry(&self, map: Id, key: &str) -> Option<(Id, Id)> {
        self.entries(map).iter().copied().find(|(found, _)| self.text(*found) == Some(key))
    }

    /// The value of a text key.
    pub fn get(&self, map: Id, key: &str) -> Option<Id> {
        self.entry(map, key).map(|(_, value)| value)
    }

    /// Gives a text key of a mapping a value; a new key stands at the end. Other nodes than mappings stay as they are.
    pub fn set(&mut self, map: Id, key: &str, value: Id) {
        let at = self.entries(map).iter().position(|(found, _)| self.text(*found) == Some(key));
        if at.is_none() {
            let key = self.add_text(key);
            self.push_entry(map, key, value);
        } else if let (Some(at), Value::Map(entries)) = (at, &mut self.node_mut(map).value)
            && let Some(entry) = entries.get_mut(at)
        {
            entry.1 = value;
        }
    }

    /// Adds an entry to a mapping whose key it must not have yet.
    pub fn push_entry(&mut self, map: Id, key: Id, value: Id) {
        if let Value::Map(entries) = &mut self.node_mut(map).value {
            entries.push((key, value));
        }
    }

    /// Takes a text key away and gives its value.
    pub fn remove(&mut self, map: Id, key: &str) -> Option<Id> {
        let at = self.entries(map).iter().position(|(found, _)| self.text(*found) == Some(key))?;
        let Value::Map(entries) = &mut self.node_mut(map).value else { return None };
        Some(entries.remove(at).1)
    }

    /// Entries in the order in which they are written: sorted as Python sorts them, or as they are if it can't.
    pub fn sorted(&self, map: Id) -> Vec<(Id, Id)> {
        let mut entries = self.entries(map).to_vec();
        let mut kinds = entries.iter().map(|(key, _)| sort_kind(self.value(*key)));
        let first = kinds.next();
        let alike =
            first.is_none_or(|first| kinds.all(|kind| kind == first && kind != Sort::Never));
        if alike {
            entries.sort_by(|(a, _), (b, _)| compare(self.value(*a), self.value(*b)));
        }
        entries
    }

    /// A copy of a node and of all below it, as Python's `deepcopy` makes it: what is shared below it is shared in the copy.
    pub fn deep_copy(&mut self, id: Id) -> Id {
        self.copy_node(id, &mut BTreeMap::new())
    }

    fn copy_node(&mut self, id: Id, made: &mut BTreeMap<Id, Id>) -> Id {
        if let Some(copy) = made.get(&id) {
            return *copy;
        }
        let value = match self.value(id).clone() {
            Value::List(items) => {
                Value::List(items.into_iter().map(|item| self.copy_node(item, made)).collect())
            }
            Value::Map(entries) => {
                let pair = |(key, value)| (self.copy_node(key, made), self.copy_node(value, made));
                Value::Map(entries.into_iter().map(pair).collect())
            }
            scalar @ (Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Time(_)) => scalar,
        };
        let copy = self.add(value, self.span(id));
        made.insert(id, copy);
        copy
    }

    /// A copy of a node of another tree, without places there.
    pub fn copy_from(&mut self, other: &Self, id: Id) -> Id {
        let value = match other.value(id) {
            Value::List(items) => {
                Value::List(items.iter().map(|item| self.copy_from(other, *item)).collect())
            }
            Value::Map(entries) => {
                let pair = |(key, value): &(Id, Id)| {
                    (self.copy_from(other, *key), self.copy_from(other, *value))
                };
                Value::Map(entries.iter().map(pair).collect())
            }
            scalar @ (Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Time(_)) => scalar.clone(),
        };
        self.add(value, Span::default())
    }

    fn node(&self, id: Id) -> &Node {
        self.nodes.get(id.0 as usize).expect("ids are of this tree")
    }

    fn node_mut(&mut self, id: Id) -> &mut Node {
        self.nodes.get_mut(id.0 as usize).expect("ids are of this tree")
    }
}

/// Kinds of keys that Python compares with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Number,
    Text,
    Date,
    Moment,
    ZonedMoment,
    Never,
}

fn sort_kind(key: &Value) -> Sort {
    match key {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => Sort::Number,
        Value::Text(_) => Sort::Text,
        Value::Time(time) => match (time.is_date(), time.is_zoned()) {
            (true, _) => Sort::Date,
            (false, false) => Sort::Moment,
            (false, true) => Sort::ZonedMoment,
        },
        Value::Null | Value::List(_) | Value::Map(_) => Sort::Never,
    }
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Time(a), Value::Time(b)) => a.cmp(b),
        _ => match (number(a), number(b)) {
            (Some(Number::Whole(a)), Some(Number::Whole(b))) => a.cmp(&b),
            (Some(a), Some(b)) => a.real().partial_cmp(&b.real()).unwrap_or(Ordering::Equal),
            _ => Ordering::Equal,
        },
    }
}

#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(i128),
    Real(f64),
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "an order of mixed keys; Python's own is exact")]
    fn real(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Real(value) => value,
        }
    }
}

fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Bool(value) => Some(Number::Whole(i128::from(*value))),
        Value::Int(value) => Some(Number::Whole(*value)),
        Value::Float(value) => Some(Number::Real(*value)),
        Value::Null | Value::Text(_) | Value::Time(_) | Value::List(_) | Value::Map(_) => None,
    }
}

/// What makes two keys of a mapping the same key in Python: `1`, `1.0` and `true` are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyIdentity {
    Null,
    Whole(i128),
    Real(u64),
    Text(Arc<str>),
    Time(Time),
}

impl KeyIdentity {
    /// None for lists and mappings, which can't be keys.
    pub(super) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Whole(i128::from(*value)),
            Value::Int(value) => Self::Whole(*value),
            Value::Float(value) => whole(*value).map_or(Self::Real(value.to_bits()), Self::Whole),
            Value::Text(text) => Self::Text(Arc::clone(text)),
            Value::Time(time) => Self::Time(*time),
            Value::List(_) | Value::Map(_) => return None,
        })
    }
}

/// A float that is a whole number of moderate size.
fn whole(value: f64) -> Option<i128> {
    #[expect(clippy::cast_possible_truncation, reason = "the bound is checked first")]
    let cut = (value.abs() < 1e18).then_some(value as i128)?;
    #[expect(clippy::cast_precision_loss, reason = "equality says whether something was lost")]
    let same = (cut as f64).total_cmp(&(value + 0.0)).is_eq();
    same.then_some(cut)
}
