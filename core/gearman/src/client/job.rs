//! What a client submits.

use super::NotAccepted;
use crate::engine::Priority;
use crate::packet::Kind;
use bytes::Bytes;
use core::time::Duration;
use storytime_machine::Rng;

/// Length of a random unique key, bytes: a UUID in its usual spelling.
pub const FRESH_BYTES: usize = 36;

/// By what the job server tells that two jobs are the same.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Unique {
    /// Never: each job is its own.
    #[default]
    None,
    /// This key, together with the function.
    Key(Bytes),
    /// The data itself (`-` on the wire).
    Data,
    /// A random key (UUID), which nobody else has: for finding the job again by its key.
    Fresh,
}

impl Unique {
    /// What libgearman makes of a key: a background job without one gets a random one.
    pub fn as_libgearman(key: Bytes, background: bool) -> Self {
        match &key[..] {
            b"" if background => Self::Fresh,
            b"" => Self::None,
            b"-" => Self::Data,
            _ => Self::Key(key),
        }
    }

    /// What the Perl client makes of a key: `0` is none.
    pub fn as_perl(key: Bytes) -> Self {
        match &key[..] {
            b"" | b"0" => Self::None,
            b"-" => Self::Data,
            _ => Self::Key(key),
        }
    }

    /// The same with `Fresh` drawn.
    pub(super) fn settled(self, rng: &mut Rng) -> Self {
        match self {
            Self::Fresh => Self::Key(fresh(rng)),
            Self::None | Self::Key(_) | Self::Data => self,
        }
    }

    /// On the wire, once it is settled.
    pub(super) fn on_wire(&self) -> &[u8] {
        match self {
            Self::Key(key) => key,
            Self::Data => b"-",
            Self::None | Self::Fresh => b"",
        }
    }
}

/// A random UUID (version 4), in lower case as libuuid writes it.
pub(super) fn fresh(rng: &mut Rng) -> Bytes {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut raw = [0; 16];
    rng.fill(&mut raw);
    raw[6] = raw[6] & 0x0f | 0x40;
    raw[8] = raw[8] & 0x3f | 0x80;
    let mut text = Vec::with_capacity(FRESH_BYTES);
    for (at, byte) in raw.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push(b'-');
        }
        text.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    assert_eq!(text.len(), FRESH_BYTES);
    text.into()
}

/// When a job may run.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum When {
    /// At once.
    #[default]
    Now,
    /// From this wall-clock second on, counted since 1970.
    Epoch(u64),
    /// At the times of a calendar, again and again: minute, hour, day of the month, month, day of
    /// the week, in the words of cron.
    Calendar(Box<[Bytes; 5]>),
}

/// A job to submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its function; without NUL.
    pub function: Bytes,
    /// By what it is told from others.
    pub unique: Unique,
    /// Its data.
    pub data: Bytes,
    /// Its place in the queue. Jobs with a time or a reducer have [`Priority::Normal`].
    pub priority: Priority,
    /// Whether nobody waits for its result: its end is then that the server accepted it.
    pub background: bool,
    /// When it may run; anything but [`When::Now`] is for background jobs.
    pub when: When,
    /// The function that does the parts, if its worker splits it.
    pub reducer: Option<Bytes>,
    /// How long the client waits for its result, from when the server accepted it; for ever if
    /// none. The job itself goes on: nothing can be taken back.
    pub timeout: Option<Duration>,
}

impl Job {
    /// A job in the foreground, with no unique key and normal priority.
    pub fn new(function: impl Into<Bytes>, data: impl Into<Bytes>) -> Self {
        Self {
            function: function.into(),
            unique: Unique::None,
            data: data.into(),
            priority: Priority::Normal,
            background: false,
            when: When::Now,
            reducer: None,
            timeout: None,
        }
    }

    /// The same in the background.
    #[must_use]
    pub fn background(mut self) -> Self {
        self.background = true;
        self
    }

    /// The same with a unique key.
    #[must_use]
    pub fn unique(mut self, unique: Unique) -> Self {
        self.unique = unique;
        self
    }

    /// The same with a priority.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// The packet that submits it.
    ///
    /// # Errors
    /// No packet can say it.
    pub(super) fn kind(&self) -> Result<Kind, NotAccepted> {
        let plain = self.priority == Priority::Normal && self.background;
        match (&self.when, &self.reducer) {
            (When::Now, None) => Ok(match (self.priority, self.background) {
                (Priority::High, false) => Kind::SubmitJobHigh,
                (Priority::Normal, false) => Kind::SubmitJob,
                (Priority::Low, false) => Kind::SubmitJobLow,
                (Priority::High, true) => Kind::SubmitJobHighBg,
                (Priority::Normal, true) => Kind::SubmitJobBg,
                (Priority::Low, true) => Kind::SubmitJobLowBg,
            }),
            (When::Now, Some(_)) if self.priority != Priority::Normal => Err(NotAccepted::BadJob),
            (When::Now, Some(_)) if self.background => Ok(Kind::SubmitReduceJobBackground),
            (When::Now, Some(_)) => Ok(Kind::SubmitReduceJob),
            (When::Epoch(_), None) if plain => Ok(Kind::SubmitJobEpoch),
            (When::Calendar(_), None) if plain => Ok(Kind::SubmitJobSched),
            (When::Epoch(_) | When::Calendar(_), _) => Err(NotAccepted::BadJob),
        }
    }

    /// What the choice of a server may turn on.
    pub(super) fn placed_by(&self) -> &[u8] {
        match &self.unique {
            Unique::Data => &self.data,
            unique => unique.on_wire(),
        }
    }

    /// Whether all of its words can be told apart on the wire.
    pub(super) fn has_no_nul(&self) -> bool {
        let none = |word: &Bytes| memchr::memchr(0, word).is_none();
        let unique = match &self.unique {
            Unique::Key(key) => none(key),
            Unique::None | Unique::Data | Unique::Fresh => true,
        };
        let words = match &self.when {
            When::Calendar(words) => words.iter().all(none),
            When::Now | When::Epoch(_) => true,
        };
        none(&self.function) && unique && words && self.reducer.as_ref().is_none_or(none)
    }

    /// Its length on the wire, bytes; never less than it is.
    pub(super) fn bytes(&self) -> usize {
        const HEAD_BYTES_MAX: usize = 64;
        let unique = match &self.unique {
            Unique::Key(key) => key.len(),
            Unique::None | Unique::Data | Unique::Fresh => FRESH_BYTES,
        };
        let words = match &self.when {
            When::Calendar(words) => words.iter().map(Bytes::len).sum(),
            When::Now | When::Epoch(_) => 0,
        };
        let reducer = self.reducer.as_ref().map_or(0, Bytes::len);
        HEAD_BYTES_MAX + self.function.len() + unique + words + reducer + self.data.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_keys_are_uuids_of_version_4_and_differ() {
        let mut rng = Rng::new(1, 1);
        let (one, two) = (fresh(&mut rng), fresh(&mut rng));
        assert_ne!(one, two);
        let text = core::str::from_utf8(&one).expect("hex is text");
        let parts: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(one[14], b'4');
        assert!(b"89ab".contains(&one[19]), "{text}");
    }

    #[test]
    fn keys_are_made_as_the_two_libraries_make_them() {
        let key = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert_eq!(Unique::as_libgearman(key(""), true), Unique::Fresh);
        assert_eq!(Unique::as_libgearman(key(""), false), Unique::None);
        assert_eq!(Unique::as_libgearman(key("0"), true), Unique::Key(key("0")));
        assert_eq!(Unique::as_perl(key("0")), Unique::None);
        assert_eq!(Unique::as_perl(key("-")), Unique::Data);
        assert_eq!(Unique::as_perl(key("a")), Unique::Key(key("a")));
    }
}
