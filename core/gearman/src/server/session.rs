//! Connections, by their place.

use super::acks::Ack;
use super::http::Http;
use super::tenancy::Standing;
use crate::engine::ring::Ring;
use crate::engine::{Number, Peer};
use bytes::Bytes;
use storytime_machine::{Conn, Endpoint};

/// Longest name of a worker, bytes.
const CLIENT_ID_BYTES_MAX: usize = 127;
/// What a connection costs beside its buffers, bytes.
const SESSION_BYTES: u64 = size_of::<Session>() as u64 + 64;

/// How far the end of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is served.
    None,
    /// It was hung up on; the engine hears of it when it is gone.
    Closed,
    /// It was hung up on, and the engine knows.
    Told,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) conn: Conn,
    pub(super) peer: Endpoint,
    /// The name that it gave itself; empty for none.
    pub(super) client_id: Bytes,
    pub(super) end: End,
    /// Its TLS handshake is not over.
    pub(super) handshakes: bool,
    /// Not read from until its output has left.
    pub(super) paused: bool,
    /// The job that it has had longest, when it was last looked at.
    pub(super) job_seen: Option<Number>,
    /// What an HTTP connection waits for; none for one of the job server's own protocol.
    pub(super) http: Option<Box<Http>>,
    /// The handle that waits for its job's result.
    pub(super) ack: Ack,
    /// Whose it is.
    pub(super) standing: Standing,
    /// Input that waits for its rest, bytes.
    unread: usize,
    /// Output that waits, as far as it was noticed to be much, bytes.
    behind: usize,
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    places: Vec<Option<Box<Session>>>,
    /// Those whose handle waits, by when it is to go.
    pub(super) acks: Ring,
    open: usize,
    /// How many of them are of HTTP.
    https: usize,
    unread: usize,
    behind: usize,
}

impl Session {
    /// Which connection of the engine's it is.
    pub(super) const fn peer(&self) -> Peer {
        Peer(self.conn.slot)
    }

    /// Input that waits for its rest, as far as it was noted, bytes.
    pub(super) const fn unread(&self) -> usize {
        self.unread
    }

    /// Takes a name: what is before a NUL, and no more than fits.
    pub(super) fn name(&mut self, id: &[u8], keeps_spaces: bool) {
        let id = id.split(|byte| *byte == 0).next().unwrap_or_default();
        let kept = id.iter().copied().filter(|byte| keeps_spaces || !byte.is_ascii_whitespace());
        self.client_id = kept.take(CLIENT_ID_BYTES_MAX).collect();
    }
}

impl Sessions {
    /// A connection came.
    pub(super) fn insert(&mut self, conn: Conn, peer: Endpoint, http: bool, standing: Standing) {
        if self.places.len() <= conn.index() {
            self.places.resize_with(conn.index() + 1, || None);
        }
        let place = &mut self.places[conn.index()];
        assert!(place.is_none(), "a place is freed before it is used again");
        *place = Some(Box::new(Session {
            conn,
            peer,
            client_id: Bytes::new(),
            end: End::None,
            handshakes: false,
            paused: false,
            job_seen: None,
            http: http.then(|| Box::new(Http::new())),
            ack: Ack::default(),
            standing,
            unread: 0,
            behind: 0,
        }));
        self.open += 1;
        self.https += usize::from(http);
    }

    /// A connection is gone.
    pub(super) fn remove(&mut self, conn: Conn) -> Option<Box<Session>> {
        self.get(conn)?;
        self.take_ack(Peer(conn.slot));
        let session = self.places[conn.index()].take()?;
        self.open -= 1;
        self.https -= usize::from(session.http.is_some());
        self.unread -= session.unread;
        self.behind -= session.behind;
        Some(session)
    }

    #[inline]
    pub(super) fn get(&mut self, conn: Conn) -> Option<&mut Session> {
        self.at(conn.index()).filter(|session| session.conn == conn)
    }

    /// The connection at a place.
    #[inline]
    pub(super) fn at(&mut self, place: usize) -> Option<&mut Session> {
        self.places.get_mut(place)?.as_deref_mut()
    }

    /// The connection at a place, to look at.
    pub(super) fn look(&self, place: usize) -> Option<&Session> {
        self.places.get(place)?.as_deref()
    }

    /// All of them, in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.places.iter().flatten().map(Box::as_ref)
    }

    /// How many places there are.
    pub(super) const fn places(&self) -> usize {
        self.places.len()
    }

    /// How many there are.
    pub(super) const fn open(&self) -> usize {
        self.open
    }

    /// What a function is called to a connection.
    #[inline]
    pub(super) fn seen<'n>(&self, to: Peer, function: &'n [u8]) -> &'n [u8] {
        let session = self.look(to.0 as usize);
        session.and_then(|session| session.standing.sees(function)).unwrap_or(function)
    }

    /// Whether any of them is of HTTP.
    #[inline]
    pub(super) const fn any_http(&self) -> bool {
        self.https > 0
    }

    /// Notes how much input of a connection waits. The sum of all.
    pub(super) fn note_unread(&mut self, conn: Conn, unread: usize) -> usize {
        let Some(session) = self.get(conn) else { return self.unread };
        let before = core::mem::replace(&mut session.unread, unread);
        self.unread = self.unread - before + unread;
        self.unread
    }

    /// Notes how much output of a connection waits. The sum of all that have much.
    pub(super) fn note_behind(&mut self, conn: Conn, behind: usize) -> usize {
        let Some(session) = self.get(conn) else { return self.behind };
        let before = core::mem::replace(&mut session.behind, behind);
        self.behind = self.behind - before + behind;
        self.behind
    }

    /// Who has most input that waits.
    pub(super) fn most_unread(&self) -> Option<Conn> {
        self.iter().max_by_key(|session| session.unread).map(|session| session.conn)
    }

    /// Who has most output that waits.
    pub(super) fn most_behind(&self) -> Option<Conn> {
        self.iter().max_by_key(|session| session.behind).map(|session| session.conn)
    }

    /// Bytes that they cost.
    pub(super) const fn memory(&self) -> u64 {
        self.open as u64 * SESSION_BYTES
    }

    pub(super) fn invariants(&self) {
        assert_eq!(self.iter().count(), self.open, "connections are counted");
        let https = self.iter().filter(|session| session.http.is_some()).count();
        assert_eq!(https, self.https, "those of HTTP are counted");
        let unread: usize = self.iter().map(|session| session.unread).sum();
        let behind: usize = self.iter().map(|session| session.behind).sum();
        assert_eq!((unread, behind), (self.unread, self.behind), "what waits is counted");
        self.ack_invariants();
    }
}
