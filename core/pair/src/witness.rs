//! Who decides between two halves.

use crate::WitnessConfig;
use storytime_machine::{Boot, Cx, Machine};

/// Grants the lease of a pair to one half at a time.
#[derive(Debug)]
pub struct Witness {
    config: WitnessConfig,
}

impl Witness {
    /// A witness.
    pub const fn new(config: WitnessConfig) -> Self {
        Self { config }
    }
}

impl Machine for Witness {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        let _ = (cx, boot, &self.config);
    }
}
