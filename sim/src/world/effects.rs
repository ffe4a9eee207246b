//! Carrying out what processes ask for.

use super::{Datagram, Lookup, World};
use crate::host::{Input, ProcState};
use crate::net::{Acceptor, Key, Owner};
use crate::queue::Event;
use bytes::Bytes;
use core::net::SocketAddr;
use storytime_machine::{
    Addr, BindError, Conn, DiskError, DiskOp, Duration, Effect, Endpoint, Exit, IpAddr, Listen,
    Now, OpKey, ResolveError, Token,
};

impl World {
    pub(super) fn carry_out(&mut self, process: u32, effect: Effect) {
        match effect {
            Effect::Listen { listener, listen } => self.listen(process, listener, listen),
            Effect::Unlisten { listener } => {
                if let Some(index) = self.procs[process as usize].listeners.remove(&listener) {
                    self.leave(process, index);
                }
            }
            Effect::Accept { listener, on } => self.accepting(process, listener, on),
            Effect::Connect { connect, to, timeout } => {
                self.connect(process, connect, &to, timeout);
            }
            Effect::Disk { key, op } => self.submit(process, key, op),
            Effect::BindDatagram { socket, at } => self.bind_datagram(process, socket, at),
            Effect::SendTo { socket, to, bytes } => self.send_to(process, socket, to, bytes),
            Effect::Resolve { lookup, name } => self.resolve(process, lookup, &name),
            Effect::TakeAddress { ip } => self.take_address(process, ip),
            Effect::ReleaseAddress { ip } => self.release_address(process, ip),
            Effect::StartTls { conn, tls: _ } => {
                if let Some(end) = self.end_of(process, conn) {
                    self.net.want_tls(&mut self.queue, self.now, end);
                    self.readable(end);
                }
            }
            Effect::Exit(exit) => {
                self.trace.note(self.now, "exit", process, 0, 0);
                self.procs[process as usize].exit = Some(exit);
                self.end_process(process, false);
                if exit != Exit::Stopped {
                    self.respawn(process);
                }
            }
        }
    }

    /// Whether a local address is one of the host's: its own, one that it took, the wildcard, or
    /// loopback.
    fn is_local(&self, host: u32, ip: IpAddr) -> bool {
        let own = ip == self.hosts[host as usize].ip;
        own || ip.is_unspecified() || ip.is_loopback() || self.net.holds(host, ip)
    }

    fn key(&mut self, host: u32, at: &Endpoint) -> Result<(Key, Endpoint), BindError> {
        match at {
            Endpoint::Tcp(addr) if !self.is_local(host, addr.ip()) => Err(BindError::NotHere),
            Endpoint::Tcp(addr) => {
                let port = if addr.port() == 0 { self.free_port(host)? } else { addr.port() };
                let real = SocketAddr::new(addr.ip(), port);
                Ok((Key::Tcp { host, port }, Endpoint::Tcp(real)))
            }
            Endpoint::Unix(path) => Ok((Key::Unix { host, path: path.clone() }, at.clone())),
        }
    }

    fn free_port(&mut self, host: u32) -> Result<u16, BindError> {
        for _ in 49_152..=u16::MAX {
            let this = &mut self.hosts[host as usize];
            let port = this.next_port;
            this.next_port = if port == u16::MAX { 49_152 } else { port + 1 };
            let taken = this.datagrams.contains_key(&port);
            if !taken && self.net.is_free(&Key::Tcp { host, port }) {
                return Ok(port);
            }
        }
        Err(BindError::InUse)
    }

    fn listen(&mut self, process: u32, token: Token, listen: Listen) {
        let (host, program) = {
            let proc = &self.procs[process as usize];
            (proc.host, proc.program)
        };
        let result = self.key(host, &listen.at).and_then(|(key, real)| {
            let acceptor = Acceptor { process, token, accepting: false };
            let near = matches!(&real, Endpoint::Tcp(addr) if addr.ip().is_loopback());
            let opened = self.net.listen(key, program, listen.backlog, near, acceptor);
            let index = opened.map_err(|()| BindError::InUse)?;
            self.procs[process as usize].listeners.insert(token, index);
            Ok(real)
        });
        self.input(process, Input::Bound(token, result));
    }

    fn accepting(&mut self, process: u32, token: Token, on: bool) {
        let Some(&index) = self.procs[process as usize].listeners.get(&token) else { return };
        self.net.set_accepting(index, process, on);
        if on {
            self.acceptable(index);
        }
    }

    fn connect(&mut self, process: u32, connect: Token, to: &Endpoint, timeout: Duration) {
        let host = self.procs[process as usize].host;
        let target = match to {
            Endpoint::Unix(path) => Some((host, Key::Unix { host, path: path.clone() })),
            Endpoint::Tcp(addr) => {
                let there = if self.is_local(host, addr.ip()) {
                    Some(host)
                } else {
                    self.net.look_up(host, addr.ip())
                };
                there.map(|there| (there, Key::Tcp { host: there, port: addr.port() }))
            }
        };
        let conn = Conn { slot: u32::MAX, age: u32::MAX };
        let owner = Owner { process, conn, connect, peer: to.clone() };
        let end = self.net.connect(&mut self.queue, self.now, host, target, owner, timeout);
        self.procs[process as usize].connecting.insert(end);
    }

    fn submit(&mut self, process: u32, key: OpKey, op: DiskOp) {
        let host = self.procs[process as usize].host;
        let Some(disk) = self.hosts[host as usize].disk.as_mut() else {
            self.input(process, Input::Disk(key, Err(DiskError::Denied)));
            return;
        };
        let submitted = disk.submit(self.now, process, key, op);
        let op = submitted.id;
        self.queue.push(submitted.at.max(self.now), Event::Disk { host, op });
    }

    pub(super) fn disk_due(&mut self, host: u32, op: u64) {
        let this = &mut self.hosts[host as usize];
        let Some(disk) = this.disk.as_mut() else { return };
        if let Some((process, key, result)) = disk.complete(op) {
            this.operations += 1;
            self.input(process, Input::Disk(key, result));
        }
    }

    fn bind_datagram(&mut self, process: u32, token: Token, at: Addr) {
        let host = self.procs[process as usize].host;
        let result = if !self.is_local(host, at.ip()) {
            Err(BindError::NotHere)
        } else if at.port() == 0 {
            self.free_port(host)
        } else if self.hosts[host as usize].datagrams.contains_key(&at.port()) {
            Err(BindError::InUse)
        } else {
            Ok(at.port())
        };
        let result = result.map(|port| {
            self.hosts[host as usize].datagrams.insert(port, (process, token));
            self.procs[process as usize].sockets.insert(token, port);
            Endpoint::Tcp(SocketAddr::new(at.ip(), port))
        });
        self.input(process, Input::Bound(token, result));
    }

    fn send_to(&mut self, process: u32, socket: Token, to: Addr, bytes: Bytes) {
        let host = self.procs[process as usize].host;
        let Some(&port) = self.procs[process as usize].sockets.get(&socket) else { return };
        let there = if self.is_local(host, to.ip()) {
            host
        } else if let Some(there) = self.net.look_up(host, to.ip()) {
            there
        } else {
            return;
        };
        let from = SocketAddr::new(self.hosts[host as usize].ip, port);
        let path = self.net.path(host, there);
        let arrivals = self.net.paths[path as usize].datagram(self.now, bytes.len());
        for at in arrivals.into_iter().flatten() {
            let datagram = Datagram { host: there, port: to.port(), from, bytes: bytes.clone() };
            let index = self.datagrams.put(datagram);
            self.queue.push(at, Event::Datagram { index });
        }
    }

    pub(super) fn datagram_arrives(&mut self, index: u32) {
        let Some(datagram) = self.datagrams.get(index) else { return };
        let host = &self.hosts[datagram.host as usize];
        match host.datagrams.get(&datagram.port) {
            Some(&(process, _)) => self.input(process, Input::Datagram(index)),
            None => drop(self.datagrams.take(index)),
        }
    }

    pub(super) fn tell_datagram(&mut self, process: u32, index: u32, now: Now) {
        let Some(datagram) = self.datagrams.take(index) else { return };
        let host = &self.hosts[datagram.host as usize];
        let Some(&(owner, socket)) = host.datagrams.get(&datagram.port) else { return };
        if owner != process {
            return;
        }
        self.trace.note(self.now, "datagram", process, socket.0, datagram.bytes.len() as u64);
        self.trace.content(&datagram.bytes);
        if let Some(drive) = &mut self.procs[process as usize].drive {
            drive.datagram(now, socket, datagram.from, &datagram.bytes);
        }
    }

    fn resolve(&mut self, process: u32, token: Token, name: &str) {
        let found = self.names.get(name).filter(|ips| !ips.is_empty());
        let result = match (self.names_down, name.parse::<IpAddr>(), found) {
            (_, Ok(ip), _) => Ok(vec![ip]),
            (true, _, _) => Err(ResolveError::Unavailable),
            (false, _, Some(ips)) => Ok(ips.clone()),
            (false, _, None) => Err(ResolveError::NotFound),
        };
        let life = self.procs[process as usize].life;
        let index = self.lookups.put(Lookup { process, life, token, result });
        self.queue.push(self.now + super::step::LOOKUP, Event::Resolved { index });
    }

    pub(super) fn lookup_answered(&mut self, index: u32) {
        let Some(lookup) = self.lookups.take(index) else { return };
        let proc = &self.procs[lookup.process as usize];
        if proc.life == lookup.life && proc.state != ProcState::Down {
            self.input(lookup.process, Input::Resolved(lookup.token, lookup.result));
        }
    }
}
