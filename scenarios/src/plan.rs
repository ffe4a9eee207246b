//! What a seed draws for a story, beyond what the world itself draws: when things happen, to
//! which hosts, and which keys there are. Printed beside the seed.

use crate::story::{Action, Happening, Setup};
use crate::units::show_duration;
use std::time::Duration;
use storytime_machine::{Rng, Time, nanos};
use storytime_sim::streams::CALLERS;

/// The stream that draws times.
const TIMES: u64 = CALLERS;
/// The stream that draws the first key of the n-th load is this plus n.
const FIRST_KEYS: u64 = CALLERS + 1_000;
/// First keys lie below this.
const FIRST_KEY_MAX: u64 = 1_000_000_000;

/// One seed's choices for one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// When each entry of the timeline happens.
    pub at: Vec<Time>,
    /// The host that each happens to, of those that draw one.
    pub hosts: Vec<Option<usize>>,
    /// The number of the first key of each load.
    pub first_keys: Vec<u64>,
    /// Where the window of figures begins that name none.
    pub measured_from: Duration,
    /// What was drawn, in words: name, value.
    pub drawn: Vec<(String, String)>,
}

impl Plan {
    /// Draws. Variants with the same timeline get the same times.
    pub fn draw(seed: u64, setup: &Setup) -> Self {
        let mut rng = Rng::new(seed, TIMES);
        let mut at: Vec<Time> = Vec::new();
        let mut hosts: Vec<Option<usize>> = Vec::new();
        let mut drawn = Vec::new();
        for happening in &setup.timeline {
            let (least, most) = happening.at;
            let offset = rng.duration(least, most);
            let base = happening.after.map_or(Time::ZERO, |n| at[n]);
            at.push(base + offset);
            if least < most {
                drawn.push((name(happening), show_duration(nanos(offset))));
            }
            let host = match happening.same_as {
                _ if happening.among.is_empty() => None,
                Some(earlier) => hosts[earlier],
                None => {
                    let host = happening.among[rng.index(happening.among.len())];
                    drawn.push((host_of(happening), setup.hosts[host].name.clone()));
                    Some(host)
                }
            };
            hosts.push(host);
        }
        let loads = setup.loads.iter().enumerate();
        let first_keys: Vec<u64> = loads
            .map(|(n, load)| {
                let first = Rng::new(seed, FIRST_KEYS + n as u64).below(FIRST_KEY_MAX);
                drawn.push((format!("first key of {}", load.name), first.to_string()));
                first
            })
            .collect();
        Self { at, hosts, first_keys, measured_from: setup.measured_from, drawn }
    }

    /// What happens at an entry of the timeline, to the host that was drawn.
    pub fn action(&self, setup: &Setup, happening: usize) -> Action {
        let action = &setup.timeline[happening].action;
        self.hosts[happening].map_or_else(|| action.clone(), |host| action.at_host(host))
    }

    /// The entries of the timeline in the order in which they happen.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.at.len()).collect();
        order.sort_by_key(|&n| (self.at[n], n));
        order
    }

    /// When an entry happens, from the beginning.
    pub fn offset(&self, happening: usize) -> Duration {
        self.at[happening].since(Time::ZERO)
    }
}

fn host_of(happening: &Happening) -> String {
    match &happening.name {
        Some(name) => format!("host of {name}"),
        None => format!("host of `{}`", happening.text),
    }
}

fn name(happening: &Happening) -> String {
    match &happening.name {
        Some(name) => format!("time of {name}"),
        None => format!("time of `{}`", happening.text),
    }
}
