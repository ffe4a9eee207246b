//! Who listens to watchers: connections to all of them, and what they agree on.

use bytes::BytesMut;
use std::collections::BTreeSet;
use std::time::Duration;
use storytime_machine::{Conn, Cx, Endpoint, Gone, Open, Time, Token};

/// Connects and timers of the n-th watcher: this plus n.
const WATCHERS: u64 = 1 << 20;
/// Tokens that are the links'.
const WATCHERS_MAX: u64 = 1 << 10;
/// Pause between a lost connection and the next attempt.
const RETRY: Duration = Duration::from_millis(500);
/// How long a connect may take.
const CONNECT: Duration = Duration::from_secs(3);

/// What one watcher says.
#[derive(Debug)]
struct View {
    at: Endpoint,
    conn: Option<Conn>,
    down: BTreeSet<usize>,
    heard: Option<Time>,
}

/// The connections to all watchers.
#[derive(Debug)]
pub struct Watchers {
    views: Vec<View>,
    /// How long a watcher's word counts.
    fresh: Duration,
}

impl Watchers {
    /// Links to watchers, which are not connected yet.
    pub fn new(at: Vec<Endpoint>, fresh: Duration) -> Self {
        assert!((at.len() as u64) < WATCHERS_MAX, "a story has fewer hosts");
        let view = |at| View { at, conn: None, down: BTreeSet::new(), heard: None };
        Self { views: at.into_iter().map(view).collect(), fresh }
    }

    /// Connects to all.
    pub fn connect(&self, cx: &mut Cx) {
        (0..self.views.len()).for_each(|n| self.connect_to(cx, n));
    }

    fn connect_to(&self, cx: &mut Cx, n: usize) {
        cx.connect(Token(WATCHERS + n as u64), self.views[n].at.clone(), CONNECT);
    }

    fn number(&self, token: Token) -> Option<usize> {
        let n = token.0.checked_sub(WATCHERS).filter(|n| *n < WATCHERS_MAX)? as usize;
        (n < self.views.len()).then_some(n)
    }

    /// The numbers of the caches that all watchers heard of lately hold for down; `None` if none
    /// was.
    pub fn down(&self, now: Time) -> Option<BTreeSet<usize>> {
        let fresh = |view: &&View| view.heard.is_some_and(|at| now.since(at) <= self.fresh);
        let mut views = self.views.iter().filter(fresh);
        let first = views.next()?.down.clone();
        Some(views.fold(first, |both, view| both.intersection(&view.down).copied().collect()))
    }

    /// Whether the connection is one of these.
    pub fn on_open(&mut self, conn: Conn, how: &Open) -> bool {
        let Open::Connected { connect } = how else { return false };
        let Some(n) = self.number(*connect) else { return false };
        self.views[n].conn = Some(conn);
        true
    }

    /// Takes what a watcher says; whether it was one.
    pub fn on_data(&mut self, cx: &Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        let Some(view) = self.views.iter_mut().find(|view| view.conn == Some(conn)) else {
            return false;
        };
        while let Some(end) = rx.iter().position(|&byte| byte == b'\n') {
            let line = rx.split_to(end + 1);
            let text = String::from_utf8_lossy(&line);
            let Some(list) = text.trim_end().strip_prefix("down") else { continue };
            view.down = list.trim().split(',').filter_map(|number| number.parse().ok()).collect();
            view.heard = Some(cx.now());
        }
        true
    }

    /// Whether the connection was one of these; it is tried again.
    pub fn on_gone(&mut self, cx: &mut Cx, conn: Conn, _why: Gone) -> bool {
        let Some(n) = self.views.iter().position(|view| view.conn == Some(conn)) else {
            return false;
        };
        self.views[n].conn = None;
        cx.after(Token(WATCHERS + n as u64), RETRY);
        true
    }

    /// Whether the connect was one of these; it is tried again.
    pub fn on_failed(&self, cx: &mut Cx, connect: Token) -> bool {
        let ours = self.number(connect).is_some();
        if ours {
            cx.after(connect, RETRY);
        }
        ours
    }

    /// Whether the timer was one of these.
    pub fn on_timer(&self, cx: &mut Cx, timer: Token) -> bool {
        let Some(n) = self.number(timer) else { return false };
        self.connect_to(cx, n);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_is_what_all_who_were_heard_of_lately_hold_for_down() {
        let at = |port| Endpoint::any(port);
        let mut watchers = Watchers::new(vec![at(1), at(2)], Duration::from_secs(3));
        let seconds = |n| Time::ZERO + Duration::from_secs(n);
        assert_eq!(watchers.down(seconds(1)), None);
        (watchers.views[0].down, watchers.views[0].heard) = ([0, 2].into(), Some(seconds(1)));
        assert_eq!(watchers.down(seconds(2)), Some([0, 2].into()));
        (watchers.views[1].down, watchers.views[1].heard) = ([2, 3].into(), Some(seconds(3)));
        assert_eq!(watchers.down(seconds(4)), Some([2].into()));
        assert_eq!(watchers.down(seconds(6)), Some([2, 3].into()), "the first is silent");
    }
}
