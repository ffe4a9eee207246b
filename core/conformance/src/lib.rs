//! One set of test machines and bodies for every driver.
//!
//! A driver's author implements [`Arm`] in a test and plays [`suite`]: each [`Body`] puts a few
//! small machines on stage, waits until all have exited, and panics with a sentence when one of
//! them did not see what the contract promises. Every machine is watched: events of a connection
//! out of order fail the scene, whatever it is about.
//!
//! Only order and outcome are judged, never speed. What not every driver can do stands behind an
//! [`Ability`].
//!
//! | module | holds |
//! |---|---|
//! | [`arm`] | what a driver offers |
//! | `kit`, `watch`, `roles` | helpers, the watcher, machines that several bodies use |
//! | `streams`, `pressure`, `closing` | bytes, slow readers, ends |
//! | `connecting`, `listening` | how connections come to be, or not |
//! | `timers`, `datagrams`, `names`, `unix`, `tls` | the other effects |
//! | `files`, `sending` | disk operations, files on their way to a connection |
//! | `addresses` | addresses that move |
//! | `life` | start, stop, exit, stale handles |

#![forbid(unsafe_code)]

mod addresses;
pub mod arm;
mod closing;
mod connecting;
mod datagrams;
mod files;
mod kit;
mod life;
mod listening;
mod names;
mod pressure;
mod roles;
mod sending;
mod streams;
mod timers;
mod tls;
mod unix;
mod watch;

pub use arm::{Ability, Actor, Arm, Ending, Scene, TLS_NAME};

/// One thing that the contract promises, as a play.
#[derive(Clone, Copy)]
pub struct Body {
    /// What is promised, in snake case.
    pub name: &'static str,
    /// What the driver must be able to do.
    pub needs: &'static [Ability],
    /// Plays it; panics when the promise is broken.
    pub run: fn(&mut dyn Arm),
}

/// What became of the suite.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Played {
    /// Names of the bodies that ran.
    pub ran: Vec<&'static str>,
    /// Names of those that were skipped, and the ability that was missing.
    pub skipped: Vec<(&'static str, Ability)>,
}

/// All bodies.
pub fn suite() -> Vec<Body> {
    let parts: [&[Body]; 14] = [
        streams::BODIES,
        pressure::BODIES,
        closing::BODIES,
        connecting::BODIES,
        listening::BODIES,
        timers::BODIES,
        datagrams::BODIES,
        names::BODIES,
        unix::BODIES,
        tls::BODIES,
        files::BODIES,
        sending::BODIES,
        life::BODIES,
        addresses::BODIES,
    ];
    parts.concat()
}

/// Plays every body that the arm can, in order.
///
/// # Panics
/// At the first broken promise.
pub fn play_all(arm: &mut dyn Arm) -> Played {
    let mut played = Played::default();
    for body in suite() {
        match body.needs.iter().find(|&&ability| !arm.can(ability)) {
            Some(&missing) => played.skipped.push((body.name, missing)),
            None => {
                (body.run)(arm);
                played.ran.push(body.name);
            }
        }
    }
    played
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn bodies_have_names_of_their_own() {
        let names: BTreeSet<_> = suite().iter().map(|body| body.name).collect();
        assert_eq!(names.len(), suite().len());
        assert!(
            names.iter().all(|n| n
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
        );
    }
}
