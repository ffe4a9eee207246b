//! Faults, and plans of them drawn from a seed.
//!
//! A plan is drawn by *swarm*: first whole classes of faults are switched off at random and the
//! others given random weights, so that seeds differ in kind and not only in timing. Faults have a
//! least length (a stability window), because trouble that ends at once averages out. A plan has
//! two phases: in the *safety* phase hosts are hurt, within a budget of hosts that may be in
//! trouble at once; then everything is healed and the *liveness* phase begins, in which the system
//! must come to rest by itself.

use crate::disk::DiskConfig;
use crate::host::{HostId, ProcessId};
use crate::net::Link;
use core::fmt;
use storytime_machine::{Duration, Ratio, Rng, Time};

/// A length of time.
pub type Span = Duration;

/// Something that happens to a world from outside.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A host loses its power.
    PowerCut(HostId),
    /// A host gets its power back.
    PowerOn(HostId),
    /// A whole rack loses its power or gets it back.
    RackPower {
        /// The rack's number.
        rack: u32,
        /// Off or on.
        on: bool,
    },
    /// A process is started.
    Start(ProcessId),
    /// A process is asked to end.
    Stop(ProcessId),
    /// A process is killed.
    Kill(ProcessId),
    /// A process stops making steps.
    Freeze(ProcessId),
    /// A frozen process goes on.
    Thaw(ProcessId),
    /// Nothing gets through in this direction.
    Cut {
        /// Near end.
        from: HostId,
        /// Far end.
        to: HostId,
    },
    /// Packets get through again.
    Mend {
        /// Near end.
        from: HostId,
        /// Far end.
        to: HostId,
    },
    /// Packets sent from now on arrive only when the span has passed.
    Clog {
        /// Near end.
        from: HostId,
        /// Far end.
        to: HostId,
        /// For how long.
        span: Span,
    },
    /// A link's properties change, both ways.
    Link {
        /// One end.
        a: HostId,
        /// The other end.
        b: HostId,
        /// The new properties.
        link: Link,
    },
    /// A host's wall clock is stepped.
    StepClock {
        /// Whose.
        host: HostId,
        /// By how much.
        by: Span,
        /// Backward, or forward.
        back: bool,
    },
    /// The name service stops or resumes answering.
    NamesDown(bool),
    /// A disk completes nothing for a while.
    StallDisk {
        /// Whose.
        host: HostId,
        /// For how long.
        span: Span,
    },
    /// A disk's behaviour changes.
    Disk {
        /// Whose.
        host: HostId,
        /// The new behaviour.
        config: DiskConfig,
    },
    /// Every path is mended and every host switched on; frozen processes go on, and programs that
    /// start with their host and did not exit by themselves start again. Changed properties of
    /// links and disks stay.
    HealAll,
}

/// What a plan may hurt.
#[derive(Clone, Debug)]
pub struct Menu {
    /// Hosts that may be hurt, with their processes.
    pub hosts: Vec<(HostId, Vec<ProcessId>)>,
    /// Most hosts in trouble at once: what the design promises to survive.
    pub budget: usize,
    /// Length of the safety phase.
    pub safety: Span,
    /// Mean pause between faults.
    pub gap: Span,
    /// Shortest and longest trouble.
    pub window: (Span, Span),
}

/// Classes of faults that a swarm switches on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Kill,
    Power,
    Freeze,
    Partition,
    OneWay,
    Clog,
    Clock,
    SlowDisk,
}

const CLASSES: [Class; 8] = [
    Class::Kill,
    Class::Power,
    Class::Freeze,
    Class::Partition,
    Class::OneWay,
    Class::Clog,
    Class::Clock,
    Class::SlowDisk,
];

/// Most faults in one plan.
pub const PLAN_FAULTS_MAX: usize = 10_000;

/// A drawn plan: put it on a world's timeline with [`FaultPlan::schedule`].
#[derive(Clone, Debug)]
pub struct FaultPlan {
    weights: Vec<(Class, u64)>,
    faults: Vec<(Time, Fault)>,
    /// When everything is healed and the liveness phase begins.
    pub heals_at: Time,
}

impl FaultPlan {
    /// Draws a plan from stream [`FAULTS`](crate::streams::FAULTS) of `seed`.
    ///
    /// # Panics
    /// If the mean pause is zero, or the longest trouble shorter than the shortest.
    pub fn draw(seed: u64, menu: &Menu) -> Self {
        assert!(!menu.gap.is_zero(), "without a pause the plan would have no end");
        assert!(
            menu.window.0 <= menu.window.1,
            "the shortest trouble is no longer than the longest"
        );
        let mut rng = Rng::new(seed, crate::streams::FAULTS);
        let mut weights = Vec::new();
        for class in CLASSES {
            // Half of the classes are off in a run; weights are spread over two decades.
            if rng.chance(Ratio::new(1, 2)) {
                weights.push((class, 1 + rng.below(100)));
            }
        }
        let heals_at = Time::ZERO + menu.safety;
        let mut plan = Self { weights, faults: Vec::new(), heals_at };
        plan.fill(&mut rng, menu);
        plan.faults.push((heals_at, Fault::HealAll));
        plan
    }

    fn fill(&mut self, rng: &mut Rng, menu: &Menu) {
        let total: u64 = self.weights.iter().map(|(_, weight)| weight).sum();
        if total == 0 || menu.hosts.is_empty() || menu.budget == 0 {
            return;
        }
        // Until when each host is in trouble.
        let mut hurt_until = vec![Time::ZERO; menu.hosts.len()];
        let mut at = Time::ZERO + rng.exponential(menu.gap);
        for _ in 0..PLAN_FAULTS_MAX {
            if at >= self.heals_at || self.faults.len() >= PLAN_FAULTS_MAX {
                break;
            }
            let end = (at + rng.duration(menu.window.0, menu.window.1)).min(self.heals_at);
            let victim = rng.index(menu.hosts.len());
            let hurt = hurt_until.iter().filter(|until| **until > at).count();
            let mut pick = rng.below(total);
            let class = self.weights.iter().find(|(_, weight)| {
                let here = pick < *weight;
                pick = pick.saturating_sub(*weight);
                here
            });
            if let Some(&(class, _)) = class
                && hurt < menu.budget
                && hurt_until[victim] <= at
            {
                hurt_until[victim] = end;
                self.add(rng, menu, class, victim, at, end);
            }
            at += rng.exponential(menu.gap);
        }
    }

    fn add(
        &mut self,
        rng: &mut Rng,
        menu: &Menu,
        class: Class,
        victim: usize,
        at: Time,
        end: Time,
    ) {
        let (host, processes) = &menu.hosts[victim];
        let host = *host;
        let mut pair = |begin: Fault, finish: Fault| {
            self.faults.push((at, begin));
            self.faults.push((end, finish));
        };
        match class {
            Class::Power => pair(Fault::PowerCut(host), Fault::PowerOn(host)),
            Class::Kill | Class::Freeze => {
                let Some(&process) = processes.get(rng.index(processes.len().max(1))) else {
                    return;
                };
                if class == Class::Kill {
                    pair(Fault::Kill(process), Fault::Start(process));
                } else {
                    pair(Fault::Freeze(process), Fault::Thaw(process));
                }
            }
            Class::Partition | Class::OneWay => {
                for (index, &(other, _)) in menu.hosts.iter().enumerate() {
                    if index != victim {
                        pair(
                            Fault::Cut { from: host, to: other },
                            Fault::Mend { from: host, to: other },
                        );
                        if class == Class::Partition {
                            pair(
                                Fault::Cut { from: other, to: host },
                                Fault::Mend { from: other, to: host },
                            );
                        }
                    }
                }
            }
            Class::Clog => {
                let other = menu.hosts[rng.index(menu.hosts.len())].0;
                self.faults.push((at, Fault::Clog { from: host, to: other, span: end.since(at) }));
            }
            Class::Clock => {
                let by = rng.duration(Span::from_millis(1), Span::from_secs(3600));
                let back = rng.chance(Ratio::new(1, 2));
                self.faults.push((at, Fault::StepClock { host, by, back }));
            }
            Class::SlowDisk => {
                self.faults.push((at, Fault::StallDisk { host, span: end.since(at) }));
            }
        }
    }

    /// Puts the plan on a world's timeline.
    pub fn schedule(&self, world: &mut crate::World) {
        for (at, fault) in &self.faults {
            world.schedule(*at, fault.clone());
        }
    }

    /// The faults and their times.
    pub fn faults(&self) -> &[(Time, Fault)] {
        &self.faults
    }
}

impl fmt::Display for FaultPlan {
    /// The swarm and the number of faults, for the line beside the seed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("swarm")?;
        for (class, weight) in &self.weights {
            write!(f, " {class:?}={weight}")?;
        }
        write!(f, "; {} faults, healed at {}", self.faults.len() - 1, self.heals_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn menu(budget: usize) -> Menu {
        Menu {
            hosts: (0..5).map(|n| (HostId(n), vec![ProcessId(n)])).collect(),
            budget,
            safety: Span::from_secs(60),
            gap: Span::from_secs(1),
            window: (Span::from_secs(2), Span::from_secs(5)),
        }
    }

    #[test]
    fn plans_repeat_by_seed_and_differ_between_seeds() {
        let text = |seed| format!("{:?}", FaultPlan::draw(seed, &menu(2)).faults());
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn every_class_is_on_in_some_seed_and_off_in_another() {
        for class in CLASSES {
            let on = (0..64)
                .filter(|&seed| {
                    FaultPlan::draw(seed, &menu(1)).weights.iter().any(|(c, _)| *c == class)
                })
                .count();
            assert!((10..54).contains(&on), "{class:?} on in {on} of 64");
        }
    }

    #[test]
    fn never_more_hosts_down_than_the_budget_and_all_heal() {
        for seed in 0..200 {
            let plan = FaultPlan::draw(seed, &menu(2));
            let mut events: Vec<_> = plan.faults().to_vec();
            events.sort_by_key(|(at, _)| *at);
            let mut down = 0;
            for (at, fault) in events {
                match fault {
                    Fault::PowerCut(_) => down += 1,
                    Fault::PowerOn(_) => down -= 1,
                    Fault::HealAll => assert_eq!(at, plan.heals_at),
                    _ => {}
                }
                assert!(down <= 2, "seed {seed}: {down} hosts down at {at}");
            }
            assert_eq!(down, 0, "seed {seed}");
        }
    }
}
