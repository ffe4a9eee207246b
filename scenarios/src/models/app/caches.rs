//! Which caches are used: the list of the file, its changes, and what watchers say.

use super::machine::{App, CHANGE};
use super::{Workload, lock};
use storytime_machine::Cx;
use storytime_memcached::client::ServerSpec;

impl<W: Workload> App<W> {
    /// Uses the present list but for the caches that are left out. With all of them down, all are
    /// used: there is nothing to lose.
    pub(super) fn use_caches(&mut self, cx: &mut Cx) {
        let list = match self.changes_made {
            0 => &self.config.caches,
            made => &self.config.changes[made - 1].1,
        };
        let first = &self.config.caches;
        let is_out = |server: &&ServerSpec| {
            first.iter().position(|of| of.at == server.at).is_some_and(|n| self.out.contains(&n))
        };
        let mut used: Vec<ServerSpec> =
            list.iter().filter(|server| !is_out(server)).cloned().collect();
        if used.is_empty() {
            used.clone_from(list);
        }
        let set = self.desk.cache.set_servers(cx, &used);
        set.expect("a story has fewer hosts than a client servers");
    }

    /// The timeline changes the list.
    pub(super) fn change(&mut self, cx: &mut Cx) {
        if self.changes_made < self.config.changes.len() {
            self.changes_made += 1;
            self.use_caches(cx);
            self.set_change_timer(cx);
        }
    }

    pub(super) fn set_change_timer(&self, cx: &mut Cx) {
        if let Some((at, _)) = self.config.changes.get(self.changes_made) {
            cx.at(CHANGE, self.began + *at);
        }
    }

    /// A watcher has said something.
    pub(super) fn heard(&mut self, cx: &mut Cx) {
        let Some(down) = self.watchers.down(cx.now()) else { return };
        if down == self.out {
            return;
        }
        for (name, changed) in [
            ("ejected", down.difference(&self.out).count()),
            ("readmitted", self.out.difference(&down).count()),
        ] {
            lock(&self.desk.book).count(name, cx.now(), changed as u64);
        }
        self.out = down;
        self.use_caches(cx);
    }
}
