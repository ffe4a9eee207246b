//! What the worker waits for at each server, and which it asks next.

use super::{Down, Function, JobId, Worker, WorkerEvent};
use crate::engine::{Dialect, Grab};
use crate::links::{ServerId, Stand};
use crate::packet::Kind;
use bytes::Bytes;
use std::collections::VecDeque;
use storytime_machine::{Close, Cx, Time};

/// What an echo brings that is only to be answered.
const PROBE: Bytes = Bytes::from_static(b"?");

/// How the worker stands with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Duty {
    /// There is no connection.
    #[default]
    Away,
    /// It may have a job and can be asked.
    Awake,
    /// It was asked; a job, or that there is none, is awaited.
    AwaitJob,
    /// It had none.
    Dry,
    /// It wakes the worker when it has one.
    Asleep,
}

/// A server.
#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) duty: Duty,
    /// By when the answer that is awaited must come: a job's or an echo's.
    pub(super) answer_by: Option<Time>,
    /// Jobs of it that the owner has.
    pub(super) jobs: usize,
    /// Jobs whose ends wait for room on the connection, in their order.
    pub(super) unsent: VecDeque<JobId>,
}

impl Worker {
    /// Connects to all servers and begins to take jobs.
    pub fn start(&mut self, cx: &mut Cx) {
        self.leaves = false;
        for server in 0..self.links.len() {
            self.links.connect(cx, server);
        }
        self.watch_all(cx);
    }

    /// Takes no more jobs. Connections are closed as the jobs on them end; [`Worker::is_closed`]
    /// tells when all are gone.
    pub fn leave(&mut self, cx: &mut Cx) {
        self.leaves = true;
        for server in 0..self.links.len() {
            self.leave_if_done(cx, server);
        }
    }

    /// Hangs up on all servers at once, as a process that dies does: the jobs that it has are
    /// theirs again. It connects again after a rest.
    pub fn hang_up(&mut self, cx: &mut Cx) {
        for server in 0..self.links.len() {
            if self.links.conn(server).is_some() {
                self.lose(cx, server, Close::Abort, Down::Lost);
            }
        }
    }

    /// Closes a connection that is not needed any more.
    pub(super) fn leave_if_done(&mut self, cx: &mut Cx, server: u32) {
        let state = &mut self.servers[server as usize];
        let done = state.jobs == 0 && !matches!(state.duty, Duty::AwaitJob | Duty::Away);
        if self.leaves && done {
            *state = Server::default();
            self.links.leave(cx, server);
        }
    }

    /// Registers at a server whose connection came up.
    pub(super) fn greet(&mut self, cx: &mut Cx, server: u32) {
        if let Some(tenant) = &self.options.tenant {
            self.links.put(cx, server, Kind::OptionReq, &[tenant.option().as_bytes()]);
        }
        if let Some(id) = &self.options.client_id {
            self.links.put(cx, server, Kind::SetClientId, &[id]);
        }
        for function in self.functions.iter().filter(|function| function.can) {
            self.say_can_do(cx, server, function);
        }
        self.servers[server as usize].duty = Duty::Awake;
        self.watch(cx, cx.now() + self.options.poll_after);
    }

    /// Tells a server of a function.
    pub(super) fn say_can_do(&self, cx: &mut Cx, server: u32, function: &Function) {
        let Some(timeout) = function.timeout else {
            return self.links.put(cx, server, Kind::CanDo, &[&function.name]);
        };
        let units = match self.options.dialect {
            Dialect::Gearmand => timeout.as_nanos().div_ceil(1_000_000),
            Dialect::Danga => timeout.as_nanos().div_ceil(1_000_000_000),
        };
        let units = units.to_string();
        self.links.put(cx, server, Kind::CanDoTimeout, &[&function.name, units.as_bytes()]);
    }

    /// Asks servers for jobs as far as there is room for jobs, and goes to sleep at those that had
    /// none when nobody is left to be asked.
    pub(super) fn turn(&mut self, cx: &mut Cx) {
        let servers = self.links.len();
        while self.has_room() {
            let mut around = (0..servers).map(|step| (self.next + step) % servers);
            let awake = |server: &u32| self.servers[*server as usize].duty == Duty::Awake;
            let next = around.find(|server| awake(server) && self.links.has_room(cx, *server));
            let Some(server) = next else { break };
            self.grab(cx, server);
            self.next = (server + 1) % servers;
        }
        if !self.has_room() {
            return;
        }
        for server in 0..servers {
            let state = &mut self.servers[server as usize];
            if state.duty == Duty::Dry {
                state.duty = Duty::Asleep;
                self.counters.sleeps += 1;
                self.links.put(cx, server, Kind::PreSleep, &[]);
            }
        }
    }

    /// Whether one more job may come.
    fn has_room(&self) -> bool {
        !self.leaves && self.jobs.len() + self.asked < self.options.jobs_max
    }

    fn grab(&mut self, cx: &mut Cx, server: u32) {
        let kind = match (self.options.dialect, self.options.grab) {
            (Dialect::Danga, _) | (Dialect::Gearmand, Grab::Plain) => Kind::GrabJob,
            (Dialect::Gearmand, Grab::Unique) => Kind::GrabJobUniq,
            (Dialect::Gearmand, Grab::All) => Kind::GrabJobAll,
        };
        self.links.put(cx, server, kind, &[]);
        self.counters.grabs += 1;
        self.asked += 1;
        let by = cx.now() + self.options.timeout;
        let state = &mut self.servers[server as usize];
        (state.duty, state.answer_by) = (Duty::AwaitJob, Some(by));
        self.watch(cx, by);
    }

    /// What a server was asked for came, in this way.
    pub(super) fn answered(&mut self, server: u32, duty: Duty) {
        let state = &mut self.servers[server as usize];
        assert_eq!(state.duty, Duty::AwaitJob, "an answer follows a question");
        (state.duty, state.answer_by) = (duty, None);
        self.asked -= 1;
    }

    /// A link ends, in whatever way: its jobs are somebody else's.
    pub(super) fn lose(&mut self, cx: &mut Cx, server: u32, how: Close, why: Down) {
        self.links.lose(cx, server, how, true);
        self.events.push_back(WorkerEvent::Down { server: ServerId(server), why });
        let jobs: Vec<JobId> = self.jobs.on_server(server).collect();
        for job in jobs {
            self.job_gone(job);
        }
        let state = core::mem::take(&mut self.servers[server as usize]);
        self.asked -= usize::from(state.duty == Duty::AwaitJob);
        self.watch_all(cx);
        self.turn(cx);
    }

    /// A job is somebody else's.
    pub(super) fn job_gone(&mut self, job: JobId) {
        let found = self.jobs.get(job).expect("jobs of a server are known");
        let server = found.server.take().expect("jobs of a server have one");
        let ended = found.end.is_some();
        self.servers[server as usize].jobs -= 1;
        self.counters.jobs_gone += 1;
        if ended {
            // The owner has no more to say of it.
            self.jobs.remove(job);
        }
        self.events.push_back(WorkerEvent::JobGone { job });
    }

    /// What the timer is for.
    pub(super) fn tick(&mut self, cx: &mut Cx) {
        for server in 0..self.links.len() {
            match self.links.stand(server) {
                Stand::Up(_) => self.check(cx, server),
                Stand::Idle | Stand::Resting(_) if !self.leaves => {
                    self.links.connect(cx, server);
                }
                Stand::Idle | Stand::Resting(_) | Stand::Connecting => {}
            }
        }
        self.turn(cx);
        self.watch_all(cx);
    }

    /// Looks after a server that may be silent.
    fn check(&mut self, cx: &mut Cx, server: u32) {
        let now = cx.now();
        let silent = self.links.heard(server) + self.options.poll_after <= now;
        let room = self.has_room();
        let state = &mut self.servers[server as usize];
        match state.answer_by {
            Some(by) if by <= now => self.lose(cx, server, Close::Abort, Down::Silent),
            Some(_) => {}
            None if silent && state.duty == Duty::Asleep && room => state.duty = Duty::Awake,
            None if silent => {
                state.answer_by = Some(now + self.options.timeout);
                self.counters.probes += 1;
                self.links.put_with_data(cx, server, Kind::EchoReq, &[], &PROBE);
            }
            None => {}
        }
    }

    fn watch_all(&mut self, cx: &mut Cx) {
        for server in 0..self.links.len() {
            if let Some(by) = self.deadline(server) {
                self.watch(cx, by);
            }
        }
    }

    /// When something has to be done about a server, if nothing happens before.
    fn deadline(&self, server: u32) -> Option<Time> {
        match self.links.stand(server) {
            Stand::Up(_) => {
                let silent = self.links.heard(server) + self.options.poll_after;
                Some(self.servers[server as usize].answer_by.unwrap_or(silent))
            }
            Stand::Resting(until) if !self.leaves => Some(until),
            Stand::Resting(_) | Stand::Idle | Stand::Connecting => None,
        }
    }

    /// Sees to it that the timer comes by then.
    fn watch(&mut self, cx: &mut Cx, by: Time) {
        if self.timer_at.is_none_or(|at| by < at) {
            self.timer_at = Some(by);
            cx.at(self.timer_token(), by);
        }
    }
}
