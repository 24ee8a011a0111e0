//! What this machine does in a second: matrix products, passes over memory, sums over ranks. All ranks measure at once, as they
//! will train, because processors share their memory's bandwidth.
//!
//! Work is timed by the process's own clock, which stands still while other programs have the processor; exchanges by the wall's.
//! Rates are harmonic means over shapes of work, and medians over repetitions.

use std::time::{Duration, Instant};

use mmc_plan::{Calibration, CommunicatorSpec, Event};
use tch::{Device, Kind, Tensor};

use crate::dist::{self, Seat, World};
use crate::error::WorkerError;
use crate::events::Events;
use crate::ffi::{self, AdamW, AdamWState};
use crate::memory;

/// How long one shape of work is repeated.
const WINDOW: Duration = Duration::from_millis(200);
/// Tokens of a batch, in whose shape work is measured.
const TOKENS: i64 = 1024;
/// Widths of models.
const WIDTHS: [i64; 4] = [128, 256, 512, 1024];
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
        modules: Vec::new(),
        elements: 0,
    };
    let world = World::meet(seat, std::slice::from_ref(&everyone), Device::Cpu, dist::COLLECTIVE)?;
    let mut bench = Bench { world: &world, events: Events::of_rank(rank), threads, done: 0 };
    let held = memory::without_model()?;
    let fp32 = bench.products(Kind::Float)?;
    let fp64 = bench.products(Kind::Double)?;
    let memory_bandwidth = bench.passes()?;
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

/// Parts of a calibration: products in two precisions and passes, of four widths each; the update; the all-reduces.
const PARTS: u32 = 3 * 4 + 2;

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

    /// FLOP/s of the products of an affine map, forward and backward, over widths.
    fn products(&mut self, kind: Kind) -> Result<f64, WorkerError> {
        let mut seconds_of_one = Vec::new();
        for width in WIDTHS {
            let random = |shape: [i64; 2]| Tensor::f_randn(shape, (kind, Device::Cpu));
            let (x, weight) = (random([TOKENS, width])?, random([width, width])?);
            let back = random([TOKENS, width])?;
            let seconds = self.seconds("matrix products", &mut || {
                let _ = x.f_mm(&weight.f_tr()?)?;
                let _ = back.f_mm(&weight)?;
                let _ = back.f_tr()?.f_mm(&x)?;
                Ok(())
            })?;
            let operations = 6.0 * float(TOKENS) * float(width) * float(width);
            seconds_of_one.push(seconds / operations);
        }
        Ok(rate(&seconds_of_one))
    }

    /// Bytes that are read and written in a second by passes over activations and by the optimiser's update.
    fn passes(&mut self) -> Result<f64, WorkerError> {
        let mut seconds_of_one = Vec::new();
        let options = (Kind::Float, Device::Cpu);
        for width in WIDTHS {
            let x = Tensor::f_randn([TOKENS, width], options)?;
            let y = Tensor::f_randn([TOKENS, width], options)?;
            let (scale, shift) =
                (Tensor::f_ones([width], options)?, Tensor::f_zeros([width], options)?);
            let one = 4.0 * float(TOKENS * width);
            let seconds = self.seconds("passes over activations", &mut || {
                let _ = x.f_add(&y)?;
                let _ = x.f_relu()?;
                let _ = x.f_layer_norm([width], Some(&scale), Some(&shift), 1e-5, true)?;
                Ok(())
            })?;
            seconds_of_one.push(seconds / (7.0 * one));
        }
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
        seconds_of_one.push(seconds / (bytes * float(PARAMETERS)));
        Ok(rate(&seconds_of_one))
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

/// In a second, when every shape of work has the same part in it.
fn rate(seconds_of_one: &[f64]) -> f64 {
    float(i64::try_from(seconds_of_one.len()).unwrap_or(1)) / seconds_of_one.iter().sum::<f64>()
}

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
    fn shapes_of_work_count_alike() {
        assert!((rate(&[1.0, 3.0]) - 0.5).abs() < 1e-12);
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
    }
}
