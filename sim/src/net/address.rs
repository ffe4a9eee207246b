//! Addresses that move from host to host, and the connections that were made to them.
//!
//! A host that takes an address announces it (a gratuitous ARP): every host that the announcement
//! reaches sends packets for the address there from then on. The last announcement that a host has
//! heard wins, so two hosts may both believe that they have the address, each with its clients. A
//! host without power keeps it, as far as the others know, until somebody else takes it.
//!
//! Connections of before are not told. What their clients send comes to a host that knows nothing
//! of them, which answers with a reset; the host that had them hears nothing more, and gives them
//! up when what it sends is never acknowledged. Not modelled: entries that age, and connections
//! that go on because the address came back before anybody sent anything.

use super::{Net, Notice, Phase};
use crate::queue::{Event, Queue};
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::{Endpoint, Gone, IpAddr, Time};

/// Who has which moving address.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// Hosts that announced an address and have not given it up, the latest last.
    claims: BTreeMap<IpAddr, Vec<u32>>,
    /// Which host an observer sends packets for an address to.
    heard: BTreeMap<(IpAddr, u32), u32>,
    /// Addresses that hosts have besides their own.
    held: BTreeSet<(u32, IpAddr)>,
}

/// How packets of a connection find its other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// By an address that never moves.
    Fixed,
    /// By an address that may move.
    Floating,
    /// The address has moved away from the accepting end.
    Astray,
}

impl Net {
    /// The host that `observer` sends packets for `ip` to.
    pub(crate) fn look_up(&self, observer: u32, ip: IpAddr) -> Option<u32> {
        if let Some(&host) = self.by_ip.get(&ip) {
            return Some(host);
        }
        if let Some(&host) = self.addresses.heard.get(&(ip, observer)) {
            return Some(host);
        }
        // It asks, and whoever has the address and is heard answers.
        let claims = self.addresses.claims.get(&ip)?;
        let answers = |&&host: &&u32| host == observer || self.is_heard(host, observer);
        claims.iter().rev().find(answers).copied()
    }

    /// The host that announced an address last and has not given it up.
    pub(crate) fn holder(&self, ip: IpAddr) -> Option<u32> {
        let claimed = || self.addresses.claims.get(&ip)?.last().copied();
        self.by_ip.get(&ip).copied().or_else(claimed)
    }

    /// Whether a host has an address besides its own.
    pub(crate) fn holds(&self, host: u32, ip: IpAddr) -> bool {
        self.addresses.held.contains(&(host, ip))
    }

    /// Whether an address is one that moves.
    pub(super) fn floats(&self, ip: IpAddr) -> bool {
        self.addresses.claims.contains_key(&ip)
    }

    /// Whether what `from` says to everybody reaches `to`.
    fn is_heard(&self, from: u32, to: u32) -> bool {
        let path = self.by_hosts.get(&(from, to));
        let open = path.is_none_or(|&path| !self.paths[path as usize].blocked);
        open && self.up[from as usize] && self.up[to as usize]
    }

    /// A host takes an address and announces it.
    pub(crate) fn take_address(&mut self, queue: &mut Queue, now: Time, host: u32, ip: IpAddr) {
        debug_assert!(!self.by_ip.contains_key(&ip), "an address of a host's own never moves");
        self.addresses.held.insert((host, ip));
        let claims = self.addresses.claims.entry(ip).or_default();
        claims.retain(|&other| other != host);
        claims.push(host);
        for observer in 0..self.up.len() as u32 {
            if observer == host || self.is_heard(host, observer) {
                self.addresses.heard.insert((ip, observer), host);
            }
        }
        self.reroute(queue, now, ip);
    }

    /// A host gives an address up. Nobody is told: who sends there asks anew.
    pub(crate) fn release_address(&mut self, queue: &mut Queue, now: Time, host: u32, ip: IpAddr) {
        self.addresses.held.remove(&(host, ip));
        if let Some(claims) = self.addresses.claims.get_mut(&ip) {
            claims.retain(|&other| other != host);
        }
        self.addresses.heard.retain(|&(of, _), to| of != ip || *to != host);
        self.reroute(queue, now, ip);
    }

    /// A host without power: it no longer has its addresses, nor knows where others are. The
    /// others know nothing of that.
    pub(crate) fn forget_addresses(&mut self, host: u32) {
        self.addresses.held.retain(|&(holder, _)| holder != host);
        self.addresses.heard.retain(|&(_, observer), _| observer != host);
    }

    /// Whether what `end` sends comes to a host that has the address it is sent to.
    #[inline]
    pub(super) fn arrives(&self, end: u32) -> bool {
        let this = &self.ends[end as usize];
        self.gets_through(this.path) && (this.route == Route::Fixed || self.is_answered(end))
    }

    /// The same for a connection to an address that moves.
    fn is_answered(&self, end: u32) -> bool {
        let this = &self.ends[end as usize];
        let Endpoint::Tcp(to) = &this.owner.peer else { return true };
        let accepts = end % 2 == 1;
        accepts || self.holds(self.paths[this.path as usize].to, to.ip())
    }

    /// Sends packets of an address's connections to where it is now.
    fn reroute(&mut self, queue: &mut Queue, now: Time, ip: IpAddr) {
        for client in (0..self.ends.len() as u32).step_by(2) {
            let this = &self.ends[client as usize];
            let to_it = matches!(&this.owner.peer, Endpoint::Tcp(addr) if addr.ip() == ip);
            let asks = matches!(this.phase, Phase::AwaitSynAck | Phase::Open);
            if !to_it || !asks || this.route == Route::Fixed {
                continue;
            }
            let path = &self.paths[this.path as usize];
            let (from, to) = (path.from, path.to);
            if let Some(host) = self.look_up(from, ip).filter(|&host| host != to) {
                self.move_to(queue, now, client, from, host);
            }
        }
    }

    /// What this client sends goes to `host` from now on.
    fn move_to(&mut self, queue: &mut Queue, now: Time, client: u32, from: u32, host: u32) {
        let server = client ^ 1;
        let path = self.path(from, host);
        self.ends[client as usize].path = path;
        if self.ends[client as usize].phase == Phase::AwaitSynAck {
            // A handshake that was under way begins again where the address is now.
            self.leave_listener(server);
            self.ends[server as usize].phase = Phase::Free;
        }
        if matches!(self.ends[server as usize].phase, Phase::Free | Phase::Vanished) {
            self.ends[server as usize].path = self.paths[path as usize].back;
            return;
        }
        for end in [client, server] {
            self.ends[end as usize].route = Route::Astray;
            // One that waits for room asks after it, and finds out or gives up.
            if self.ends[(end ^ 1) as usize].blocked {
                self.stall(queue, now, end, false);
            }
        }
    }

    /// Something sent to an address that has moved, by the client at the other end of `server`.
    pub(super) fn strays(&mut self, queue: &mut Queue, now: Time, server: u32, fin: bool) {
        let client = server ^ 1;
        if self.arrives(client) {
            self.ends[server as usize].lose_incoming();
            self.answer_as_stranger(queue, now, client);
        } else {
            self.stall(queue, now, server, fin);
        }
    }

    /// Something sent from an address that has moved: it arrives, but its acknowledgement goes to
    /// the host that has the address now.
    pub(super) fn sent_from_afar(&mut self, queue: &mut Queue, now: Time, client: u32) {
        self.stall(queue, now, client, false);
        if self.arrives(client) && self.ends[client as usize].phase == Phase::Open {
            self.answer_as_stranger(queue, now, client);
        }
    }

    /// The host at the far end of a client's path resets a connection that it knows nothing of.
    fn answer_as_stranger(&mut self, queue: &mut Queue, now: Time, client: u32) {
        let path = self.ends[client as usize].path;
        let back = self.paths[path as usize].back;
        let at = self.paths[back as usize].packet(now);
        queue.push(at, Event::Stranger { end: client, age: self.ends[client as usize].age });
    }

    /// The reset of a host that knows nothing of this end's connection.
    pub(super) fn stranger_resets(&self, client: u32) -> Notice {
        let this = &self.ends[client as usize];
        let back = self.paths[this.path as usize].back;
        if this.phase == Phase::Open && self.gets_through(back) {
            return Notice::Gone(client, Gone::Reset);
        }
        Notice::Nothing
    }
}
