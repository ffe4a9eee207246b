//! Being one half of an HA pair: the server sleeps until this half is active, and ends when it is
//! not any longer.

use super::{Database, tokens};
use crate::config::{PairPlaces, Place};
use core::time::Duration;
use storytime_machine::{Cx, Endpoint, Exit, IpAddr, ResolveError, Token};
use storytime_pair::{Pair, PairConfig, PairEvent, Storages};

/// Pause before a name is looked up again.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(1);
/// What a half says that learns by itself that its time is over.
const OVER: &str = storytime_pair::LEASE_OVER;

/// Where the others are, as far as that is known.
#[derive(Debug, Default)]
pub(super) struct Others {
    peer: Option<Endpoint>,
    witness: Option<Endpoint>,
}

impl Database {
    /// Looks for the others; the pair begins when they are found.
    pub(super) fn begin_half(&mut self, cx: &mut Cx, places: &PairPlaces) {
        for (token, place) in [(tokens::PEER, &places.peer), (tokens::WITNESS, &places.witness)] {
            match place.endpoint() {
                Some(at) => self.found(token, at),
                None => cx.resolve(token, place.host.clone()),
            }
        }
        self.begin_pair(cx, places);
    }

    fn found(&mut self, token: Token, at: Endpoint) {
        if token == tokens::PEER {
            self.others.peer = Some(at);
        } else {
            self.others.witness = Some(at);
        }
    }

    fn begin_pair(&mut self, cx: &mut Cx, places: &PairPlaces) {
        let (Some(peer), Some(witness)) = (&self.others.peer, &self.others.witness) else { return };
        let listen = Endpoint::any(places.listen);
        let below = |name: &str| [&self.config.dir[..], name.as_bytes()].concat().into();
        let config = PairConfig {
            address: places.address,
            prefer_active: places.prefer_active,
            dirs: vec![below("/journal")],
            own_dir: below("/pair"),
            ..PairConfig::new(listen, peer.clone(), witness.clone())
        };
        let mut pair = Pair::new(config, tokens::PAIR_BASE);
        pair.start(cx);
        self.engine.log.set_storage(Storages::Pair(Box::new(pair)));
    }

    /// A look-up of one of the others ended. Whether it was one.
    pub(super) fn other_resolved(
        &mut self,
        cx: &mut Cx,
        lookup: Token,
        result: &Result<Vec<IpAddr>, ResolveError>,
    ) -> bool {
        let Some(places) = self.config.pair.clone() else { return false };
        let place: &Place = match lookup {
            tokens::PEER => &places.peer,
            tokens::WITNESS => &places.witness,
            _ => return false,
        };
        match result.as_ref().ok().and_then(|ips| ips.first()) {
            Some(&ip) => {
                self.found(lookup, place.at(ip));
                self.begin_pair(cx, &places);
            }
            None => cx.after(lookup, LOOK_UP_AGAIN),
        }
        true
    }

    /// A name is looked up again. Whether the timer was that.
    pub(super) fn look_up_again(&self, cx: &mut Cx, timer: Token) -> bool {
        let Some(places) = &self.config.pair else { return false };
        let place = match timer {
            tokens::PEER => &places.peer,
            tokens::WITNESS => &places.witness,
            _ => return false,
        };
        cx.resolve(timer, place.host.clone());
        true
    }

    /// Whether this server may answer anybody: a half whose time is over may not, and ends.
    pub(super) fn may_answer(&mut self, cx: &mut Cx) -> bool {
        let now = cx.now();
        let over = self.active && self.pair().is_some_and(|pair| !pair.serves(now));
        if over {
            cx.exit(Exit::Failed(OVER));
        }
        !over
    }

    pub(super) fn pair(&mut self) -> Option<&mut Pair> {
        self.engine.log.storage().pair()
    }

    /// Everything that the pair has to tell.
    pub(super) fn hear_pair(&mut self, cx: &mut Cx) {
        while let Some(event) = self.pair().and_then(Pair::next_event) {
            match event {
                PairEvent::Activate => {
                    self.active = true;
                    self.recover(cx);
                }
                PairEvent::Fenced(why) => return cx.exit(Exit::Failed(why)),
                PairEvent::Disk(op, result) => {
                    if self.engine.log.on_disk(cx, op, result) {
                        self.hear_journal(cx);
                    }
                }
            }
        }
    }
}
