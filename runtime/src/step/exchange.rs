//! Gradients on their way to the other ranks while this one computes on.
//!
//! A bucket is begun as soon as the lanes of this rank are done with the modules in it, in the midst of the last backward pass
//! that they have a part in, and the communicator's earlier buckets have begun. On processors a communicator's sums run beside
//! the rank and wait for no other communicator's: so ranks that begin them in different orders can't wait for each other. A GPU
//! sums one bucket after the other, whatever their communicators: there they begin in the plan's order, which is the same on all
//! ranks.

use std::collections::BTreeMap;

use mmc_plan::CollectiveCall;
use tch::{Device, Tensor};

use crate::dist::{Begun, World};
use crate::error::WorkerError;
use crate::gpu;
use crate::store::{Store, Sum};

/// Where gradients are summed: lanes add to it, and all-reduces run over it.
#[derive(Debug)]
pub(super) struct Room {
    /// 64-bit; of 64-bit gradients, their leading 24 bits.
    pub(super) head: Tensor,
    /// The other bits of 64-bit gradients.
    pub(super) rest: Option<Tensor>,
}

impl Room {
    /// So many numbers of it.
    fn part(&self, from: i64, length: i64) -> Result<Self, WorkerError> {
        let part = |tensor: &Tensor| tensor.f_narrow(0, from, length);
        Ok(Self { head: part(&self.head)?, rest: self.rest.as_ref().map(part).transpose()? })
    }
}

/// A bucket of a step.
#[derive(Debug)]
struct Bucket<'a> {
    call: CollectiveCall<'a>,
    room: Room,
    /// Modules that lanes of this rank have yet to train.
    missing: usize,
    begun: Vec<Begun>,
}

/// The gradients of a step.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    world: &'a World,
    /// In the plan's order.
    buckets: Vec<Bucket<'a>>,
    /// Module -> lanes of this rank that have yet to train it.
    lanes: BTreeMap<&'a str, usize>,
}

impl<'a> Exchange<'a> {
    /// Tells every module where its gradients are summed: in the bucket of its communicator; else, when several lanes of this
    /// rank train it, in its own room; else nowhere, as one lane's gradient is the sum. `lanes` are those of this rank that
    /// train a module, `rooms` those of the communicators.
    pub(super) fn open(
        world: &'a World,
        calls: Vec<CollectiveCall<'a>>,
        lanes: BTreeMap<&'a str, usize>,
        rooms: &BTreeMap<&'a str, Room>,
        store: &mut Store,
    ) -> Result<Self, WorkerError> {
        let mut exchange = Self { world, buckets: Vec::new(), lanes };
        let mut own: BTreeMap<&str, usize> = exchange.lanes.clone();
        let mut ends: BTreeMap<&str, i64> = BTreeMap::new();
        for call in calls {
            let unknown = || WorkerError::NoBucket(call.communicator.to_owned());
            let room = rooms.get(call.communicator).ok_or_else(unknown)?;
            let elements = i64::try_from(call.elements).unwrap_or(i64::MAX);
            let end = ends.entry(call.communicator).or_default();
            let room = room.part(*end, elements)?;
            *end += elements;
            let (mut offset, mut missing) = (0, 0);
            for name in &call.modules {
                let module = store.module(name)?;
                let Room { head, rest } = room.part(offset, module.elements())?;
                offset += module.elements();
                module.sum_at(Sum::new(head, rest));
                missing += usize::from(own.remove(name).is_some());
            }
            exchange.buckets.push(Bucket { call, room, missing, begun: Vec::new() });
        }
        for (name, _) in own.into_iter().filter(|(_, lanes)| *lanes > 1) {
            store.module(name)?.sum_here()?;
        }
        Ok(exchange)
    }

    /// A lane is done with a module: its gradient is added to the sum, and a bucket that is complete begins. `divisors` are
    /// those of this rank's lanes.
    pub(super) fn hand_over(
        &mut self,
        module: &str,
        store: &mut Store,
        divisors: &BTreeMap<&'a str, f64>,
    ) -> Result<(), WorkerError> {
        store.module(module)?.add_to_sum()?;
        let Some(lanes) = self.lanes.get_mut(module) else { return Ok(()) };
        *lanes = lanes.saturating_sub(1);
        if *lanes > 0 {
            return Ok(());
        }
        let is_here = |bucket: &&mut Bucket<'_>| bucket.call.modules.contains(&module);
        let Some(bucket) = self.buckets.iter_mut().find(is_here) else { return Ok(()) };
        bucket.missing = bucket.missing.saturating_sub(1);
        let communicator = bucket.call.communicator;
        let one_order = self.world.device() != Device::Cpu;
        let line = self.buckets.iter_mut();
        let line = line.filter(|bucket| one_order || bucket.call.communicator == communicator);
        let next = line.skip_while(|bucket| !bucket.begun.is_empty());
        for bucket in next.take_while(|bucket| bucket.missing == 0) {
            bucket.begin(self.world, store, divisors)?;
        }
        Ok(())
    }

    /// Sums what is left: afterwards gradients and divisors are those of all lanes.
    pub(super) fn finish(
        mut self,
        store: &mut Store,
        divisors: &mut BTreeMap<&'a str, f64>,
    ) -> Result<(), WorkerError> {
        for bucket in self.buckets.iter_mut().filter(|bucket| bucket.begun.is_empty()) {
            bucket.begin(self.world, store, divisors)?;
        }
        for bucket in self.buckets {
            for sum in &bucket.begun {
                self.world.end_sum(sum)?;
            }
            let tail = Vec::<f64>::try_from(&bucket.tail()?.f_to_device(Device::Cpu)?)?;
            divisors.extend(bucket.call.modules.into_iter().zip(tail));
        }
        Ok(())
    }
}

impl Bucket<'_> {
    /// The modules' divisors, behind their gradients.
    fn tail(&self) -> Result<Tensor, WorkerError> {
        let slots = i64::try_from(self.call.modules.len()).unwrap_or(i64::MAX);
        let elements = i64::try_from(self.call.elements).unwrap_or(i64::MAX);
        Ok(self.room.head.f_narrow(0, elements - slots, slots)?)
    }

    fn begin(
        &mut self,
        world: &World,
        store: &mut Store,
        divisors: &BTreeMap<&str, f64>,
    ) -> Result<(), WorkerError> {
        for name in &self.call.modules {
            store.module(name)?.close_sum()?;
        }
        let own = self.call.modules.iter().map(|name| divisors.get(name).copied().unwrap_or(0.0));
        let own = Tensor::from_slice(&own.collect::<Vec<f64>>());
        self.tail()?.f_copy_(&gpu::sent(&own, world.device())?)?;
        for tensor in [Some(&self.room.head), self.room.rest.as_ref()].into_iter().flatten() {
            self.begun.push(world.begin_sum(self.call.communicator, tensor)?);
        }
        Ok(())
    }
}
