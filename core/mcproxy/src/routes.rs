//! A request on its route: which servers are asked, and when an answer is the answer.
//!
//! | group's legs | all must | nearest counts | fastest counts |
//! |---|---|---|---|
//! | all replied | the first one's | the first one's | the first to come |
//! | the first failed | failure | the next one's | the first to come |
//! | another failed | failure | the first one's | the first to come |
//! | all failed | failure | failure | failure |
//!
//! After a failure the next group is asked, unless the request must not be done twice and may have
//! been done; after a miss too, if the route says so. A read that nobody could answer is a miss or
//! an error, as the route says. An answer of an earlier group counts before either.

use crate::config::OnFailure;
use crate::dress::{Class, class, dress, error, miss};
use crate::front::{Effect, Request, Tongue};
use crate::jobs::{End, JobId, Leg, Reply, Task, Waiter, Why, tag, untag};
use crate::proxy::{Proxy, WORK_SENT};
use crate::table::{Acks, Group, Plan};
use storytime_machine::Cx;
use storytime_machine::hash::digest_bytes;
use storytime_memcached::client::pool::{Piece, PoolEvent, Request as Raw, ServerId, Shape};

/// Frames of one reply that are kept, bytes, beyond the largest value: lists that are longer are
/// cut.
const LIST_BYTES_MAX: usize = 4 << 20;
/// Bytes of a packet's header, in which the opaque is set when it leaves.
const HEADER_BYTES: usize = crate::front::binary::HEADER_BYTES;

/// What a group has come to.
enum Verdict {
    Wait,
    /// The reply of this leg.
    Reply(usize),
    Fail(Why),
}

impl Proxy {
    /// A client asks for something that has a key.
    pub(crate) fn ask(&mut self, cx: &mut Cx, request: Request, waiter: Waiter) {
        let Some(plan) = self.table.plan(&request.key).filter(|_| self.generation > 0) else {
            self.counters.unrouted += 1;
            let reply = error(request.tongue, "no route takes this key");
            return self.done.push_back((waiter.clone(), dress(&reply, &waiter.dress)));
        };
        let read = request.effect == Effect::Read;
        let stats = &mut self.route_stats[plan];
        if read {
            stats.reads += 1;
        } else {
            stats.writes += 1;
        }
        let rate = &mut self.rates[plan][usize::from(!read)];
        if rate.as_mut().is_some_and(|rate| !rate.admits(cx.now())) {
            stats.limited += 1;
            let text = format!("route {} is over its rate", self.table.plans[plan].name);
            let reply = self.failure(plan, &request, &text);
            return self.done.push_back((waiter.clone(), dress(&reply, &waiter.dress)));
        }
        self.ask_whole(cx, request, waiter);
    }

    /// The same, whatever the rate.
    pub(crate) fn ask_whole(&mut self, cx: &mut Cx, request: Request, waiter: Waiter) {
        let read = request.effect == Effect::Read;
        let Some(plan) = self.table.plan(&request.key).filter(|_| self.generation > 0) else {
            let reply = error(request.tongue, "no route takes this key");
            return self.done.push_back((waiter.clone(), dress(&reply, &waiter.dress)));
        };
        if read
            && self.config.share_gets
            && let Some(job) = self.flights.join(&request.key, &request.wire)
        {
            self.route_stats[plan].shared += 1;
            cx.reached("mcproxy: a read was shared");
            return self.jobs.of(job).waiters.push(waiter);
        }
        let (key, wire) = (request.key.clone(), request.wire.clone());
        let tongue = request.tongue;
        let id = self.jobs.add(Task::Routed, Some(request));
        self.jobs.of(id).waiters.push(waiter);
        if read {
            self.flights.read_leaves(&key, &wire, id);
        } else {
            if let Some(copy) = self.flights.write_leaves(&key) {
                self.give_up_copy(copy, tongue);
            }
            self.forget(cx, plan, tongue, &key);
        }
        self.set_out(cx, id, plan);
    }

    /// Begins a plan with its first group.
    fn set_out(&mut self, cx: &mut Cx, id: JobId, plan: usize) {
        let generation = self.generation;
        let job = self.jobs.of(id);
        (job.plan, job.generation, job.group) = (plan, generation, 0);
        self.ask_group(cx, id);
    }

    /// Asks the pools of the present group.
    fn ask_group(&mut self, cx: &mut Cx, id: JobId) {
        let job = self.jobs.of(id);
        let request = job.request.take().expect("a routed job has a request");
        job.legs_from = job.legs.len();
        let (plan, group) = (job.plan, job.group);
        let pools = groups(&self.table.plans[plan], &request)[group].pools.len();
        for at in 0..pools {
            let plan = &self.table.plans[plan];
            let pool = groups(plan, &request)[group].pools[at];
            let node = self.table.server(pool, &request.key);
            let set = self.backends.set_of(pool, request.tongue);
            self.send_leg(cx, id, (set, node), &request);
        }
        self.jobs.of(id).request = Some(request);
    }

    /// Sends a request to one server, as one more leg of a job.
    pub(crate) fn send_leg(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        (set, node): (usize, usize),
        request: &Request,
    ) {
        self.opaque = self.opaque.wrapping_add(1) % (u32::MAX - 1);
        let leg = self.jobs.of(id).legs.len();
        let mut head = [0; HEADER_BYTES];
        let (pieces, shape) = pieces(request, &mut head, self.opaque);
        let lane = digest_bytes(0, &request.key);
        let pieces = &pieces[..if request.tongue == Tongue::Binary { 2 } else { 1 }];
        let raw = Raw { shape, pieces, lane, tag: tag(id, leg) };
        let sent = self.backends.send(cx, (set, node), &raw);
        cx.work(WORK_SENT, 1);
        let job = self.jobs.of(id);
        let end = match sent {
            Ok(()) => {
                job.awaited += 1;
                End::Awaited
            }
            Err(refusal) => End::Failed(Why::Refused(refusal)),
        };
        job.legs.push(Leg { set, node, reply: Reply::default(), end });
        if end != End::Awaited {
            self.look_later(id);
        }
    }

    pub(crate) fn look_later(&mut self, id: JobId) {
        let job = self.jobs.of(id);
        if !job.queued {
            job.queued = true;
            self.changed.push_back(id);
        }
    }

    /// A server answered, or will not.
    pub(crate) fn heard(&mut self, _cx: &mut Cx, event: PoolEvent) {
        let (tag, bytes, end) = match event {
            PoolEvent::Reply { tag, bytes, last } => {
                (tag, Some(bytes), if last { End::Replied } else { End::Awaited })
            }
            PoolEvent::Failed { tag, why } => (tag, None, End::Failed(Why::Failed(why))),
            PoolEvent::Ejected(ServerId { .. }) | PoolEvent::Rejoined(ServerId { .. }) => return,
        };
        let (id, leg) = untag(tag);
        let room = self.config.value_bytes_max + LIST_BYTES_MAX;
        let job = self.jobs.of(id);
        let leg = &mut job.legs[leg];
        assert_eq!(leg.end, End::Awaited, "a request ends once");
        if let Some(bytes) = bytes.filter(|bytes| leg.reply.len() + bytes.len() <= room) {
            leg.reply.push(bytes);
        }
        if end == End::Awaited {
            return;
        }
        leg.end = end;
        job.awaited -= 1;
        if let Some(server) = self.backends.server(leg.set, leg.node) {
            match end {
                End::Replied => server.stats.replies += 1,
                _ => server.stats.failures += 1,
            }
        }
        self.look_later(id);
    }

    /// Sees what a job has come to.
    pub(crate) fn look_at(&mut self, cx: &mut Cx, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        job.queued = false;
        if !job.answered {
            match job.task {
                Task::Routed => self.look_at_group(cx, id),
                Task::All(_) if job.awaited == 0 => self.answer_all(id),
                Task::Fetch { .. } if job.awaited == 0 => self.fetched(cx, id),
                Task::Add { .. } if job.awaited == 0 => self.added(cx, id),
                _ => {}
            }
        }
        if let Some(job) = self.jobs.get(id)
            && job.awaited == 0
            && !job.queued
        {
            self.jobs.remove(id);
        }
    }

    fn look_at_group(&mut self, cx: &mut Cx, id: JobId) {
        let generation = self.generation;
        let job = self.jobs.of(id);
        let current = job.generation == generation;
        // Under another config the plan may be another one; what was asked is judged as one leg.
        let plan = if current { Some(&self.table.plans[job.plan]) } else { None };
        let group = plan.map(|plan| &groups(plan, job.keyed())[job.group]);
        let acks = group.map_or(Acks::Near, |group| group.acks);
        let on_miss = group.is_some_and(|group| group.next_on_miss);
        let last = match plan {
            Some(plan) => job.group + 1 == groups(plan, job.keyed()).len(),
            None => false,
        };
        let verdict = verdict(job.present(), acks);
        let tongue = job.keyed().tongue;
        let may_repeat = job.keyed().effect != Effect::Once;
        match verdict {
            Verdict::Wait => {}
            Verdict::Reply(leg) => {
                let at = job.legs_from + leg;
                let reply = core::mem::take(&mut job.legs[at].reply);
                if on_miss && !last && class(tongue, &reply) == Class::Miss {
                    job.fallback = Some(reply);
                    self.next_group(cx, id);
                } else {
                    self.answer(cx, id, reply);
                }
            }
            Verdict::Fail(why) if !last && (may_repeat || why.unseen()) => {
                if let Some(stats) = self.route_stats.get_mut(job.plan).filter(|_| current) {
                    stats.failovers += 1;
                }
                cx.reached("mcproxy: the next target was asked");
                self.next_group(cx, id);
            }
            Verdict::Fail(why) => {
                let reply = match job.fallback.take() {
                    Some(reply) => reply,
                    None => self.failed(id, why),
                };
                self.answer(cx, id, reply);
            }
        }
    }

    fn next_group(&mut self, cx: &mut Cx, id: JobId) {
        let generation = self.generation;
        let job = self.jobs.of(id);
        if job.generation == generation {
            job.group += 1;
            return self.ask_group(cx, id);
        }
        // The config has changed under way: the key's plan of today, from its first group.
        let key = job.keyed().key.clone();
        match self.table.plan(&key) {
            Some(plan) => self.set_out(cx, id, plan),
            None => {
                let tongue = self.jobs.of(id).keyed().tongue;
                self.answer(cx, id, error(tongue, "no route takes this key"));
            }
        }
    }

    /// What a client gets for a request that nobody could answer.
    fn failed(&mut self, id: JobId, why: Why) -> Reply {
        let current = self.generation;
        let job = self.jobs.of(id);
        let (plan, generation) = (job.plan, job.generation);
        let failed = job.present().iter().find(|leg| leg.end == End::Failed(why));
        let place = failed.map(|leg| (leg.set, leg.node));
        let server = place.and_then(|(set, node)| self.backends.server(set, node));
        let server = server.map_or("a server", |server| server.name.as_str());
        let text = match why {
            Why::Refused(refusal) => format!("{server}: {refusal}"),
            Why::Failed(failure) => format!("{server}: {failure}"),
        };
        let request = self.jobs.of(id).request.take().expect("a routed job has a request");
        let plan = if generation == current { plan } else { usize::MAX };
        let reply = self.failure(plan, &request, &text);
        self.jobs.of(id).request = Some(request);
        if let Some(stats) = self.route_stats.get_mut(plan) {
            stats.failures += 1;
        }
        reply
    }

    /// A miss or an error, as the route says.
    fn failure(&self, plan: usize, request: &Request, text: &str) -> Reply {
        let on_failure = self.table.plans.get(plan).map_or(OnFailure::Miss, |plan| plan.on_failure);
        let miss = if on_failure == OnFailure::Miss { miss(request) } else { None };
        miss.unwrap_or_else(|| error(request.tongue, text))
    }

    /// Answers everyone who waits for a job.
    fn answer(&mut self, cx: &mut Cx, id: JobId, reply: Reply) {
        let generation = self.generation;
        let job = self.jobs.of(id);
        assert!(!job.answered, "a job is answered once");
        job.answered = true;
        let request = job.keyed();
        let (key, tongue) = (request.key.clone(), request.tongue);
        let read = request.effect == Effect::Read;
        let request = request.clone();
        let (plan, group, current) = (job.plan, job.group, job.generation == generation);
        let mut waiters = core::mem::take(&mut job.waiters);
        if !(read && self.read_split(cx, &request, &reply, &mut waiters)) {
            for waiter in waiters.drain(..) {
                let answer = dress(&reply, &waiter.dress);
                self.done.push_back((waiter, answer));
            }
            // The buffer is kept for the next job.
            self.jobs.of(id).waiters = waiters;
        }
        if read {
            self.flights.read_ends(&key, id);
        } else {
            self.flights.write_ends(&key);
        }
        let class = class(tongue, &reply);
        if let Some(stats) = self.route_stats.get_mut(plan).filter(|_| current) {
            match class {
                Class::Hit if read => stats.hits += 1,
                Class::Miss if read => stats.misses += 1,
                Class::Error => stats.errors += 1,
                _ => {}
            }
        }
        if read && current && class == Class::Hit {
            self.warm_up(cx, plan, group, &key);
        }
    }
}

/// The groups of a plan that a request of this kind follows.
fn groups<'a>(plan: &'a Plan, request: &Request) -> &'a [Group] {
    if request.effect == Effect::Read { &plan.reads } else { &plan.writes }
}

fn verdict(legs: &[Leg], acks: Acks) -> Verdict {
    let failure = legs.iter().find_map(|leg| match leg.end {
        End::Failed(why) => Some(why),
        _ => None,
    });
    let replied = legs.iter().position(|leg| leg.end == End::Replied);
    let awaited = legs.iter().any(|leg| leg.end == End::Awaited);
    let near = legs.first().map(|leg| leg.end);
    match (acks, near) {
        (Acks::All, _) if awaited => Verdict::Wait,
        (Acks::All, _) => failure.map_or(Verdict::Reply(0), Verdict::Fail),
        (Acks::Near, Some(End::Replied)) => Verdict::Reply(0),
        (Acks::Near, Some(End::Awaited)) => Verdict::Wait,
        _ => match (replied, failure) {
            (Some(leg), _) => Verdict::Reply(leg),
            (None, _) if awaited => Verdict::Wait,
            (None, Some(why)) => Verdict::Fail(why),
            (None, None) => unreachable!("a group has legs"),
        },
    }
}

/// The bytes of a request. A packet gets an opaque of its own, by which its reply is known.
fn pieces<'a>(
    request: &'a Request,
    head: &'a mut [u8; HEADER_BYTES],
    opaque: u32,
) -> ([Piece<'a>; 2], Shape) {
    if request.tongue == Tongue::Text {
        return ([Piece::Share(request.wire.clone()), Piece::Copy(b"")], request.shape);
    }
    head.copy_from_slice(&request.wire[..HEADER_BYTES]);
    head[12..16].copy_from_slice(&opaque.to_be_bytes());
    let shape = match request.shape {
        Shape::Packet { opcode, .. } => Shape::Packet { opcode, opaque },
        Shape::PacketsUntilKeyless { opcode, .. } => Shape::PacketsUntilKeyless { opcode, opaque },
        other => other,
    };
    ([Piece::Copy(head), Piece::Share(request.wire.slice(HEADER_BYTES..))], shape)
}
