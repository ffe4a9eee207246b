//! SIGHUP: the log begins anew, and what the operator may have changed is read again.
//!
//! That is the file of tenants, and the certificates with who vouches for peers. Each is taken
//! whole or, if something is wrong with it, not at all: then the log says what, and the old one
//! stays. Connections stay, with the certificates that they came with. A tenant's new secret is
//! asked of those who come from now on, its new quota counts at once, and jobs beyond it stay; who
//! is in the file no more is hung up on. Flags are not read again.

use super::Gearmand;
use super::tenancy::Standing;
use crate::config::Verbosity;
use crate::tenants::{Tenant, Tenants};
use std::sync::Arc;
use storytime_machine::{Close, Cx};

impl Gearmand {
    /// Reads again what may be another now.
    pub(super) fn reload(&mut self, cx: &mut Cx) {
        self.around.reopen_log();
        if self.config.tls.is_some() {
            let read = self.around.read_certificates();
            self.reloaded("the certificates", read.err());
        }
        if let Some(file) = self.config.tenants_file.clone() {
            let wrong = match self.around.read_tenants(&file) {
                Ok(tenants) => {
                    self.change_tenants(cx, tenants);
                    None
                }
                Err(why) => Some(why),
            };
            self.reloaded("the tenants", wrong);
        }
    }

    /// Says what became of it.
    fn reloaded(&mut self, what: &str, wrong: Option<String>) {
        match wrong {
            None => {
                self.counters.reloads += 1;
                self.around.say(Verbosity::Notice, format_args!("{what} were read again"));
            }
            Some(why) => {
                self.counters.reloads_refused += 1;
                self.around.say(Verbosity::Error, format_args!("{why}; {what} stay as they were"));
            }
        }
    }

    /// Others share the server from now on.
    fn change_tenants(&mut self, cx: &mut Cx, tenants: Tenants) {
        let mut known: Vec<_> = tenants.iter().map(Tenant::prefix).collect();
        known.sort_unstable();
        self.config.tenants = Some(Arc::new(tenants));
        self.engine.set_quotas(self.quotas());
        self.clock(cx);
        for place in 0..self.sessions.places() {
            let Some(session) = self.sessions.at(place) else { continue };
            let stays = match &session.standing {
                Standing::Everybody | Standing::Nobody => true,
                Standing::Operator => known.binary_search(&None).is_ok(),
                Standing::Tenant(prefix) => known.binary_search(&Some(prefix.to_vec())).is_ok(),
            };
            let conn = session.conn;
            if !stays {
                self.counters.evicted_peers += 1;
                self.hang_up(cx, conn, Close::Flush);
            }
        }
    }
}
