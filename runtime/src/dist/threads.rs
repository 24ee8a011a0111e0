//! Members of a communicator within one process, for tests: each is a thread with a store of its own.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use crate::ffi::Store;

/// A minute: longer than any test waits.
pub(super) const LONG: Duration = Duration::from_mins(1);

/// The address at which all meet.
pub(super) const HOST: &str = "127.0.0.1";

/// A port that nothing listens at.
pub(super) fn free_port() -> u16 {
    TcpListener::bind((HOST, 0)).unwrap().local_addr().unwrap().port()
}

/// What every member finds, by its place. What it keeps besides talks through the store of member 0: all of that goes before the
/// stores do.
pub(super) fn members<R: Send, K: Send>(
    size: usize,
    act: impl Fn(usize, &Store) -> (R, K) + Sync,
) -> Vec<R> {
    let port = free_port();
    let one = &|place: usize| {
        let store = Store::new(HOST, port, place == 0, LONG).unwrap();
        (act(place, &store), store)
    };
    let ended: Vec<((R, K), Store)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..size).map(|place| scope.spawn(move || one(place))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (ended, stores): (Vec<(R, K)>, Vec<Store>) = ended.into_iter().unzip();
    let (found, kept): (Vec<R>, Vec<K>) = ended.into_iter().unzip();
    drop(kept);
    drop(stores);
    found
}
