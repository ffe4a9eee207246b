//! The network between hosts: paths, TCP and listen queues.
//!
//! A state machine of its own: it is told of sends and of events coming due, schedules further
//! events, and answers with a [`Notice`] for the process concerned. It knows no process.

mod address;
mod listen;
mod path;
mod stall;
mod tcp;

pub(crate) use address::Route;
pub(crate) use listen::{Acceptor, Key};
pub use path::Link;
pub(crate) use path::Path;
pub(crate) use tcp::{End, Owner, Phase};

use crate::queue::{Event, Queue};
use address::Addresses;
use hashbrown::HashMap;
use listen::Listener;
use std::collections::BTreeMap;
use storytime_machine::hash::FixedState;
use storytime_machine::{Duration, Gone, IpAddr, Rng, Time};

/// Random streams of paths begin here; see [`crate::streams`].
const PATH_STREAMS: u64 = crate::streams::PATHS;

/// How the modelled kernels' TCP behaves, on all hosts alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpConfig {
    /// Receive buffer of a connection, bytes: most that is unread or in flight.
    pub window_bytes: usize,
    /// Longest burst that travels as one event, bytes.
    pub burst_bytes_max: usize,
    /// Half-open handshakes that a listener holds.
    pub syn_backlog: u32,
    /// How long unacknowledged data is sent again before the sender is told `TimedOut`.
    pub give_up: Duration,
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self {
            window_bytes: 256 << 10,
            burst_bytes_max: 64 << 10,
            syn_backlog: 1024,
            give_up: Duration::from_secs(120),
        }
    }
}

/// What a process has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    Nothing,
    /// Bytes or a FIN wait at this end.
    Readable(u32),
    /// This end's connect came up.
    Connected(u32),
    /// This end's connect did not come up.
    Failed(u32, Gone),
    /// A finished handshake waits on this listener.
    Acceptable(u32),
    /// This end is over.
    Gone(u32, Gone),
    /// This end may send more.
    Writable(u32),
}

/// All paths, connections and listeners.
#[derive(Debug)]
pub(crate) struct Net {
    seed: u64,
    pub(crate) tcp: TcpConfig,
    pub(crate) default_link: Link,
    pub(crate) ends: Vec<End>,
    free_pairs: Vec<u32>,
    pub(crate) paths: Vec<Path>,
    by_hosts: HashMap<(u32, u32), u32, FixedState>,
    pub(crate) listeners: Vec<Listener>,
    listening: BTreeMap<Key, u32>,
    /// Which hosts are powered, by index.
    pub(crate) up: Vec<bool>,
    /// Hosts by their own addresses, which never move.
    pub(crate) by_ip: BTreeMap<IpAddr, u32>,
    addresses: Addresses,
}

impl Net {
    pub(crate) fn new(seed: u64, tcp: TcpConfig, default_link: Link) -> Self {
        Self {
            seed,
            tcp,
            default_link,
            ends: Vec::new(),
            free_pairs: Vec::new(),
            paths: Vec::new(),
            by_hosts: HashMap::default(),
            listeners: Vec::new(),
            listening: BTreeMap::new(),
            up: Vec::new(),
            by_ip: BTreeMap::new(),
            addresses: Addresses::default(),
        }
    }

    /// The path from one host to another, made on first use.
    pub(crate) fn path(&mut self, from: u32, to: u32) -> u32 {
        if let Some(&index) = self.by_hosts.get(&(from, to)) {
            return index;
        }
        let link = if from == to { Link::LOOPBACK } else { self.default_link };
        let index = self.paths.len() as u32;
        let both = if from == to { 1 } else { 2 };
        for (side, (from, to)) in [(from, to), (to, from)].into_iter().enumerate().take(both) {
            let stream = PATH_STREAMS + (u64::from(from) << 20 | u64::from(to));
            let back = if both == 1 { index } else { index + 1 - side as u32 };
            self.paths.push(Path::new(link, Rng::new(self.seed, stream), from, to, back));
            self.by_hosts.insert((from, to), index + side as u32);
        }
        index
    }

    /// Whether a packet on this path arrives now.
    #[inline]
    pub(crate) fn gets_through(&self, path: u32) -> bool {
        let path = &self.paths[path as usize];
        !path.blocked && self.up[path.to as usize]
    }

    /// Moves an event on, for events of the network.
    #[inline]
    pub(crate) fn event(&mut self, queue: &mut Queue, now: Time, event: Event) -> Notice {
        match event {
            Event::Deliver { end, age, bytes } if self.fits(end, age) => {
                self.deliver(queue, now, end, bytes as usize)
            }
            Event::Fin { end, age } if self.fits(end, age) => self.fin_arrives(queue, now, end),
            Event::Rst { end, age } if self.fits(end, age) => self.rst_arrives(queue, now, end),
            Event::Retransmit { end, age } if self.fits(end, age) => {
                self.retransmit(queue, now, end)
            }
            Event::Stranger { end, age } if self.fits(end, age) => self.stranger_resets(end),
            Event::Window { end, age } if self.fits(end, age) => self.window_came(end),
            Event::Linger { end, age } if self.fits(end, age) => self.linger_over(end),
            Event::Syn { end, age } if self.fits(end, age) => {
                self.syn_arrives(queue, now, end);
                Notice::Nothing
            }
            Event::SynRetry { end, age, attempt } if self.fits(end, age) => {
                self.syn_retry(queue, now, end, attempt);
                Notice::Nothing
            }
            Event::SynAck { end, age } if self.fits(end, age) => self.syn_ack(queue, now, end),
            Event::Ack { end, age, attempt } if self.fits(end, age) => {
                self.ack(queue, now, end, attempt)
            }
            Event::HalfOpenOver { end, age } if self.fits(end, age) => {
                self.half_open_over(end);
                Notice::Nothing
            }
            Event::Refuse { end, age, unreachable } if self.fits(end, age) => {
                let why = if unreachable { Gone::Unreachable } else { Gone::Refused };
                self.connect_over(end, why)
            }
            Event::ConnectTimeout { end, age } if self.fits(end, age) => {
                self.connect_over(end, Gone::TimedOut)
            }
            _ => Notice::Nothing,
        }
    }

    #[inline]
    fn fits(&self, end: u32, age: u32) -> bool {
        self.ends[end as usize].age == age
    }
}
