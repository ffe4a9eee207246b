//! What the owner passes on, and what comes of it. Each method that returns a truth value says
//! whether the event was replication's.

use super::{Host, REPLICATION_TOKENS, Replication, Timer};
use bytes::BytesMut;
use storytime_machine::{Close, Conn, Cx, Gone, IpAddr, Open, ResolveError, Token};

impl Replication {
    /// Whether a connection is to our master, to our former one, or a replica's.
    pub fn owns(&self, conn: Conn) -> bool {
        self.dialled(conn).is_some() || self.follower_at(conn).is_some()
    }

    /// Whether a token is ours.
    pub const fn owns_token(&self, token: Token) -> bool {
        token.0 >= self.base && token.0 - self.base < REPLICATION_TOKENS
    }

    /// A connection that we made is up.
    pub fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        let Open::Connected { connect } = how else { return false };
        self.dial_connected(cx, *connect, conn)
    }

    /// Bytes arrived.
    pub fn on_data(
        &mut self,
        cx: &mut Cx,
        host: &mut dyn Host,
        conn: Conn,
        rx: &mut BytesMut,
    ) -> bool {
        match (self.dialled(conn), self.follower_at(conn)) {
            (Some(Timer::Upstream), _) => self.take_in(cx, host, conn, rx),
            (Some(Timer::Former), _) => self.hear_former(cx, conn, rx),
            (Some(Timer::Mutual), _) => self.hear_mutual(cx, host, conn, rx),
            (_, Some(index)) => self.hear(cx, host, index, rx),
            _ => return false,
        }
        true
    }

    /// A replica that took no output takes it again.
    pub fn on_drained(&mut self, cx: &mut Cx, host: &mut dyn Host, conn: Conn) -> bool {
        let ours = self.follower_at(conn).is_some();
        if ours {
            self.pump(cx, host);
        }
        ours || self.owns(conn)
    }

    /// The other side closed.
    pub fn on_eof(&mut self, cx: &mut Cx, host: &mut dyn Host, conn: Conn) -> bool {
        self.ended(cx, host, conn)
    }

    /// A connection is gone.
    pub fn on_gone(&mut self, cx: &mut Cx, host: &mut dyn Host, conn: Conn, _: Gone) -> bool {
        self.ended(cx, host, conn)
    }

    fn ended(&mut self, cx: &mut Cx, host: &mut dyn Host, conn: Conn) -> bool {
        if let Some(of) = self.dialled(conn) {
            self.lose_dial(cx, of);
        } else if let Some(index) = self.follower_at(conn) {
            self.drop_follower(cx, Some(&mut *host), index, Close::Abort);
            self.pump(cx, host);
        } else {
            return false;
        }
        true
    }

    /// A connect did not come up.
    pub fn on_failed(&mut self, cx: &mut Cx, connect: Token, _: Gone) -> bool {
        self.dial_failed(cx, connect)
    }

    /// A name look-up ended.
    pub fn on_resolved(
        &mut self,
        cx: &mut Cx,
        lookup: Token,
        result: &Result<Vec<IpAddr>, ResolveError>,
    ) -> bool {
        let ip = result.as_ref().ok().and_then(|ips| ips.first().copied());
        self.dial_resolved(cx, lookup, ip)
    }

    /// A timer came due.
    pub fn on_timer(&mut self, cx: &mut Cx, host: &mut dyn Host, timer: Token) -> bool {
        if timer == self.token(Timer::Upstream) {
            self.try_upstream(cx, host);
        } else if timer == self.token(Timer::Former) {
            self.begin_dial(cx, Timer::Former);
        } else if timer == self.token(Timer::Mutual) {
            self.begin_dial(cx, Timer::Mutual);
        } else if timer == self.token(Timer::Due) {
            self.weigh(cx, host);
        } else if timer == self.token(Timer::Beat) {
            cx.after(timer, self.options.heartbeat);
            self.beat_upstream(cx, host);
            self.beat_former(cx);
            self.beat_mutual(cx);
            self.beat_followers(cx, host);
            self.pump(cx, host);
        } else {
            return false;
        }
        true
    }

    /// Records became durable, or were applied, or the journal has room again.
    pub fn on_durable(&mut self, cx: &mut Cx, host: &mut dyn Host) {
        let log = host.log();
        if let Some(upstream) = self.upstream() {
            upstream.lag.applied(log.applied);
        }
        self.tell_position(cx, host);
        self.resume(cx, host);
        self.resume_mutual(cx, host);
        self.pump(cx, host);
        self.weigh(cx, host);
    }
}
