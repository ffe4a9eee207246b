//! Connections to job servers, one to each: made, watched, lost and left alone for a while. What
//! clients and workers have in common.
//!
//! ```text
//!            connect               came up
//!  Idle ─────────────► Connecting ─────────► Up
//!   ▲                      │                  │ lost
//!   │ its time is over     │ failed           │
//!   └────────────── Resting ◄─────────────────┘
//! ```

use crate::packet::{self, Bad, HEADER_BYTES, Kind, Magic, Packet, Parser};
use bytes::{Bytes, BytesMut};
use core::time::Duration;
use storytime_machine::{Close, Conn, Cx, Endpoint, Open, Time, Tls, Token};

/// Most servers of one client or worker.
pub const SERVERS_MAX: usize = 1 << 10;

/// Failures in a row that mean the longest rest; more change nothing.
const FAILURES_MAX: u32 = 16;

/// Longest packet that is read where it arrives, bytes; longer ones are collected apart, because
/// the buffers of connections are bounded.
const IN_PLACE_BYTES_MAX: usize = 64 << 10;

/// Which job server, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u32);

/// How servers are connected to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkOptions {
    /// How long a connect may take.
    pub(crate) connect_timeout: Duration,
    /// How long a server that failed is left alone; doubled with each failure in a row.
    pub(crate) retry_after: Duration,
    /// Up to this long, and up to a quarter more by chance.
    pub(crate) retry_after_max: Duration,
    /// Longest packet that is taken, bytes.
    pub(crate) packet_bytes_max: usize,
}

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Not connected; it may be.
    Idle,
    /// It failed, and is left alone until then.
    Resting(Time),
    /// A connect is under way.
    Connecting,
    /// Connected.
    Up(Conn),
}

/// Whose a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// This server's.
    Server(u32),
    /// Nobody's any more: its end is awaited.
    Leaving,
}

/// One server.
#[derive(Debug)]
struct Link {
    at: Endpoint,
    /// The name that its certificate is for; none if it is talked to in clear text.
    tls: Option<String>,
    stand: Stand,
    /// Failures since it was last heard.
    failures: u32,
    /// When it was last heard, or came up.
    heard: Time,
    /// The packet that comes, if it is too long for the connection's buffer.
    long: Option<Long>,
}

/// A packet that is collected as it comes.
#[derive(Debug)]
struct Long {
    /// What there is of it.
    bytes: BytesMut,
    /// Its length, bytes.
    len: usize,
}

impl Long {
    /// Takes over the packet that begins in `rx`, if it is long.
    fn begin(rx: &mut BytesMut) -> Option<Self> {
        let header = rx.first_chunk::<HEADER_BYTES>()?;
        let body = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        let len = HEADER_BYTES + body as usize;
        (len > IN_PLACE_BYTES_MAX).then(|| Self { bytes: rx.split(), len })
    }
}

/// What links count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct LinkCounters {
    pub(crate) connects: u64,
    pub(crate) connects_failed: u64,
    pub(crate) lost: u64,
}

/// All servers of a client or a worker.
#[derive(Debug)]
pub(crate) struct Links {
    options: LinkOptions,
    base: u64,
    servers: Vec<Link>,
    /// Whose each of our connections is, by slot.
    by_slot: Vec<Option<(Conn, Of)>>,
    pub(crate) counters: LinkCounters,
}

impl Links {
    /// Links without servers; connects have the [`SERVERS_MAX`] tokens from `base` on.
    pub(crate) const fn new(options: LinkOptions, base: u64) -> Self {
        let counters = LinkCounters { connects: 0, connects_failed: 0, lost: 0 };
        Self { options, base, servers: Vec::new(), by_slot: Vec::new(), counters }
    }

    /// Adds a server, or finds it.
    ///
    /// # Panics
    /// If there are [`SERVERS_MAX`] already.
    pub(crate) fn add(&mut self, at: &Endpoint, tls: Option<&String>) -> u32 {
        if let Some(found) = self.servers.iter().position(|link| link.at == *at) {
            return found as u32;
        }
        assert!(self.servers.len() < SERVERS_MAX, "more servers than there can be");
        let stand = Stand::Idle;
        self.servers.push(Link {
            at: at.clone(),
            tls: tls.cloned(),
            stand,
            failures: 0,
            heard: Time::ZERO,
            long: None,
        });
        (self.servers.len() - 1) as u32
    }

    pub(crate) const fn len(&self) -> u32 {
        self.servers.len() as u32
    }

    pub(crate) fn endpoint(&self, server: u32) -> Option<&Endpoint> {
        self.servers.get(server as usize).map(|link| &link.at)
    }

    pub(crate) fn stand(&self, server: u32) -> Stand {
        self.servers[server as usize].stand
    }

    /// The server's connection, while it is up.
    pub(crate) fn conn(&self, server: u32) -> Option<Conn> {
        match self.stand(server) {
            Stand::Up(conn) => Some(conn),
            Stand::Idle | Stand::Resting(_) | Stand::Connecting => None,
        }
    }

    /// When a server was last heard, or its connection came up.
    pub(crate) fn heard(&self, server: u32) -> Time {
        self.servers[server as usize].heard
    }

    /// Whose a connection is.
    pub(crate) fn of(&self, conn: Conn) -> Option<Of> {
        let (found, of) = (*self.by_slot.get(conn.index())?)?;
        (found == conn).then_some(of)
    }

    /// The server of a connect's token.
    pub(crate) fn by_token(&self, token: Token) -> Option<u32> {
        let server = token.0.checked_sub(self.base)?;
        (server < self.servers.len() as u64).then_some(server as u32)
    }

    /// Whether a server fails at the moment and is left alone.
    pub(crate) fn rests(&self, now: Time, server: u32) -> bool {
        matches!(self.stand(server), Stand::Resting(until) if now < until)
    }

    /// Connects to a server, unless there is a connection, one is coming up, or the server rests.
    pub(crate) fn connect(&mut self, cx: &mut Cx, server: u32) -> bool {
        let now = cx.now();
        let link = &mut self.servers[server as usize];
        match link.stand {
            Stand::Resting(until) if now < until => return false,
            Stand::Connecting | Stand::Up(_) => return false,
            Stand::Resting(_) | Stand::Idle => {}
        }
        link.stand = Stand::Connecting;
        self.counters.connects += 1;
        let token = Token(self.base + u64::from(server));
        cx.connect(token, link.at.clone(), self.options.connect_timeout);
        true
    }

    /// A connection is up: the server whose it is, if it is one of ours.
    /// What is sent on it waits for the handshake, if there is one.
    pub(crate) fn opened(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> Option<u32> {
        let Open::Connected { connect } = how else { return None };
        let server = self.by_token(*connect)?;
        let link = &mut self.servers[server as usize];
        assert_eq!(link.stand, Stand::Connecting, "a connect ends once");
        link.stand = Stand::Up(conn);
        link.heard = cx.now();
        if let Some(name) = &link.tls {
            cx.start_tls(conn, Tls::Client { name: name.clone() });
        }
        if self.by_slot.len() <= conn.index() {
            self.by_slot.resize(conn.index() + 1, None);
        }
        self.by_slot[conn.index()] = Some((conn, Of::Server(server)));
        Some(server)
    }

    /// The next packet of a server.
    ///
    /// # Errors
    /// The bytes are no packet.
    pub(crate) fn next(
        &mut self,
        cx: &Cx,
        server: u32,
        rx: &mut BytesMut,
    ) -> Result<Option<Packet>, Bad> {
        let parser = Parser::new(Magic::Response, self.options.packet_bytes_max);
        let link = &mut self.servers[server as usize];
        if !rx.is_empty() {
            link.heard = cx.now();
        }
        let packet = match &mut link.long {
            None => parser.next(rx)?,
            Some(long) => {
                let missing = long.len - long.bytes.len();
                long.bytes.unsplit(rx.split_to(missing.min(rx.len())));
                parser.next(&mut long.bytes)?
            }
        };
        if packet.is_some() {
            link.failures = 0;
            link.long = None;
        } else if link.long.is_none() {
            link.long = Long::begin(rx);
        }
        Ok(packet)
    }

    /// What a server holds against us will not have changed soon: when its link ends, it is left
    /// alone for the longest time.
    pub(crate) fn shun(&mut self, server: u32) {
        self.servers[server as usize].failures = FAILURES_MAX;
    }

    /// A link ends, in whatever way. A server that is to blame is left alone for a while.
    pub(crate) fn lose(&mut self, cx: &mut Cx, server: u32, how: Close, blame: bool) {
        let now = cx.now();
        let link = &mut self.servers[server as usize];
        match link.stand {
            Stand::Up(conn) => {
                self.by_slot[conn.index()] = Some((conn, Of::Leaving));
                link.long = None;
                self.counters.lost += 1;
                cx.close(conn, how);
            }
            Stand::Connecting => self.counters.connects_failed += 1,
            Stand::Idle | Stand::Resting(_) => panic!("only what is there can be lost"),
        }
        link.stand = Stand::Idle;
        if blame {
            let doubled = self.options.retry_after * (1u32 << link.failures.min(FAILURES_MAX));
            let rest = doubled.min(self.options.retry_after_max).max(Duration::from_nanos(4));
            link.failures = link.failures.saturating_add(1);
            let more = cx.rng().duration(Duration::ZERO, rest / 4);
            link.stand = Stand::Resting(now + rest + more);
        }
    }

    /// Closes a link in order, because nobody needs it any more.
    pub(crate) fn leave(&mut self, cx: &mut Cx, server: u32) {
        let link = &mut self.servers[server as usize];
        if let Stand::Up(conn) = link.stand {
            self.by_slot[conn.index()] = Some((conn, Of::Leaving));
            cx.close(conn, Close::Flush);
            link.long = None;
            link.stand = Stand::Idle;
        }
    }

    /// Whether no connection is left, nor one coming up.
    pub(crate) fn is_closed(&self) -> bool {
        let coming = |link: &Link| link.stand == Stand::Connecting;
        self.by_slot.iter().all(Option::is_none) && !self.servers.iter().any(coming)
    }

    /// A connection is gone: whose it was.
    pub(crate) fn gone(&mut self, conn: Conn) -> Option<Of> {
        let of = self.of(conn)?;
        self.by_slot[conn.index()] = None;
        Some(of)
    }

    /// Whether a server's connection takes more output; if not, `drained` will tell.
    pub(crate) fn has_room(&self, cx: &Cx, server: u32) -> bool {
        let Some(conn) = self.conn(server) else { return false };
        cx.pending(conn) <= cx.limits().tx_high
    }

    /// Sends a packet without data, or whose data is the last argument.
    ///
    /// # Panics
    /// If the link is not up.
    pub(crate) fn put(&self, cx: &mut Cx, server: u32, kind: Kind, arguments: &[&[u8]]) {
        let conn = self.conn(server).expect("packets are sent on links that are up");
        let tx = cx.tx(conn).expect("a link that is up has its side open");
        packet::put(tx, Magic::Request, kind, arguments);
    }

    /// Sends a packet with data.
    ///
    /// # Panics
    /// If the link is not up.
    pub(crate) fn put_with_data(
        &self,
        cx: &mut Cx,
        server: u32,
        kind: Kind,
        arguments: &[&[u8]],
        data: &Bytes,
    ) {
        let conn = self.conn(server).expect("packets are sent on links that are up");
        let tx = cx.tx(conn).expect("a link that is up has its side open");
        packet::put_with_data(tx, Magic::Request, kind, arguments, data);
    }

    pub(crate) fn invariants(&self) {
        for (at, link) in self.servers.iter().enumerate() {
            if let Stand::Up(conn) = link.stand {
                let of = Some(Of::Server(at as u32));
                assert_eq!(self.of(conn), of, "a server's connection knows it");
            }
        }
        for (conn, of) in self.by_slot.iter().flatten() {
            if let Of::Server(server) = of {
                assert_eq!(self.stand(*server), Stand::Up(*conn), "a connection has one server");
            }
        }
    }
}
