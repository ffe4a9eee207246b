//! Linearizability: is there one order of a history's operations, each taking effect at a moment
//! between its call and its return, that a sequential model allows?
//!
//! The search is that of Wing and Gong (1993) with Lowe's memory of configurations (2017): go
//! forward through the calls that could come next, step back when the model refuses, and never
//! visit the same set of linearized operations with the same state twice. Histories over keys that
//! do not meet are checked key by key: split them with [`by_key`] first, which turns an exponential
//! cost into a sum of small ones.
//!
//! An operation whose outcome nobody learned (its connection broke) has no return: it may take
//! effect at any time after its call, or never.
//!
//! Not here: weaker consistency models, and shrinking of a history that fails; what comes back is
//! the longest prefix that could be linearized.

use hashbrown::HashSet;
use std::collections::BTreeMap;
use std::hash::Hash;
use storytime_machine::Time;
use storytime_machine::hash::FixedState;

/// What the operations do when they happen one after the other.
pub trait Model {
    /// State between two operations.
    type State: Clone + Eq + Hash;
    /// What was asked.
    type Input;
    /// What was answered.
    type Output;

    /// The state before the first operation.
    fn start(&self) -> Self::State;

    /// The states that `input` may lead to if it answers `output`; any answer, if that is not
    /// known. None means that the answer is impossible in this state.
    fn step(
        &self,
        state: &Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Option<Self::State>;
}

/// One operation of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<I, O> {
    /// When it was called.
    pub call: Time,
    /// What was asked.
    pub input: I,
    /// When it returned, and what; nothing if nobody knows whether it took effect.
    pub done: Option<(Time, O)>,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is such an order: these are the places of the operations in the history.
    Linearizable(Vec<usize>),
    /// There is none. The longest order that was found, as places in the history.
    Broken(Vec<usize>),
    /// The search took more than [`Search::configurations_max`] steps.
    Undecided,
}

/// Bounds of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    /// Most configurations (set of operations, state) to visit.
    pub configurations_max: usize,
}

impl Default for Search {
    fn default() -> Self {
        Self { configurations_max: 2_000_000 }
    }
}

/// Splits a history by what its inputs are about.
pub fn by_key<K: Ord, I, O>(
    history: impl IntoIterator<Item = Operation<I, O>>,
    key: impl Fn(&I) -> K,
) -> BTreeMap<K, Vec<Operation<I, O>>> {
    let mut all: BTreeMap<K, Vec<Operation<I, O>>> = BTreeMap::new();
    for operation in history {
        all.entry(key(&operation.input)).or_default().push(operation);
    }
    all
}

impl Search {
    /// Looks for an order of this history that the model allows.
    ///
    /// # Panics
    /// If an operation returns before it is called.
    pub fn check<M: Model>(
        &self,
        model: &M,
        history: &[Operation<M::Input, M::Output>],
    ) -> Verdict {
        for operation in history {
            let returned = operation.done.as_ref().map(|(time, _)| *time);
            assert!(returned.is_none_or(|r| r >= operation.call), "returned before it was called");
        }
        let mut walk = Walk::new(model, history);
        loop {
            match walk.forward() {
                Forward::Went => {}
                Forward::Complete => return Verdict::Linearizable(walk.order()),
                Forward::Stuck => {
                    if !walk.back() {
                        return Verdict::Broken(walk.best);
                    }
                }
            }
            if walk.seen.len() > self.configurations_max {
                return Verdict::Undecided;
            }
        }
    }
}

/// One search under way.
struct Walk<'a, M: Model> {
    model: &'a M,
    history: &'a [Operation<M::Input, M::Output>],
    /// Places of the operations in the order in which they are tried: by the time of their call,
    /// and those that nobody saw return behind all others, as most orders do without them.
    by_turn: Vec<usize>,
    /// Which operations are in the order so far, one bit each.
    taken: Vec<u64>,
    /// Operations with a return that are not in the order yet.
    missing: usize,
    state: M::State,
    /// The order so far: place in `by_turn`, and the state before it.
    path: Vec<(usize, M::State)>,
    /// Where in `by_turn` to go on looking.
    from: usize,
    seen: HashSet<(Vec<u64>, M::State), FixedState>,
    best: Vec<usize>,
}

enum Forward {
    Went,
    Stuck,
    Complete,
}

impl<'a, M: Model> Walk<'a, M> {
    fn new(model: &'a M, history: &'a [Operation<M::Input, M::Output>]) -> Self {
        let mut by_turn: Vec<usize> = (0..history.len()).collect();
        by_turn.sort_by_key(|&at| (history[at].done.is_none(), history[at].call, at));
        Self {
            model,
            history,
            by_turn,
            taken: vec![0; history.len().div_ceil(64)],
            missing: history.iter().filter(|operation| operation.done.is_some()).count(),
            state: model.start(),
            path: Vec::new(),
            from: 0,
            seen: HashSet::with_hasher(FixedState),
            best: Vec::new(),
        }
    }

    fn order(&self) -> Vec<usize> {
        self.path.iter().map(|(at, _)| self.by_turn[*at]).collect()
    }

    fn is_taken(&self, place: usize) -> bool {
        self.taken[place / 64] & (1 << (place % 64)) != 0
    }

    fn flip(&mut self, place: usize) {
        self.taken[place / 64] ^= 1 << (place % 64);
    }

    /// Takes the next operation that may come now.
    fn forward(&mut self) -> Forward {
        if self.missing == 0 {
            return Forward::Complete;
        }
        let deadline = self.first_return();
        for at in self.from..self.by_turn.len() {
            let place = self.by_turn[at];
            let operation = &self.history[place];
            if operation.call > deadline || self.is_taken(place) {
                continue;
            }
            let output = operation.done.as_ref().map(|(_, output)| output);
            let Some(next) = self.model.step(&self.state, &operation.input, output) else {
                continue;
            };
            // What nobody saw return and has no effect here may as well never have happened.
            if output.is_none() && next == self.state {
                continue;
            }
            self.flip(place);
            if self.seen.insert((self.taken.clone(), next.clone())) {
                self.missing -= usize::from(output.is_some());
                self.path.push((at, core::mem::replace(&mut self.state, next)));
                self.from = 0;
                if self.path.len() > self.best.len() {
                    self.best = self.order();
                }
                return Forward::Went;
            }
            self.flip(place);
        }
        Forward::Stuck
    }

    /// Nothing that is called after this may come before what returns then.
    fn first_return(&self) -> Time {
        let open = (0..self.history.len()).filter(|&place| !self.is_taken(place));
        let returns = open.filter_map(|place| self.history[place].done.as_ref().map(|d| d.0));
        returns.min().expect("an operation with a return is missing")
    }

    /// Gives up the last operation taken, to look behind it. Whether there was one.
    fn back(&mut self) -> bool {
        let Some((at, before)) = self.path.pop() else { return false };
        let place = self.by_turn[at];
        self.flip(place);
        self.missing += usize::from(self.history[place].done.is_some());
        self.state = before;
        self.from = at + 1;
        true
    }
}
