//! A client as a part of other machines: connections to any number of servers, pipelined and
//! pooled, kept open or made anew for each request.

use crate::Reply;
use bytes::{Bytes, BytesMut};
use core::time::Duration;
use storytime_machine::{Conn, Cx, Endpoint, Gone, Open, Token};

/// Tokens that a client uses from its base on.
pub const CLIENT_TOKENS: u64 = 1 << 32;

/// How connections are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// This many connections to each server, kept open, requests pipelined over them.
    Pooled(u32),
    /// This many connections to each server, kept open, one request at a time on each; more wait.
    Exclusive(u32),
    /// A connection for each request, closed behind the reply.
    PerRequest,
}

/// Options and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// How connections are used.
    pub keep: Keep,
    /// From asking to `Failure::TimedOut`.
    pub timeout: Duration,
    /// How long a connect may take.
    pub connect_timeout: Duration,
    /// How long a server that failed is left alone.
    pub retry_after: Duration,
    /// Most requests asked and not answered, for all servers.
    pub requests_max: usize,
    /// Longest reply, bytes.
    pub reply_bytes_max: usize,
}

/// Which server, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u32);

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// As given to `ask`.
    pub tag: u64,
    /// The server's reply (an error reply too), or why there is none.
    pub outcome: Result<Reply, Failure>,
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It could not be sent: it certainly did not happen.
    NotSent,
    /// It was sent, and the connection ended or the time ran out: nobody knows whether it happened.
    Unknown,
    /// The server said something that is no reply.
    Garbled,
}

/// A request was not even taken: the caller's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAccepted {
    /// `requests_max` are under way.
    TooMany,
    /// No such server.
    NoServer,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
}

#[allow(clippy::todo, missing_docs, unused_variables)]
impl Client {
    pub fn new(options: ClientOptions, base: Token) -> Self {
        let _ = base;
        Self { options }
    }
    /// Adds a server (or finds it, if it is there already).
    pub fn server(&mut self, at: &Endpoint) -> ServerId {
        todo!("{:?}", self.options)
    }
    /// Asks; exactly one event with this tag follows. `words` are the request's, its name first.
    pub fn ask(
        &mut self,
        cx: &mut Cx,
        server: ServerId,
        words: &[&[u8]],
        tag: u64,
    ) -> Result<(), NotAccepted> {
        todo!()
    }
    pub fn next_event(&mut self) -> Option<Event> {
        todo!()
    }
    pub fn owns(&self, conn: Conn) -> bool {
        todo!()
    }
    pub fn owns_token(&self, token: Token) -> bool {
        todo!()
    }
    pub fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        todo!()
    }
    pub fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        todo!()
    }
    pub fn on_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        todo!()
    }
    pub fn on_gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) -> bool {
        todo!()
    }
    pub fn on_failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) -> bool {
        todo!()
    }
    pub fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        todo!()
    }
    pub fn invariants(&self) {}
}

/// Text of an error reply's first word, such as `READONLY`.
pub fn error_code(text: &Bytes) -> &[u8] {
    text.split(|&byte| byte == b' ').next().unwrap_or(&[])
}
