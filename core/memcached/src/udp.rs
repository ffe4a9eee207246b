//! UDP: one request in one datagram, its reply in as many as it takes.
//!
//! Every datagram begins with a frame header of 8 bytes, big-endian: number of the request, place
//! of this datagram, how many there are, 0. The sender of a request chooses its number and finds it
//! in every datagram of the reply. Nothing is sent again: whoever misses a piece asks anew.
//!
//! What is not one whole request in one datagram gets no reply and is counted. A datagram may hold
//! several requests; their replies leave as one.
//!
//! A socket hands replies over as fast as they are made, and whoever forges his address sends them
//! to somebody else. So a reply has at most [`REPLY_BYTES_MAX`]; a larger one is refused instead.
//!
//! # Where it differs from the original
//!
//! | request | the original | here |
//! |---|---|---|
//! | `get` of several keys, several requests in one datagram | every hit and reply is counted from 0 on its own | one reply |
//! | reply above [`REPLY_BYTES_MAX`] | sent as a whole | `SERVER_ERROR …`, or status 0x82 |
//! | listener with `-B` or `proto[…]` | speaks both protocols anyway | speaks the one it was given |

use crate::config::Protocol;
use crate::session::{Link, Session, Stop};
use crate::speaks::Speaks;
use crate::{binary, text};
use bytes::{Bytes, BytesMut};
use storytime_machine::Tx;

/// Length of a frame header, bytes.
pub const FRAME_BYTES: usize = 8;
/// Longest datagram of a reply with its frame header, bytes.
pub const DATAGRAM_BYTES_MAX: usize = 1400;
/// Longest reply to one datagram, bytes: about what a socket's buffer passes on at once.
pub const REPLY_BYTES_MAX: usize = 256 << 10;

/// Most bytes of a reply in one datagram.
const DATA_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - FRAME_BYTES;

/// A datagram socket of a server.
#[derive(Debug)]
pub(crate) struct Socket {
    /// What the server knows of the peer whose request is being served.
    pub(crate) link: Link,
    pub(crate) protocol: Protocol,
    /// The request being served.
    pub(crate) rx: BytesMut,
    /// Its reply.
    pub(crate) tx: Tx,
}

/// A request: its number, and what is behind the frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    number: [u8; 2],
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a datagram; `None` if it is not one whole request.
    pub(crate) fn read(datagram: &'a [u8]) -> Option<Self> {
        let (&[n0, n1, _, _, total @ .., _, _], payload) =
            datagram.split_first_chunk::<FRAME_BYTES>()?;
        let whole = u16::from_be_bytes(total) == 1 && !payload.is_empty();
        whole.then_some(Self { number: [n0, n1], payload })
    }

    /// Cuts a reply into datagrams.
    fn cut(self, reply: &[u8]) -> impl Iterator<Item = Bytes> + use<> {
        const { assert!(REPLY_BYTES_MAX.div_ceil(DATA_BYTES_MAX) <= u16::MAX as usize) };
        assert!(reply.len() <= REPLY_BYTES_MAX, "larger replies were refused");
        let pieces = reply.len().div_ceil(DATA_BYTES_MAX);
        let mut all = BytesMut::with_capacity(reply.len() + pieces * FRAME_BYTES);
        for (place, piece) in (0u16..).zip(reply.chunks(DATA_BYTES_MAX)) {
            all.extend_from_slice(&self.number);
            all.extend_from_slice(&place.to_be_bytes());
            all.extend_from_slice(&(pieces as u16).to_be_bytes());
            all.extend_from_slice(&[0, 0]);
            all.extend_from_slice(piece);
        }
        let mut all = all.freeze();
        core::iter::from_fn(move || {
            let len = all.len().min(DATAGRAM_BYTES_MAX);
            (len > 0).then(|| all.split_to(len))
        })
    }
}

impl Socket {
    pub(crate) fn new(link: Link, protocol: Protocol) -> Self {
        Self { link, protocol, rx: BytesMut::new(), tx: Tx::default() }
    }
}

/// Serves a request in a session of its socket, which has `rx` for itself; the datagrams of the
/// reply follow.
pub(crate) fn answer(
    frame: Frame<'_>,
    protocol: Protocol,
    session: &mut Session<'_>,
    rx: &mut BytesMut,
) -> (Stop, impl Iterator<Item = Bytes> + use<>) {
    rx.clear();
    rx.extend_from_slice(frame.payload);
    // Larger values would be pinned: what cannot be sent is never copied.
    assert!(session.tx_high == REPLY_BYTES_MAX && session.copy_bytes_max == REPLY_BYTES_MAX);
    let mut speaks = Speaks::of(protocol);
    let stop = speaks.serve(session, rx);
    let is_binary = matches!(speaks, Speaks::Binary(_));
    speaks.abandon(session.shared);
    if stop == Stop::SlowReader || session.tx.pending() > REPLY_BYTES_MAX {
        let _unsent = session.tx.collect();
        if is_binary {
            binary::refuse_reply(session, frame.payload);
        } else {
            text::refuse_reply(session);
        }
    }
    (stop, frame.cut(&session.tx.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_and_others_are_not() {
        let frame = |bytes: &'static [u8]| Frame::read(bytes).map(|f| (f.number, f.payload));
        assert_eq!(frame(b"\x01\x02\0\0\0\x01\0\0get a\r\n"), Some(([1, 2], &b"get a\r\n"[..])));
        assert_eq!(frame(b"\x01\x02\0\x07\0\x01\xff\xffx"), Some(([1, 2], &b"x"[..])));
        for bad in [
            &b""[..],
            b"\0\0\0\0\0\x01\0",
            b"\0\0\0\0\0\x01\0\0",
            b"\0\0\0\0\0\x02\0\0x",
            b"\0\0\0\0\0\0\0\0x",
            b"\0\0\0\0\x01\x01\0\0x",
        ] {
            assert_eq!(frame(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn replies_are_cut_into_numbered_datagrams() {
        let frame = Frame { number: [0xab, 0xcd], payload: b"" };
        assert_eq!(frame.cut(b"").count(), 0);
        for len in [1, DATA_BYTES_MAX, DATA_BYTES_MAX + 1, 3 * DATA_BYTES_MAX, REPLY_BYTES_MAX] {
            let reply: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let datagrams: Vec<Bytes> = frame.cut(&reply).collect();
            let mut joined = Vec::new();
            for (place, datagram) in datagrams.iter().enumerate() {
                assert!(datagram.len() <= DATAGRAM_BYTES_MAX);
                let header = [
                    [0xab, 0xcd],
                    (place as u16).to_be_bytes(),
                    (datagrams.len() as u16).to_be_bytes(),
                    [0, 0],
                ];
                assert_eq!(datagram[..FRAME_BYTES], *header.as_flattened());
                joined.extend_from_slice(&datagram[FRAME_BYTES..]);
            }
            assert_eq!(joined, reply);
        }
    }
}
