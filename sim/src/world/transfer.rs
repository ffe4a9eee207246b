//! Bytes and connections between the network and a process.

use super::World;
use crate::host::ProcState;
use crate::net::Phase;
use storytime_machine::{Closing, Conn, Gone, Now};

impl World {
    /// Moves what has arrived into the process and calls it; then the FIN behind it.
    #[inline]
    pub(super) fn tell_readable(&mut self, process: u32, end: u32, now: Now) {
        let this = &mut self.net.ends[end as usize];
        this.queued = false;
        if this.phase != Phase::Open {
            return;
        }
        let conn = this.owner.conn;
        let Some(drive) = self.procs[process as usize].drive.as_mut() else { return };
        let Some(view) = drive.view(conn) else { return };
        if this.shakes_hands() && (this.arrived > 0 || this.fin_arrived()) {
            self.net.send_rst(&mut self.queue, self.now, end);
            self.tell_gone(process, end, Gone::Misbehaved, now);
            return;
        }
        if view.read && this.arrived > 0 {
            let Some(rx) = drive.rx(conn) else { return };
            let had = rx.len();
            let bytes = self.net.read(&mut self.queue, self.now, end, rx);
            self.trace.note(self.now, "data", process, u64::from(end), bytes as u64);
            self.trace.content(&rx[had..]);
            drive.received(now, conn);
        }
        let this = &mut self.net.ends[end as usize];
        if this.arrived == 0 && this.fin_arrived() && drive.view(conn).is_some_and(|v| v.read) {
            this.tell_fin();
            self.trace.note(self.now, "eof", process, u64::from(end), 0);
            drive.eof(now, conn);
            self.finish_if_closed(process, end, now);
        }
    }

    /// Takes a connection from a listener's queue, and asks for the next.
    pub(super) fn tell_accepted(&mut self, process: u32, listener: u32, now: Now) {
        let program = self.procs[process as usize].program;
        let listening = &self.net.listeners[listener as usize];
        let acceptor = listening.acceptors.iter().find(|a| a.process == process && a.accepting);
        let token = match acceptor {
            Some(acceptor) if listening.open && listening.program == program => acceptor.token,
            // It changed its mind meanwhile: somebody else may want it.
            _ => return self.acceptable(listener),
        };
        let Some(end) = self.net.accept(listener) else { return };
        let ip = self.hosts[self.net.peer_host(end) as usize].ip;
        let peer = self.net.set_peer(end, process, NOBODY, ip);
        self.trace.note(self.now, "accept", process, u64::from(end), token.0);
        let Some(drive) = self.procs[process as usize].drive.as_mut() else { return };
        match drive.accepted(now, token, peer) {
            Some(conn) => self.attach(process, end, conn),
            None => {
                self.net.send_rst(&mut self.queue, self.now, end);
                self.net.release(end, Phase::Free);
            }
        }
        // The slots may have run out with this one: whoever is asked looks again in its own turn.
        self.acceptable(listener);
    }

    pub(super) fn tell_connected(&mut self, process: u32, end: u32, now: Now) {
        let connect = self.net.ends[end as usize].owner.connect;
        self.procs[process as usize].connecting.remove(&end);
        self.trace.note(self.now, "connected", process, u64::from(end), connect.0);
        let Some(drive) = self.procs[process as usize].drive.as_mut() else { return };
        match drive.connected(now, connect) {
            Some(conn) => self.attach(process, end, conn),
            None => {
                self.net.send_rst(&mut self.queue, self.now, end);
                self.net.release(end, Phase::Free);
            }
        }
    }

    /// Binds a process's connection to its end, and reads what came before it was accepted.
    fn attach(&mut self, process: u32, end: u32, conn: Conn) {
        let this = &mut self.net.ends[end as usize];
        this.owner.conn = conn;
        this.owner.process = process;
        let waiting = this.arrived > 0 || this.fin_arrived();
        let ends = &mut self.procs[process as usize].ends;
        if ends.len() <= conn.index() {
            ends.resize(conn.index() + 1, u32::MAX);
        }
        ends[conn.index()] = end;
        if waiting {
            self.readable(end);
        }
    }

    pub(super) fn tell_failed(&mut self, process: u32, end: u32, why: Gone, now: Now) {
        if self.net.ends[end as usize].phase != Phase::AwaitSynAck {
            return;
        }
        let connect = self.net.ends[end as usize].owner.connect;
        self.procs[process as usize].connecting.remove(&end);
        self.net.release(end, Phase::Free);
        self.trace.note(self.now, "failed", process, connect.0, why as u64);
        if let Some(drive) = &mut self.procs[process as usize].drive {
            drive.failed(now, connect, why);
        }
    }

    pub(super) fn tell_gone(&mut self, process: u32, end: u32, why: Gone, now: Now) {
        if self.net.ends[end as usize].phase != Phase::Open {
            return;
        }
        let conn = self.net.ends[end as usize].owner.conn;
        // An end that is given up with data unread resets its peer, as a kernel does.
        if why == Gone::Closed && self.net.ends[end as usize].arrived > 0 {
            self.net.send_rst(&mut self.queue, self.now, end);
        }
        self.net.release(end, Phase::Free);
        self.trace.note(self.now, "gone", process, u64::from(end), why as u64);
        if let Some(drive) = &mut self.procs[process as usize].drive {
            drive.gone(now, conn, why);
        }
    }

    /// Both FINs are through: the connection is over.
    fn finish_if_closed(&mut self, process: u32, end: u32, now: Now) {
        let this = &self.net.ends[end as usize];
        if this.fin_sent && this.fin_told() {
            self.tell_gone(process, end, Gone::Closed, now);
        }
    }

    /// Carries a process's output and requests out.
    #[inline]
    pub(super) fn flush(&mut self, process: u32) {
        loop {
            let Some(drive) = self.procs[process as usize].drive.as_mut() else { return };
            if let Some(conn) = drive.next_dirty() {
                self.flush_conn(process, conn);
            } else if let Some(effect) = drive.next_effect() {
                self.carry_out(process, effect);
                if self.procs[process as usize].state == ProcState::Down {
                    return; // It has exited.
                }
            } else {
                break;
            }
        }
        self.arm(process);
    }

    /// The end of a live connection.
    #[inline]
    pub(super) fn end_of(&self, process: u32, conn: Conn) -> Option<u32> {
        let &end = self.procs[process as usize].ends.get(conn.index())?;
        let this = self.net.ends.get(end as usize)?;
        (this.owner.conn == conn && this.phase == Phase::Open).then_some(end)
    }

    /// Sends what a connection may send, and closes it as far as it wants.
    #[inline]
    pub(super) fn flush_conn(&mut self, process: u32, conn: Conn) {
        let Some(drive) = self.procs[process as usize].drive.as_mut() else { return };
        let Some(view) = drive.view(conn) else { return };
        // Without an end it is not attached yet: `attach` is followed by another look.
        let Some(end) = self.end_of(process, conn) else { return };
        if view.closing == Closing::Abort {
            self.net.send_rst(&mut self.queue, self.now, end);
            let now = self.clock(process);
            self.tell_gone(process, end, Gone::Aborted, now);
            return;
        }
        if view.sendable > 0 {
            self.send(process, end, conn, view.sendable);
        }
        let this = &self.net.ends[end as usize];
        if view.read && (this.arrived > 0 || this.fin_arrived()) {
            self.readable(end);
        }
        if view.closing != Closing::No {
            self.close_as_wanted(process, end, conn);
        }
    }

    #[inline]
    fn send(&mut self, process: u32, end: u32, conn: Conn, sendable: usize) {
        let now = self.clock(process);
        let room = self.net.room(end);
        if room > 0 {
            let Some(drive) = self.procs[process as usize].drive.as_mut() else { return };
            let stream = &mut self.net.ends[(end ^ 1) as usize].stream;
            let bytes = drive.take_output(now, conn, room, stream);
            self.net.sent(&mut self.queue, self.now, end, bytes);
        }
        if sendable > room {
            self.net.ends[end as usize].blocked = true;
        }
    }

    fn close_as_wanted(&mut self, process: u32, end: u32, conn: Conn) {
        let Some(drive) = self.procs[process as usize].drive.as_ref() else { return };
        let Some(view) = drive.view(conn) else { return };
        let linger = match view.closing {
            Closing::Fin => None,
            Closing::FinThenGone => Some(drive.limits().linger),
            Closing::No | Closing::FlushThenFin | Closing::Abort => return,
        };
        if !self.net.ends[end as usize].fin_sent {
            self.net.send_fin(&mut self.queue, self.now, end);
        }
        if let Some(linger) = linger
            && !self.net.ends[end as usize].lingering
        {
            self.net.ends[end as usize].lingering = true;
            self.net.linger(&mut self.queue, self.now, end, linger);
        }
        let now = self.clock(process);
        self.finish_if_closed(process, end, now);
    }
}

/// The connection of an end that is not attached yet.
const NOBODY: Conn = Conn { slot: u32::MAX, age: u32::MAX };
