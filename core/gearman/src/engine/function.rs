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
    /// Their data and keys, bytes.
    pub(super) bytes: u64,
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
    /// By what the names of their functions begin with.
    accounts: Vec<Account>,
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
        let account = self.account_for(name);
        if account.is_some_and(|at| self.accounts[at].functions >= FUNCTIONS_MAX) {
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
        let function = Function { name: name.into(), live: true, ..Function::default() };
        let at = self.free.pop().unwrap_or_else(|| {
            self.places.push(Function::default());
            u32::try_from(self.places.len() - 1).expect("limits keep functions below 2^32")
        });
        self.places[at as usize] = function;
        self.open_account(at);
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

    /// Other accounts from now on, with what there is of each.
    pub(super) fn set_accounts(&mut self, mut accounts: Vec<Account>) {
        accounts.sort_unstable_by(|one, other| one.prefix().cmp(other.prefix()));
        let apart = |pair: &[Account]| !pair[1].is_of_those(&pair[0]);
        assert!(accounts.windows(2).all(apart), "no prefix begins with another");
        self.accounts = accounts;
        for at in 0..self.places.len() {
            if self.places[at].live {
                self.open_account(at as u32);
            }
        }
    }

    /// Finds out whose a function is, and counts it there with its jobs.
    fn open_account(&mut self, at: u32) {
        let found = self.account_for(&self.get(at).name);
        let function = &mut self.places[at as usize];
        function.account = found.map(|at| u16::try_from(at).expect("accounts are few"));
        if let Some(found) = found {
            self.accounts[found].open(function);
        }
    }

    /// Whose a function of this name is.
    fn account_for(&self, name: &[u8]) -> Option<usize> {
        // Of prefixes that do not begin with each other, the last one before the name is the one.
        let before = self.accounts.partition_point(|account| account.prefix() <= name);
        before.checked_sub(1).filter(|at| self.accounts[*at].is_of(name))
    }

    /// All accounts.
    pub(super) fn accounts(&self) -> &[Account] {
        &self.accounts
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
