//! Places where a machine invites trouble, and marks that a run must reach.

use crate::{Ratio, Rng};
use std::collections::BTreeMap;

/// Name of a buggify site or coverage mark.
pub type Site = &'static str;

/// Decides, per site and then per visit, whether a rare path is taken. Only simulators switch it
/// on.
#[derive(Clone, Debug)]
pub struct Buggify {
    rng: Rng,
    active: Ratio,
    fire: Ratio,
    /// Whether each site met so far is active in this run.
    sites: BTreeMap<Site, bool>,
}

impl Buggify {
    /// A site is active in a run with probability `active`; an active one fires with `fire`.
    pub const fn new(rng: Rng, active: Ratio, fire: Ratio) -> Self {
        Self { rng, active, fire, sites: BTreeMap::new() }
    }

    /// Whether to take the rare path now.
    pub fn fires(&mut self, site: Site) -> bool {
        let (rng, active) = (&mut self.rng, self.active);
        let on = *self.sites.entry(site).or_insert_with(|| rng.chance(active));
        on && self.rng.chance(self.fire)
    }

    /// Sites met so far and whether they are active.
    pub fn sites(&self) -> impl Iterator<Item = (Site, bool)> {
        self.sites.iter().map(|(&site, &on)| (site, on))
    }
}
