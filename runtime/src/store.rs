//! Module name -> parameters, gradients and optimiser state, each one flat tensor, in the plan's order.
//!
//! The network's parameters are leaves that lie in the flat tensor, and their gradients lie in the flat gradient: summing over
//! ranks, clipping, updating and saving are single operations on flat tensors.

use std::collections::BTreeMap;

use mmc_plan::{ModuleKind, Optimizer, Plan, Precision};
use tch::{Device, Kind, Tensor};

use crate::error::WorkerError;
use crate::ffi::{self, ShimError};
use crate::flat;
use crate::model::{ModelError, ParameterSpec, Weights, init, layout};
use crate::optim;

/// Why parameters can't be made.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The plan's modules do not fit together.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A tensor operation failed.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
    /// The shim failed.
    #[error("libtorch: {0}")]
    Shim(#[from] ShimError),
}

/// A sum of gradients over lanes, 64-bit: see `docs/decisions/0003-sums-in-64-bits.md`.
#[derive(Debug)]
pub struct Sum {
    /// `[elements]`; of 64-bit gradients, their leading 24 bits.
    pub head: Tensor,
    /// The other bits of 64-bit gradients.
    pub rest: Option<Tensor>,
    /// Nothing was added yet, and anything may stand there.
    fresh: bool,
    /// The module's own room, kept for later steps.
    own: bool,
}

impl Sum {
    /// A sum in tensors whose values do not matter.
    pub fn new(head: Tensor, rest: Option<Tensor>) -> Self {
        Self { head, rest, fresh: true, own: false }
    }
}

/// A copy of parameters in 16 bits with which the network computes, so that it need not round them one by one, and its gradient.
#[derive(Debug)]
struct Narrow {
    /// `[elements]`.
    flat: Tensor,
    /// What backward passes add into, `[elements]`: of one part of a lane's batches.
    gradient: Tensor,
}

impl Narrow {
    fn of(flat: &Tensor, kind: Kind) -> Result<Self, StoreError> {
        let flat = flat.f_to_kind(kind)?;
        Ok(Self { gradient: flat.f_zeros_like()?, flat })
    }
}

/// One module's parameters and training state.
#[derive(Debug)]
pub struct ModuleStore {
    /// All parameters, `[elements]`.
    pub flat: Tensor,
    /// One lane's gradient, `[elements]`: what backward passes add into, unless they do into that of the copy in 16 bits.
    pub gradient: Tensor,
    /// On GPUs, of modules all of whose parameters are rounded to 16 bits where they are used.
    narrow: Option<Narrow>,
    /// Sum of the lanes' gradients in this step; none where one lane of this rank alone trains the module.
    sum: Option<Sum>,
    /// Room for a sum that no communicator has a place for.
    spare: Option<Sum>,
    /// First moment, `[elements]`; empty where the optimiser keeps none.
    pub mean: Tensor,
    /// Second moment, `[elements]`; empty where the optimiser keeps none; of Adafactor shorter.
    pub square: Tensor,
    /// Moving average of the parameters, `[elements]`, where the plan keeps one.
    average: Option<Tensor>,
    /// Updates done: the module's own clock for bias correction.
    pub updates: u64,
    /// Names and shapes in flat order.
    pub layout: Vec<ParameterSpec>,
    leaves: Vec<(String, Tensor)>,
}

impl ModuleStore {
    fn new(plan: &Plan, module: &str, (kind, device): (Kind, Device)) -> Result<Self, StoreError> {
        let layout = layout(plan, module)?;
        let optimizer = plan.modules.get(module).and_then(|spec| spec.trained_by(&plan.training));
        let initial: Vec<Tensor> = layout
            .iter()
            .map(|parameter| init::fill(plan.experiment.seed, module, parameter).view(-1))
            .map(|values| values.f_to_kind(kind))
            .collect::<Result<_, _>>()?;
        let flat = Tensor::f_cat(&initial, 0)?.f_to_device(device)?;
        // What comes next takes their room.
        drop(initial);
        let mut store = Self::with(layout, flat, optimizer)?;
        if plan.training.ema.is_some() && optimizer.is_some() {
            store.average = Some(store.flat.copy());
        }
        Ok(store)
    }

    /// A module of these parameters, in their layout, and of what its optimiser keeps. Nothing else is kept of a frozen one, which
    /// has none.
    pub(crate) fn with(
        layout: Vec<ParameterSpec>,
        flat: Tensor,
        optimizer: Option<&Optimizer>,
    ) -> Result<Self, StoreError> {
        let options = (flat.kind(), flat.device());
        let zeros = |elements: i64| Tensor::f_zeros([elements], options);
        let [first, second] = optimizer.map_or([0, 0], |own| optim::moments(own, &layout));
        let elements = i64::try_from(flat.numel()).unwrap_or(i64::MAX);
        let gradient = zeros(if optimizer.is_some() { elements } else { 0 })?;
        let (mean, square) = (zeros(first)?, zeros(second)?);
        let mut store = Self {
            flat,
            gradient,
            narrow: None,
            sum: None,
            spare: None,
            mean,
            square,
            average: None,
            updates: 0,
            layout,
            leaves: Vec::new(),
        };
        store.leaves = store.leaves_in(&store.flat, &store.gradient)?;
        Ok(store)
    }

    /// Makes a copy of the parameters in 16 bits that the network is to compute with.
    fn compute_in(&mut self, kind: Kind) -> Result<(), StoreError> {
        let mut narrow = Narrow::of(&self.flat, kind)?;
        if self.is_frozen() {
            narrow.gradient = narrow.gradient.f_narrow(0, 0, 0)?;
        }
        self.leaves = self.leaves_in(&narrow.flat, &narrow.gradient)?;
        self.narrow = Some(narrow);
        Ok(())
    }

    /// Nothing but its parameters is kept of a frozen module.
    fn is_frozen(&self) -> bool {
        self.gradient.numel() < self.flat.numel()
    }

    /// The parameters by name, which lie in `flat`; unless the module is frozen, with gradients that lie in `gradient`.
    fn leaves_in(
        &self,
        flat: &Tensor,
        gradient: &Tensor,
    ) -> Result<Vec<(String, Tensor)>, StoreError> {
        if self.is_frozen() {
            return self.pieces(flat);
        }
        let mut leaves = Vec::with_capacity(self.layout.len());
        for ((name, piece), (_, gradient)) in
            self.pieces(flat)?.into_iter().zip(self.pieces(gradient)?)
        {
            let leaf = piece.detach().set_requires_grad(true);
            ffi::set_gradient(&leaf, &gradient)?;
            leaves.push((name, leaf));
        }
        Ok(leaves)
    }

    /// Says that the parameters have changed.
    pub fn refresh(&mut self) -> Result<(), StoreError> {
        if let Some(narrow) = &mut self.narrow {
            narrow.flat.f_copy_(&self.flat)?;
        }
        Ok(())
    }

    /// Takes in what a backward pass has added to the gradient of the copy in 16 bits: sums of several passes are made in 32.
    pub fn take_in(&mut self) -> Result<(), StoreError> {
        if let Some(narrow) = self.narrow.as_mut().filter(|narrow| narrow.gradient.numel() > 0) {
            let _ = self.gradient.f_add_(&narrow.gradient)?;
            let _ = narrow.gradient.f_zero_()?;
        }
        Ok(())
    }

    /// Views of a flat tensor in the parameters' shapes, by name.
    pub fn pieces(&self, flat: &Tensor) -> Result<Vec<(String, Tensor)>, StoreError> {
        let mut offset = 0;
        let mut pieces = Vec::with_capacity(self.layout.len());
        for parameter in &self.layout {
            let elements = parameter.elements();
            let piece = flat.f_narrow(0, offset, elements)?.f_view(parameter.shape.as_slice())?;
            pieces.push((parameter.name.clone(), piece));
            offset += elements;
        }
        Ok(pieces)
    }

    /// The parameters as they are, for a network that trains nothing.
    fn whole_weights(&self) -> Result<Weights, StoreError> {
        Ok(Weights::new(self.pieces(&self.flat)?))
    }

    /// The parameters for the network: leaves that share storage with [`Self::flat`] or its copy in 16 bits.
    pub fn weights(&self) -> Weights {
        let share = |(name, leaf): &(String, Tensor)| (name.clone(), leaf.shallow_clone());
        Weights::new(self.leaves.iter().map(share).collect())
    }

    /// The parameters that gradients are computed of.
    pub fn leaves(&self) -> impl Iterator<Item = &Tensor> {
        self.leaves.iter().map(|(_, leaf)| leaf)
    }

    /// Begins a step in which gradients are summed at a place of a communicator's bucket.
    pub fn sum_at(&mut self, place: Sum) {
        self.sum = Some(place);
    }

    /// Begins a step in which the gradients of several lanes of this rank are summed.
    pub fn sum_here(&mut self) -> Result<(), StoreError> {
        let mut sum = if let Some(spare) = self.spare.take() {
            spare
        } else {
            let options = (Kind::Double, self.flat.device());
            let room = || Tensor::f_empty([self.elements()], options);
            let wide = self.gradient.kind() == Kind::Double;
            Sum::new(room()?, wide.then(room).transpose()?)
        };
        (sum.fresh, sum.own) = (true, true);
        self.sum = Some(sum);
        Ok(())
    }

    /// Adds a lane's gradient to the sum and clears it for the next lane.
    pub fn add_to_sum(&mut self) -> Result<(), WorkerError> {
        self.take_in()?;
        if let Some(sum) = &mut self.sum {
            flat::gather(&self.gradient, &sum.head, sum.rest.as_ref(), sum.fresh)?;
            sum.fresh = false;
        }
        Ok(())
    }

    /// Forgets what backward passes have added since the last lane's gradient was taken.
    pub fn drop_gradient(&mut self) -> Result<(), StoreError> {
        let _ = self.gradient.f_zero_()?;
        let _ = self.narrow.as_mut().map(|narrow| narrow.gradient.f_zero_()).transpose()?;
        Ok(())
    }

    /// Makes a sum to which no lane of this rank added zero.
    pub fn close_sum(&mut self) -> Result<(), StoreError> {
        if let Some(sum) = self.sum.as_mut().filter(|sum| sum.fresh) {
            let _ = sum.head.f_zero_()?;
            let _ = sum.rest.as_mut().map(Tensor::f_zero_).transpose()?;
            sum.fresh = false;
        }
        Ok(())
    }

    /// The whole gradient of the step, undivided, and its rest.
    pub fn summed(&self) -> (&Tensor, Option<&Tensor>) {
        self.sum.as_ref().map_or((&self.gradient, None), |sum| (&sum.head, sum.rest.as_ref()))
    }

    /// Makes the sum, times `scale`, the gradient.
    pub fn take_sum(&mut self, scale: f64) -> Result<(), StoreError> {
        if let Some(sum) = &self.sum {
            let whole = match &sum.rest {
                Some(rest) => sum.head.f_add(rest)?,
                None => sum.head.shallow_clone(),
            };
            self.gradient.f_copy_(&whole.f_mul_scalar(scale)?)?;
        } else {
            let scaled = self.gradient.f_to_kind(Kind::Double)?.f_mul_scalar_(scale)?;
            self.gradient.f_copy_(&scaled)?;
        }
        Ok(())
    }

    /// Lets the moving average follow an update: `a <- decay a + (1 - decay) x`, as `torch.optim.swa_utils.get_ema_multi_avg_fn`,
    /// by the clock of the module's own updates. It begins at the initial parameters, which still weigh `decay^n` behind `n`
    /// updates, and there is no correction of that (averages of iterates: Polyak and Juditsky 1992).
    pub fn follow(&mut self, decay: f64) -> Result<(), StoreError> {
        if let Some(average) = &mut self.average {
            let _ = average.f_lerp_(&self.flat, 1.0 - decay)?;
        }
        Ok(())
    }

    /// The moving average of the parameters, `[elements]`, where there is one.
    pub fn average(&self) -> Option<&Tensor> {
        self.average.as_ref()
    }

    /// Exchanges the values of the parameters and of their moving average, to the bit.
    fn swap_average(&mut self) -> Result<(), StoreError> {
        if let Some(average) = &mut self.average {
            let own = self.flat.copy();
            self.flat.f_copy_(average)?;
            average.f_copy_(&own)?;
        }
        self.refresh()
    }

    /// Ends a step.
    pub fn clear(&mut self) -> Result<(), StoreError> {
        match self.sum.take() {
            // Gathering has cleared the gradient.
            Some(sum) if sum.own => self.spare = Some(sum),
            Some(_) => {}
            None => drop(self.gradient.f_zero_()?),
        }
        self.refresh()
    }

    /// Elements of the flat tensors.
    pub fn elements(&self) -> i64 {
        self.flat.numel().try_into().unwrap_or(i64::MAX)
    }
}

/// The modules of one rank.
#[derive(Debug)]
pub struct Store {
    /// By name.
    pub modules: BTreeMap<String, ModuleStore>,
    /// Kind of all tensors.
    pub kind: Kind,
}

impl Store {
    /// Makes a rank's modules on a device, with their initial values, which depend on seed and names alone.
    pub fn new(plan: &Plan, rank: usize, device: Device) -> Result<Self, StoreError> {
        let kind = match plan.training.precision {
            Precision::Fp32 | Precision::Bf16 | Precision::Fp16 => Kind::Float,
            Precision::Fp64 => Kind::Double,
        };
        let names = plan.ranks.get(rank).map(|spec| spec.modules.as_slice()).unwrap_or_default();
        let mut modules = BTreeMap::new();
        for name in names {
            modules.insert(name.clone(), ModuleStore::new(plan, name, (kind, device))?);
        }
        let mut store = Self { modules, kind };
        if device != Device::Cpu {
            store.compute_in_copies(plan)?;
        }
        Ok(store)
    }

    /// Makes copies in 16 bits of what the network would round at every use.
    pub(crate) fn compute_in_copies(&mut self, plan: &Plan) -> Result<(), StoreError> {
        for (name, module) in &mut self.modules {
            if let Some(kind) = narrow_kind(plan, name) {
                module.compute_in(kind)?;
            }
        }
        Ok(())
    }

    /// A module of this rank.
    pub fn module(&mut self, name: &str) -> Result<&mut ModuleStore, WorkerError> {
        self.modules.get_mut(name).ok_or_else(|| WorkerError::NoModule(name.to_owned()))
    }

    /// Exchanges parameters and moving averages of all modules that have one; doing it twice changes nothing.
    pub fn swap_averages(&mut self) -> Result<(), StoreError> {
        self.modules.values_mut().try_for_each(ModuleStore::swap_average)
    }

    /// The parameters of all modules as they are, when the network computes with copies of some in 16 bits.
    pub fn whole_weights(&self) -> Result<Option<BTreeMap<String, Weights>>, StoreError> {
        if self.modules.values().all(|module| module.narrow.is_none()) {
            return Ok(None);
        }
        let whole =
            |(name, module): (&String, &ModuleStore)| Ok((name.clone(), module.whole_weights()?));
        self.modules.iter().map(whole).collect::<Result<_, _>>().map(Some)
    }

    /// The parameters of all modules for the network.
    pub fn weights(&self) -> BTreeMap<String, Weights> {
        self.modules.iter().map(|(name, module)| (name.clone(), module.weights())).collect()
    }
}

/// The 16 bits that all parameters of a module are rounded to where they are used; none in other precisions, nor of embeddings, which
/// are looked up as they are.
fn narrow_kind(plan: &Plan, module: &str) -> Option<Kind> {
    let kind = match plan.training.precision {
        Precision::Bf16 => Kind::BFloat16,
        Precision::Fp16 => Kind::Half,
        Precision::Fp32 | Precision::Fp64 => return None,
    };
    match plan.modules.get(module)?.kind {
        ModuleKind::Embedding { .. } | ModuleKind::Head { .. } => None,
        ModuleKind::EncoderStack { .. }
        | ModuleKind::DecoderStack { .. }
        | ModuleKind::Adapter { .. }
        | ModuleKind::Bridge => Some(kind),
    }
}

#[cfg(test)]
mod tests {
    use tch::{Kind, Tensor};

    use crate::ffi::{self, AdamW, AdamWState};

    #[test]
    fn backward_adds_into_the_flat_gradient() {
        let flat = Tensor::from_slice(&[1.0_f64, 2.0, 3.0]);
        let gradient = Tensor::zeros([3], (Kind::Double, tch::Device::Cpu));
        let leaf = flat.narrow(0, 1, 2).detach().set_requires_grad(true);
        ffi::set_gradient(&leaf, &gradient.narrow(0, 1, 2)).unwrap();
        for _ in 0..2 {
            (&leaf * &leaf).sum(Kind::Double).backward();
        }
        assert_eq!(Vec::<f64>::try_from(&gradient).unwrap(), [0.0, 8.0, 12.0]);
    }

    /// Against algorithm 2 of Loshchilov and Hutter 2019, written out in 64-bit arithmetic.
    #[test]
    fn adamw_follows_its_paper() {
        let mut constants =
            AdamW { update: 0.0, lr: 0.1, beta1: 0.9, beta2: 0.98, eps: 1e-9, weight_decay: 0.01 };
        let tensor = |value: f64| Tensor::from_slice(&[value]);
        let (parameter, mean, square) = (tensor(1.5), tensor(0.0), tensor(0.0));
        let (mut x, mut m, mut v) = (1.5_f64, 0.0_f64, 0.0_f64);
        for update in 1..=5_i32 {
            let g = 0.3 * f64::from(update) - 0.7;
            let gradient = tensor(g * 4.0);
            let state = AdamWState {
                parameter: &parameter,
                gradient: &gradient,
                rest: None,
                mean: &mean,
                square: &square,
            };
            constants.update = f64::from(update);
            ffi::adamw(&state, 0.25, &constants).unwrap();
            x -= constants.lr * constants.weight_decay * x;
            m = constants.beta1 * m + (1.0 - constants.beta1) * g;
            v = constants.beta2 * v + (1.0 - constants.beta2) * g * g;
            let corrected_m = m / (1.0 - constants.beta1.powi(update));
            let corrected_v = v / (1.0 - constants.beta2.powi(update));
            x -= constants.lr * corrected_m / (corrected_v.sqrt() + constants.eps);
            assert!((parameter.double_value(&[0]) - x).abs() < 1e-12, "update {update}");
        }
    }
}
