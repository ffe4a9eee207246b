//! The connection to the recorder: look-up, connect with retries, lines in.

use crate::config::{Host, HostName};
use crate::wire::Request;
use core::time::Duration;
use storytime_machine::{Close, Conn, Cx, Endpoint, Gone, IpAddr, ResolveError, Token};

/// The look-up's token.
const LOOKUP: Token = Token(1);
/// The connect's token.
const CONNECT: Token = Token(1);
/// The timer between two attempts.
pub(crate) const RETRY: Token = Token(1);
/// How long one connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause between two attempts.
const RETRY_DELAY: Duration = Duration::from_millis(250);
/// Most attempts: the recorder may be started after us, or be rebooted with us.
const ATTEMPTS_MAX: u32 = 120;

/// What is awaited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Awaits {
    Start,
    Name,
    Connect,
    Retry,
    Lines(Conn),
}

/// The way to the recorder.
#[derive(Debug)]
pub(crate) struct Link {
    host: Host,
    awaits: Awaits,
    attempts: u32,
}

/// The recorder cannot be reached, and trying on makes no sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct GaveUp(pub(crate) &'static str);

impl Link {
    pub(crate) const fn new(host: Host) -> Self {
        Self { host, awaits: Awaits::Start, attempts: 0 }
    }

    /// Begins to connect.
    pub(crate) fn start(&mut self, cx: &mut Cx) {
        assert!(self.awaits == Awaits::Start, "a link is started once");
        self.attempt(cx);
    }

    fn attempt(&mut self, cx: &mut Cx) {
        self.attempts += 1;
        match &self.host.name {
            HostName::Ip(ip) => self.connect(cx, *ip),
            HostName::Name(name) => {
                self.awaits = Awaits::Name;
                cx.resolve(LOOKUP, name.clone());
            }
        }
    }

    fn connect(&mut self, cx: &mut Cx, ip: IpAddr) {
        self.awaits = Awaits::Connect;
        cx.connect(CONNECT, Endpoint::tcp(ip, self.host.port), CONNECT_TIMEOUT);
    }

    fn later(&mut self, cx: &mut Cx) -> Result<(), GaveUp> {
        if self.attempts >= ATTEMPTS_MAX {
            return Err(GaveUp("the recorder does not answer"));
        }
        self.awaits = Awaits::Retry;
        cx.after(RETRY, RETRY_DELAY);
        Ok(())
    }

    /// The look-up came back.
    pub(crate) fn resolved(
        &mut self,
        cx: &mut Cx,
        result: Result<Vec<IpAddr>, ResolveError>,
    ) -> Result<(), GaveUp> {
        assert!(self.awaits == Awaits::Name, "one look-up at a time");
        match result.as_deref() {
            Ok([ip, ..]) => {
                self.connect(cx, *ip);
                Ok(())
            }
            Ok([]) | Err(ResolveError::Unavailable) => self.later(cx),
            Err(ResolveError::NotFound) => Err(GaveUp("the recorder's name does not exist")),
        }
    }

    /// The retry timer fired.
    pub(crate) fn timer(&mut self, cx: &mut Cx) {
        if self.awaits == Awaits::Retry {
            self.attempt(cx);
        }
    }

    /// A connect failed.
    pub(crate) fn failed(&mut self, cx: &mut Cx, why: Gone) -> Result<(), GaveUp> {
        assert!(self.awaits == Awaits::Connect, "one connect at a time");
        match why {
            Gone::NoResources => Err(GaveUp("no sockets left for the recorder")),
            _ => self.later(cx),
        }
    }

    /// The connect came up.
    pub(crate) fn open(&mut self, conn: Conn) {
        assert!(self.awaits == Awaits::Connect, "one connect at a time");
        self.awaits = Awaits::Lines(conn);
    }

    /// Sends a line. Does nothing while there is no connection: its end is told by other means.
    pub(crate) fn send(&self, cx: &mut Cx, request: Request) {
        if let Awaits::Lines(conn) = self.awaits
            && let Some(tx) = cx.tx(conn)
        {
            request.put(tx);
        }
    }

    /// Sends what is pending and closes; `gone` follows.
    pub(crate) fn close(&self, cx: &mut Cx) {
        if let Awaits::Lines(conn) = self.awaits {
            cx.close(conn, Close::Flush);
        }
    }
}
