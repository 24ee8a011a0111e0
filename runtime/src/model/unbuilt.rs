//! What a plan can hold and this worker can't run yet: each is refused by its name before anything is computed.

use mmc_plan::{Plan, Precision, TrainingSpec};

use super::ModelError;

/// Refuses a plan with something that is not built.
pub(crate) fn refuse(plan: &Plan) -> Result<(), ModelError> {
    let mut found: Vec<String> = Vec::new();
    training(&plan.training, &mut found);
    if found.is_empty() { Ok(()) } else { Err(ModelError::NotBuilt(found.join(", "))) }
}

fn training(training: &TrainingSpec, found: &mut Vec<String>) {
    match training.precision {
        Precision::Fp32 | Precision::Fp64 => {}
        Precision::Bf16 | Precision::Fp16 => {
            found.push(format!("precision {:?}", training.precision));
        }
    }
}

#[cfg(test)]
mod tests {
    use mmc_plan::sample::Sample;

    use super::*;

    #[test]
    fn each_thing_is_named() {
        let mut sample = Sample::new(&["de", "en"], 1, &[&[0]]);
        assert_eq!(refuse(&sample.plan()), Ok(()));
        sample.training.precision = Precision::Bf16;
        let fault = refuse(&sample.plan()).expect_err("it is refused").to_string();
        assert!(fault.contains("Bf16"), "{fault}");
    }
}
