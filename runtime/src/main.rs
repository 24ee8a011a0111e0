//! `mmc-worker`: one rank of a plan, or a translator from its checkpoints.
fn main() {}
