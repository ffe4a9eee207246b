//! Where the server and its cache meet: submits, what workers say, and what drivers tell.

use super::Results;
use crate::config::Verbosity;
use crate::engine::{Number, Payload, Peer, Submit, Work};
use crate::server::{Gearmand, tokens};
use bytes::BytesMut;
use core::fmt;
use storytime_machine::{Conn, Cx, Gone, IpAddr, Open, ResolveError, Token};

impl Gearmand {
    /// A client submits a job: a foreground job with a key waits for word of the cache, if there is
    /// one.
    pub(in crate::server) fn submit_job(&mut self, cx: &mut Cx, from: Peer, job: &Submit<'_>) {
        let asks = self.results.is_some();
        let (engine, mut wire) = self.split(cx);
        if !asks {
            return engine.submit(&mut wire, from, job);
        }
        let Some(number) = engine.submit_asking(&mut wire, from, job) else { return };
        let results = self.results.as_mut().expect("it asks");
        if !results.ask(cx, number, job) {
            let (engine, mut wire) = self.split(cx);
            engine.release(&mut wire, number);
        }
    }

    /// A worker says something of a job; the engine has not heard of it yet.
    pub(in crate::server) fn note_work(
        &mut self,
        cx: &mut Cx,
        from: Peer,
        number: Number,
        work: &Work<'_>,
    ) {
        let Some(results) = &mut self.results else { return };
        if let Some(job) = self.engine.ran(from, number) {
            results.note(cx, number, &job, work, |other| self.engine.runs(other));
        }
    }

    /// Tells jobs what the cache said of them.
    pub(in crate::server) fn hear_results(&mut self, cx: &mut Cx) {
        let Some(mut results) = self.results.take() else { return };
        while let Some((number, found)) = results.next() {
            let (engine, mut wire) = self.split(cx);
            match found {
                Some(value) => {
                    let (data, result) = Results::parts_of(value);
                    let data = (!data.is_empty()).then_some(Payload::Shared(&data));
                    engine.answer(&mut wire, number, data, Payload::Shared(&result));
                    // If it waits no more, a background submit came, and it is to run.
                }
                None => {
                    engine.release(&mut wire, number);
                }
            }
        }
        self.results = Some(results);
    }

    /// A connection is up. Whether it is the cache's, as below.
    pub(in crate::server) fn cache_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        let Some(results) = &mut self.results else { return false };
        let is_cache = results.client.on_open(cx, conn, how);
        if is_cache && core::mem::take(&mut results.missed) {
            self.around.say(Verbosity::Warning, format_args!("--result-cache: reached again"));
        }
        is_cache
    }

    pub(in crate::server) fn cache_data(
        &mut self,
        cx: &mut Cx,
        conn: Conn,
        rx: &mut BytesMut,
    ) -> bool {
        self.results.as_mut().is_some_and(|results| results.client.on_data(cx, conn, rx))
    }

    pub(in crate::server) fn cache_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        self.results.as_mut().is_some_and(|results| results.client.on_eof(cx, conn))
    }

    pub(in crate::server) fn cache_gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) -> bool {
        self.results.as_mut().is_some_and(|results| results.client.on_gone(cx, conn, why))
    }

    pub(in crate::server) fn cache_failed(
        &mut self,
        cx: &mut Cx,
        connect: Token,
        why: Gone,
    ) -> bool {
        let Some(results) = &mut self.results else { return false };
        let is_cache = results.client.on_failed(cx, connect, why);
        if is_cache {
            self.cache_missed(format_args!("a server cannot be reached: {why}"));
        }
        is_cache
    }

    /// Says that the cache is not what it should be, once until it is there again.
    fn cache_missed(&mut self, why: fmt::Arguments<'_>) {
        if let Some(results) = &mut self.results
            && !core::mem::replace(&mut results.missed, true)
        {
            let what =
                format_args!("--result-cache: {why}; jobs are run whose results it may have");
            self.around.say(Verbosity::Warning, what);
        }
    }

    pub(in crate::server) fn cache_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        let Some(results) = &mut self.results else { return false };
        if timer == tokens::CACHE_LOOK_UP {
            results.look_up(cx);
            return true;
        }
        results.client.owns_token(timer) && results.client.on_timer(cx, timer)
    }

    /// A name was looked up, or not.
    pub(in crate::server) fn cache_resolved(
        &mut self,
        cx: &mut Cx,
        lookup: Token,
        found: Result<&[IpAddr], ResolveError>,
    ) -> bool {
        let Some(nth) = tokens::cache_place(lookup) else { return false };
        let Some(results) = &mut self.results else { return true };
        if !results.resolved(cx, nth, found.unwrap_or_default()) {
            let name = results.places[nth].host.clone();
            self.cache_missed(format_args!("{name} is no known name"));
        }
        true
    }
}
