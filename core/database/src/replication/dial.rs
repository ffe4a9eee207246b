//! A connection to another server: made, and made again when it ends.
//!
//! Whoever dials says when. Each attempt has a token of its own, so that what comes of an earlier
//! one, which may have gone to another server, is not taken for what is awaited now.

use super::{Replication, Role, Timer};
use crate::client::put_request;
use crate::resp::ReplyReader;
use bytes::Bytes;
use core::time::Duration;
use storytime_machine::{Close, Conn, Cx, Endpoint, IpAddr, Time, Token};

/// Attempts whose tokens differ.
pub(super) const ATTEMPTS: u64 = 1 << 32;
/// Tokens from one attempt of a dial to its next: there is one for each timer.
pub(super) const ATTEMPT_TOKENS: u64 = 8;

/// How the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// It is tried again when the timer says so.
    Resting,
    /// The server's name is being looked up, under this token.
    Resolving(Token),
    /// A connect of this token is under way.
    Connecting(Token),
    /// It is there.
    Up(Conn),
}

/// A connection to another server.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) name: String,
    pub(super) port: u16,
    /// Tries again.
    timer: Token,
    /// How long a connect may take, and how long the server may be silent.
    timeout: Duration,
    /// Longest reply or push of the server, bytes.
    frame_bytes_max: usize,
    pub(super) link: Link,
    pub(super) reader: ReplyReader,
    /// When the server was last heard, or the connection came up.
    pub(super) heard: Time,
}

impl Dial {
    pub(super) fn conn(&self) -> Option<Conn> {
        match self.link {
            Link::Up(conn) => Some(conn),
            Link::Resting | Link::Resolving(_) | Link::Connecting(_) => None,
        }
    }

    /// Whether the server has said nothing for too long over a connection that is up.
    pub(super) fn is_silent(&self, now: Time) -> bool {
        matches!(self.link, Link::Up(_)) && self.heard + self.timeout <= now
    }

    /// Connects, unless that is being done.
    pub(super) fn begin(&mut self, cx: &mut Cx, attempt: Token) {
        if self.link != Link::Resting {
            return;
        }
        match self.name.parse::<IpAddr>() {
            Ok(ip) => self.connect(cx, attempt, ip),
            Err(_) => {
                self.link = Link::Resolving(attempt);
                cx.resolve(attempt, self.name.clone());
            }
        }
    }

    fn connect(&mut self, cx: &mut Cx, attempt: Token, ip: IpAddr) {
        self.link = Link::Connecting(attempt);
        cx.connect(attempt, Endpoint::tcp(ip, self.port), self.timeout);
    }

    /// A look-up ended. False if the server's name has no address.
    fn resolved(&mut self, cx: &mut Cx, attempt: Token, ip: Option<IpAddr>) -> bool {
        if self.link == Link::Resolving(attempt) {
            match ip {
                Some(ip) => self.connect(cx, attempt, ip),
                None => return false,
            }
        }
        true
    }

    /// A connect came up; shows the password. False if it was left while it was coming up.
    fn connected(
        &mut self,
        cx: &mut Cx,
        attempt: Token,
        conn: Conn,
        password: Option<&Bytes>,
    ) -> bool {
        if self.link != Link::Connecting(attempt) {
            return false;
        }
        self.link = Link::Up(conn);
        self.reader = ReplyReader::new(self.frame_bytes_max);
        self.heard = cx.now();
        if let Some(password) = password {
            let tx = cx.tx(conn).expect("a connection that just came up is open");
            tx.write_with(|into| put_request(&[b"AUTH", password], into));
        }
        true
    }

    /// Gives up whatever is there or being done, and tries again behind a pause.
    pub(super) fn rest(&mut self, cx: &mut Cx, pause: Duration) {
        self.hang_up(cx);
        cx.after(self.timer, pause);
    }

    /// Gives it up for ever.
    pub(super) fn leave(&mut self, cx: &mut Cx) {
        self.hang_up(cx);
        cx.cancel(self.timer);
    }

    fn hang_up(&mut self, cx: &mut Cx) {
        if let Some(conn) = self.conn() {
            cx.close(conn, Close::Abort);
        }
        self.link = Link::Resting;
    }
}

impl Replication {
    /// A dial to a server, tried again at this timer.
    pub(super) fn new_dial(
        &self,
        name: String,
        port: u16,
        timer: Timer,
        frame_bytes_max: usize,
        now: Time,
    ) -> Dial {
        Dial {
            name,
            port,
            timer: self.token(timer),
            timeout: self.options.timeout,
            frame_bytes_max,
            link: Link::Resting,
            reader: ReplyReader::new(frame_bytes_max),
            heard: now,
        }
    }

    fn dial(&self, of: Timer) -> Option<&Dial> {
        match (of, &self.role) {
            (Timer::Upstream, Role::Replica(upstream)) => Some(&upstream.dial),
            (Timer::Former, _) => self.former.as_ref(),
            (Timer::Mutual, _) => self.mutual.as_ref().map(|mutual| &mutual.dial),
            _ => None,
        }
    }

    fn dial_mut(&mut self, of: Timer) -> Option<&mut Dial> {
        match of {
            Timer::Upstream => self.upstream().map(|upstream| &mut upstream.dial),
            Timer::Former => self.former.as_mut(),
            Timer::Mutual => self.mutual.as_mut().map(|mutual| &mut mutual.dial),
            Timer::Beat | Timer::Due => None,
        }
    }

    /// Whose dial a connection is.
    pub(super) fn dialled(&self, conn: Conn) -> Option<Timer> {
        let is = |of: &Timer| self.dial(*of).is_some_and(|dial| dial.conn() == Some(conn));
        Timer::DIALS.into_iter().find(is)
    }

    /// Whose dial an attempt is.
    fn dial_of(&self, attempt: Token) -> Option<Timer> {
        if !self.owns_token(attempt) {
            return None;
        }
        let kind = (attempt.0 - self.base) % ATTEMPT_TOKENS;
        Timer::DIALS.into_iter().find(|of| *of as u64 == kind)
    }

    /// Connects, unless that is being done.
    pub(super) fn begin_dial(&mut self, cx: &mut Cx, of: Timer) {
        self.attempts = (self.attempts + 1) % ATTEMPTS;
        let attempt = Token(self.token(of).0 + self.attempts * ATTEMPT_TOKENS);
        if let Some(dial) = self.dial_mut(of) {
            dial.begin(cx, attempt);
        }
    }

    /// A name was looked up. Whether that was for a dial.
    pub(super) fn dial_resolved(
        &mut self,
        cx: &mut Cx,
        attempt: Token,
        ip: Option<IpAddr>,
    ) -> bool {
        let Some(of) = self.dial_of(attempt) else { return false };
        if self.dial_mut(of).is_some_and(|dial| !dial.resolved(cx, attempt, ip)) {
            self.lose_dial(cx, of);
        }
        true
    }

    /// A connect came up. Whether it is a dial's.
    pub(super) fn dial_connected(&mut self, cx: &mut Cx, attempt: Token, conn: Conn) -> bool {
        let Some(of) = self.dial_of(attempt) else { return false };
        let password = self.options.master_password.clone();
        let up = |dial: &mut Dial| dial.connected(cx, attempt, conn, password.as_ref());
        if !self.dial_mut(of).is_some_and(up) {
            cx.close(conn, Close::Abort);
            return true;
        }
        match of {
            Timer::Upstream => self.greet_upstream(cx, conn),
            Timer::Former => self.beat_former(cx),
            Timer::Mutual => self.greet_mutual(cx, conn),
            Timer::Beat | Timer::Due => {}
        }
        true
    }

    /// A connect did not come up. Whether it was a dial's.
    pub(super) fn dial_failed(&mut self, cx: &mut Cx, attempt: Token) -> bool {
        let Some(of) = self.dial_of(attempt) else { return false };
        if self.dial(of).is_some_and(|dial| dial.link == Link::Connecting(attempt)) {
            self.lose_dial(cx, of);
        }
        true
    }

    /// What is dialled is not there, or is gone: it is tried again.
    pub(super) fn lose_dial(&mut self, cx: &mut Cx, of: Timer) {
        match of {
            Timer::Upstream => self.lose_upstream(cx, ""),
            Timer::Former => self.lose_former(cx),
            Timer::Mutual => self.lose_mutual(cx),
            Timer::Beat | Timer::Due => {}
        }
    }
}
