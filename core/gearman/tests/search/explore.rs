//! Every order of events, each state once, the shortest histories first.

use crate::canon::canon;
use crate::yard::{Event, Plan, Yard};
use hashbrown::HashSet;
use storytime_machine::hash::FixedState;

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) states: usize,
    pub(crate) steps: usize,
    /// Length of the longest of the shortest histories.
    pub(crate) depth: usize,
}

/// A history that ends where it should not.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) history: Vec<Event>,
    pub(crate) wrong: String,
}

impl Found {
    /// The history in words, a line for each event.
    pub(crate) fn told(&self) -> String {
        let mut lines: Vec<String> = self.history.iter().map(Event::to_string).collect();
        lines.push(format!("=> {}", self.wrong));
        lines.join("\n")
    }
}

struct Search<'a> {
    plan: &'a Plan,
    met: HashSet<u128, FixedState>,
    /// How each state was come to: the state before, and the event.
    steps: Vec<(u32, Event)>,
    count: usize,
}

/// Visits every state, and lets each come to its end.
pub(crate) fn explore(plan: &Plan) -> Result<Seen, Found> {
    let mut search =
        Search { plan, met: HashSet::with_hasher(FixedState), steps: Vec::new(), count: 0 };
    let first = Yard::new(plan);
    search.met.insert(canon(&first, plan));
    let mut level = vec![(first, u32::MAX)];
    let mut depth = 0;
    while !level.is_empty() {
        level = search.deeper(level)?;
        depth += 1;
    }
    Ok(Seen { states: search.met.len(), steps: search.count, depth })
}

impl Search<'_> {
    fn deeper(&mut self, level: Vec<(Yard, u32)>) -> Result<Vec<(Yard, u32)>, Found> {
        let mut next = Vec::new();
        for (yard, from) in level {
            for event in yard.events(self.plan) {
                self.count += 1;
                let mut after = yard.clone();
                after.happen(self.plan, event);
                if let Some(wrong) = &after.book.wrong {
                    return Err(self.found(from, event, wrong));
                }
                if !self.met.insert(canon(&after, self.plan)) {
                    continue;
                }
                let mut end = after.clone();
                end.settle(self.plan);
                if let Some(wrong) = &end.book.wrong {
                    return Err(self.found(from, event, wrong));
                }
                self.steps.push((from, event));
                next.push((after, self.steps.len() as u32 - 1));
            }
        }
        Ok(next)
    }

    fn found(&self, from: u32, last: Event, wrong: &str) -> Found {
        let back = |&at: &u32| Some(self.steps.get(at as usize)?.0);
        let path = std::iter::successors(Some(from), back);
        let mut history: Vec<Event> =
            path.filter_map(|at| Some(self.steps.get(at as usize)?.1)).collect();
        history.reverse();
        history.push(last);
        Found { history, wrong: wrong.into() }
    }
}

/// What is wrong after a history and its end, if anything.
pub(crate) fn replay(plan: &Plan, history: &[Event]) -> Option<String> {
    let mut yard = Yard::new(plan);
    for &event in history {
        yard.happen(plan, event);
    }
    yard.settle(plan);
    yard.book.wrong
}
