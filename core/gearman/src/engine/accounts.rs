//! Accounts: how many jobs each of those who share a server has, and may have.
//!
//! Whose a job is, the name of its function says: what it begins with.

use super::Engine;
use super::function::Function;
use super::types::Refusal;

/// Most functions of one account.
pub(super) const FUNCTIONS_MAX: u32 = 1 << 10;

/// How much the jobs of functions may be whose names begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What the names begin with.
    pub prefix: Vec<u8>,
    /// Most jobs that have not ended.
    pub jobs_max: u32,
    /// Most bytes of their data and keys.
    pub bytes_max: u64,
}

/// A quota, and what is taken of it.
#[derive(Clone, Debug)]
pub(super) struct Account {
    quota: Quota,
    jobs: u32,
    bytes: u64,
    pub(super) functions: u32,
}

impl Account {
    const fn new(quota: Quota) -> Self {
        Self { quota, jobs: 0, bytes: 0, functions: 0 }
    }

    pub(super) fn prefix(&self) -> &[u8] {
        &self.quota.prefix
    }

    pub(super) fn is_of(&self, function: &[u8]) -> bool {
        function.starts_with(&self.quota.prefix)
    }

    /// Whether what is its own is another's, too.
    pub(super) fn is_of_those(&self, other: &Self) -> bool {
        other.is_of(&self.quota.prefix)
    }

    /// A function is its own, with the jobs that there are.
    pub(super) fn open(&mut self, function: &Function) {
        self.functions += 1;
        self.jobs += function.jobs;
        self.bytes += function.bytes;
    }
}

impl Engine {
    /// Bounds the jobs of functions whose names begin alike, in place of the bounds before. Jobs
    /// that are there stay, and count.
    ///
    /// # Panics
    /// If a prefix begins with another.
    pub fn set_quotas(&mut self, quotas: Vec<Quota>) {
        self.functions.set_accounts(quotas.into_iter().map(Account::new).collect());
    }

    /// Whether an account may have a job of so many bytes.
    pub(super) fn check_quota(&self, function: u32, bytes: u64) -> Result<(), Refusal> {
        let Some(account) = self.functions.account_of(function) else { return Ok(()) };
        let Account { quota, jobs, bytes: has, .. } = account;
        let fits = *jobs < quota.jobs_max && has + bytes <= quota.bytes_max;
        if fits { Ok(()) } else { Err(Refusal::QuotaUsedUp) }
    }

    /// A job is there.
    pub(super) fn charge(&mut self, function: u32, bytes: u64) {
        self.jobs_bytes += bytes;
        let of = self.functions.get_mut(function);
        of.jobs += 1;
        of.bytes += bytes;
        if let Some(account) = self.functions.account_of_mut(function) {
            account.jobs += 1;
            account.bytes += bytes;
        }
    }

    /// A job is there no more.
    pub(super) fn discharge(&mut self, function: u32, bytes: u64) {
        self.jobs_bytes -= bytes;
        let of = self.functions.get_mut(function);
        of.jobs -= 1;
        of.bytes -= bytes;
        if let Some(account) = self.functions.account_of_mut(function) {
            account.jobs -= 1;
            account.bytes -= bytes;
        }
    }

    pub(super) fn check_accounts(&self) {
        let bytes: u64 = self.functions.iter().map(|(_, function)| function.bytes).sum();
        assert_eq!(bytes, self.jobs_bytes, "bytes are counted by function");
        for account in self.functions.accounts() {
            let of = || self.functions.iter().filter(|(_, function)| account.is_of(&function.name));
            let jobs: u32 = of().map(|(_, function)| function.jobs).sum();
            assert_eq!(jobs, account.jobs, "jobs are counted by account");
            let bytes: u64 = of().map(|(_, function)| function.bytes).sum();
            assert_eq!(bytes, account.bytes, "so are bytes");
            assert_eq!(of().count(), account.functions as usize, "and functions are");
        }
    }
}
