//! Splitters: they take a job, have its pieces done by others, and put the results together.
//!
//! A piece is whole lines, at least so many bytes of them. It is a job of another function's, given
//! again until it succeeds or was tried often enough. The results are lines with a number in front,
//! as `uniq -c` prints them: numbers of the same words are added up, and the sum is sorted.
//!
//! Not modelled: what splitting costs.

use crate::diagnostic::Checked;
use crate::fields::{BYTES, DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, JobServers, Step, Workload};
use crate::read::Parts;
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_gearman::client::{Event, Job as Call, lines};

/// How often a piece may be given to somebody.
const TRIES_MAX: u64 = 100;

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    servers: JobServers,
    /// The function that does the pieces.
    leaf: Bytes,
    piece_bytes: u64,
    tries: u32,
    /// How long the result of a piece is waited for.
    patience: Option<Duration>,
}

/// The workload.
#[derive(Debug)]
pub struct Splitter {
    numbers: Numbers,
}

/// A job: its pieces, of which some are not done.
#[derive(Debug)]
pub struct Split {
    pieces: Vec<Piece>,
    left: usize,
}

#[derive(Debug)]
struct Piece {
    data: Bytes,
    tries: u32,
    result: Bytes,
}

impl Workload for Splitter {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = Split;

    const KIND: &'static str = "splitter";
    const FIELDS: &'static [&'static str] =
        app_fields!["job_servers", "functions", "leaf", "piece", "tries", "patience"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("split", Series, "jobs split"),
        ("pieces", Series, "pieces given to leaves"),
        ("again", Series, "pieces given again"),
        ("results", Series, "results of pieces"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;
    const TAKES_JOBS: bool = true;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let functions = fields.texts("functions", "the name of a function")?;
        let functions = functions.into_iter().map(|word| word.text.into());
        Ok(Numbers {
            servers: JobServers::of_workers(fields, parts, functions, "workers")?,
            leaf: fields.text("leaf", "the function that does the pieces")?.text.into(),
            piece_bytes: fields.quantity("piece", BYTES, None)?,
            tries: fields.integer("tries", 1..=TRIES_MAX, Some(1))? as u32,
            patience: fields.quantity_if("patience", DURATION)?,
        })
    }

    fn new(numbers: Numbers, _part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { numbers }
    }

    fn job_servers(numbers: &Numbers) -> JobServers {
        numbers.servers.clone()
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Split> {
        let whole = hands.assigned().expect("a splitter is given its jobs").data.clone();
        hands.count("split", 1);
        let bytes = usize::try_from(self.numbers.piece_bytes).unwrap_or(usize::MAX);
        let pieces = lines(&whole, bytes);
        let pieces = pieces.map(|data| Piece { data, tries: 0, result: Bytes::new() });
        let mut split = Split { pieces: pieces.collect(), left: 0 };
        split.left = split.pieces.len();
        for nth in 0..split.pieces.len() {
            self.give(hands, &mut split, nth);
        }
        self.go_on(hands, split)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, mut split: Split, came: Came) -> Step<Split> {
        let Came::Job { nth, event } = came else { return Step::Failed };
        let nth = nth as usize;
        match event {
            Event::Data { data, .. } => split.pieces[nth].add(&data),
            Event::Complete { data, .. } => {
                split.pieces[nth].add(&data);
                split.left -= 1;
                hands.count("results", 1);
            }
            event if event.is_end() => {
                if split.pieces[nth].tries >= self.numbers.tries {
                    return Step::Failed;
                }
                hands.count("again", 1);
                split.pieces[nth].result = Bytes::new();
                self.give(hands, &mut split, nth);
            }
            _ => {}
        }
        self.go_on(hands, split)
    }
}

impl Splitter {
    fn give(&self, hands: &mut Hands<'_>, split: &mut Split, nth: usize) {
        let piece = &mut split.pieces[nth];
        piece.tries += 1;
        let timeout = self.numbers.patience;
        let job = Call { timeout, ..Call::new(self.numbers.leaf.clone(), piece.data.clone()) };
        hands.count("pieces", 1);
        hands.submit(nth as u32, job);
    }

    fn go_on(&self, hands: &mut Hands<'_>, split: Split) -> Step<Split> {
        if split.left > 0 {
            return Step::Await(split);
        }
        hands.result(added_up(split.pieces.iter().map(|piece| &piece.result[..])).into());
        Step::Done
    }
}

impl Piece {
    /// A part of the result; most results come in one.
    fn add(&mut self, part: &Bytes) {
        self.result = match self.result.is_empty() {
            true => part.clone(),
            false => [&self.result[..], part].concat().into(),
        };
    }
}

/// Adds up the numbers in front of the same words, and sorts by the words. A line that has none is
/// left out.
pub(super) fn added_up<'a>(results: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut sums: BTreeMap<&[u8], u64> = BTreeMap::new();
    for line in results.flat_map(|result| result.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        let Some(blank) = line.iter().position(|byte| *byte == b' ') else { continue };
        let number = std::str::from_utf8(&line[..blank]).ok().and_then(|text| text.parse().ok());
        let sum = sums.entry(&line[blank + 1..]).or_default();
        *sum = sum.saturating_add(number.unwrap_or(0));
    }
    let print =
        |(words, sum): (&[u8], u64)| [format!("{sum:7} ").as_bytes(), words, b"\n"].concat();
    sums.into_iter().flat_map(print).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_same_words_are_added_up_and_sorted() {
        let results: [&[u8]; 3] =
            [b"      2 /b\n      1 /c\n", b"", b"     10 /a\n      3 /b\nx\n"];
        let sum = added_up(results.into_iter());
        assert_eq!(sum, b"     10 /a\n      5 /b\n      1 /c\n");
    }
}
