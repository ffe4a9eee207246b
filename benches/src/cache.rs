//! A memcached server driven by hand: requests go in, replies come out, nothing in between.
//!
//! What is measured is the shell, the parser and the store; sockets and world cost nothing.

use bytes::BytesMut;
use storytime_machine::{
    Addr, Boot, Conn, Drive, Effect, Endpoint, Ipv4Addr, Now, Process, Rng, Setup,
};
use storytime_memcached::{Config, Server};

/// A server with one connection.
#[derive(Debug)]
pub struct Cache {
    process: Process<Server>,
    conn: Conn,
    now: Now,
    replies: BytesMut,
}

impl Cache {
    /// An empty cache of the default size.
    ///
    /// # Panics
    /// If the server does not listen or take a connection: then there is nothing to measure.
    pub fn new() -> Self {
        let now = Now::default();
        let mut process =
            Process::new(Server::alone(Config::default()), Setup::new(Rng::new(1, 1)));
        process.start(now, Boot { host: 0, worker: 0, incarnation: 0 });
        let Some(Effect::Listen { listener, .. }) = process.next_effect() else {
            panic!("a server listens first of all");
        };
        process.bound(now, listener, Ok(Endpoint::any(11211)));
        let conn = process.accepted(now, listener, peer()).expect("the first connection is taken");
        let mut cache = Self { process, conn, now, replies: BytesMut::new() };
        cache.carry_out();
        cache
    }

    /// Sends requests as one piece and returns the replies.
    #[inline]
    pub fn ask(&mut self, requests: &[u8]) -> &[u8] {
        let rx = self.process.rx(self.conn).expect("the server hangs up on nobody here");
        rx.extend_from_slice(requests);
        self.process.received(self.now, self.conn);
        self.replies.clear();
        self.carry_out();
        &self.replies
    }

    #[inline]
    fn carry_out(&mut self) {
        while let Some(conn) = self.process.next_dirty() {
            let Some(view) = self.process.view(conn) else { continue };
            self.process.take_output(self.now, conn, view.sendable, &mut self.replies);
        }
        while let Some(effect) = self.process.next_effect() {
            assert!(
                matches!(effect, Effect::Accept { .. }),
                "a cache asks for nothing: {effect:?}"
            );
        }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

/// Requests, one after another in one buffer.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// As they go over the wire.
    pub bytes: Vec<u8>,
    /// How many there are.
    pub requests: u64,
}

impl Pipeline {
    /// `set` of each key, with values of `value_bytes`.
    pub fn sets(keys: u32, value_bytes: usize) -> Self {
        let mut all = Self::default();
        for key in 0..keys {
            all.bytes.extend(format!("set key:{key:08} 0 0 {value_bytes}\r\n").bytes());
            all.bytes.extend(core::iter::repeat_n(b'v', value_bytes));
            all.bytes.extend(b"\r\n");
            all.requests += 1;
        }
        all
    }

    /// `get` of each key.
    pub fn gets(keys: u32) -> Self {
        let mut all = Self::default();
        for key in 0..keys {
            all.bytes.extend(format!("get key:{key:08}\r\n").bytes());
            all.requests += 1;
        }
        all
    }

    /// Requests that no store sees: what remains is the parser and the shell.
    pub fn versions(requests: u32) -> Self {
        let bytes = b"version\r\n".repeat(requests as usize);
        Self { bytes, requests: u64::from(requests) }
    }
}

fn peer() -> Endpoint {
    Endpoint::Tcp(Addr::new(Ipv4Addr::LOCALHOST.into(), 40_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_stored_and_found() {
        let mut cache = Cache::new();
        assert_eq!(cache.ask(&Pipeline::sets(2, 3).bytes), b"STORED\r\nSTORED\r\n");
        let hits = cache.ask(&Pipeline::gets(3).bytes);
        let hit = |key: u32| format!("VALUE key:{key:08} 0 3\r\nvvv\r\nEND\r\n");
        assert_eq!(hits, format!("{}{}END\r\n", hit(0), hit(1)).as_bytes());
    }
}
