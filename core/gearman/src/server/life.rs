//! Beginning: names and listeners. And what time brings.

use super::{Gearmand, Phase, tokens};
use crate::config::Verbosity;
use core::time::Duration;
use storytime_machine::{BindError, Cx, Endpoint, Exit, IpAddr, ResolveError, nanos};

/// The wall clock is looked at again after so long, whatever is due: somebody may set it.
const WALL_CLOCK_LOOK: Duration = Duration::from_secs(60);

/// A listener, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Not told yet.
    Asked,
    /// Where it really is.
    Open(Endpoint),
    /// This host has no such address.
    Missing,
}

/// Timers that are set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Alarms {
    expiry: Option<storytime_machine::Time>,
    due: Option<u64>,
}

impl Gearmand {
    /// Listens, after a look-up if it is told to at a name.
    pub(super) fn begin_to_listen(&mut self, cx: &mut Cx) {
        match self.config.listen.as_deref() {
            None => self.listen_at(cx, &[storytime_machine::ANY]),
            Some(host) => match host.parse::<IpAddr>() {
                Ok(ip) => self.listen_at(cx, &[ip]),
                Err(_) => cx.resolve(tokens::LOOKUP, host),
            },
        }
    }

    pub(super) fn name_found(&mut self, cx: &mut Cx, found: Result<Vec<IpAddr>, ResolveError>) {
        match found {
            Ok(ips) => self.listen_at(cx, &ips),
            Err(ResolveError::NotFound) => {
                cx.exit(Exit::Failed("cannot listen: --listen is no address and no known name"));
            }
            Err(ResolveError::Unavailable) => {
                cx.exit(Exit::Failed("cannot listen: the name of --listen cannot be looked up"));
            }
        }
    }

    /// One listener for each address. If any port will do, one: the others would have another.
    fn listen_at(&mut self, cx: &mut Cx, ips: &[IpAddr]) {
        let port = self.config.port();
        let most = if port == 0 { 1 } else { tokens::LISTENERS_MAX };
        let ips = &ips[..ips.len().min(most)];
        self.http_from = ips.len();
        for port in [Some(port), self.config.http_port].into_iter().flatten() {
            for ip in ips {
                let listen = self.config.listen_at(Endpoint::tcp(*ip, port));
                cx.listen(tokens::listener(self.listeners.len()), listen);
                self.listeners.push(Door::Asked);
            }
        }
        assert!(!self.listeners.is_empty(), "a look-up finds at least one address");
    }

    /// A listener is there, or is not. A name's addresses need not all be this host's.
    pub(super) fn door(&mut self, cx: &mut Cx, nth: usize, result: Result<Endpoint, BindError>) {
        const TAKEN: &str = "cannot listen; is the port taken? try another --port, or --http-port";
        let alone = self.http_from == 1;
        self.listeners[nth] = match result {
            Ok(at) => Door::Open(at),
            Err(BindError::NotHere | BindError::Denied) if !alone => Door::Missing,
            Err(BindError::InUse) => return cx.exit(Exit::Failed(TAKEN)),
            Err(BindError::NotHere) => {
                return cx.exit(Exit::Failed("cannot listen: --listen is not this host's address"));
            }
            Err(BindError::Denied) => {
                return cx.exit(Exit::Failed("cannot listen: the system does not allow it"));
            }
        };
        if self.listeners.contains(&Door::Asked) || self.phase == Phase::Draining {
            return;
        }
        let open = self.listeners.iter().filter_map(|door| match door {
            Door::Open(at) => Some(at.clone()),
            Door::Asked | Door::Missing => None,
        });
        let open: Vec<_> = open.collect();
        if open.is_empty() {
            return cx.exit(Exit::Failed("cannot listen: none of the addresses is this host's"));
        }
        if self.phase == Phase::Starting {
            self.phase = Phase::Serving;
        }
        for note in &self.config.notes {
            self.around.say(Verbosity::Notice, format_args!("{note}"));
        }
        self.around.listening(&open);
    }

    /// All jobs are back: listens, if it does not yet.
    pub(super) fn begin_to_serve(&mut self, cx: &mut Cx) {
        self.phase = Phase::Starting;
        if self.listeners.is_empty() {
            self.begin_to_listen(cx);
        } else if !self.listeners.contains(&Door::Asked) {
            self.phase = Phase::Serving;
        }
    }

    /// Tells the engine what time it is: before anything else is asked of it.
    #[inline]
    pub(super) fn clock(&mut self, cx: &Cx) {
        self.engine.clock(cx.now(), cx.wall_clock().as_secs());
    }

    /// A timer of the engine's came due, or may have.
    pub(super) fn tick(&mut self, cx: &mut Cx) {
        self.alarms = Alarms::default();
        let (engine, mut wire) = self.split(cx);
        engine.tick(&mut wire);
        wire.tell_acks(wire.cx.now());
    }

    /// Sets the timers for what is due next. One that is set for earlier stays: it finds nothing
    /// due, which costs less than to move it with every job.
    #[inline]
    pub(super) fn set_alarms(&mut self, cx: &mut Cx) {
        let ack = self.sessions.next_ack().map(|(_, until)| until);
        let expiry = [self.engine.next_expiry(), ack].into_iter().flatten().min();
        let mut wanted = Alarms { expiry, due: self.engine.next_due() };
        if let Some(set) = self.alarms.expiry
            && wanted.expiry.is_none_or(|expiry| set <= expiry)
        {
            wanted.expiry = Some(set);
        }
        if wanted != self.alarms {
            self.change_alarms(cx, wanted);
        }
    }

    fn change_alarms(&mut self, cx: &mut Cx, wanted: Alarms) {
        if wanted.expiry != self.alarms.expiry {
            let when = wanted.expiry.expect("an alarm that is set stays, or is set for earlier");
            cx.at(tokens::EXPIRY, when);
        }
        if wanted.due != self.alarms.due {
            match wanted.due {
                Some(second) => {
                    let at = second.saturating_mul(nanos(Duration::from_secs(1)));
                    let wait = Duration::from_nanos(at.saturating_sub(cx.wall_clock().0));
                    cx.after(tokens::DUE, wait.min(WALL_CLOCK_LOOK));
                }
                None => cx.cancel(tokens::DUE),
            }
        }
        self.alarms = wanted;
    }
}
