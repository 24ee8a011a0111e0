//! What this machine does in a second: layers forward and backward, updates of parameters, sums over ranks. All ranks measure at
//! once, as they will train, because processors share their memory's bandwidth.
//!
//! Work is timed by the process's own clock, which stands still while other programs have the processor; exchanges by the wall's.
//! Seconds are medians over repetitions. Two rates explain them, that of operations and that of bytes: those with the least
//! squares of relative errors, so that a step's estimate, which counts both by the same formulas, is near.

use std::time::{Duration, Instant};

use mmc_plan::{Calibration, CommunicatorSpec, Event};
use tch::{Device, Kind, Tensor};

use crate::dist::{self, Seat, World};
use crate::error::WorkerError;
use crate::events::Events;
use crate::ffi::{self, AdamW, AdamWState};
use crate::layer::Layer;
use crate::memory;

/// How long one shape of work is repeated.
const WINDOW: Duration = Duration::from_millis(200);
/// Tokens of a batch, in whose shape layers are measured.
const TOKENS: i64 = 1024;
/// Widths of models.
const WIDTHS: [i64; 4] = [128, 256, 512, 768];
/// Parameters that one update of the optimiser passes over: far more than caches hold.
const PARAMETERS: i64 = 1 << 22;
/// 64-bit numbers of the all-reduces.
const SIZES: [i64; 6] = [1, 1 << 10, 1 << 14, 1 << 17, 1 << 20, 1 << 22];
/// Repetitions of each.
const TURNS: usize = 9;

/// Measures as one rank of several; rank 0 tells the result.
pub fn calibrate(seat: Seat, threads: u32) -> Result<(), WorkerError> {
    ffi::keep_memory();
    tch::set_num_threads(i32::try_from(threads).unwrap_or(1));
    let (rank, ranks) = (seat.rank, seat.world);
    let everyone = CommunicatorSpec {
        name: "world".to_owned(),
        ranks: (0..ranks).collect(),
        // Sums are measured as gradients are summed.
        modules: vec!["gradients".to_owned()],
        elements: SIZES.iter().max().map_or(0, |most| most.unsigned_abs()),
        bucket: None,
    };
    let everyone = (std::slice::from_ref(&everyone), [].as_slice());
    let world = World::meet(seat, everyone, Device::Cpu, dist::COLLECTIVE)?;
    let mut bench = Bench { world: &world, events: Events::of_rank(rank), threads, done: 0 };
    let held = memory::without_model()?;
    let mut points = bench.layers(Kind::Float)?;
    points.push(bench.updates()?);
    let (fp32, memory_bandwidth) = rates(&points);
    let fp64 = operations_beside(&bench.layers(Kind::Double)?, memory_bandwidth);
    let (latency, byte_seconds) = bench.all_reduces()?;
    let result = Calibration {
        ranks,
        threads,
        fp32,
        fp64,
        memory_bandwidth,
        latency,
        byte_seconds,
        machine_memory: memory::of_machine(),
        process_memory: held,
    };
    bench.events.tell(&Event::Calibrated(result))
}

/// What is measured, told as it is done.
struct Bench<'a> {
    world: &'a World,
    events: Events,
    threads: u32,
    done: u32,
}

/// Parts of a calibration: layers in two precisions, of four widths each; the update; the all-reduces.
const PARTS: u32 = 2 * 4 + 2;

/// What work of a known size took.
struct Point {
    operations: f64,
    /// Read and written by passes over memory.
    bytes: f64,
    seconds: f64,
}

/// Operations of a layer, and numbers that passes over memory count as, as docs/plan-format.md counts them: 7/4 of `66 d` for a
/// token of a layer with dropout, and 3 for every parameter, whose gradient is added to what is there.
fn size(width: i64) -> (f64, f64) {
    let (tokens, d) = (float(TOKENS), float(width));
    let parameters = 12.0 * d * d;
    (6.0 * tokens * parameters, 1.75 * 66.0 * tokens * d + 3.0 * parameters)
}

impl Bench<'_> {
    /// Median seconds of some work, repeated by all ranks at once for a while; the mean of the ranks.
    fn seconds(
        &mut self,
        what: &str,
        work: &mut dyn FnMut() -> Result<(), WorkerError>,
    ) -> Result<f64, WorkerError> {
        work()?;
        self.world.barrier()?;
        let (began, mut times) = (Instant::now(), Vec::new());
        while began.elapsed() < WINDOW || times.len() < 3 {
            let start = processor_seconds();
            work()?;
            times.push((processor_seconds() - start) / f64::from(self.threads));
        }
        let mut mean = [median(times)];
        self.world.sum_all(&mut mean)?;
        self.told(what)?;
        Ok(mean[0] / f64::from(self.world.seat().world))
    }

    fn told(&mut self, what: &str) -> Result<(), WorkerError> {
        self.done += 1;
        let (what, done) = (what.to_owned(), self.done);
        self.events.tell(&Event::Measured { what, done, of: PARTS })
    }

    /// Layers of some widths.
    fn layers(&mut self, kind: Kind) -> Result<Vec<Point>, WorkerError> {
        let mut points = Vec::new();
        for width in WIDTHS {
            let layer = Layer::new(width, kind)?;
            let x = Tensor::f_randn([TOKENS, width], (kind, Device::Cpu))?.set_requires_grad(true);
            let seconds = self
                .seconds("layers", &mut || Ok(layer.forward(&x)?.f_sum(kind)?.f_backward()?))?;
            let (operations, numbers) = size(width);
            let bytes = numbers * if kind == Kind::Double { 8.0 } else { 4.0 };
            points.push(Point { operations, bytes, seconds });
        }
        Ok(points)
    }

    /// The optimiser's update.
    fn updates(&mut self) -> Result<Point, WorkerError> {
        let room = |kind| Tensor::f_zeros([PARAMETERS], (kind, Device::Cpu));
        let [parameter, gradient, mean, square] =
            [room(Kind::Float)?, room(Kind::Float)?, room(Kind::Float)?, room(Kind::Float)?];
        let sum = room(Kind::Double)?;
        let constants =
            AdamW { update: 1.0, lr: 1e-3, beta1: 0.9, beta2: 0.98, weight_decay: 0.0, eps: 1e-9 };
        let seconds = self.seconds("updates of parameters", &mut || {
            ffi::gather(&gradient, &sum, None, true)?;
            let _ = ffi::squares(&sum, None)?;
            let state = AdamWState {
                parameter: &parameter,
                gradient: &sum,
                rest: None,
                mean: &mean,
                square: &square,
            };
            Ok(ffi::adamw(&state, 1.0, &constants)?)
        })?;
        // Read and written: gradient and sum; the sum; parameter, moments and the sum.
        let bytes = (4.0 + 8.0 + 4.0) + 8.0 + (6.0 * 4.0 + 8.0);
        Ok(Point { operations: 0.0, bytes: bytes * float(PARAMETERS), seconds })
    }

    /// Seconds of an empty all-reduce, and of every further byte.
    fn all_reduces(&mut self) -> Result<(f64, f64), WorkerError> {
        let mut points = Vec::new();
        for size in SIZES {
            let tensor = Tensor::f_zeros([size], (Kind::Double, Device::Cpu))?;
            let mut times = Vec::new();
            for _ in 0..TURNS {
                self.world.barrier()?;
                let start = Instant::now();
                self.world.sum("world", &tensor)?;
                times.push(start.elapsed().as_secs_f64());
            }
            let mut mean = [median(times)];
            self.world.sum_all(&mut mean)?;
            points.push((8.0 * float(size), mean[0] / f64::from(self.world.seat().world)));
        }
        self.told("sums over ranks")?;
        Ok(line(&points))
    }
}

/// The line `a + b x` with the least sum of squared relative errors: weighted least squares, weights `1 / y^2`.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let (mut w, mut x, mut y, mut xx, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for &(at, value) in points {
        let weight = 1.0 / (value * value);
        w += weight;
        x += weight * at;
        y += weight * value;
        xx += weight * at * at;
        xy += weight * at * value;
    }
    let slope = (w * xy - x * y) / (w * xx - x * x);
    (((y - slope * x) / w).max(0.0), slope.max(0.0))
}

/// Seconds that the threads of this process have computed.
#[expect(clippy::cast_precision_loss, reason = "seconds of a short program")]
fn processor_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Operations and bytes in a second: `operations / F + bytes / B` with the least sum of squared relative errors.
fn rates(points: &[Point]) -> (f64, f64) {
    let (mut aa, mut ab, mut bb, mut a, mut b) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for Point { operations, bytes, seconds } in points {
        let (of_operations, of_bytes) = (operations / seconds, bytes / seconds);
        aa += of_operations * of_operations;
        ab += of_operations * of_bytes;
        bb += of_bytes * of_bytes;
        a += of_operations;
        b += of_bytes;
    }
    let determinant = aa * bb - ab * ab;
    let (one, other) = ((a * bb - b * ab) / determinant, (b * aa - a * ab) / determinant);
    // Where one explains it all, it is the only one.
    match (one > 0.0, other > 0.0) {
        (true, true) => (one.recip(), other.recip()),
        (false, true) => (FREE, bb / b),
        (_, false) => (aa / a, FREE),
    }
}

/// Operations in a second, as [`rates`] finds them, when the rate of bytes is known.
fn operations_beside(points: &[Point], bandwidth: f64) -> f64 {
    let (mut aa, mut a) = (0.0, 0.0);
    for Point { operations, bytes, seconds } in points {
        let of_operations = operations / seconds;
        aa += of_operations * of_operations;
        a += of_operations * (1.0 - bytes / bandwidth / seconds).max(0.0);
    }
    if a > 0.0 { aa / a } else { FREE }
}

/// A rate at which nothing takes any time.
const FREE: f64 = 1e15;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
fn float(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_again() {
        let points = [8.0, 1e3, 1e5, 1e7].map(|bytes| (bytes, 2e-4 + 5e-10 * bytes));
        let (latency, slope) = line(&points);
        assert!(
            (latency - 2e-4).abs() < 1e-9 && (slope - 5e-10).abs() < 1e-15,
            "{latency} {slope}"
        );
    }

    #[test]
    fn rates_are_found_again() {
        let point = |operations: f64, bytes: f64| Point {
            operations,
            bytes,
            seconds: operations / 8e10 + bytes / 2e10,
        };
        let (operations, bytes) = rates(&[point(1e9, 1e8), point(1e10, 3e8), point(0.0, 1e7)]);
        assert!((operations / 8e10 - 1.0).abs() < 1e-9 && (bytes / 2e10 - 1.0).abs() < 1e-9);
        let known = operations_beside(&[point(1e9, 1e8), point(1e10, 3e8)], 2e10);
        assert!((known / 8e10 - 1.0).abs() < 1e-9, "{known}");
        let (operations, bytes) = rates(&[point(1e9, 0.0), point(1e10, 0.0)]);
        assert!((operations / 8e10 - 1.0).abs() < 1e-9, "{operations} {bytes}");
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
    }
}
