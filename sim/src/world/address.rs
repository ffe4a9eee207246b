//! Processes that take addresses for their hosts, and give them up.
//!
//! An address belongs to the host and not to the process: it stays when the process ends, and goes
//! with the power.

use super::{Taking, World};
use crate::host::{Input, Power, ProcState};
use crate::queue::Event;
use storytime_machine::{AddressError, Duration, IpAddr, hash};

/// From the wish to have an address until the host has it and those who can have heard of it: what
/// a resource script and a gratuitous ARP take.
pub(super) const TAKE_ADDRESS: Duration = Duration::from_millis(20);

impl World {
    pub(super) fn take_address(&mut self, process: u32, ip: IpAddr) {
        let proc = &self.procs[process as usize];
        let (life, host) = (proc.life, proc.host);
        let owner = self.net.by_ip.get(&ip);
        let movable = !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast();
        let granted = owner.map_or(movable, |&owner| owner == host);
        let result = if granted { Ok(()) } else { Err(AddressError::Denied) };
        let index = self.takings.put(Taking { process, life, ip, result });
        self.queue.push(self.now + TAKE_ADDRESS, Event::Address { index });
    }

    /// Its time has come. The process may have ended meanwhile: what it began goes on without it.
    pub(super) fn address_taken(&mut self, index: u32) {
        let Some(Taking { process, life, ip, result }) = self.takings.take(index) else { return };
        let proc = &self.procs[process as usize];
        let (host, heard) = (proc.host, proc.life == life && proc.state != ProcState::Down);
        if self.hosts[host as usize].power == Power::Off {
            return;
        }
        if result.is_ok() && !self.net.by_ip.contains_key(&ip) {
            self.trace.note(self.now, "address", process, number(ip), u64::from(host));
            self.net.take_address(&mut self.queue, self.now, host, ip);
        }
        if heard {
            self.input(process, Input::Addressed(ip, result));
        }
    }

    pub(super) fn release_address(&mut self, process: u32, ip: IpAddr) {
        let host = self.procs[process as usize].host;
        if self.net.holds(host, ip) {
            self.trace.note(self.now, "unaddress", process, number(ip), u64::from(host));
            self.net.release_address(&mut self.queue, self.now, host, ip);
        }
    }
}

/// An address as traces show it: an IPv4 address's bits, or a digest.
pub(super) fn number(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        IpAddr::V6(ip) => hash::digest_bytes(0, &ip.octets()),
    }
}
