//! What the owner passes on, and what servers say.

use super::duty::Duty;
use super::jobs::Job;
use super::{Down, Handle, Name, ServerId, Worker, WorkerEvent};
use crate::links::Of;
use crate::packet::{Kind, Packet};
use crate::tenants::NOT_AUTHORIZED;
use bytes::BytesMut;
use storytime_machine::{Close, Conn, Cx, Gone, Open, Token};

impl Worker {
    /// A connection is up.
    pub fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        let Some(server) = self.links.opened(cx, conn, how) else { return false };
        if self.leaves {
            self.links.leave(cx, server);
            return true;
        }
        self.greet(cx, server);
        self.events.push_back(WorkerEvent::Up { server: ServerId(server) });
        self.turn(cx);
        true
    }

    /// Bytes arrived.
    pub fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        let server = match self.links.of(conn) {
            None => return false,
            Some(Of::Leaving) => {
                rx.clear();
                return true;
            }
            Some(Of::Server(server)) => server,
        };
        while self.links.conn(server) == Some(conn) {
            match self.links.next(cx, server, rx) {
                Ok(None) => break,
                Ok(Some(packet)) => {
                    if !self.packet(cx, server, &packet) {
                        self.lose(cx, server, Close::Abort, Down::Garbled);
                    }
                }
                Err(_) => self.lose(cx, server, Close::Abort, Down::Garbled),
            }
        }
        if self.links.conn(server) != Some(conn) {
            rx.clear();
        }
        self.turn(cx);
        true
    }

    /// A packet of a server's; false if it is nothing that a server would say here.
    fn packet(&mut self, cx: &mut Cx, server: u32, packet: &Packet) -> bool {
        let duty = self.servers[server as usize].duty;
        match packet.kind {
            Kind::Noop => {
                self.counters.wakes += 1;
                if matches!(duty, Duty::Asleep | Duty::Dry) {
                    self.servers[server as usize].duty = Duty::Awake;
                }
            }
            Kind::NoJob if duty == Duty::AwaitJob => {
                self.answered(server, Duty::Dry);
                self.leave_if_done(cx, server);
            }
            Kind::JobAssign | Kind::JobAssignUniq | Kind::JobAssignAll
                if duty == Duty::AwaitJob =>
            {
                return self.assigned(server, packet);
            }
            Kind::EchoRes if duty != Duty::AwaitJob => {
                self.servers[server as usize].answer_by = None;
            }
            // An echo that a question overtook.
            Kind::EchoRes | Kind::OptionRes => {}
            Kind::Error if packet.argument(0) == NOT_AUTHORIZED.as_bytes() => {
                self.counters.errors += 1;
                self.links.shun(server);
                self.lose(cx, server, Close::Abort, Down::Stranger);
            }
            // Such as: a result came too late.
            Kind::Error => self.counters.errors += 1,
            _ => return false,
        }
        true
    }

    /// A job for us.
    fn assigned(&mut self, server: u32, packet: &Packet) -> bool {
        let Some(name) = Name::new(packet.argument(0)) else { return false };
        self.answered(server, Duty::Awake);
        // Time went by: who had no job may have one when this is done.
        for state in &mut self.servers {
            if state.duty == Duty::Dry {
                state.duty = Duty::Awake;
            }
        }
        let function = packet.argument_shared(1);
        let with_key = packet.kind != Kind::JobAssign;
        let unique = with_key.then(|| packet.argument_shared(2));
        let with_reducer = packet.kind == Kind::JobAssignAll;
        let reducer = with_reducer.then(|| packet.argument_shared(3));
        let reducer = reducer.filter(|reducer| !reducer.is_empty());
        let place = self.functions.iter().position(|known| known.name == function);
        let job = Job { server: Some(server), name, function: place, end: None, waits: false };
        let job = self.jobs.insert(job);
        self.servers[server as usize].jobs += 1;
        self.counters.jobs += 1;
        let handle = Handle { server: ServerId(server), name };
        let data = packet.data();
        self.events.push_back(WorkerEvent::Job { job, handle, function, unique, reducer, data });
        true
    }

    /// A connection takes output again.
    pub fn on_drained(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        let Some(of) = self.links.of(conn) else { return false };
        if let Of::Server(server) = of {
            self.flush(cx, server);
            self.turn(cx);
        }
        true
    }

    /// The server closed its side.
    pub fn on_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        let Some(of) = self.links.of(conn) else { return false };
        if let Of::Server(server) = of {
            self.lose(cx, server, Close::Flush, Down::Lost);
        }
        true
    }

    /// A connection is gone.
    pub fn on_gone(&mut self, cx: &mut Cx, conn: Conn, _: Gone) -> bool {
        let Some(of) = self.links.of(conn) else { return false };
        if let Of::Server(server) = of {
            self.lose(cx, server, Close::Abort, Down::Lost);
        }
        self.links.gone(conn);
        true
    }

    /// A connect did not come up.
    pub fn on_failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) -> bool {
        let Some(server) = self.links.by_token(connect) else { return false };
        self.lose(cx, server, Close::Abort, Down::NotReached(why));
        true
    }

    /// A timer came due.
    pub fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        if timer != self.timer_token() {
            return false;
        }
        self.timer_at = None;
        self.tick(cx);
        true
    }
}
