//! Functions: their queues, their limits, and who sleeps until there is a job.

use super::accounts::{Account, FUNCTIONS_MAX};
use super::ring::Ring;
use super::rules::Rules;
use super::types::{Priority, Refusal};
use hashbrown::HashTable;
use storytime_machine::hash::digest_bytes;

/// Functions that are looked at, when there are too many, for one that can go.
const LOOKS_MAX: usize = 256;

/// A function.
#[derive(Clone, Debug, Default)]
pub(super) struct Function {
    pub(super) name: Box<[u8]>,
    /// Whether this place is in use.
    pub(super) live: bool,
    /// Jobs that could run, by priority.
    pub(super) ready: [u32; 3],
    /// Those of them that lost a worker, and go first.
    pub(super) returned: [u32; 3],
    /// The others, in their order.
    pub(super) queues: [Ring; 3],
    /// Jobs that have not ended.
    pub(super) jobs: u32,
    pub(super) running: u32,
    pub(super) calendars: u32,
    /// Workers that can do it.
    pub(super) workers: u32,
    /// Abilities of workers that ask, the latest first; then of those that sleep, the one that
    /// sleeps longest first.
    pub(super) sleepers: Ring,
    /// Workers that were woken for it and have yet to come.
    pub(super) announced: u32,
    /// How often in a row those woken did not come: each time twice as many are woken.
    pub(super) unheard: u32,
    pub(super) queue_max: [u32; 3],
    /// Whose it is, if anybody's.
    pub(super) account: Option<u16>,
}

impl Function {
    /// The priority of the job that goes next, if there is one.
    #[inline]
    pub(super) fn first_ready(&self) -> Option<Priority> {
        Priority::ALL.into_iter().find(|&priority| self.ready[priority as usize] > 0)
    }

    /// Whether more workers should be woken: `each` for a job, or all for 0.
    #[inline]
    pub(super) fn wants_workers(&self, each: u32) -> bool {
        let ready: u64 = self.ready.iter().map(|&n| u64::from(n)).sum();
        match each {
            0 => ready > 0,
            _ => {
                u64::from(self.announced)
                    < (ready * u64::from(each)).saturating_mul(1 << self.unheard)
            }
        }
    }

    /// Those who were woken did not come. All workers are as many as can be woken.
    pub(super) fn be_louder(&mut self) {
        if 1_u64 << self.unheard < self.workers.into() {
            self.unheard += 1;
        }
    }

    pub(super) const fn is_used(&self) -> bool {
        self.jobs > 0 || self.workers > 0 || self.calendars > 0
    }

    /// Whether nothing is lost with it but a line of zeros.
    fn is_idle(&self) -> bool {
        self.live && !self.is_used() && self.announced == 0 && self.queue_max == [0; 3]
    }
}

/// All functions.
#[derive(Clone, Debug)]
pub(super) struct Functions {
    places: Vec<Function>,
    free: Vec<u32>,
    /// Where one is looked for that can make room for another.
    hand: usize,
    by_name: HashTable<u32>,
    secret: u64,
    pub(super) accounts: Vec<Account>,
}

impl Functions {
    pub(super) const fn new(secret: u64) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            hand: 0,
            by_name: HashTable::new(),
            secret,
            accounts: Vec::new(),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> &Function {
        &self.places[at as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> &mut Function {
        &mut self.places[at as usize]
    }

    #[inline]
    pub(super) fn find(&self, name: &[u8]) -> Option<u32> {
        let hash = digest_bytes(self.secret, name);
        self.by_name.find(hash, |&at| *self.get(at).name == *name).copied()
    }

    /// The function of this name, which is made if there is none.
    pub(super) fn find_or_make(&mut self, name: &[u8], rules: &Rules) -> Result<u32, Refusal> {
        if let Some(found) = self.find(name) {
            return Ok(found);
        }
        if name.len() > rules.function_bytes_max {
            return Err(Refusal::FunctionTooLong);
        }
        if self.len() >= rules.functions_max as usize && !self.drop_idle() {
            return Err(Refusal::TooManyFunctions);
        }
        let account = self.accounts.iter().find(|account| account.is_of(name));
        if account.is_some_and(|account| account.functions >= FUNCTIONS_MAX) {
            return Err(Refusal::TooManyFunctions);
        }
        Ok(self.make(name))
    }

    /// The function of this name, beyond any limit.
    pub(super) fn restore(&mut self, name: &[u8]) -> u32 {
        self.find(name).unwrap_or_else(|| self.make(name))
    }

    /// Names that were mentioned once must not keep others out for ever: drops a function that
    /// nobody uses, if one is found soon. False if none is.
    fn drop_idle(&mut self) -> bool {
        for _ in 0..LOOKS_MAX.min(self.places.len()) {
            let at = self.hand % self.places.len();
            self.hand = at + 1;
            if self.places[at].is_idle() {
                self.remove(at as u32);
                return true;
            }
        }
        false
    }

    fn make(&mut self, name: &[u8]) -> u32 {
        let account = self.accounts.iter().position(|account| account.is_of(name));
        if let Some(account) = account {
            self.accounts[account].functions += 1;
        }
        let account = account.map(|at| u16::try_from(at).expect("accounts are few"));
        let function = Function { name: name.into(), live: true, account, ..Function::default() };
        let at = self.free.pop().unwrap_or_else(|| {
            self.places.push(Function::default());
            u32::try_from(self.places.len() - 1).expect("limits keep functions below 2^32")
        });
        self.places[at as usize] = function;
        let Self { places, by_name, secret, .. } = self;
        let hash = |&at: &u32| digest_bytes(*secret, &places[at as usize].name);
        by_name.insert_unique(hash(&at), at, hash);
        at
    }

    /// Takes a function out that nobody uses.
    pub(super) fn remove(&mut self, at: u32) {
        assert!(!self.get(at).is_used(), "a function in use is not dropped");
        if let Some(account) = self.account_of_mut(at) {
            account.functions -= 1;
        }
        let function = core::mem::take(self.get_mut(at));
        let hash = digest_bytes(self.secret, &function.name);
        let found = self.by_name.find_entry(hash, |&a| a == at);
        found.expect("every function is found by its name").remove();
        self.free.push(at);
    }

    /// Whose a function is.
    #[inline]
    pub(super) fn account_of(&self, at: u32) -> Option<&Account> {
        let account = self.get(at).account?;
        Some(&self.accounts[usize::from(account)])
    }

    #[inline]
    pub(super) fn account_of_mut(&mut self, at: u32) -> Option<&mut Account> {
        let account = self.get(at).account?;
        Some(&mut self.accounts[usize::from(account)])
    }

    /// All functions and their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Function)> {
        (0..).zip(&self.places).filter(|(_, function)| function.live)
    }

    pub(super) fn bytes(&self) -> u64 {
        let names: usize = self.places.iter().map(|function| function.name.len()).sum();
        let places = self.places.capacity() * size_of::<Function>();
        (names + places + self.by_name.allocation_size()) as u64
    }
}
