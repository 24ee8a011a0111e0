//! A module's parameters by name, as its owner hands them to the network.

use tch::Tensor;

use super::ModelError;

/// Parameters of one module: tensors that share storage with the owner's, so that an update there is seen here.
#[derive(Debug, Default)]
pub struct Weights {
    named: Vec<(String, Tensor)>,
}

impl Weights {
    /// The parameters given, by their names within the module.
    pub fn new(named: Vec<(String, Tensor)>) -> Self {
        Self { named }
    }

    /// Names and tensors in the order given.
    pub fn named(&self) -> &[(String, Tensor)] {
        &self.named
    }

    /// A handle on a parameter that may not be there.
    pub(crate) fn find(&self, parameter: &str) -> Option<Tensor> {
        let found = self.named.iter().find(|(name, _)| name == parameter);
        found.map(|(_, tensor)| tensor.shallow_clone())
    }

    /// A handle on one parameter; `module` is for the message only.
    pub(crate) fn take(&self, module: &str, parameter: &str) -> Result<Tensor, ModelError> {
        let found = self.named.iter().find(|(name, _)| name == parameter);
        let (_, tensor) = found.ok_or_else(|| ModelError::NoParameter {
            module: module.to_owned(),
            parameter: parameter.to_owned(),
        })?;
        Ok(tensor.shallow_clone())
    }
}
