//! Adapters and the bridge: names, places and numbers.

use std::collections::BTreeSet;

use crate::attachment::{AdapterKind, AdapterSpec, StackSide};
use crate::model::Sharing;
use crate::plan::Plan;
use crate::verify::{Findings, Rule};

pub(super) fn check(plan: &Plan, findings: &mut Findings) {
    let mut names = BTreeSet::new();
    for spec in &plan.model.adapters {
        let place = || format!("adapter `{}`", spec.name);
        findings
            .expect(names.insert(&spec.name), Rule::Name, || (place(), "another has this name"));
        let can = !spec.name.is_empty() && !spec.name.contains('.');
        findings.expect(can, Rule::Name, || (place(), "it can't be part of a module's name"));
        numbers(plan, spec, findings);
    }
    let sorted = plan.model.adapters.is_sorted_by(|a, b| a.name < b.name);
    findings.expect(sorted, Rule::Name, || ("model.adapters", "they are not in order of name"));
    if let Some(bridge) = &plan.model.bridge {
        let kept = !bridge.layers.is_empty() && bridge.hidden > 0 && bridge.fixed > 0;
        findings.expect(kept, Rule::Number, || ("model.bridge", "a number of it is 0"));
        findings.expect(makes_layers(&bridge.sharing), Rule::Path, || {
            ("model.bridge", "nobody shares it, or it is shared by vocabulary")
        });
    }
}

fn numbers(plan: &Plan, spec: &AdapterSpec, findings: &mut Findings) {
    let place = || format!("adapter `{}`", spec.name);
    let size = match spec.kind {
        AdapterKind::Lora { rank, alpha, .. } => {
            let finite = alpha.is_finite() && alpha > 0.0;
            findings.expect(finite, Rule::Number, || (place(), format!("alpha is {alpha}")));
            rank
        }
        AdapterKind::Pfeiffer { hidden }
        | AdapterKind::Houlsby { hidden }
        | AdapterKind::Bapna { hidden }
        | AdapterKind::Ff { hidden } => hidden,
        AdapterKind::Prefix { length } => length,
    };
    findings.expect(size > 0, Rule::Number, || (place(), "its size is 0"));
    let own_stacks = match spec.side {
        StackSide::Encoder => &plan.model.encoder,
        StackSide::Decoder => &plan.model.decoder,
    };
    let inside = own_stacks.get(spec.stack as usize).is_some_and(|stack| {
        stack.sharing != Sharing::None && spec.layers.iter().all(|layer| *layer < stack.layers)
    });
    let ascend = !spec.layers.is_empty() && spec.layers.is_sorted_by(|a, b| a < b);
    findings.expect(inside && ascend, Rule::Reference, || {
        (place(), format!("{} {} has no layers {:?}", spec.side.word(), spec.stack, spec.layers))
    });
    findings.expect(makes_layers(&spec.sharing), Rule::Path, || {
        (place(), "nobody shares it, or it is shared by vocabulary")
    });
}

/// Whether layers can be shared so: embeddings alone are by vocabulary.
fn makes_layers(sharing: &Sharing) -> bool {
    !matches!(sharing, Sharing::None | Sharing::Vocabulary)
}
