//! What servers say.

use super::asked::{NONE, Place};
use super::server::{Expect, Listeners};
use super::{ABANDONED_MAX, Client, Event, Handle, JobStatus, Name, Progress, ServerId, Why};
use crate::packet::{Kind, NOT_SERVING, Packet};
use storytime_machine::{Close, Cx};

impl Client {
    /// A packet of a server's; false if it is nothing that a server would say here.
    pub(super) fn packet(&mut self, cx: &mut Cx, server: u32, packet: &Packet) -> bool {
        match packet.kind {
            Kind::JobCreated => return self.created(cx, server, packet),
            Kind::StatusRes => return self.status_is(server, packet),
            Kind::StatusResUnique => return self.status_unique_is(server, packet),
            Kind::EchoRes => return self.echoed(server, packet),
            Kind::OptionRes => return self.answered(server, Expect::Option).is_some(),
            Kind::Error => {
                self.refused(cx, server, packet);
                if packet.argument(0).eq_ignore_ascii_case(NOT_SERVING.as_bytes()) {
                    // Nothing is wrong with it, but another one has to be asked.
                    self.part(cx, server, Close::Abort, Why::Connection, true);
                }
            }
            Kind::WorkData => {
                let data = packet.data();
                self.tell_one(server, packet, |tag| Event::Data { tag, data });
            }
            Kind::WorkWarning => {
                let data = packet.data();
                self.tell_one(server, packet, |tag| Event::Warning { tag, data });
            }
            Kind::WorkStatus => {
                let progress = progress(packet, 1);
                self.tell_one(server, packet, |tag| Event::Status { tag, progress });
            }
            Kind::WorkComplete => {
                self.counters.completed += 1;
                let data = packet.data();
                self.end_all(cx, server, packet, |tag| Event::Complete { tag, data: data.clone() });
            }
            Kind::WorkFail => {
                self.counters.failed += 1;
                self.end_all(cx, server, packet, |tag| Event::Failed { tag });
            }
            Kind::WorkException => {
                self.counters.failed += 1;
                let data = packet.data();
                self.end_all(cx, server, packet, |tag| Event::Exception {
                    tag,
                    data: data.clone(),
                });
            }
            _ => return false,
        }
        true
    }

    /// An answer of a kind came: whose it is ([`NONE`] if it came too late, or is our own).
    fn answered(&mut self, server: u32, expect: Expect) -> Option<u32> {
        let awaited = self.servers[server as usize].take(expect)?;
        self.counters.late += u64::from(awaited.late);
        Some(awaited.slot)
    }

    fn created(&mut self, cx: &mut Cx, server: u32, packet: &Packet) -> bool {
        let Some(name) = handle_of(packet) else { return false };
        let Some(slot) = self.answered(server, Expect::Created) else { return false };
        self.counters.created += 1;
        if slot == NONE {
            return true;
        }
        let asked = self.asked.get(slot);
        let (tag, background, told) = (asked.tag, asked.background, asked.told);
        let timeout = asked.timeout;
        if told {
            let handle = Handle { server: ServerId(server), name };
            self.events.push_back(Event::Created { tag, handle, background });
        }
        if background {
            self.asked.remove(slot);
            return true;
        }
        self.listen(server, slot, name);
        if let Some(timeout) = timeout
            && told
        {
            cx.after(self.job_timer(slot), timeout);
        }
        self.watch(cx, cx.now() + self.options.probe_after);
        if !told {
            self.abandoned(cx, server);
        }
        true
    }

    /// A request joins those that are the same job.
    fn listen(&mut self, server: u32, slot: u32, name: Name) {
        let running = &mut self.servers[server as usize].running;
        let fresh = Listeners { first: slot, last: slot, turn: slot };
        let listeners = running.entry(name).or_insert(fresh);
        let last = core::mem::replace(&mut listeners.last, slot);
        self.asked.get(slot).place = Place::Running { server, name, next: NONE };
        if last != slot
            && let Place::Running { next, .. } = &mut self.asked.get(last).place
        {
            *next = slot;
        }
    }

    /// One more request of a server's is without an owner.
    pub(super) fn abandoned(&mut self, cx: &mut Cx, server: u32) {
        let state = &mut self.servers[server as usize];
        state.abandoned += 1;
        if state.abandoned > ABANDONED_MAX {
            self.lose(cx, server, Close::Abort, Why::Time);
        }
    }

    /// A packet about a job that goes on: for the next of those who wait for it.
    fn tell_one(&mut self, server: u32, packet: &Packet, event: impl FnOnce(u64) -> Event) {
        let running = &mut self.servers[server as usize].running;
        let listeners = handle_of(packet).and_then(|name| running.get_mut(&name));
        let Some(listeners) = listeners else {
            self.counters.strays += 1;
            return;
        };
        let asked = self.asked.get(listeners.turn);
        let Place::Running { next, .. } = asked.place else { panic!("who listens has a job") };
        listeners.turn = if next == NONE { listeners.first } else { next };
        if asked.told {
            self.events.push_back(event(asked.tag));
        }
    }

    /// The end of a job, for all who wait for it.
    fn end_all(&mut self, cx: &mut Cx, server: u32, packet: &Packet, event: impl Fn(u64) -> Event) {
        let running = &mut self.servers[server as usize].running;
        let Some(listeners) = handle_of(packet).and_then(|name| running.remove(&name)) else {
            self.counters.strays += 1;
            return;
        };
        let mut slot = listeners.first;
        while slot != NONE {
            let asked = self.asked.remove(slot);
            let Place::Running { next, .. } = asked.place else { panic!("who listens has a job") };
            if asked.timeout.is_some() {
                cx.cancel(self.job_timer(slot));
            }
            match asked.told {
                true => self.events.push_back(event(asked.tag)),
                false => self.servers[server as usize].abandoned -= 1,
            }
            slot = next;
        }
    }

    fn refused(&mut self, cx: &mut Cx, server: u32, packet: &Packet) {
        let (code, text) = (packet.argument_shared(0), packet.argument_shared(1));
        let Some(awaited) = self.servers[server as usize].take_refused(&code) else {
            self.counters.strays += 1;
            return;
        };
        if awaited.slot == NONE {
            return;
        }
        let asked = self.asked.remove(awaited.slot);
        if asked.timeout.is_some() {
            cx.cancel(self.job_timer(awaited.slot));
        }
        if asked.told {
            self.counters.refused += 1;
            self.events.push_back(Event::Refused { tag: asked.tag, code, text });
        }
    }

    fn status_is(&mut self, server: u32, packet: &Packet) -> bool {
        let status = JobStatus {
            known: packet.argument(1) == b"1",
            running: packet.argument(2) == b"1",
            progress: progress(packet, 3),
            clients: None,
        };
        self.end_question(server, Expect::Status, |tag| Event::StatusIs { tag, status })
    }

    fn status_unique_is(&mut self, server: u32, packet: &Packet) -> bool {
        let status = JobStatus {
            known: packet.argument(1) == b"1",
            running: packet.argument(2) == b"1",
            progress: progress(packet, 3),
            clients: Some(number(packet.argument(5))),
        };
        self.end_question(server, Expect::StatusUnique, |tag| Event::StatusIs { tag, status })
    }

    fn echoed(&mut self, server: u32, packet: &Packet) -> bool {
        let data = packet.data();
        self.end_question(server, Expect::Echo, |tag| Event::Echoed { tag, data })
    }

    fn end_question(
        &mut self,
        server: u32,
        expect: Expect,
        event: impl FnOnce(u64) -> Event,
    ) -> bool {
        let Some(slot) = self.answered(server, expect) else { return false };
        if slot != NONE {
            let asked = self.asked.remove(slot);
            self.events.push_back(event(asked.tag));
        }
        true
    }
}

/// A job's name. The original adds a NUL to that of a failure which it made of an exception.
fn handle_of(packet: &Packet) -> Option<Name> {
    let name = packet.argument(0);
    Name::new(name.strip_suffix(b"\0").unwrap_or(name))
}

fn progress(packet: &Packet, at: usize) -> Progress {
    let [numerator, denominator] = [at, at + 1].map(|at| number(packet.argument(at)));
    Progress { numerator, denominator }
}

/// The number at the front, as the original reads it: 0 if there is none.
fn number(text: &[u8]) -> u64 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number: u64, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    })
}
