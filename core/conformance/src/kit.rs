//! What all bodies need: casting, playing, failing, bytes that say where they belong.

use crate::watch::Watched;
use crate::{Actor, Arm, Ending, Scene};
use std::sync::OnceLock;
use storytime_machine::{
    Bytes, BytesMut, Conn, Cx, Duration, Endpoint, Exit, Gone, IpAddr, Limits, Machine, Rng, Token,
};

/// How long a scene may take. Generous: only an arm that hangs gets here.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);
/// How long a connect may take where it is meant to succeed.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The listener of every server on stage.
pub(crate) const LISTENER: Token = Token(1);
/// The connect of every client on stage.
pub(crate) const CONNECT: Token = Token(1);

/// A moment that is short for a person and long enough for everything under way to arrive.
pub(crate) const A_WHILE: Duration = Duration::from_millis(150);

/// Ends the machine: the promise is broken.
pub(crate) fn fail(cx: &mut Cx, why: &'static str) {
    cx.exit(Exit::Failed(why));
}

/// Ends the machine: it has seen all it wanted.
pub(crate) fn done(cx: &mut Cx) {
    cx.exit(Exit::Stopped);
}

/// Ends the machine unless `holds`.
pub(crate) fn require(cx: &mut Cx, holds: bool, why: &'static str) {
    if !holds {
        fail(cx, why);
    }
}

/// Puts a machine on stage, under watch, with default limits.
pub(crate) fn actor(name: &'static str, ip: IpAddr, machine: impl Machine) -> Actor {
    let machine = Box::new(Watched::new(machine));
    Actor { name, ip, machine, limits: Limits::default(), stop_after: None }
}

/// The same with limits of its own.
pub(crate) fn limited(actor: Actor, limits: Limits) -> Actor {
    limits.assert_valid();
    Actor { limits, ..actor }
}

/// Plays and demands that every actor was content.
///
/// # Panics
/// If one was not, with its name and reason.
pub(crate) fn play(cast: Vec<Actor>, arm: &mut dyn Arm) {
    let endings = vec![Ending::Exited(Exit::Stopped); cast.len()];
    play_to(Scene { cast, names: Vec::new(), limit: LIMIT }, &endings, arm);
}

/// Plays and demands these endings.
///
/// # Panics
/// If an actor ended otherwise, with its name and reason.
pub(crate) fn play_to(scene: Scene, wanted: &[Ending], arm: &mut dyn Arm) {
    let names: Vec<_> = scene.cast.iter().map(|actor| actor.name).collect();
    assert_eq!(names.len(), wanted.len(), "one ending per actor");
    let endings = arm.play(scene);
    assert_eq!(endings.len(), wanted.len(), "{} tells one ending per actor", arm.name());
    let wrong: Vec<String> = names
        .iter()
        .zip(&endings)
        .zip(wanted)
        .filter(|((_, ending), wanted)| ending != wanted)
        .map(|((name, ending), wanted)| format!("{name}: {ending:?}, expected {wanted:?}"))
        .collect();
    assert!(wrong.is_empty(), "on {}: {}", arm.name(), wrong.join("; "));
}

/// Length of the bytes that all streams repeat: a prime, so that no buffer's size divides it.
const PATTERN_BYTES: usize = 65_521;

fn pattern() -> &'static [u8] {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    PATTERN.get_or_init(|| {
        let mut rng = Rng::new(2007, 1);
        let mut bytes = vec![0; PATTERN_BYTES];
        rng.fill(&mut bytes);
        bytes
    })
}

/// `len` bytes of the stream `salt` from `at`: bytes lost, doubled or swapped show.
pub(crate) fn piece(salt: u8, at: u64, len: usize) -> Bytes {
    let mut bytes = BytesMut::with_capacity(len);
    while bytes.len() < len {
        let run = run_at(salt, at + bytes.len() as u64);
        bytes.extend_from_slice(&run[..run.len().min(len - bytes.len())]);
    }
    bytes.freeze()
}

/// Whether these are the bytes of the stream `salt` from `at`.
pub(crate) fn matches(salt: u8, mut at: u64, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let run = run_at(salt, at);
        let len = run.len().min(bytes.len());
        if bytes[..len] != run[..len] {
            return false;
        }
        at += len as u64;
        bytes = &bytes[len..];
    }
    true
}

/// The pattern from this place to its end.
fn run_at(salt: u8, at: u64) -> &'static [u8] {
    let from = (at + u64::from(salt) * 4_099) % PATTERN_BYTES as u64;
    &pattern()[from as usize..]
}

/// Connects, again and again while the listener on the other side is not up yet.
#[derive(Debug)]
pub(crate) struct Dial {
    to: Endpoint,
    attempts_left: u32,
}

impl Dial {
    /// The timer between two attempts: no machine on stage uses this token for another.
    pub(crate) const RETRY: Token = Token(u64::MAX);
    const PAUSE: Duration = Duration::from_millis(20);

    pub(crate) fn to(to: impl Into<Endpoint>) -> Self {
        Self { to: to.into(), attempts_left: 100 }
    }

    pub(crate) fn start(&mut self, cx: &mut Cx) {
        cx.connect(CONNECT, self.to.clone(), CONNECT_TIMEOUT);
    }

    pub(crate) fn failed(&mut self, cx: &mut Cx, why: Gone) {
        let early = matches!(why, Gone::Refused | Gone::Unreachable);
        if early && self.attempts_left > 0 {
            self.attempts_left -= 1;
            cx.after(Self::RETRY, Self::PAUSE);
        } else {
            fail(cx, "the connect did not come up");
        }
    }

    pub(crate) fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer == Self::RETRY {
            self.start(cx);
        }
    }
}

/// Puts bytes on a connection that must be open.
pub(crate) fn put(cx: &mut Cx, conn: Conn, bytes: &[u8]) {
    match cx.tx(conn) {
        Some(tx) => tx.put(bytes),
        None => fail(cx, "an open connection has no output"),
    }
}
