//! Which modules have optimisers of their own: selectors of the experiment on the modules that there are.

use mmc_syntax::source::Span;

use super::error::BuildError;
use super::freeze::selects;
use crate::diagnostics::Diagnostics;
use crate::ir::experiment::Experiment;
use crate::ir::module::ModuleRow;

/// Gives modules the optimisers that the experiment selects for them. A selector without a module that is trained, and a module with
/// two of them, are faults; an optimiser that is the training's is none of its own.
pub(super) fn optimizers(
    experiment: &Experiment,
    modules: &mut [ModuleRow],
    diagnostics: &mut Diagnostics,
) {
    let mut taken: Vec<Option<Span>> = vec![None; modules.len()];
    for (selector, optimizer) in &experiment.optimizers {
        let span = selector.span;
        let mut is_idle = true;
        let selected = modules.iter_mut().zip(&mut taken);
        for (module, taken) in selected.filter(|(m, _)| selects(&selector.value, m) && !m.frozen) {
            is_idle = false;
            if let Some(other) = *taken {
                let module = module.name.clone();
                diagnostics.report(BuildError::TwoOptimizers { module, span, other });
                break;
            }
            *taken = Some(span);
            module.optimizer =
                Some(*optimizer).filter(|own| *own != experiment.training.value.optimizer);
        }
        if is_idle {
            diagnostics.report(BuildError::OptimizerForNothing { span });
        }
    }
}
