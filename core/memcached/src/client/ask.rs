//! How a request leaves.

use super::link::{Link, Pending, Stand};
use super::reply::Awaits;
use super::{Client, DeadServer, Event, Failure, NotAccepted, Outcome};
use crate::cache::KEY_BYTES_MAX;
use bytes::BytesMut;
use core::fmt::Write as _;
use storytime_machine::Cx;

/// What a request is, apart from its key.
pub(super) enum Ask<'a> {
    Get,
    Set { verb: &'static str, value: &'a [u8], exptime: u32 },
    Delete,
}

impl Ask<'_> {
    fn awaits(&self, key: &[u8]) -> Awaits {
        match self {
            Self::Get => Awaits::Value { key_crc: crc32fast::hash(key) },
            Self::Set { .. } => Awaits::Stored,
            Self::Delete => Awaits::Deleted,
        }
    }

    fn encode(&self, key: &[u8], into: &mut BytesMut) {
        match self {
            Self::Get => {
                into.extend_from_slice(b"get ");
                into.extend_from_slice(key);
            }
            Self::Delete => {
                into.extend_from_slice(b"delete ");
                into.extend_from_slice(key);
            }
            Self::Set { verb, value, exptime } => {
                into.extend_from_slice(verb.as_bytes());
                into.extend_from_slice(b" ");
                into.extend_from_slice(key);
                write!(into, " 0 {exptime} {}\r\n", value.len())
                    .expect("buffers of requests grow as needed");
                into.extend_from_slice(value);
            }
        }
        into.extend_from_slice(b"\r\n");
    }
}

impl Client {
    pub(super) fn ask(
        &mut self,
        cx: &mut Cx,
        key: &[u8],
        tag: u64,
        ask: &Ask<'_>,
    ) -> Result<(), NotAccepted> {
        let clean = key.iter().all(|&b| b > b' ' && b != 0x7f);
        if key.is_empty() || key.len() > KEY_BYTES_MAX || !clean {
            return Err(NotAccepted::BadKey);
        }
        if let Ask::Set { value, .. } = ask
            && value.len() > self.options.value_bytes_max
        {
            return Err(NotAccepted::ValueTooLarge);
        }
        let server = self.placement.pick(key).ok_or(NotAccepted::NoServers)?;
        let index = self.route[server] as usize;
        let token = self.token(index);
        let link = self.links[index].as_mut().expect("every server of the list has its link");
        let awaits = ask.awaits(key);
        match link.stand {
            Stand::Down { until } if cx.now() < until => {
                self.counters.requests += 1;
                self.counters.down += 1;
                let outcome = when_down(awaits, self.options.dead_server);
                self.events.push_back(Event { tag, outcome });
                return Ok(());
            }
            Stand::Idle | Stand::Down { .. } => {
                cx.connect(token, link.at.clone(), self.options.connect_timeout);
                link.stand = Stand::Connecting;
            }
            Stand::Connecting | Stand::Up(_) => {}
            Stand::Closing(_) => unreachable!("a server of the list is not being left"),
        }
        if link.pending.len() >= self.options.pending_max
            || unsent(link, cx) >= self.options.unsent_bytes_max
        {
            return Err(NotAccepted::Busy);
        }
        match link.stand {
            Stand::Up(conn) => {
                if let Some(tx) = cx.tx(conn) {
                    tx.write_with(|tx| ask.encode(key, tx));
                }
            }
            _ => ask.encode(key, &mut link.unsent),
        }
        self.counters.requests += 1;
        let deadline = cx.now() + self.options.request_timeout;
        link.pending.push_back(Pending { tag, awaits, deadline });
        if !link.timer_set {
            link.timer_set = true;
            cx.at(token, deadline);
        }
        Ok(())
    }
}

/// Bytes of requests that have not left.
fn unsent(link: &Link, cx: &Cx) -> usize {
    match link.stand {
        Stand::Up(conn) => cx.pending(conn),
        _ => link.unsent.len(),
    }
}

const fn when_down(awaits: Awaits, dead_server: DeadServer) -> Outcome {
    match (dead_server, awaits) {
        (DeadServer::Fail, _) => Outcome::Failed(Failure::Down),
        (DeadServer::Miss, Awaits::Value { .. }) => Outcome::Miss,
        (DeadServer::Miss, Awaits::Stored) => Outcome::NotStored,
        (DeadServer::Miss, Awaits::Deleted) => Outcome::NotFound,
    }
}
