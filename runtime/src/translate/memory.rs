//! Memory that is too small for a batch: how libtorch says so, and what is told.

use std::any::Any;
use std::panic;
use std::sync::Once;

/// What libtorch's allocators and C++'s say.
const WORDS: [&str; 4] =
    ["can't allocate memory", "not enough memory", "out of memory", "bad_alloc"];

/// Whether a fault says that memory ran out.
pub(crate) fn says_out(text: &str) -> bool {
    WORDS.iter().any(|words| text.contains(words))
}

/// What a panic says, if it says that memory ran out.
pub(crate) fn words(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.filter(|text| says_out(text))
}

/// Whether a panic says that memory ran out.
pub(crate) fn is_out(payload: &(dyn Any + Send)) -> bool {
    words(payload).is_some()
}

/// Tells on standard error that a batch is split.
#[expect(clippy::print_stderr, reason = "who waits for translations learns why they are slow")]
pub(super) fn say_split(batch: usize, part: usize) {
    eprintln!("mmc-worker: out of memory with {batch} sentences together: going on with {part}");
}

/// Keeps panics quiet that are caught because memory ran out; a split batch is no fault.
pub(crate) fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |told| {
            if !is_out(told.payload()) {
                before(told);
            }
        }));
    });
}
