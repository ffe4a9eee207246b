//! `stats conns`: listeners and connections, each under its number.

use super::Each;
use crate::session::Session;
use core::fmt;
use storytime_machine::Endpoint;

/// An address in the original's words.
struct Shown<'a> {
    at: &'a Endpoint,
    udp: bool,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Endpoint::Tcp(addr) => {
                let protocol = match (self.udp, addr.is_ipv6()) {
                    (false, false) => "tcp",
                    (false, true) => "tcp6",
                    (true, false) => "udp",
                    (true, true) => "udp6",
                };
                write!(f, "{protocol}:{addr}")
            }
            // The peer of a unix socket has no address.
            Endpoint::Unix(path) if path.is_empty() => f.write_str("unix:<AF 1>"),
            Endpoint::Unix(path) => write!(f, "unix:{}", path.escape_ascii()),
        }
    }
}

pub(super) fn give(session: &Session<'_>, each: Each<'_>) {
    for (id, card) in session.shared.ops.cards.all() {
        if card.udp {
            each(&format!("{id}:UDP"), format_args!("UDP"));
        }
        each(&format!("{id}:addr"), format_args!("{}", Shown { at: &card.at, udp: card.udp }));
        if let Some(listener) = &card.listener {
            let listener = Shown { at: listener, udp: false };
            each(&format!("{id}:listen_addr"), format_args!("{listener}"));
        }
        each(&format!("{id}:state"), format_args!("{}", card.stage().as_str()));
        let since = session.now.0.saturating_sub(card.last_command().0);
        each(&format!("{id}:secs_since_last_cmd"), format_args!("{since}"));
    }
}
