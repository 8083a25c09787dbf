//! Putting a pin on, by the tool that it stops.

use super::edit::PinEdit;
use super::types::{Mechanism, NoPin, Pin};
use super::{argocd, flux, own_field, renovate};

impl Pin {
    /// What a text becomes with the pin.
    ///
    /// # Errors
    /// When the text has it already, or it is not sure what to write where.
    pub fn put(&self, text: &str) -> Result<PinEdit, NoPin> {
        match self.mechanism {
            Mechanism::FluxExclude => flux::exclude(text, &self.object, &self.versions),
            Mechanism::FluxSuspend => flux::suspend(text, &self.object, &self.versions),
            Mechanism::ArgocdImageUpdater => argocd::ignore(text, &self.object, &self.versions),
            Mechanism::Renovate => renovate::disallow(text, &self.object, &self.versions),
            Mechanism::OwnField => own_field::set(self, text),
        }
    }
}
