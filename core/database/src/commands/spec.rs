//! What is known of a command before it runs.

use super::{Exec, Outcome};
use crate::resp::Args;
use crate::server::{Call, Database};
use core::fmt;
use storytime_machine::Cx;

/// What a command does, as bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(u16);

impl Flags {
    /// Nothing special.
    pub const NONE: Self = Self(0);
    /// May change content.
    pub const WRITE: Self = Self(1);
    /// Reads content.
    pub const READ: Self = Self(1 << 1);
    /// May need more memory.
    pub const DENY_OOM: Self = Self(1 << 2);
    /// For operators.
    pub const ADMIN: Self = Self(1 << 3);
    /// Takes constant or logarithmic time.
    pub const FAST: Self = Self(1 << 4);
    /// May run before the client has logged in.
    pub const NO_AUTH: Self = Self(1 << 5);
    /// May run before the content is there.
    pub const LOADING: Self = Self(1 << 6);
    /// May not be part of a transaction.
    pub const NO_MULTI: Self = Self(1 << 7);
    /// Runs at once even while a transaction is being collected.
    pub const AT_ONCE: Self = Self(1 << 8);

    /// Both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of these are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Their names in the reply of `COMMAND`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: [(Flags, &str); 8] = [
            (Flags::WRITE, "write"),
            (Flags::READ, "readonly"),
            (Flags::DENY_OOM, "denyoom"),
            (Flags::ADMIN, "admin"),
            (Flags::FAST, "fast"),
            (Flags::NO_AUTH, "no_auth"),
            (Flags::LOADING, "loading"),
            (Flags::NO_MULTI, "no_multi"),
        ];
        NAMES.into_iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| name)
    }
}

/// Where the keys of a request are: the first, the last (from the end if negative) and the step.
pub type Keys = (i8, i8, i8);

/// How a command is run.
#[derive(Clone, Copy)]
pub enum Run {
    /// On content.
    Data(fn(&mut Exec<'_>, Args<'_>) -> Outcome),
    /// On the server or the connection.
    Server(fn(&mut Database, &mut Cx, &mut Call<'_>) -> Outcome),
}

/// A command.
#[derive(Clone, Copy)]
pub struct Spec {
    /// Its name, in small letters.
    pub name: &'static str,
    /// Words with the name: exactly so many, or at least so many if negative.
    pub arity: i8,
    /// What it does.
    pub flags: Flags,
    /// Where its keys are; zeros if it has none.
    pub keys: Keys,
    /// How it is run.
    pub run: Run,
}

impl Spec {
    /// Whether a request of so many words, the name included, fits.
    pub const fn takes(&self, words: usize) -> bool {
        let least = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { words >= least } else { words == least }
    }
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spec").field(&self.name).finish()
    }
}

const READ_FAST: Flags = Flags::READ.and(Flags::FAST);
const WRITE_FAST: Flags = Flags::WRITE.and(Flags::FAST);
const GROW: Flags = Flags::WRITE.and(Flags::DENY_OOM);
const GROW_FAST: Flags = GROW.and(Flags::FAST);

type Data = fn(&mut Exec<'_>, Args<'_>) -> Outcome;

const fn data(name: &'static str, arity: i8, flags: Flags, keys: Keys, run: Data) -> Spec {
    Spec { name, arity, flags, keys, run: Run::Data(run) }
}

/// A command that reads.
pub const fn read(name: &'static str, arity: i8, keys: Keys, run: Data) -> Spec {
    data(name, arity, Flags::READ, keys, run)
}

/// A command that reads in short time.
pub const fn read_fast(name: &'static str, arity: i8, keys: Keys, run: Data) -> Spec {
    data(name, arity, READ_FAST, keys, run)
}

/// A command that changes something and needs no more memory.
pub const fn write(name: &'static str, arity: i8, keys: Keys, run: Data) -> Spec {
    data(name, arity, Flags::WRITE, keys, run)
}

/// The same, in short time.
pub const fn write_fast(name: &'static str, arity: i8, keys: Keys, run: Data) -> Spec {
    data(name, arity, WRITE_FAST, keys, run)
}

/// A command that may need more memory.
pub const fn grow(name: &'static str, arity: i8, keys: Keys, run: Data) -> Spec {
    data(name, arity, GROW, keys, run)
}

/// The same, in short time.
pub const fn grow_fast(name: &'static str, arity: i8, keys: Keys, run: Data) -> Spec {
    data(name, arity, GROW_FAST, keys, run)
}

/// A command on the server or the connection.
pub const fn server(
    name: &'static str,
    arity: i8,
    flags: Flags,
    run: fn(&mut Database, &mut Cx, &mut Call<'_>) -> Outcome,
) -> Spec {
    Spec { name, arity, flags, keys: (0, 0, 0), run: Run::Server(run) }
}
