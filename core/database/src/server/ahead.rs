//! Requests that have come in one piece are found together, and what their look-ups will read is
//! read ahead for all of them; then they are carried out one by one.

use crate::commands::{Commands, Run, Spec};
use crate::resp::request::Bounds;
use crate::resp::{Args, Parsed, Parser, ProtocolError};
use crate::store::{AHEAD_MAX, Store, Wanted};

/// Most requests of a run.
const RUN_MAX: usize = 16;

/// A request that was found and not carried out.
#[derive(Debug, Default)]
struct Found {
    parser: Parser,
    /// Its length, bytes.
    len: usize,
    /// What it asks for, if there is such a command.
    spec: Option<&'static Spec>,
}

/// Requests that lie one behind the other at the front of an input.
#[derive(Debug)]
pub(super) struct Ahead {
    requests: [Found; RUN_MAX],
    /// How many were found, and how many of them were taken.
    found: usize,
    taken: usize,
}

impl Ahead {
    pub(super) fn new() -> Self {
        Self { requests: core::array::from_fn(|_| Found::default()), found: 0, taken: 0 }
    }

    /// Whether every request that was found was taken.
    pub(super) const fn is_over(&self) -> bool {
        self.taken == self.found
    }

    /// Finds the requests at the front of an input, none if the first is not whole. `parser` knows
    /// how far it came in that one.
    ///
    /// # Errors
    /// If the first breaks the protocol; of those behind it that is told when their turn comes.
    pub(super) fn find(
        &mut self,
        parser: &mut Parser,
        rx: &[u8],
        bounds: &Bounds,
        commands: &Commands,
    ) -> Result<(), ProtocolError> {
        (self.found, self.taken) = (0, 0);
        let Found { parser: first, len, .. } = &mut self.requests[0];
        core::mem::swap(first, parser);
        match first.parse(rx, bounds) {
            Ok(Parsed::Request { len: whole }) => *len = whole,
            unfinished => {
                core::mem::swap(first, parser);
                return unfinished.map(|_| ());
            }
        }
        let mut from = 0;
        loop {
            let Found { parser, len, spec } = &mut self.requests[self.found];
            let args = parser.args(&rx[from..]);
            *spec = if args.is_empty() { None } else { commands.find(args.at(0)) };
            from += *len;
            self.found += 1;
            let Some(Found { parser, len, .. }) = self.requests.get_mut(self.found) else { break };
            match parser.parse(&rx[from..], bounds) {
                Ok(Parsed::Request { len: whole }) => *len = whole,
                Ok(Parsed::Partial) | Err(_) => {
                    parser.reset();
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads ahead for the look-ups of what was found; not for a single request, which would wait
    /// for the same memory a little later.
    pub(super) fn read_ahead(&self, rx: &[u8], store: &Store, db: u32) {
        if self.found < 2 {
            return;
        }
        let mut wanted = [Wanted { key: &[], element: None }; AHEAD_MAX];
        let (mut count, mut from) = (0, 0);
        for Found { parser, len, spec } in &self.requests[..self.found] {
            if let Some(Spec { run: Run::Data(_), keys: (1, last, step), .. }) = spec {
                let args = parser.args(&rx[from..]);
                let keys = if *last == 1 { 2 } else { args.len() };
                for at in (1..keys.min(args.len())).step_by(usize::from(step.unsigned_abs())) {
                    let Some(next) = wanted.get_mut(count) else { break };
                    let element = if *last == 1 { element(args) } else { None };
                    *next = Wanted { key: args.at(at), element };
                    count += 1;
                }
            }
            from += len;
        }
        store.read_ahead(db, &wanted[..count]);
    }

    /// The words of the next request, whose bytes lie at the front of the input now, and what it
    /// asks for. Call [`took`](Self::took) when it is carried out.
    pub(super) fn next<'a>(&'a self, rx: &'a [u8]) -> (Args<'a>, Option<&'static Spec>) {
        let Found { parser, spec, .. } = &self.requests[self.taken];
        (parser.args(rx), *spec)
    }

    /// The next request was carried out; its bytes.
    pub(super) fn took(&mut self) -> usize {
        let Found { parser, len, .. } = &mut self.requests[self.taken];
        parser.reset();
        self.taken += 1;
        *len
    }

    /// What was found and not taken is forgotten: it is found again when its turn comes.
    pub(super) fn forget(&mut self) {
        self.requests[self.taken..self.found].iter_mut().for_each(|found| found.parser.reset());
        (self.found, self.taken) = (0, 0);
    }
}

/// Where a field or member stands in most requests that name one: first, or behind a score.
fn element(args: Args<'_>) -> Option<&[u8]> {
    let place = if args.at(0).eq_ignore_ascii_case(b"zadd") { 3 } else { 2 };
    args.get(place)
}
