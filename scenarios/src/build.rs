//! From a variant's numbers to configured machines, for both runtimes.

use crate::models::app::WORK_CPU;
use crate::models::database::DatabaseModel;
use crate::models::kinds::Shared;
use crate::plan::Plan;
use crate::story::{Action, Cache, Load, Setup};
use std::net::IpAddr;
use std::time::Duration;
use storytime_machine::{Costs, Endpoint, Work};
use storytime_memcached::client::{Node, ServerSpec};

/// Where a load's machine sits: everything that its numbers are resolved against.
#[derive(Clone, Copy)]
pub struct Seat<'a> {
    /// The world it runs in.
    pub setup: &'a Setup,
    /// What the seed drew.
    pub plan: &'a Plan,
    /// Which load, by index.
    pub load: usize,
    /// Which of the load's hosts, from 0.
    pub part: usize,
    /// What the load's hosts share in this run.
    pub shared: &'a Shared,
    /// Tells where a host is reached. Placement always sees the addresses of the file, so that keys
    /// lie alike on both runtimes.
    pub address: &'a dyn Fn(usize) -> IpAddr,
    /// Whether computing takes this machine's time, because no simulator models it.
    pub computes: bool,
}

impl Seat<'_> {
    fn own(&self) -> &Load {
        &self.setup.loads[self.load]
    }

    /// Which host this is.
    pub fn host(&self) -> usize {
        self.own().on[self.part]
    }

    /// Makes the machine.
    pub fn build(&self) -> crate::models::Boxed {
        self.own().spec.build(self)
    }

    /// How many hosts share the load.
    pub fn parts(&self) -> usize {
        self.own().on.len()
    }

    /// The number of the load's first key.
    pub fn first_key(&self) -> u64 {
        self.plan.first_keys[self.load]
    }

    /// Where a host is reached at a port.
    pub fn endpoint(&self, host: usize, port: u16) -> Endpoint {
        Endpoint::tcp((self.address)(host), port)
    }

    /// Where the database of each host is reached, by the number of the host; behind them those of
    /// clusters with an address of their own, by the number of the cluster.
    pub fn databases(&self) -> Vec<Option<Endpoint>> {
        let hosts = self.setup.hosts.iter().enumerate();
        let hosts = hosts.map(|(n, host)| Some(self.endpoint(n, host.database_port()?)));
        let clusters = self.setup.clusters.iter();
        let clusters =
            clusters.map(|cluster| cluster.address.map(|(ip, at)| Endpoint::tcp(ip, at)));
        hosts.chain(clusters).collect()
    }

    /// Where the job server of a host is reached.
    ///
    /// # Panics
    /// If the host runs none, which reading the file rules out.
    pub fn job_server(&self, host: usize) -> Endpoint {
        let port = self.setup.hosts[host].job_server_port();
        self.endpoint(host, port.expect("the file was checked"))
    }

    /// A list of caches as the client takes it.
    pub fn servers(&self, caches: &[Cache]) -> Vec<ServerSpec> {
        let spec = |cache: &Cache| ServerSpec {
            node: Node {
                weight: cache.weight,
                ..Node::new(self.setup.hosts[cache.host].ip.to_string(), cache.port)
            },
            at: self.endpoint(cache.host, cache.port),
        };
        caches.iter().map(spec).collect()
    }

    /// Where a modelled database is reached, and its numbers.
    ///
    /// # Panics
    /// If the model is no database, which reading the file rules out.
    pub fn database(&self, model: usize) -> (Endpoint, &DatabaseModel) {
        let model = &self.setup.models[model];
        let numbers = model.spec.database().expect("the file was checked");
        (self.endpoint(model.host, numbers.port), numbers)
    }

    /// The load's lists of caches after each change of the timeline, and when each comes into use.
    pub fn cache_changes(&self, first: &[Cache]) -> Vec<(Duration, Vec<ServerSpec>)> {
        let mut list = first.to_vec();
        let mut changes = Vec::new();
        for n in self.order() {
            match self.setup.timeline[n].action {
                Action::AddCache { load: of, cache } if of == self.load => {
                    if !list.iter().any(|other| other.host == cache.host) {
                        list.push(cache);
                    }
                }
                Action::RemoveCache { load: of, cache } if of == self.load => {
                    list.retain(|other| other.host != cache.host);
                }
                _ => continue,
            }
            changes.push((self.plan.offset(n), self.servers(&list)));
        }
        changes
    }

    /// The entries of the timeline that happen in this variant, in the order in which they do.
    fn order(&self) -> impl Iterator<Item = usize> {
        self.plan.order().into_iter().filter(|&n| self.setup.timeline[n].active)
    }

    /// What the timeline tells the load, and when.
    pub fn told(&self) -> Vec<(Duration, &'static str)> {
        let told = |n: usize| match self.setup.timeline[n].action {
            Action::Tell { load, verb } if load == self.load => Some((self.plan.offset(n), verb)),
            _ => None,
        };
        self.order().filter_map(told).collect()
    }
}

/// The cost table of a program that counts these kinds of work.
pub fn costs(setup: &Setup, works: &[Work]) -> Costs {
    let mut costs = Costs::default();
    for work in works {
        let priced = setup.costs.iter().find(|(name, _)| name == work.name);
        // A class states its own time.
        let otherwise = if *work == WORK_CPU { 1_000 } else { 0 };
        costs.0[usize::from(work.index)] = priced.map_or(otherwise, |(_, ps)| *ps);
    }
    costs
}
