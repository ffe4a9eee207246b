//! What clients ask, before it is put into the words of a protocol.

use crate::map::{Map, Verb};
use proptest::prelude::*;

/// Keys. The last one fits into no line of text: the binary protocol and base64 can name it.
pub(crate) const KEYS: [&[u8]; 6] = [b"a", b"b", b"photo:2007", b"n", b"counter", b"a b\r\n\0\xff"];
/// Keys that fit into a line.
const PLAIN_KEYS: usize = KEYS.len() - 1;

/// A version to compare with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    /// That of the item, if there is one.
    Current,
    /// One less than that.
    Older,
    Number(u64),
}

impl Version {
    /// The number it stands for when a command is written.
    pub(crate) fn resolve(self, map: &mut Map, key: &[u8]) -> u64 {
        match self {
            Self::Current => map.version(key).max(1),
            Self::Older => map.version(key).saturating_sub(1).max(1),
            Self::Number(number) => number,
        }
    }
}

/// A value, without its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    Number(u64),
    Text(&'static str),
    /// So many bytes that are no number.
    Filled(usize),
}

impl Value {
    pub(crate) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Number(number) => number.to_string().into_bytes(),
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Filled(bytes) => (0..bytes).map(|at| b'A' + (at % 53) as u8).collect(),
        }
    }
}

/// A request of the classic commands, which text and binary have in common.
#[derive(Clone, Debug)]
pub(crate) enum Classic {
    Store {
        verb: Verb,
        key: usize,
        value: Value,
        flags: u32,
        exptime: i32,
        /// Text has it for `set` alone, and calls that `cas`.
        compare: Option<Version>,
        quiet: bool,
    },
    /// Binary asks for one key after the other.
    Get {
        keys: Vec<usize>,
        touch: Option<i32>,
        /// Text: with versions. Binary: with the key.
        more: bool,
        quiet: bool,
    },
    Touch {
        key: usize,
        exptime: i32,
        quiet: bool,
    },
    Delete {
        key: usize,
        /// Binary alone has it.
        compare: Option<Version>,
        quiet: bool,
    },
    Count {
        up: bool,
        key: usize,
        by: u64,
        /// Value and expiry time where nothing is; binary alone has it.
        initial: Option<(u64, u32)>,
        /// Binary alone has it.
        compare: Option<Version>,
        quiet: bool,
    },
    Flush {
        exptime: Option<i32>,
        quiet: bool,
    },
}

/// A meta command.
#[derive(Clone, Debug)]
pub(crate) struct Meta {
    pub(crate) name: Name,
    pub(crate) key: usize,
    pub(crate) flags: Vec<Flag>,
    /// Of `ms`.
    pub(crate) value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Get,
    Set,
    Delete,
    Arithmetic,
    Noop,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    pub(crate) letter: u8,
    pub(crate) argument: Argument,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Argument {
    None,
    Seconds(i32),
    Number(u64),
    Version(Version),
    Mode(char),
}

pub(crate) fn exptime() -> impl Strategy<Value = i32> {
    let date = i32::try_from(crate::rig::WALL_START).expect("a date of 2007");
    prop_oneof![
        6 => Just(0),
        4 => 1..40i32,
        1 => Just(-1),
        1 => (-5..30i32).prop_map(move |seconds| date + seconds),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        12 => (0..12u64).prop_map(Value::Number),
        1 => Just(Value::Number(u64::MAX)),
        1 => Just(Value::Text("18446744073709551616")),
        1 => Just(Value::Text("9   ")),
        1 => Just(Value::Text("")),
        8 => (1..200usize).prop_map(Value::Filled),
        2 => (16_300..16_500usize).prop_map(Value::Filled),
        1 => (530_000..600_000usize).prop_map(Value::Filled),
        1 => (1_048_440..1_048_600usize).prop_map(Value::Filled),
    ]
}

fn flags() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(5), Just(u32::MAX)]
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![
        4 => Just(Version::Current),
        2 => Just(Version::Older),
        1 => Just(Version::Number(1_000_000)),
    ]
}

fn delta() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..20u64, 1 => Just(u64::MAX), 1 => Just(1 << 40)]
}

fn verb() -> impl Strategy<Value = Verb> {
    const OTHERS: [Verb; 4] = [Verb::Add, Verb::Replace, Verb::Append, Verb::Prepend];
    prop_oneof![2 => Just(Verb::Set), 3 => prop::sample::select(&OTHERS[..])]
}

fn sometimes() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.25)
}

/// A classic command for text, or for binary.
pub(crate) fn classic(binary: bool) -> impl Strategy<Value = Classic> {
    let keys = if binary { KEYS.len() } else { PLAIN_KEYS };
    let compare = || prop::option::weighted(0.3, version());
    let store = (verb(), 0..keys, value(), flags(), exptime(), compare(), sometimes()).prop_map(
        move |(verb, key, value, flags, exptime, compare, quiet)| {
            let compare = compare.filter(|_| binary || verb == Verb::Set);
            Classic::Store { verb, key, value, flags, exptime, compare, quiet }
        },
    );
    let many = if binary { 1 } else { 4 };
    let touch = prop::option::weighted(0.3, exptime());
    let get = (prop::collection::vec(0..keys, 1..=many), touch, any::<bool>(), sometimes())
        .prop_map(|(keys, touch, more, quiet)| Classic::Get { keys, touch, more, quiet });
    let touch = (0..keys, exptime(), sometimes())
        .prop_map(|(key, exptime, quiet)| Classic::Touch { key, exptime, quiet });
    let delete = (0..keys, compare(), sometimes())
        .prop_map(|(key, compare, quiet)| Classic::Delete { key, compare, quiet });
    let initial = prop::option::weighted(0.6, (0..200u64, 0..40u32));
    let count = (any::<bool>(), 0..keys, delta(), initial, compare(), sometimes()).prop_map(
        |(up, key, by, initial, compare, quiet)| Classic::Count {
            up,
            key,
            by,
            initial,
            compare,
            quiet,
        },
    );
    let flush = (prop::option::of(exptime()), sometimes())
        .prop_map(|(exptime, quiet)| Classic::Flush { exptime, quiet });
    prop_oneof![8 => store, 8 => get, 2 => touch, 2 => delete, 4 => count, 1 => flush]
}

/// A flag of some letter with a fitting argument.
fn flag(letter: u8, name: Name) -> BoxedStrategy<Flag> {
    let argument = match letter {
        b'T' | b'N' => exptime().prop_map(Argument::Seconds).boxed(),
        b'R' => (0..60i32).prop_map(Argument::Seconds).boxed(),
        b'C' => version().prop_map(Argument::Version).boxed(),
        b'E' => (500_000..500_005u64).prop_map(Argument::Number).boxed(),
        b'F' => flags().prop_map(|flags| Argument::Number(flags.into())).boxed(),
        b'D' => delta().prop_map(Argument::Number).boxed(),
        b'J' => (0..200u64).prop_map(Argument::Number).boxed(),
        b'O' => (0..1000u64).prop_map(Argument::Number).boxed(),
        b'M' => {
            let modes: &[char] =
                if name == Name::Set { &['E', 'A', 'P', 'R', 'S'] } else { &['I', '+', 'D', '-'] };
            prop::sample::select(modes).prop_map(Argument::Mode).boxed()
        }
        _ => Just(Argument::None).boxed(),
    };
    argument.prop_map(move |argument| Flag { letter, argument }).boxed()
}

/// A meta command.
pub(crate) fn meta() -> impl Strategy<Value = Meta> {
    let name = prop_oneof![
        6 => Just(Name::Get),
        5 => Just(Name::Set),
        2 => Just(Name::Delete),
        3 => Just(Name::Arithmetic),
        1 => Just(Name::Noop),
    ];
    name.prop_flat_map(|name| {
        let letters: &[u8] = match name {
            Name::Get => b"vsfcthkObqTNREuC",
            Name::Set => b"csTFCIENMkObq",
            Name::Delete => b"CIxTFEkObq",
            Name::Arithmetic => b"vctNJDTMCEkObq",
            Name::Noop => b"",
        };
        let some = prop::sample::subsequence(letters, 0..=letters.len().min(9)).prop_shuffle();
        let flags = some.prop_flat_map(move |letters| {
            letters.into_iter().map(|letter| flag(letter, name)).collect::<Vec<_>>()
        });
        (0..KEYS.len(), flags, value()).prop_map(move |(key, mut flags, value)| {
            if key >= PLAIN_KEYS && name != Name::Noop && !flags.iter().any(|f| f.letter == b'b') {
                flags.push(Flag { letter: b'b', argument: Argument::None });
            }
            Meta { name, key, flags, value }
        })
    })
}
