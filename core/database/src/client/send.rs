//! Requests on their way out.

use super::asked::Place;
use super::encode::{bytes_of, put_request};
use super::link::{Link, Stand};
use super::{
    CLIENT_TOKENS, Client, Event, Failure, Keep, NotAccepted, RETRY_DOUBLINGS_MAX, ServerId,
    UNSENT_BYTES_MAX, WAITING_BYTES_MAX,
};
use crate::Reply;
use crate::config::{REQUEST_BYTES_MAX, VALUE_BYTES_MAX};
use bytes::BytesMut;
use core::time::Duration;
use storytime_machine::{Cx, Token};

/// Most empty buffers kept for requests that wait.
const SPARES_MAX: usize = 256;
/// Longest empty buffer that is kept, bytes.
const SPARE_BYTES_MAX: usize = 4 << 10;

impl Client {
    /// Asks; exactly one event with this tag follows. `words` are the request's, its name first.
    ///
    /// # Errors
    /// If the request is not taken; see [`NotAccepted`].
    pub fn ask(
        &mut self,
        cx: &mut Cx,
        server: ServerId,
        words: &[&[u8]],
        tag: u64,
    ) -> Result<(), NotAccepted> {
        if server.0 as usize >= self.servers.len() {
            return Err(NotAccepted::NoServer);
        }
        let bytes = bytes_of(words);
        let fits = bytes <= REQUEST_BYTES_MAX && words.iter().all(|w| w.len() <= VALUE_BYTES_MAX);
        if words.is_empty() || !fits {
            // The server would hang up, and take everybody else's replies with it.
            return Err(NotAccepted::BadRequest);
        }
        if self.asked.len() >= self.options.requests_max {
            return Err(NotAccepted::TooMany);
        }
        let deadline = cx.now() + self.options.timeout;
        let nobody_waits = self.servers[server.0 as usize].waiting.is_empty();
        if nobody_waits && let Some(link) = self.link_with_room(cx, server.0) {
            let slot = self.asked.insert(tag, server.0, deadline, Place::OnLink(link));
            self.put(cx, link, slot, |into| put_request(words, into));
        } else {
            if self.waiting_bytes + bytes > WAITING_BYTES_MAX {
                return Err(NotAccepted::TooMany);
            }
            let mut encoded = self.spares.pop().unwrap_or_default();
            put_request(words, &mut encoded);
            self.waiting_bytes += encoded.len();
            let slot = self.asked.insert(tag, server.0, deadline, Place::Waiting(encoded));
            self.servers[server.0 as usize].waiting.push_back(slot);
        }
        self.counters.requests += 1;
        self.set_timer(cx);
        self.connect_as_wanted(cx, server.0);
        self.fail_if_hopeless(cx, server.0);
        Ok(())
    }

    /// Sends what waits for a server, as far as its connections have room.
    pub(super) fn pump(&mut self, cx: &mut Cx, server: u32) {
        while !self.servers[server as usize].waiting.is_empty() {
            let Some(link) = self.link_with_room(cx, server) else { break };
            let slot = self.servers[server as usize].waiting.pop_front().expect("one waits");
            let place = &mut self.asked.get_mut(slot).place;
            let Place::Waiting(bytes) = core::mem::replace(place, Place::OnLink(link)) else {
                panic!("what is in the queue waits");
            };
            self.waiting_bytes -= bytes.len();
            self.put(cx, link, slot, |into| into.extend_from_slice(&bytes));
            self.spare(bytes);
        }
        self.connect_as_wanted(cx, server);
        self.fail_if_hopeless(cx, server);
    }

    /// The open connection with the fewest requests on it, if it takes one more.
    fn link_with_room(&self, cx: &Cx, server: u32) -> Option<u32> {
        let pooled = matches!(self.options.keep, Keep::Pooled(_));
        let links = self.servers[server as usize].links.iter();
        let room = links.filter_map(|&index| {
            let link = self.links[index as usize].as_ref()?;
            let Stand::Up(conn) = link.stand else { return None };
            let awaited = link.awaited();
            let free = awaited == 0 || pooled && cx.pending(conn) < UNSENT_BYTES_MAX;
            free.then_some((awaited, index))
        });
        room.min().map(|(_, index)| index)
    }

    fn put(&mut self, cx: &mut Cx, link: u32, slot: u32, write: impl FnOnce(&mut BytesMut)) {
        let link = self.link(link);
        let Stand::Up(conn) = link.stand else { panic!("only open connections have room") };
        if link.awaited() == 0 {
            // Silence counts from the first request.
            link.heard = cx.now();
        }
        link.pending.push_back(slot);
        let tx = cx.tx(conn).expect("a link that is up has its side open");
        tx.write_with(write);
    }

    /// Makes connections for what waits, as far as they are wanted and the server does not rest.
    fn connect_as_wanted(&mut self, cx: &mut Cx, server: u32) {
        let found = &self.servers[server as usize];
        if cx.now() < found.rests_until {
            return;
        }
        let links = found.links.iter().filter_map(|&index| self.links[index as usize].as_ref());
        let (mut coming, mut idle, mut all) = (0, 0, 0);
        for link in links {
            all += 1;
            match link.stand {
                Stand::Up(_) => idle += usize::from(link.awaited() == 0),
                Stand::Connecting | Stand::AwaitGreeting(..) => coming += 1,
            }
        }
        let waiting = found.waiting.len();
        let wanted = match self.options.keep {
            Keep::PerRequest => waiting.saturating_sub(coming),
            Keep::Exclusive(max) => {
                let room = (max.max(1) as usize).saturating_sub(all);
                waiting.saturating_sub(coming).min(room)
            }
            // One more whenever all are busy, until there are enough.
            Keep::Pooled(max) => {
                let room = all < max.max(1) as usize;
                let needed = waiting > 0 || all > 0;
                usize::from(needed && room && coming == 0 && idle == 0)
            }
        };
        for _ in 0..wanted {
            self.connect(cx, server);
        }
    }

    fn connect(&mut self, cx: &mut Cx, server: u32) {
        let link = Some(Link::new(server, cx.now(), self.options.reply_bytes_max));
        let index = match self.free_links.pop() {
            Some(free) => {
                self.links[free as usize] = link;
                free
            }
            None => {
                self.links.push(link);
                (self.links.len() - 1) as u32
            }
        };
        let found = &mut self.servers[server as usize];
        found.links.push(index);
        let token = Token(self.base + u64::from(index));
        self.counters.connects += 1;
        cx.connect(token, found.at.clone(), self.options.connect_timeout);
    }

    /// Without a connection, and none coming up, whatever waits will not be sent.
    pub(super) fn fail_if_hopeless(&mut self, cx: &Cx, server: u32) {
        let found = &self.servers[server as usize];
        if !found.links.is_empty() || found.waiting.is_empty() {
            return;
        }
        assert!(cx.now() < found.rests_until, "a server that does not rest is connected to");
        while self.fail_waiting(server) {}
    }

    /// Fails the request that has waited longest for a server.
    pub(super) fn fail_waiting(&mut self, server: u32) -> bool {
        let Some(slot) = self.servers[server as usize].waiting.pop_front() else { return false };
        self.ends(slot, Err(Failure::NotSent));
        true
    }

    /// A request's end.
    pub(super) fn ends(&mut self, slot: u32, outcome: Result<Reply, Failure>) {
        let asked = self.asked.remove(slot);
        if let Place::Waiting(bytes) = asked.place {
            self.waiting_bytes -= bytes.len();
            self.spare(bytes);
        }
        match outcome {
            Ok(_) => self.counters.replies += 1,
            Err(Failure::NotSent) => self.counters.not_sent += 1,
            Err(Failure::Unknown | Failure::Garbled) => self.counters.unknown += 1,
            Err(Failure::TooLong) => self.counters.too_long += 1,
        }
        self.events.push_back(Event { tag: asked.tag, outcome });
    }

    fn spare(&mut self, mut bytes: BytesMut) {
        if self.spares.len() < SPARES_MAX && bytes.capacity() <= SPARE_BYTES_MAX {
            bytes.clear();
            self.spares.push(bytes);
        }
    }

    /// A server failed: it is left alone for a while.
    pub(super) fn failed(&mut self, cx: &mut Cx, server: u32) {
        let found = &mut self.servers[server as usize];
        if cx.now() < found.rests_until {
            // Connections that fail together fail once.
            return;
        }
        let doublings = found.failures.min(RETRY_DOUBLINGS_MAX);
        found.failures = found.failures.saturating_add(1);
        // An instant at least: what fails at once must not be tried again in the same step.
        let rest = (self.options.retry_after * (1 << doublings)).max(Duration::from_nanos(4));
        found.rests_until = cx.now() + rest + cx.rng().duration(Duration::ZERO, rest / 4);
    }

    pub(super) const fn timer_token(&self) -> Token {
        Token(self.base + CLIENT_TOKENS - 1)
    }

    /// Sets the timer for the oldest request, unless it is set for an earlier time.
    pub(super) fn set_timer(&mut self, cx: &mut Cx) {
        if self.timer_at.is_none()
            && let Some((_, deadline)) = self.asked.first()
        {
            self.timer_at = Some(deadline);
            cx.at(self.timer_token(), deadline);
        }
    }
}
