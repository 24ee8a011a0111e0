//! What can go wrong, in a sentence for people.

use std::fmt;

/// A message that says what failed and what to do.
#[derive(Debug)]
pub(crate) struct Fault(String);

impl Fault {
    /// A fault with its message.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names what was being done when the system refused.
pub(crate) trait While<T> {
    /// `doing` is a phrase such as "writing PATH".
    fn doing(self, doing: impl fmt::Display) -> Result<T, Fault>;
}

impl<T> While<T> for std::io::Result<T> {
    fn doing(self, doing: impl fmt::Display) -> Result<T, Fault> {
        self.map_err(|error| Fault::new(format!("{doing}: {error}")))
    }
}
