//! Objects that are larger than an item may be.
//!
//! | `split` | an object |
//! |---|---|
//! | `false` | is one item: the cache refuses it |
//! | `true` | is cut into pieces by the client, with a master key that names them |
//!
//! A job reads an object; what is not there is computed from a row of the database and stored. Some
//! jobs store a new version of an object right away. An object is its version's number, over and
//! over: one that is cut short, or made of pieces of two versions, is seen to be torn.
//!
//! Not modelled: what the objects are.

use crate::diagnostic::Checked;
use crate::fields::{Fields, SHARE};
use crate::metric::MetricDef;
use crate::models::KEYS_MAX;
use crate::models::app::{Came, Hands, Step, Workload, lock};
use crate::models::keys::Keys;
use crate::read::{Parts, work};
use crate::story::Skew;
use crate::units::Millionths;
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use storytime_memcached::client::{ClientOptions, Outcome};

/// Longest object, bytes.
const OBJECT_BYTES_MAX: u64 = 64 << 20;
/// Longest piece, bytes: an item of the usual 1 MB with its key and header.
const PIECE_BYTES_MAX: u64 = 1_000_000;
/// An object is made of numbers of so many bytes.
const WORD_BYTES: u64 = 8;

/// Its numbers.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    split: bool,
    objects: u32,
    skew: Skew,
    /// Length of an object, bytes.
    object_bytes: u64,
    /// Share of jobs that store a new version.
    rewrites: Millionths,
}

/// The workload.
#[derive(Debug)]
pub struct LargeObjects {
    numbers: Numbers,
    objects: Keys,
    ledger: Arc<Mutex<Ledger>>,
}

/// The number of the next version of anything.
#[derive(Debug, Default)]
pub struct Ledger {
    next: u64,
}

/// A job by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// The object.
    AwaitObject(String),
    /// What it is computed from.
    AwaitRow(String),
    /// Whether it was stored.
    AwaitStored,
}

impl Workload for LargeObjects {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "large-objects";
    const FIELDS: &'static [&'static str] =
        app_fields!["split", "objects", "skew", "object", "rewrites"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("hit_ratio", Shares, "hit ratio"),
        ("whole", Count, "objects read whole"),
        ("torn", Count, "objects read torn"),
        ("missed", Count, "objects missed"),
        ("refused", Count, "objects refused"),
    ];
    const NEEDS_DATABASE: bool = true;

    fn read(fields: &Fields<'_>, _parts: &Parts<'_>) -> Checked<Numbers> {
        Ok(Numbers {
            split: fields.flag("split", true)?,
            objects: fields.integer("objects", 1..=KEYS_MAX, None)? as u32,
            skew: fields.choice("skew", work::SKEWS, None)?,
            object_bytes: fields.bytes("object", WORD_BYTES..=OBJECT_BYTES_MAX)?,
            rewrites: fields.quantity("rewrites", SHARE, None)?,
        })
    }

    fn new(numbers: Numbers, _part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { objects: Keys::new(numbers.skew, numbers.objects), numbers, ledger }
    }

    /// Without the cut the client takes the whole object, so that it is the server who refuses it.
    fn tune(numbers: &Numbers, options: &mut ClientOptions) {
        options.pool.value_bytes_max = OBJECT_BYTES_MAX as usize;
        options.pool.unsent_bytes_max = 4 * numbers.object_bytes as usize;
        options.piece_bytes_max = PIECE_BYTES_MAX as usize;
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let object = self.objects.draw(hands.rng());
        let key = hands.key(&format!("object:{object}"));
        if hands.rng().below(Millionths::ONE.0) < self.numbers.rewrites.0 {
            return self.store(hands, &key);
        }
        if self.numbers.split {
            hands.get_large(&key);
        } else {
            hands.get(&key);
        }
        Step::Await(Job::AwaitObject(key))
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitObject(_), Came::Cache(Outcome::Hit(object))) => {
                hands.share("hit_ratio", 1, 1);
                let whole = self.is_whole(&object.data);
                hands.count(if whole { "whole" } else { "torn" }, 1);
                Step::Done
            }
            (Job::AwaitObject(key), Came::Cache(Outcome::Miss)) => {
                hands.share("hit_ratio", 0, 1);
                hands.count("missed", 1);
                hands.query(&key);
                Step::Await(Job::AwaitRow(key))
            }
            (Job::AwaitRow(key), Came::Row(Some(_))) => self.store(hands, &key),
            (Job::AwaitStored, Came::Cache(Outcome::Refused(_))) => {
                hands.count("refused", 1);
                Step::Done
            }
            (Job::AwaitStored, Came::Cache(Outcome::Stored | Outcome::NotStored)) => Step::Done,
            _ => Step::Failed,
        }
    }
}

impl LargeObjects {
    fn store(&self, hands: &mut Hands<'_>, key: &str) -> Step<Job> {
        let version = {
            let mut ledger = lock(&self.ledger);
            ledger.next += 1;
            ledger.next
        };
        let words = (self.numbers.object_bytes / WORD_BYTES) as usize;
        let object = Bytes::from(version.to_be_bytes().repeat(words));
        if self.numbers.split {
            hands.set_large(key, &object, 0);
        } else {
            hands.set(key, &object, 0);
        }
        Step::Await(Job::AwaitStored)
    }

    /// Whether an object is as long as it was, and of one version.
    fn is_whole(&self, object: &[u8]) -> bool {
        let words = self.numbers.object_bytes / WORD_BYTES;
        let mut numbers = object.chunks(WORD_BYTES as usize);
        let first = numbers.next();
        object.len() as u64 == words * WORD_BYTES && numbers.all(|number| Some(number) == first)
    }
}
