//! Accounts: how many jobs each of those who share a server has, and may have.
//!
//! Whose a job is, the name of its function says: what it begins with.

use super::Engine;
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
    pub(super) fn is_of(&self, function: &[u8]) -> bool {
        function.starts_with(&self.quota.prefix)
    }
}

impl Engine {
    /// Bounds the jobs of functions whose names begin alike. No prefix begins with another.
    ///
    /// # Panics
    /// If there are functions already.
    pub fn set_quotas(&mut self, quotas: Vec<Quota>) {
        assert_eq!(self.functions.len(), 0, "quotas come before functions");
        let account = |quota| Account { quota, jobs: 0, bytes: 0, functions: 0 };
        self.functions.accounts = quotas.into_iter().map(account).collect();
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
        self.functions.get_mut(function).jobs += 1;
        if let Some(account) = self.functions.account_of_mut(function) {
            account.jobs += 1;
            account.bytes += bytes;
        }
    }

    /// A job is there no more.
    pub(super) fn discharge(&mut self, function: u32, bytes: u64) {
        self.jobs_bytes -= bytes;
        self.functions.get_mut(function).jobs -= 1;
        if let Some(account) = self.functions.account_of_mut(function) {
            account.jobs -= 1;
            account.bytes -= bytes;
        }
    }

    pub(super) fn check_accounts(&self) {
        for account in &self.functions.accounts {
            let of = || self.functions.iter().filter(|(_, function)| account.is_of(&function.name));
            let jobs: u32 = of().map(|(_, function)| function.jobs).sum();
            assert_eq!(jobs, account.jobs, "jobs are counted by account");
            assert_eq!(of().count(), account.functions as usize, "and functions are");
        }
    }
}
