//! Memory that is too small for what is to be computed: how libtorch says so, and computations that are taken back then.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;

use crate::error::WorkerError;

/// What libtorch's allocators and C++'s say.
const WORDS: [&str; 4] =
    ["can't allocate memory", "not enough memory", "out of memory", "bad_alloc"];

thread_local! {
    /// Whether somebody waits to be told of a shortage on this thread.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// What is computed; or, when memory was too small for it, what libtorch said. What the attempt held is freed then. Other panics go
/// on, and faults that are returned are the caller's.
pub(crate) fn caught<T>(compute: impl FnOnce() -> T) -> Result<T, String> {
    keep_quiet();
    let before = IS_CAUGHT.replace(true);
    let done = catch_unwind(AssertUnwindSafe(compute));
    IS_CAUGHT.set(before);
    done.map_err(|panic| match words(panic.as_ref()) {
        Some(words) => words.to_owned(),
        None => resume_unwind(panic),
    })
}

/// The same of what returns libtorch's faults. Those of other ranks stay faults, whatever they say.
pub(crate) fn within<T>(
    compute: impl FnOnce() -> Result<T, WorkerError>,
) -> Result<Result<T, String>, WorkerError> {
    match caught(compute) {
        Ok(Err(fault @ (WorkerError::Torch(_) | WorkerError::Shim(_))))
            if is_said(&fault.to_string()) =>
        {
            Ok(Err(fault.to_string()))
        }
        Ok(done) => done.map(Ok),
        Err(words) => Ok(Err(words)),
    }
}

/// Tells on standard error that a batch is split.
#[expect(clippy::print_stderr, reason = "who waits learns why it takes long")]
pub(crate) fn say_split(batch: usize, part: usize) {
    eprintln!("mmc-worker: out of memory with {batch} sentences together: going on with {part}");
}

/// Whether a fault says that memory ran out.
fn is_said(text: &str) -> bool {
    WORDS.iter().any(|words| text.contains(words))
}

/// What a panic says, if it says that memory ran out.
fn words(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.filter(|text| is_said(text))
}

/// Keeps those panics quiet that will be caught: a split batch is no fault.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |told| {
            if !IS_CAUGHT.get() || words(told.payload()).is_none() {
                before(told);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::dist::WorldError;

    /// More than any machine has.
    const HUGE: [i64; 1] = [1 << 55];
    const OPTIONS: (Kind, Device) = (Kind::Float, Device::Cpu);

    #[test]
    fn memory_that_runs_out_is_told_from_other_faults() {
        let panics = within(|| Ok(Tensor::zeros(HUGE, OPTIONS))).unwrap();
        let fails = within(|| Ok(Tensor::f_zeros(HUGE, OPTIONS)?)).unwrap();
        for said in [panics, fails] {
            assert!(said.unwrap_err().contains("allocate"));
        }
        let other = within(|| Ok(Tensor::f_zeros([2], OPTIONS)?.f_view([3_i64].as_slice())?));
        assert!(other.is_err());
        assert!(within(|| Ok(7)).unwrap() == Ok(7));
    }

    /// Another rank's words on its own memory say nothing of this one's.
    #[test]
    fn a_shortage_of_another_rank_is_its_own() {
        let told = || {
            let message = "memory is too small (can't allocate memory)".to_owned();
            Err::<(), _>(WorldError::Told { rank: 1, message }.into())
        };
        assert!(matches!(within(told), Err(WorkerError::World(_))));
    }

    #[test]
    fn attempts_within_attempts_are_caught_by_the_inner_one() {
        let inner = caught(|| (caught(|| Tensor::zeros(HUGE, OPTIONS)).is_err(), IS_CAUGHT.get()));
        assert_eq!(inner, Ok((true, true)));
        assert!(!IS_CAUGHT.get());
    }
}
