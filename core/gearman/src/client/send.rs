//! Requests on their way out.

use super::asked::{Asked, NONE, Place, Request};
use super::server::{Awaited, Expect};
use super::{Client, Event, Handle, Job, NotAccepted, ServerId, WAITING_BYTES_MAX, When, Why};
use crate::packet::{HEADER_BYTES, Kind};
use bytes::Bytes;
use core::time::Duration;
use storytime_machine::{Cx, Time};

impl Client {
    /// Submits a job. Events with this tag follow, the last of them an end.
    ///
    /// # Errors
    /// If it is not taken; see [`NotAccepted`].
    pub fn submit(&mut self, cx: &mut Cx, job: Job, tag: u64) -> Result<(), NotAccepted> {
        job.kind()?;
        if !job.has_no_nul() {
            return Err(NotAccepted::BadJob);
        }
        let bytes = job.bytes();
        let (background, timeout) = (job.background, job.timeout);
        let request = move |cx: &mut Cx| {
            let unique = job.unique.settled(cx.rng());
            Request::Submit(Job { unique, ..job })
        };
        self.ask(cx, tag, bytes, (background, timeout), request)
    }

    /// Asks how far a job is; one event with this tag follows.
    ///
    /// # Errors
    /// If it is not taken; see [`NotAccepted`].
    pub fn status(&mut self, cx: &mut Cx, handle: Handle, tag: u64) -> Result<(), NotAccepted> {
        self.known(handle.server)?;
        self.ask(cx, tag, HEADER_BYTES + handle.name.as_bytes().len(), (false, None), |_| {
            Request::Status(handle)
        })
    }

    /// Asks how far the job with a unique key is; one event with this tag follows. The question
    /// goes where a job with that key would go.
    ///
    /// # Errors
    /// If it is not taken; see [`NotAccepted`].
    pub fn status_unique(
        &mut self,
        cx: &mut Cx,
        unique: Bytes,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        self.ask(cx, tag, HEADER_BYTES + unique.len(), (false, None), |_| {
            Request::StatusUnique(unique)
        })
    }

    /// Asks a server for the same bytes back; one event with this tag follows.
    ///
    /// # Errors
    /// If it is not taken; see [`NotAccepted`].
    pub fn echo(
        &mut self,
        cx: &mut Cx,
        server: ServerId,
        data: Bytes,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        self.known(server)?;
        self.ask(cx, tag, HEADER_BYTES + data.len(), (false, None), |_| {
            Request::Echo(server.0, data)
        })
    }

    fn known(&self, server: ServerId) -> Result<(), NotAccepted> {
        let known = server.0 < self.links.len();
        known.then_some(()).ok_or(NotAccepted::NoServer)
    }

    fn ask(
        &mut self,
        cx: &mut Cx,
        tag: u64,
        bytes: usize,
        (background, timeout): (bool, Option<Duration>),
        request: impl FnOnce(&mut Cx) -> Request,
    ) -> Result<(), NotAccepted> {
        if self.links.len() == 0 {
            return Err(NotAccepted::NoServer);
        }
        if bytes > cx.limits().tx_bytes_max - cx.limits().tx_high {
            return Err(NotAccepted::TooLong);
        }
        let many = self.asked.told() >= self.options.requests_max;
        if many || self.waiting_bytes + bytes > WAITING_BYTES_MAX {
            return Err(NotAccepted::TooMany);
        }
        self.counters.requests += 1;
        self.closed = false;
        let deadline = cx.now() + self.options.timeout;
        let place = Place::Awaiting(NONE);
        let asked = Asked { tag, place, deadline, background, timeout, told: true };
        let slot = self.asked.insert(asked);
        let request = request(cx);
        self.route(cx, slot, request);
        Ok(())
    }

    /// Sends a request to a server, or lets it wait for one, or ends it.
    pub(super) fn route(&mut self, cx: &mut Cx, slot: u32, request: Request) {
        let Some(server) = self.choose(cx, &request) else { return self.not_sent(slot) };
        let deadline = self.asked.get(slot).deadline;
        if deadline <= cx.now() {
            return self.not_sent(slot);
        }
        let nobody_waits = self.servers[server as usize].waiting.is_empty();
        if nobody_waits && self.takes_more(cx, server) {
            return self.send(cx, slot, server, &request);
        }
        self.waiting_bytes += request.bytes();
        self.asked.get(slot).place = Place::Waiting(Box::new(request));
        self.servers[server as usize].waiting.push_back(slot);
        self.links.connect(cx, server);
        self.watch(cx, deadline);
    }

    /// The server that a request goes to; none if all that could take it rest.
    fn choose(&mut self, cx: &mut Cx, request: &Request) -> Option<u32> {
        let now = cx.now();
        let servers = self.links.len();
        let key = match request {
            Request::Status(Handle { server: ServerId(server), .. }) | Request::Echo(server, _) => {
                return (!self.links.rests(now, *server)).then_some(*server);
            }
            Request::StatusUnique(unique) => &unique[..],
            Request::Submit(job) => job.placed_by(),
        };
        let current = match self.current {
            Some(current) => current,
            None => *self.current.insert(cx.rng().below(u64::from(servers)) as u32),
        };
        let start = self.options.choice.start(cx.rng(), servers, current, key);
        let mut around = (0..servers).map(|step| (start + step) % servers);
        let found = around.find(|&server| !self.links.rests(now, server))?;
        self.current = Some(found);
        Some(found)
    }

    /// Sends what waits for a server, as far as there is room.
    pub(super) fn pump(&mut self, cx: &mut Cx, server: u32) {
        while !self.servers[server as usize].waiting.is_empty() && self.takes_more(cx, server) {
            let (slot, request) = self.take_waiting(server).expect("one waits");
            self.send(cx, slot, server, &request);
        }
    }

    /// Whether a server's connection takes a request: not while it owes an answer for longer than
    /// a connect would take. One that was silent for long may be long gone: then an echo is asked
    /// for first.
    fn takes_more(&mut self, cx: &mut Cx, server: u32) -> bool {
        let state = &self.servers[server as usize];
        let oldest = state.awaited.get(state.late);
        let waited = self.options.timeout.saturating_sub(self.options.connect_timeout);
        let owes = oldest.is_some_and(|awaited| awaited.deadline <= cx.now() + waited);
        if owes || !self.links.has_room(cx, server) {
            return false;
        }
        if self.links.heard(server) + self.options.probe_after > cx.now() {
            return true;
        }
        if !self.servers[server as usize].is_probed() {
            self.put_probe(cx, server);
            let by = cx.now() + self.options.connect_timeout;
            self.expect_by(cx, server, Expect::Echo, (NONE, by));
        }
        false
    }

    /// Takes the request that has waited longest for a server.
    pub(super) fn take_waiting(&mut self, server: u32) -> Option<(u32, Request)> {
        let slot = self.servers[server as usize].waiting.pop_front()?;
        let place = &mut self.asked.get(slot).place;
        let Place::Waiting(request) = core::mem::replace(place, Place::Awaiting(NONE)) else {
            panic!("what is in the queue waits");
        };
        self.waiting_bytes -= request.bytes();
        Some((slot, *request))
    }

    fn send(&mut self, cx: &mut Cx, slot: u32, server: u32, request: &Request) {
        let expect = match request {
            Request::Submit(job) => {
                self.put_job(cx, server, job);
                Expect::Created
            }
            Request::Status(handle) => {
                self.links.put(cx, server, Kind::GetStatus, &[handle.name.as_bytes()]);
                Expect::Status
            }
            Request::StatusUnique(unique) => {
                self.links.put(cx, server, Kind::GetStatusUnique, &[unique]);
                Expect::StatusUnique
            }
            Request::Echo(_, data) => {
                self.links.put_with_data(cx, server, Kind::EchoReq, &[], data);
                Expect::Echo
            }
        };
        self.asked.get(slot).place = Place::Awaiting(server);
        self.expect(cx, server, expect, slot);
    }

    /// An answer of a kind is awaited from now on.
    pub(super) fn expect(&mut self, cx: &mut Cx, server: u32, expect: Expect, slot: u32) {
        let deadline = cx.now() + self.options.timeout;
        self.expect_by(cx, server, expect, (slot, deadline));
    }

    fn expect_by(
        &mut self,
        cx: &mut Cx,
        server: u32,
        expect: Expect,
        (slot, deadline): (u32, Time),
    ) {
        let awaited = Awaited { expect, slot, deadline, late: false };
        self.servers[server as usize].awaited.push_back(awaited);
        self.watch(cx, deadline);
    }

    fn put_job(&self, cx: &mut Cx, server: u32, job: &Job) {
        let kind = job.kind().expect("asked before the job was taken");
        let head = [&job.function[..], job.unique.on_wire()];
        let [function, key] = head;
        match (&job.when, &job.reducer) {
            (When::Now, None) => self.links.put_with_data(cx, server, kind, &head, &job.data),
            (When::Now, Some(reducer)) => {
                let words = [function, key, reducer, &[]];
                self.links.put_with_data(cx, server, kind, &words, &job.data);
            }
            (When::Epoch(second), _) => {
                let second = second.to_string();
                let words = [function, key, second.as_bytes()];
                self.links.put_with_data(cx, server, kind, &words, &job.data);
            }
            (When::Calendar(times), _) => {
                let [minute, hour, day, month, weekday] = &**times;
                let words = [function, key, minute, hour, day, month, weekday];
                self.links.put_with_data(cx, server, kind, &words, &job.data);
            }
        }
    }

    /// Sees to it that the timer comes by then.
    pub(super) fn watch(&mut self, cx: &mut Cx, by: Time) {
        if self.timer_at.is_none_or(|at| by < at) {
            self.timer_at = Some(by);
            cx.at(self.timer_token(), by);
        }
    }

    /// A request ends: no byte of it was sent.
    pub(super) fn not_sent(&mut self, slot: u32) {
        let tag = self.asked.remove(slot).tag;
        self.counters.not_sent += 1;
        self.events.push_back(Event::NotSent { tag });
    }

    /// A request ends, or keeps its place without an owner: what became of it is not known.
    pub(super) fn lost(&mut self, tag: u64, handle: Option<Handle>, why: Why) {
        self.counters.lost += 1;
        self.events.push_back(Event::Lost { tag, handle, why });
    }
}

impl Request {
    /// About how long it is on the wire, bytes; the same from waiting to sending.
    fn bytes(&self) -> usize {
        match self {
            Self::Submit(job) => job.bytes(),
            Self::Status(handle) => handle.name.as_bytes().len(),
            Self::StatusUnique(data) | Self::Echo(_, data) => data.len(),
        }
    }
}
