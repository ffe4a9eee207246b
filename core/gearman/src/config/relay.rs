//! `--relay-to`, and what belongs to it.

use super::flags::Given;
use super::value::{number, one_of, wrong};
use crate::tools::Place;
use storytime_machine::UsageError;
use storytime_pair::config::Bug;

/// How handles begin on both job servers unless said otherwise: a job keeps its name whoever
/// serves.
const HANDLE_PREFIX: &str = "H:relay";

/// A job server that shares its queue with another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// `--relay-to`: where the other one listens for this one.
    pub other: Place,
    /// `--relay-listen`: where this one listens for the other one.
    pub listen: u16,
    /// `--relay-witness`: who decides between them.
    pub witness: Place,
    /// `--relay-first`: whether this one serves on a fresh pair. Exactly one of them does.
    pub first: bool,
    /// `--relay-alone`.
    pub alone: Alone,
    /// A mistake to be found by tests.
    #[doc(hidden)]
    pub bug: Option<Bug>,
}

/// What becomes of new jobs while the other job server has not got everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alone {
    /// They are accepted when they are on this one's disk, and the witness knows it.
    #[default]
    Accept,
    /// They are refused: what is accepted is on two disks.
    Refuse,
}

/// Flags as they come.
#[derive(Debug, Default)]
pub(super) struct Loose {
    other: Option<Place>,
    listen: Option<u16>,
    witness: Option<Place>,
    first: bool,
    alone: Alone,
    named: bool,
}

impl Loose {
    /// Takes a flag; whether it is one of these.
    pub(super) fn take(&mut self, given: Given<'_>) -> Result<bool, UsageError> {
        match given.flag.long {
            "relay-to" => self.other = Some(place(given)?),
            "relay-listen" => self.listen = Some(number(given)?),
            "relay-witness" => self.witness = Some(place(given)?),
            "relay-first" => self.first = one_of(given, ["no", "yes"])? == 1,
            "relay-alone" => {
                self.alone = match one_of(given, ["accept", "refuse"])? {
                    0 => Alone::Accept,
                    _ => Alone::Refuse,
                };
            }
            _ => return Ok(false),
        }
        self.named = true;
        Ok(true)
    }

    /// All of them together.
    pub(super) fn relay(&self, has_queue: bool) -> Result<Option<Relay>, UsageError> {
        const MISSING: &str = "a relay needs --relay-to HOST:PORT, --relay-listen PORT and \
            --relay-witness HOST:PORT";
        const MEMORY: &str = "a relay shares a durable queue: it needs --queue-dir";
        if !self.named {
            return Ok(None);
        }
        let (Some(other), Some(listen), Some(witness)) =
            (self.other.clone(), self.listen, self.witness.clone())
        else {
            return Err(UsageError(MISSING.to_owned()));
        };
        if !has_queue {
            return Err(UsageError(MEMORY.to_owned()));
        }
        let (first, alone) = (self.first, self.alone);
        Ok(Some(Relay { other, listen, witness, first, alone, bug: None }))
    }
}

/// What the handles of a relay begin with.
pub(super) fn handle_prefix() -> String {
    HANDLE_PREFIX.to_owned()
}

/// A host and its port, which has no usual value here.
fn place(given: Given<'_>) -> Result<Place, UsageError> {
    let has_port = given.value.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let found = Place::parse(given.value).ok().filter(|_| has_port);
    found.ok_or_else(|| UsageError(format!("{}; expected HOST:PORT", wrong(given))))
}
