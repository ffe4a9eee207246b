//! Replication: a master's log, shipped record by record to replicas that stand where they say.
//!
//! ```text
//!            append            durable             RECORD lsn                durable
//!  write ──► journal ──► sync ─────────► tail/read ─────────► replica's journal ──► REPL.ACK lsn
//!                                 │                              │ applied                │
//!                                 └─► verdict(lsn) ◄─────────────┼────────────────────────┘
//!                                       acknowledge              └─► reads, possibly stale
//! ```
//!
//! * Only records that survive a power cut of the master are shipped. They keep their positions
//!   and bytes, so that replicas of replicas work the same way.
//! * A replica says in which term and where its log ends, and the digest of its last record. The
//!   master continues there, or seeds the replica with its content if the records are gone, or
//!   refuses with `DIVERGED` and both positions. Nothing is ever merged or overwritten unless the
//!   operator says `REPLICAOF host port RESEED`, or the replica has no content at all.
//! * A promoted replica begins a new term with a durable record before it takes writes, and tells
//!   its former master, which then takes none; see [`term`]. After `REPLICAOF NO ONE APART` nobody
//!   is told: each is master of its own share of the databases from then on.
//! * Slow replicas cost one output buffer each: what is not in the `tail` any more is read from
//!   the journal again.
//! * [`Replication`] is a part: its owner is a [`Host`] and passes everything on that is ours.
//!
//! | module | holds |
//! |---|---|
//! | [`host`] | what it needs of its owner |
//! | [`term`] | terms, positions, histories |
//! | `tail` | the newest records in memory |
//! | `wire` | what masters and replicas say to each other |
//! | `serve`, `ship`, `seed` | masters: handshakes, records, content |
//! | `dial` | connections to other servers |
//! | `upstream`, `receive`, `lag` | replicas: the connection, what comes over it, how late it is |
//! | `roles`, `former` | commands, promotion, telling the old master |
//! | `mutual` | two masters that ship to each other |
//! | `promise` | semi-synchronous writes and `WAIT` |
//! | `report` | INFO, ROLE, DB.LAG |
//!
//! # Not modelled
//!
//! Redis's PSYNC: replicas and masters must both be ours. Failover without an operator. A fence
//! against a master that cannot be told: only semi-synchronous writes close that window.

pub mod host;
pub mod term;

mod dial;
mod events;
mod follower;
mod former;
mod lag;
mod mutual;
mod promise;
mod receive;
mod report;
mod roles;
mod seed;
mod serve;
mod ship;
mod tail;
mod upstream;
mod wire;

pub use host::{Host, LogState};
pub use roles::{Caller, Handled};
pub use seed::KEPT_BYTES_MAX;
pub use tail::TAIL_BYTES_MAX;
pub use term::{History, Position, TERMS_MAX, Term};

use bytes::Bytes;
use core::time::Duration;
use dial::Dial;
use follower::Follower;
use mutual::Mutual;
use promise::{Promises, Wait};
use std::collections::VecDeque;
use storytime_journal::Lsn;
use storytime_machine::{Conn, Cx, Time, Token};
use tail::Tail;
use upstream::Upstream;

/// Tokens that replication uses from its base on.
pub const REPLICATION_TOKENS: u64 = dial::ATTEMPT_TOKENS * dial::ATTEMPTS;
/// Most replicas of one server.
pub const REPLICAS_MAX: usize = 64;
/// Length of a record that says nothing, bytes.
pub(crate) const REPLICATION_RECORD_BYTES_MIN: usize = 16;

/// Options and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationOptions {
    /// The port that this server listens on, for reports of its master.
    pub port: u16,
    /// Whose replica it is from the start: host and port.
    pub master: Option<(String, u16)>,
    /// What it shows to its master (`AUTH`).
    pub master_password: Option<Bytes>,
    /// The other one of two masters.
    pub mutual: Option<OtherMaster>,
    /// Writes are acknowledged when so many replicas have them durable, too.
    pub replicas_to_write: u32,
    /// A replica that was not heard for this long does not count as there.
    pub replicas_lag_max: Duration,
    /// How long a write may wait for its replicas.
    pub write_timeout: Duration,
    /// Most bytes of changed content that are kept for a replica which is being seeded.
    pub kept_bytes_max: u64,
    /// How often masters and replicas say where they are.
    pub heartbeat: Duration,
    /// A connection that is silent for this long is given up.
    pub timeout: Duration,
    /// First pause before a lost master is tried again; it doubles up to
    /// [`RETRY_DOUBLINGS_MAX`] times.
    pub retry: Duration,
}

/// The other one of two masters that ship to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherMaster {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// This server's own number, from 1.
    pub server_number: u32,
    /// How many servers keep their row numbers apart; 1: they do not.
    pub servers: u32,
}

/// How often the pause before a lost master is tried again doubles.
pub const RETRY_DOUBLINGS_MAX: u32 = 4;

impl Default for ReplicationOptions {
    fn default() -> Self {
        Self {
            port: crate::PORT,
            master: None,
            master_password: None,
            mutual: None,
            replicas_to_write: 0,
            replicas_lag_max: Duration::from_secs(10),
            write_timeout: Duration::from_secs(1),
            kept_bytes_max: KEPT_BYTES_MAX,
            heartbeat: Duration::from_millis(500),
            timeout: Duration::from_secs(5),
            retry: Duration::from_millis(200),
        }
    }
}

/// What the owner hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicationEvent {
    /// A `WAIT` is over.
    WaitOver {
        /// Who waits.
        conn: Conn,
        /// How many replicas have its writes durable.
        replicas: u32,
    },
    /// What an operator should see in the log.
    Notice(String),
}

/// What may be said of a write to whoever asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Await,
    /// It is as safe as was asked for.
    Acknowledged,
    /// It is durable here, and too few replicas have said so in time.
    NotReplicated,
}

/// What replication counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicationCounters {
    /// Records sent to replicas.
    pub records_shipped: u64,
    /// Records taken from a master.
    pub records_taken: u64,
    /// Reads of the journal for replicas.
    pub journal_reads: u64,
    /// Handshakes that ended in records.
    pub continued: u64,
    /// Handshakes, and streams of records, that ended in content.
    pub seeded: u64,
    /// Times that content changed faster than a replica took it.
    pub seeds_overrun: u64,
    /// Handshakes refused because the logs had parted, seen from either side.
    pub diverged: u64,
    /// Times this server learned that it is master no more.
    pub fenced: u64,
    /// Connections to or from others that were given up: silent, or against the rules.
    pub given_up: u64,
    /// Writes that too few replicas confirmed in time.
    pub not_replicated: u64,
}

/// What a server is.
#[derive(Debug)]
enum Role {
    /// It writes under this term; writes are taken once the record that began it is durable.
    Master { term: Term, since: Lsn },
    /// It follows another.
    Replica(Box<Upstream>),
}

/// Whether the content is whole.
#[derive(Debug)]
enum Content {
    /// It is.
    Whole,
    /// It is being thrown away for another's; this history comes with it.
    Seeding(Option<History>),
    /// The other's is complete, and is becoming durable.
    AwaitDurable(History),
}

/// A server's part in replication.
#[derive(Debug)]
pub struct Replication {
    options: ReplicationOptions,
    base: u64,
    /// Whether recovery is over.
    ready: bool,
    history: History,
    content: Content,
    role: Role,
    /// A master of this later term is there, or there is no term behind this one, its own: this
    /// one takes no writes.
    fenced: Option<Term>,
    /// Connections to others that were tried.
    attempts: u64,
    /// The server that we were a replica of, and that is told so.
    former: Option<Dial>,
    mutual: Option<Mutual>,
    followers: Vec<Follower>,
    tail: Tail,
    /// For whom the journal is being read.
    reading: Option<Conn>,
    /// For whom the snapshot is.
    seeding: Option<Conn>,
    promises: Promises,
    waits: Vec<Wait>,
    progress: bool,
    events: VecDeque<ReplicationEvent>,
    counters: ReplicationCounters,
}

impl Replication {
    /// The part of a server that has not recovered yet; its tokens are [`REPLICATION_TOKENS`]
    /// consecutive ones from `base`.
    pub fn new(options: ReplicationOptions, base: Token) -> Self {
        Self {
            options,
            base: base.0,
            ready: false,
            history: History::default(),
            content: Content::Whole,
            role: Role::Master { term: Term::NONE, since: Lsn(0) },
            fenced: None,
            attempts: 0,
            former: None,
            mutual: None,
            followers: Vec::new(),
            tail: Tail::default(),
            reading: None,
            seeding: None,
            promises: Promises::default(),
            waits: Vec::new(),
            progress: false,
            events: VecDeque::new(),
            counters: ReplicationCounters::default(),
        }
    }

    // ---- recovery ------------------------------------------------------------------------------

    /// Recovery: the first piece of the newest checkpoint.
    ///
    /// # Errors
    /// If it is not what [`history_piece`](Self::history_piece) made.
    pub fn restore(&mut self, piece: &[u8]) -> Result<(), term::NoHistory> {
        assert!(!self.ready, "recovery comes first");
        self.history = History::from_piece(piece)?;
        Ok(())
    }

    /// Recovery: a record behind the checkpoint.
    pub fn recovered(&mut self, lsn: Lsn, record: &[u8]) {
        assert!(!self.ready, "recovery comes first");
        self.history.note(lsn, record);
    }

    /// Recovery is over: takes up its role.
    pub fn ready(&mut self, cx: &mut Cx, host: &mut dyn Host) {
        assert!(!self.ready, "recovery ends once");
        assert_eq!(host.log().last, self.history.position().lsn, "every record was told");
        self.ready = true;
        cx.after(self.token(Timer::Beat), self.options.heartbeat);
        match self.options.master.clone() {
            Some((name, port)) => self.follow_other(cx, host, name, port, false),
            None => {
                let last = self.history.term();
                let term = last.next_life(cx.rng()).unwrap_or_else(|| {
                    self.notice(format!("no term is left behind {last}: it takes no writes"));
                    self.fenced = Some(last);
                    last
                });
                self.promise_from(host.log().last);
                self.role = Role::Master { term, since: Lsn(0) };
                if let Some(other) = self.options.mutual.clone() {
                    self.mirror(cx, other);
                }
            }
        }
    }

    /// The first piece of a checkpoint that begins now.
    pub fn history_piece(&self) -> Bytes {
        self.history.to_piece()
    }

    // ---- writing -------------------------------------------------------------------------------

    /// Whether a client's write may be carried out; otherwise the error that it gets.
    ///
    /// # Errors
    /// The text of the error reply, behind `-`. Nothing was done.
    pub fn may_write(&self, host: &dyn Host, now: Time) -> Result<(), Bytes> {
        if !self.ready || !matches!(self.content, Content::Whole) {
            return Err(Bytes::from_static(b"LOADING the content is not there yet"));
        }
        let Role::Master { since, term: own } = self.role else {
            let text = b"READONLY You can't write against a read only replica.";
            return Err(Bytes::from_static(text));
        };
        if let Some(term) = self.fenced {
            if term == own {
                let text = format!("READONLY no term is left behind {own}, this server's last");
                return Err(text.into());
            }
            let text = format!(
                "READONLY this server is master no more: there is one of term {term}; \
                 make this one its replica"
            );
            return Err(text.into());
        }
        if host.log().durable < since {
            return Err(Bytes::from_static(b"LOADING the promotion is not durable yet"));
        }
        if self.replicas_there(now) < self.options.replicas_to_write {
            return Err(Bytes::from_static(b"NOREPLICAS Not enough good replicas to write."));
        }
        Ok(())
    }

    /// The term of the records that a master writes now.
    pub fn term(&self) -> Term {
        match self.role {
            Role::Master { term, .. } => term,
            Role::Replica(_) => self.history.term(),
        }
    }

    /// A record was appended, by a client's write or by replication.
    pub fn appended(&mut self, cx: &Cx, lsn: Lsn, record: &[u8]) {
        self.history.note(lsn, record);
        if let Some(mutual) = &mut self.mutual
            && self.history.foreign().1 < lsn
        {
            mutual.wrote(lsn, record);
        }
        if !self.followers.is_empty() {
            self.tail.push(lsn, record);
        }
        if self.options.replicas_to_write > 0 && matches!(self.role, Role::Master { .. }) {
            self.promises.made(lsn, cx.now() + self.options.write_timeout);
        }
    }

    /// Whether this server is being filled with another's content, and has none to show.
    pub const fn is_loading(&self) -> bool {
        !self.ready || !matches!(self.content, Content::Whole)
    }

    /// Whether it follows another.
    pub const fn is_replica(&self) -> bool {
        matches!(self.role, Role::Replica(_))
    }

    /// Where its log ends.
    pub fn position(&self) -> Position {
        self.history.position()
    }

    /// Terms and their first records.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// What happened so far.
    pub const fn counters(&self) -> &ReplicationCounters {
        &self.counters
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<ReplicationEvent> {
        self.events.pop_front()
    }

    fn notice(&mut self, text: String) {
        // An operator who reads none of them is not worth more memory.
        const NOTICES_MAX: usize = 1024;
        if self.events.len() < NOTICES_MAX {
            self.events.push_back(ReplicationEvent::Notice(text));
        }
    }

    const fn token(&self, timer: Timer) -> Token {
        Token(self.base + timer as u64)
    }

    /// Bytes of memory held beside connections' buffers.
    pub fn memory(&self) -> u64 {
        self.tail.bytes() as u64
    }

    /// Asserts what must hold between any two calls.
    ///
    /// # Panics
    /// If it does not: a bug of this part, or of an owner that passed something on twice.
    pub fn invariants(&self) {
        assert!(self.followers.len() <= REPLICAS_MAX, "replicas are bounded");
        let seeding = self.followers.iter().filter(|f| f.is_being_seeded()).count();
        assert_eq!(seeding, usize::from(self.seeding.is_some()), "the snapshot is for one");
        if let Role::Master { .. } = self.role {
            assert!(matches!(self.content, Content::Whole), "a master has content");
        }
        if self.followers.is_empty() {
            assert_eq!(self.tail.bytes(), 0, "records are kept for those who follow");
        }
    }
}

/// Timers. Some are those of a dial, whose attempts have numbers of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// Tries the master again.
    Upstream,
    /// Says where we are, and looks who is silent.
    Beat,
    /// A write or a `WAIT` has waited long enough.
    Due,
    /// Tries the former master again.
    Former,
    /// Tries the other one of two masters again.
    Mutual,
}

impl Timer {
    /// What is dialled.
    const DIALS: [Self; 3] = [Self::Upstream, Self::Former, Self::Mutual];
}

const _: () = assert!((Timer::Mutual as u64) < dial::ATTEMPT_TOKENS);
