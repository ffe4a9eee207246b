//! How a config comes into use: at the start, on a reload, and when a planned change is due.
//!
//! The names of its servers are looked up first. Until then everything goes on under the config
//! before, so that no request meets a server without an address that it did not have before.
//! Requests under way end where they were sent.

use crate::backends::Names;
use crate::config::{Config, ConfigError};
use crate::proxy::{Proxy, timers};
use crate::rate::Rate;
use crate::stats::RouteStats;
use crate::table::Table;
use core::time::Duration;
use storytime_machine::{Cx, Exit, IpAddr, Listen, Token};

/// How long after a failed look-up the next is tried.
const RESOLVE_RETRY: Duration = Duration::from_secs(5);
/// Planned changes that a proxy takes.
const CHANGES_MAX: usize = 256;

/// Reads the config again, for a reload; nothing if it cannot be used, having said why.
pub type Loader = Box<dyn FnMut() -> Option<Config> + Send>;

/// A config whose names are being looked up.
pub(crate) struct Pending {
    config: Config,
    table: Table,
    names: Names,
    missing: usize,
    /// The number of its first look-up.
    first: u64,
}

impl Proxy {
    /// A proxy with this config.
    ///
    /// # Errors
    /// If the config makes no sense.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let table = Table::compile(&config)?;
        Ok(Self::with_table(config, table))
    }

    /// The same, which asks `loader` for its config again on every reload.
    #[must_use]
    pub fn with_loader(mut self, loader: Loader) -> Self {
        self.loader = Some(loader);
        self
    }

    /// The same, which changes to another config so long after its start.
    ///
    /// # Errors
    /// If that config makes no sense.
    ///
    /// # Panics
    /// If there are more than 256 changes.
    pub fn then(mut self, after: Duration, config: Config) -> Result<Self, ConfigError> {
        assert!(self.changes.len() < CHANGES_MAX, "a proxy takes so many planned changes");
        Table::compile(&config)?;
        self.changes.push((after, config));
        Ok(self)
    }

    /// Uses another config from the next event on. Nobody loses a request.
    ///
    /// # Errors
    /// If the config makes no sense; the one in use stays.
    pub fn reconfigure(&mut self, config: Config) -> Result<(), ConfigError> {
        Table::compile(&config)?;
        self.next = Some(config);
        Ok(())
    }

    /// The config in use.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// How many configs came into use so far.
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// The start of its life.
    pub(crate) fn begin(&mut self, cx: &mut Cx) {
        for (n, (after, _)) in (0..).zip(&self.changes) {
            cx.after(Token(timers::CHANGES + n), *after);
        }
        let (config, table) = (self.config.clone(), self.table.clone());
        self.prepare(cx, config, table);
    }

    /// Asks the loader for a config and uses it from the next event on.
    pub fn load_again(&mut self) {
        let loaded = self.loader.as_mut().and_then(|load| load());
        let used = loaded.is_some_and(|config| self.reconfigure(config).is_ok());
        if used {
            self.counters.reloads += 1;
        } else {
            self.counters.reloads_refused += 1;
        }
    }

    pub(crate) fn change_due(&mut self, timer: u64) {
        let change = timer.checked_sub(timers::CHANGES).and_then(|n| usize::try_from(n).ok());
        if let Some((_, config)) = change.and_then(|n| self.changes.get(n)) {
            self.next = Some(config.clone());
        }
    }

    pub(crate) fn use_next(&mut self, cx: &mut Cx) {
        let Some(config) = self.next.take() else { return };
        let table = Table::compile(&config).expect("it was compiled when it was given");
        self.prepare(cx, config, table);
    }

    /// Looks up the names of a config; a config that was being prepared is dropped.
    fn prepare(&mut self, cx: &mut Cx, config: Config, table: Table) {
        let mut names = Names::new();
        for node in config.pools.iter().flat_map(|pool| &pool.servers) {
            if node.host.parse::<IpAddr>().is_err() {
                names.insert(node.host.clone(), None);
            }
        }
        let first = self.counters.lookups;
        for name in names.keys() {
            cx.resolve(Token(self.counters.lookups), name.clone());
            self.counters.lookups += 1;
        }
        let missing = names.len();
        self.pending = Some(Pending { config, table, names, missing, first });
        self.adopt_if_ready(cx);
    }

    /// A look-up has ended.
    pub(crate) fn name_found(&mut self, cx: &mut Cx, lookup: Token, ip: Option<IpAddr>) {
        let Some(pending) = &mut self.pending else { return };
        let at = lookup.0.checked_sub(pending.first).and_then(|at| usize::try_from(at).ok());
        // A late answer to a config that was overtaken has a number before the first.
        let Some((name, place)) = at.and_then(|at| pending.names.iter_mut().nth(at)) else {
            return;
        };
        // A name service that is away does not take servers away that were found before.
        *place = ip.or_else(|| self.names.get(name).copied().flatten());
        pending.missing -= 1;
        self.adopt_if_ready(cx);
    }

    fn adopt_if_ready(&mut self, cx: &mut Cx) {
        let Some(pending) = self.pending.take_if(|pending| pending.missing == 0) else { return };
        let Pending { config, table, names, .. } = pending;
        if self.backends.apply(cx, &config, &names).is_err() {
            self.counters.reloads_refused += 1;
            return;
        }
        if names.values().any(Option::is_none) {
            cx.after(timers::RESOLVE, RESOLVE_RETRY);
        }
        self.listen(cx, &config);
        self.route_stats = table.plans.iter().map(|plan| self.stats_of(&plan.name)).collect();
        let rate = |per_second: Option<u64>| per_second.map(Rate::new);
        let rates = table.plans.iter();
        self.rates =
            rates.map(|plan| [rate(plan.reads_per_second), rate(plan.writes_per_second)]).collect();
        (self.config, self.table, self.names) = (config, table, names);
        self.generation += 1;
        self.place_anew();
    }

    fn stats_of(&self, route: &str) -> RouteStats {
        let mut known = self.table.plans.iter().zip(&self.route_stats);
        known.find(|(plan, _)| plan.name == route).map_or_else(RouteStats::default, |(_, s)| *s)
    }

    /// Opens the listeners of a config and closes those that it does not have.
    fn listen(&mut self, cx: &mut Cx, config: &Config) {
        let (kept, closed): (Vec<_>, Vec<_>) =
            self.listeners.drain(..).partition(|(_, at)| config.listen.contains(at));
        closed.into_iter().for_each(|(token, _)| cx.unlisten(token));
        self.listeners = kept;
        for at in &config.listen {
            if !self.listeners.iter().any(|(_, other)| other == at) {
                let token = Token(self.listeners_opened);
                self.listeners_opened += 1;
                cx.listen(token, Listen::at(at.clone()));
                self.listeners.push((token, at.clone()));
            }
        }
    }

    /// A listener could not be had. Without any the proxy is of no use.
    pub(crate) fn listener_failed(&mut self, cx: &mut Cx, token: Token) {
        self.listeners.retain(|(other, _)| *other != token);
        self.counters.listeners_failed += 1;
        if self.generation <= 1 || self.listeners.is_empty() {
            cx.exit(Exit::Failed("mcproxy: cannot listen; is the port taken? try another -p"));
        }
    }

    /// Looks up again what had no address.
    pub(crate) fn look_up_again(&mut self, cx: &mut Cx) {
        if self.pending.is_none() && self.next.is_none() {
            self.next = Some(self.config.clone());
            self.use_next(cx);
        }
    }

    /// Places keys on the servers that are not ejected.
    pub(crate) fn place_anew(&mut self) {
        for at in 0..self.config.pools.len() {
            let alive = self.backends.alive(at);
            self.table.place(at, &self.config.pools[at], &alive);
        }
    }
}
