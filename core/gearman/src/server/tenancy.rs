//! Tenants at the door: who a connection is of, what its names mean, and what it may see.
//!
//! Names of functions get the tenant's name in front on their way in, and lose it on their way
//! out: beyond this there are only full names. A connection that has not said whose it is may do
//! that, and nothing else. It says so by `OPTION_REQ` with `tenant=NAME:SECRET`, by the line
//! `tenant NAME SECRET`, or by `Authorization: Bearer NAME:SECRET` with each HTTP request.
//!
//! Of an HTTP request whose body is still to come, that is asked before the body is waited for.
//!
//! Not modelled: a bound on wrong guesses, so secrets have to be long.

use super::Gearmand;
use crate::engine::{Number, Peer, Quota};
use crate::tenants::Tenant;
use crate::text::{Request, Watch};
use bytes::Bytes;
use std::borrow::Cow;

/// What an option begins with that says whose a connection is.
pub(super) const OPTION: &[u8] = b"tenant=";

/// Whose a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// There are no tenants.
    Everybody,
    /// It has not said.
    Nobody,
    /// Who operates the server.
    Operator,
    /// A tenant, by what its functions begin with.
    Tenant(Bytes),
}

impl Standing {
    /// The full name of a function.
    pub(super) fn inward<'n>(&self, name: &'n [u8]) -> Cow<'n, [u8]> {
        match self {
            Self::Tenant(prefix) => Cow::Owned([prefix, name].concat()),
            Self::Everybody | Self::Nobody | Self::Operator => Cow::Borrowed(name),
        }
    }

    /// What a function is called here; none if it is not seen here.
    pub(super) fn sees<'n>(&self, full: &'n [u8]) -> Option<&'n [u8]> {
        match self {
            Self::Everybody | Self::Operator => Some(full),
            Self::Tenant(prefix) => full.strip_prefix(&**prefix),
            Self::Nobody => None,
        }
    }

    /// Whether it sees a connection of this standing.
    pub(super) fn sees_those_of(&self, other: &Self) -> bool {
        match self {
            Self::Everybody | Self::Operator => true,
            Self::Tenant(_) => self == other,
            Self::Nobody => false,
        }
    }

    /// Whether it sees what concerns the whole server.
    pub(super) const fn sees_all(&self) -> bool {
        matches!(self, Self::Everybody | Self::Operator)
    }

    fn of(tenant: &Tenant) -> Self {
        tenant.prefix().map_or(Self::Operator, |prefix| Self::Tenant(prefix.into()))
    }
}

impl Gearmand {
    /// Whose a connection is that has just come.
    pub(super) const fn first_standing(&self) -> Standing {
        if self.config.tenants_file.is_some() { Standing::Nobody } else { Standing::Everybody }
    }

    /// What the engine is told of tenants.
    pub(super) fn quotas(&self) -> Vec<Quota> {
        let tenants = self.config.tenants.iter().flat_map(|tenants| tenants.iter());
        let quota = |tenant: &Tenant| {
            let Tenant { jobs_max, bytes_max, .. } = *tenant;
            tenant.prefix().map(|prefix| Quota { prefix, jobs_max, bytes_max })
        };
        tenants.filter_map(quota).collect()
    }

    pub(super) fn standing(&self, of: Peer) -> Standing {
        let session = self.sessions.look(of.0 as usize);
        session.map_or(Standing::Nobody, |session| session.standing.clone())
    }

    /// A connection says whose it is. False if that is nobody, or nobody is asked; it is what it
    /// was then.
    pub(super) fn log_in(&mut self, from: Peer, credential: &[u8]) -> bool {
        let Some(tenants) = &self.config.tenants else { return false };
        let found = tenants.find(credential).and_then(|place| tenants.get(place));
        let Some(standing) = found.map(Standing::of) else {
            self.counters.strangers += 1;
            return false;
        };
        if let Some(session) = self.sessions.at(from.0 as usize) {
            session.standing = standing;
        }
        true
    }

    /// The full name of a function that a connection names.
    pub(super) fn inward<'n>(&self, from: Peer, name: &'n [u8]) -> Cow<'n, [u8]> {
        match self.sessions.look(from.0 as usize) {
            Some(session) => session.standing.inward(name),
            None => Cow::Borrowed(name),
        }
    }

    /// Whether a connection sees this job.
    pub(super) fn sees_job(&self, from: Peer, number: Number) -> bool {
        let function = self.engine.function_of(number);
        function.is_some_and(|function| self.standing(from).sees(function).is_some())
    }

    /// Whether a connection may ask this.
    pub(super) fn may_ask(&self, from: Peer, request: &Request<'_>) -> bool {
        match self.standing(from) {
            Standing::Everybody | Standing::Operator => true,
            Standing::Nobody => matches!(request, Request::Tenant(..) | Request::Version),
            Standing::Tenant(_) => !matches!(
                request,
                Request::Shutdown { .. }
                    | Request::HandOver
                    | Request::Relay
                    | Request::Counters
                    | Request::Monitor(Watch::Stats { .. })
            ),
        }
    }
}
