//! Which modules are not trained: a selector of the experiment on the modules that there are.

use mmc_plan::{ModuleKind, StackSide};

use super::error::BuildError;
use crate::diagnostics::Diagnostics;
use crate::ir::experiment::{At, Selector};
use crate::ir::module::ModuleRow;

/// Marks the modules that are selected; a selector that selects nothing, or everything, is a fault.
pub(super) fn freeze<'m>(
    freeze: &At<Selector>,
    modules: impl Iterator<Item = &'m mut ModuleRow>,
    diagnostics: &mut Diagnostics,
) {
    let (mut frozen, mut trained) = (0_usize, 0_usize);
    for module in modules {
        module.frozen = selects(&freeze.value, module);
        if module.frozen {
            frozen += 1;
        } else {
            trained += 1;
        }
    }
    let span = freeze.span;
    if frozen == 0 {
        diagnostics.report(BuildError::NothingFrozen {
            span,
            help: "`mmc plan FILE --emit-stage modules` lists the modules",
        });
    } else if trained == 0 {
        let help = "leave something to train, for example `freeze = all - adapters`";
        diagnostics.report(BuildError::AllFrozen { span, help });
    }
}

/// Whether a selector means a module.
pub(super) fn selects(selector: &Selector, module: &ModuleRow) -> bool {
    let name = module.name.as_str();
    match selector {
        Selector::All => true,
        Selector::Embeddings(side) => {
            let side = match side {
                None => "",
                Some(StackSide::Encoder) => "src.",
                Some(StackSide::Decoder) => "tgt.",
            };
            // Embeddings that are tied serve both sides.
            let tied = !name.starts_with("embed.src.") && !name.starts_with("embed.tgt.");
            let is_embedding = matches!(module.kind, ModuleKind::Embedding { .. });
            is_embedding && (tied || name.starts_with(&format!("embed.{side}")))
        }
        Selector::Stacks(side, at) => {
            let is_stack = match side {
                StackSide::Encoder => matches!(module.kind, ModuleKind::EncoderStack { .. }),
                StackSide::Decoder => matches!(module.kind, ModuleKind::DecoderStack { .. }),
            };
            let place = at.map(|at| format!("{}.{at}.", side.word()));
            is_stack && place.is_none_or(|place| name.starts_with(&place))
        }
        Selector::Heads => matches!(module.kind, ModuleKind::Head { .. }),
        Selector::Bridge => matches!(module.kind, ModuleKind::Bridge),
        Selector::Adapters(wanted) => match &module.kind {
            ModuleKind::Adapter { adapter } => wanted.as_ref().is_none_or(|name| name == adapter),
            ModuleKind::Embedding { .. }
            | ModuleKind::EncoderStack { .. }
            | ModuleKind::DecoderStack { .. }
            | ModuleKind::Head { .. }
            | ModuleKind::Bridge => false,
        },
        Selector::Named(pattern) => fits(pattern, name),
        Selector::Sum(a, b) => selects(a, module) || selects(b, module),
        Selector::Difference(a, b) => selects(a, module) && !selects(b, module),
        Selector::Intersection(a, b) => selects(a, module) && selects(b, module),
    }
}

/// Whether a name is what a pattern says, where `*` stands for any letters.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(start) else { return false };
    let ends = (0..=name.len()).filter_map(|at| name.get(at..));
    ends.into_iter().any(|end| fits(rest, end))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn stars_stand_for_any_letters() {
        assert!(fits("encoder.*.lang.de", "encoder.10.lang.de"));
        assert!(fits("*", "") && fits("*.full", "embed.full"));
        assert!(!fits("encoder.0", "encoder.0.full") && !fits("*.fu", "embed.full"));
    }
}
