//! Whether a server is fit to be asked: failures are counted, a server that fails too often rests
//! for a while, and one that may be ejected comes back only after it has answered probes.

use super::HealthOptions;
use core::time::Duration;
use storytime_machine::{Rng, Time};

/// Rests in a row after which the pause grows no more.
const DOUBLINGS_MAX: u32 = 16;

/// How a server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It takes requests.
    Up,
    /// It failed too often. Requests are refused until its pause is over; then the next one tries.
    Resting,
    /// It failed too often and takes no requests before it has answered probes. Placement does
    /// without it.
    Ejected,
}

/// What one more failure led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    Borne,
    /// It rests.
    Rests,
    /// It rests and is ejected; a probe is due at this time.
    Ejected { probe_at: Time },
    /// The probe failed; the next is due at this time.
    StaysOut { probe_at: Time },
}

/// What one more success led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Nothing changed.
    None,
    /// It takes requests again, having been ejected.
    Rejoined,
    /// One more probe is due at this time.
    ProbeAgain { probe_at: Time },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up {
        since: Time,
    },
    Resting {
        until: Time,
    },
    /// The pause is over; the first answer decides.
    Trying,
    Ejected {
        /// Probes answered in a row.
        answered: u32,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Health {
    state: State,
    /// Failures within the present window.
    failures: u32,
    window_began: Time,
    failed_at: Option<Time>,
    /// Rests without a stable time in between: the exponent of the pause.
    rests: u32,
}

impl Health {
    pub(super) const fn new(now: Time) -> Self {
        let state = State::Up { since: now };
        Self { state, failures: 0, window_began: now, failed_at: None, rests: 0 }
    }

    pub(super) const fn standing(&self) -> Standing {
        match self.state {
            State::Up { .. } | State::Trying => Standing::Up,
            State::Resting { .. } => Standing::Resting,
            State::Ejected { .. } => Standing::Ejected,
        }
    }

    /// Whether a request may be sent now.
    pub(super) fn admits(&mut self, now: Time) -> bool {
        if let State::Resting { until } = self.state
            && until <= now
        {
            self.state = State::Trying;
        }
        matches!(self.state, State::Up { .. } | State::Trying)
    }

    /// A connect or a request failed. What fails at one instant on several connections fails once.
    pub(super) fn failed(
        &mut self,
        now: Time,
        probe: bool,
        options: &HealthOptions,
        rng: &mut Rng,
    ) -> Verdict {
        let again = self.failed_at.replace(now) == Some(now);
        match self.state {
            State::Resting { .. } => Verdict::Borne,
            State::Ejected { .. } if !probe => Verdict::Borne,
            State::Ejected { .. } => {
                self.state = State::Ejected { answered: 0 };
                Verdict::StaysOut { probe_at: now + self.pause(options, rng) }
            }
            State::Up { .. } if again => Verdict::Borne,
            State::Up { since } => {
                if now.since(self.window_began) >= options.failure_window {
                    self.window_began = now;
                    self.failures = 0;
                }
                self.failures = self.failures.saturating_add(1);
                if self.failures < options.failure_limit {
                    return Verdict::Borne;
                }
                if now.since(since) >= options.stable_after {
                    self.rests = 0;
                }
                self.rest(now, options, rng)
            }
            State::Trying => self.rest(now, options, rng),
        }
    }

    fn rest(&mut self, now: Time, options: &HealthOptions, rng: &mut Rng) -> Verdict {
        let until = now + self.pause(options, rng);
        self.failures = 0;
        if options.auto_eject {
            self.state = State::Ejected { answered: 0 };
            return Verdict::Ejected { probe_at: until };
        }
        self.state = State::Resting { until };
        Verdict::Rests
    }

    /// Twice as long with every rest, and up to half as much again, so that a thousand clients do
    /// not come back at once.
    fn pause(&mut self, options: &HealthOptions, rng: &mut Rng) -> Duration {
        let doubled = options.pause_min * (1 << self.rests.min(DOUBLINGS_MAX));
        let pause = doubled.min(options.pause_max);
        self.rests = self.rests.saturating_add(1);
        pause + rng.duration(Duration::ZERO, pause / 2)
    }

    /// A reply came, or a connection came up.
    pub(super) fn succeeded(
        &mut self,
        now: Time,
        probe: bool,
        options: &HealthOptions,
    ) -> Recovery {
        match self.state {
            State::Up { .. } | State::Resting { .. } => Recovery::None,
            State::Trying => {
                self.up(now);
                Recovery::None
            }
            State::Ejected { .. } if !probe => Recovery::None,
            State::Ejected { answered } if answered + 1 < options.probes_to_rejoin => {
                self.state = State::Ejected { answered: answered + 1 };
                Recovery::ProbeAgain { probe_at: now + options.pause_min }
            }
            State::Ejected { .. } => {
                self.up(now);
                Recovery::Rejoined
            }
        }
    }

    const fn up(&mut self, now: Time) {
        self.state = State::Up { since: now };
        self.window_began = now;
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn options() -> HealthOptions {
        HealthOptions {
            failure_limit: 3,
            failure_window: 10 * SECOND,
            pause_min: SECOND,
            pause_max: 30 * SECOND,
            auto_eject: true,
            probes_to_rejoin: 2,
            stable_after: 60 * SECOND,
        }
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn only_enough_failures_within_the_window_eject() {
        let (options, mut rng) = (options(), Rng::new(1, 0));
        let mut health = Health::new(at(0));
        for now in [1, 2, 12, 13, 23, 24] {
            let verdict = health.failed(at(now), false, &options, &mut rng);
            assert_eq!(verdict, Verdict::Borne, "two failures in each window of ten seconds");
        }
        assert_eq!(health.failed(at(24), false, &options, &mut rng), Verdict::Borne, "at once");
        let third = health.failed(at(25), false, &options, &mut rng);
        assert!(matches!(third, Verdict::Ejected { .. }));
        assert_eq!(health.standing(), Standing::Ejected);
        assert!(!health.admits(at(1000)), "time alone lets nobody back in");
    }

    #[test]
    fn an_ejected_server_rejoins_after_probes_in_a_row() {
        let (options, mut rng) = (options(), Rng::new(1, 0));
        let mut health = Health::new(at(0));
        for now in 1..=3 {
            health.failed(at(now), false, &options, &mut rng);
        }
        let again = Recovery::ProbeAgain { probe_at: at(6) };
        assert_eq!(health.succeeded(at(4), false, &options), Recovery::None, "not a probe");
        assert_eq!(health.succeeded(at(5), true, &options), again);
        let out = health.failed(at(6), true, &options, &mut rng);
        assert!(matches!(out, Verdict::StaysOut { .. }), "the count begins anew");
        let again = Recovery::ProbeAgain { probe_at: at(10) };
        assert_eq!(health.succeeded(at(9), true, &options), again);
        assert_eq!(health.succeeded(at(10), true, &options), Recovery::Rejoined);
        assert!(health.admits(at(10)));
    }

    #[test]
    fn pauses_grow_until_a_server_was_up_for_a_while() {
        let (options, mut rng) = (options(), Rng::new(1, 0));
        let mut health = Health::new(at(0));
        let mut pauses = Vec::new();
        let mut now = at(0);
        let mut fall = |health: &mut Health, mut now: Time| loop {
            now += SECOND;
            match health.failed(now, false, &options, &mut rng) {
                Verdict::Ejected { probe_at } => break (now, probe_at),
                verdict => assert_eq!(verdict, Verdict::Borne),
            }
        };
        for _ in 0..8 {
            let (fell, probe_at) = fall(&mut health, now);
            pauses.push(probe_at.since(fell));
            health.succeeded(probe_at, true, &options);
            health.succeeded(probe_at, true, &options);
            now = probe_at;
        }
        assert!(pauses.windows(2).take(4).all(|p| p[1] > p[0]), "{pauses:?}");
        assert!(pauses.iter().all(|&p| p <= 45 * SECOND) && pauses[7] >= 30 * SECOND);
        let (fell, probe_at) = fall(&mut health, now + 60 * SECOND);
        assert!(probe_at.since(fell) < 2 * SECOND, "it was stable in between");
    }

    #[test]
    fn without_ejection_the_first_request_after_the_pause_tries() {
        let options = HealthOptions { auto_eject: false, failure_limit: 1, ..options() };
        let mut rng = Rng::new(1, 0);
        let mut health = Health::new(at(0));
        assert_eq!(health.failed(at(1), false, &options, &mut rng), Verdict::Rests);
        assert!(!health.admits(at(1)) && health.admits(at(3)));
        assert_eq!(health.failed(at(3), false, &options, &mut rng), Verdict::Rests);
        assert!(!health.admits(at(4)), "the second pause is longer");
        assert!(health.admits(at(6)));
        health.succeeded(at(6), false, &options);
        assert_eq!(health.standing(), Standing::Up);
    }
}
