//! What a site is made of: clusters of databases, classes of requests.

use std::net::IpAddr;
use std::time::Duration;

/// Databases that hold the same data: one is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Which database is written to: that of a host, by its number; of a cluster with an address
    /// of its own, the number of hosts and that of the cluster.
    pub master: usize,
    /// The address that is written to, whoever has it at the moment.
    pub address: Option<(IpAddr, u16)>,
    /// The hosts that follow it.
    pub replicas: Vec<usize>,
    /// Who is read from.
    pub readers: Readers,
}

/// Which databases of a cluster are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// The master alone.
    Master,
    /// The replicas; the master, if there are none.
    Replicas,
    /// All, the master too.
    All,
}

impl Cluster {
    /// The hosts that are read from.
    pub fn read_from(&self) -> Vec<usize> {
        let replicas = self.replicas.iter().copied();
        match self.readers {
            Readers::Replicas if !self.replicas.is_empty() => replicas.collect(),
            Readers::Master | Readers::Replicas => vec![self.master],
            Readers::All => std::iter::once(self.master).chain(replicas).collect(),
        }
    }
}

/// A kind of request, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its name: the first part of its path.
    pub name: String,
    /// How often it is asked for, relative to the others.
    pub weight: u32,
    /// Shortest and longest time that it computes on the application server; drawn evenly between
    /// the two.
    pub cpu: (Duration, Duration),
    /// Length of the page, bytes.
    pub page_bytes: u32,
    /// Where its rows are.
    pub home: Home,
    /// Rows that it reads.
    pub reads: u32,
    /// Rows that it writes, behind the reads.
    pub writes: u32,
    /// Whether it asks for all rows at once; else one after the other.
    pub at_once: bool,
    /// Length of a row, bytes.
    pub row_bytes: u32,
    /// Rows of each user.
    pub rows: u32,
    /// Reads its last write again, so long after its acknowledgement.
    pub look: Option<(Duration, Duration)>,
}

/// Where the rows of a class are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// It has none.
    None,
    /// On this cluster, by index.
    Cluster(usize),
    /// On the cluster that the request's user lives on, which the directory knows.
    OfTheUser,
}
