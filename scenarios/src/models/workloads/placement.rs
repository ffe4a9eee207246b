//! Keys that are put where the client library puts them: which slot, which server.
//!
//! A job looks for one of the keys and stores it where it is missing. Servers are counted from 1
//! and slots from 0. One example key is placed before all others, twice: with the whole CRC-32
//! modulo the slots, as the slide writes it, and as Cache::Memcached does, which takes 15 bits of
//! it from the upper half.

use crate::diagnostic::Checked;
use crate::fields::{BYTES, Fields};
use crate::metric::MetricDef;
use crate::models::KEYS_MAX;
use crate::models::app::{Came, Hands, Step, Workload};
use crate::models::keys::Keys;
use crate::read::{Parts, work};
use crate::story::Skew;
use crate::{app_fields, app_metrics};
use std::sync::{Arc, Mutex};
use storytime_memcached::client::{ExplicitHash, Outcome};

/// Longest value, bytes.
const VALUE_BYTES_MAX: u64 = 1_000_000;

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    keys: u32,
    /// Slots of the table of servers: the sum of their weights.
    slots: u32,
    /// A key that is placed for show.
    example: String,
    value_bytes: u64,
}

/// The workload.
#[derive(Debug)]
pub struct PickAServer {
    numbers: Numbers,
    keys: Keys,
}

/// A key, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// Whether it is there.
    AwaitCache(String),
    /// That it was stored.
    AwaitStored,
}

impl Workload for PickAServer {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = Job;

    const KIND: &'static str = "placement";
    const FIELDS: &'static [&'static str] = app_fields!["keys", "example", "value"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("slots", Curve("slot"), "keys stored"),
        ("server_of_slot", Curve("slot"), "server"),
        ("example_slide_slot", Count, "slot of the example, as on the slide"),
        ("example_slot", Count, "slot of the example, as in the library"),
        ("example_server", Count, "server of the example"),
    ];
    const NEEDS_DATABASE: bool = false;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let caches = work::caches(fields, parts)?;
        Ok(Numbers {
            keys: fields.integer("keys", 1..=KEYS_MAX, None)? as u32,
            slots: caches.iter().map(|cache| cache.weight).sum(),
            example: fields.text("example", "a key")?.text,
            value_bytes: fields.quantity("value", BYTES, None)?.min(VALUE_BYTES_MAX),
        })
    }

    fn new(numbers: Numbers, _part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { keys: Keys::new(Skew::Uniform, numbers.keys), numbers }
    }

    fn prepare(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.part() > 0 {
            return Step::Done;
        }
        let slots = self.numbers.slots;
        for slot in 0..slots {
            if let Some(server) = hands.placement().pick_by_hash(ExplicitHash(slot)) {
                hands.at("server_of_slot", u64::from(slot), server as u64 + 1, 1);
            }
        }
        let example = self.numbers.example.as_bytes();
        let (whole, bits) = (crc32fast::hash(example), hands.placement().hash(example));
        let server = hands.placement().pick(example).map_or(0, |server| server as u64 + 1);
        hands.count("example_slide_slot", u64::from(whole % slots));
        hands.count("example_slot", u64::from(bits % slots));
        hands.count("example_server", server);
        Step::Done
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let number = self.keys.draw(hands.rng());
        let key = hands.key(&format!("key:{number}"));
        hands.get(&key);
        Step::Await(Job::AwaitCache(key))
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitCache(_), Came::Cache(Outcome::Hit(_))) => Step::Done,
            (Job::AwaitCache(key), Came::Cache(_)) => {
                let hash = hands.placement().hash(key.as_bytes());
                hands.at("slots", u64::from(hash % self.numbers.slots), 1, 1);
                hands.set(&key, &vec![b'.'; self.numbers.value_bytes as usize], 0);
                Step::Await(Job::AwaitStored)
            }
            (Job::AwaitStored, Came::Cache(_)) => Step::Done,
            (job, came) => unreachable!("{job:?} does not await {came:?}"),
        }
    }
}
