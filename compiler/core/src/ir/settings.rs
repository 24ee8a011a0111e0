//! What only another program reads: keys and values as they were written. Who writes that program's file knows what they mean.

use std::collections::BTreeMap;

use super::experiment::At;

/// Values by key; the place is the key's.
pub type Settings = BTreeMap<String, At<Setting>>;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// `true` or `false`.
    Switch(bool),
    /// A number written without a point.
    Whole(i128),
    /// Any other number.
    Real(f64),
    /// A word, or text in quotes.
    Text(String),
    /// `[a, b]`.
    List(Vec<At<Self>>),
    /// `key { ... }`.
    Block(Settings),
}
