//! What is done with bytes from anywhere: one function for each parser that faces a peer, an
//! operator or a file.
//!
//! Nothing may panic, the books of the store must be in order behind it, and a stream must be
//! answered alike however it is cut. A plain test runs these over the kept corpus, and the fuzzing
//! package over whatever a fuzzer thinks of.

use crate::net::Net;
use crate::rig::Rig;
use core::time::Duration;
use storytime_machine::Token;
use storytime_memcached::client::{
    ClientOptions, Count, ExplicitHash, Key, KeyHash, MetaGet, Node, Op, Placement, Protocol,
    ProxyRing, Scheme, Store, Verb,
};
use storytime_memcached::config::Command;

/// What a target does with an input.
pub(crate) type Target = fn(&[u8]);

/// Every function by the name of its target and of its corpus.
pub(crate) const TARGETS: [(&str, Target); 7] = [
    ("text", text),
    ("meta", meta),
    ("binary", binary),
    ("udp", udp),
    ("client", client),
    ("config", config),
    ("placement", placement),
];

/// Longest input that is looked at, bytes: a fuzzer finds nothing more in longer ones.
const INPUT_BYTES_MAX: usize = 1 << 16;

/// The replies to a stream in pieces of some length, and whether the server hung up.
fn replies(line: &str, stream: &[u8], piece_bytes: usize) -> (Vec<u8>, bool) {
    let pieces: Vec<&[u8]> = stream.chunks(piece_bytes).collect();
    crate::rig::replies(line, &pieces)
}

/// The same replies, however it is cut.
fn cut_and_whole(line: &str, stream: &[u8]) {
    let stream = &stream[..stream.len().min(INPUT_BYTES_MAX)];
    let whole = replies(line, stream, INPUT_BYTES_MAX);
    let pieces = replies(line, stream, 1 + stream.len() % 13);
    // What it says of itself counts its steps, and some commands look at what is behind them.
    const LOOKS: [&[u8]; 5] = [b"stat", b"watch", b"dump", b"crawl", b"\x10"];
    let looks = LOOKS.iter().any(|word| stream.windows(word.len()).any(|here| here == *word));
    assert!(looks || whole == pieces, "{} and {}", shown(&whole.0), shown(&pieces.0));
}

fn shown(replies: &[u8]) -> String {
    replies.escape_ascii().to_string()
}

/// Classic text.
pub(crate) fn text(stream: &[u8]) {
    cut_and_whole("-m 16 -A", stream);
}

/// Meta commands, with something to act on.
pub(crate) fn meta(stream: &[u8]) {
    let set = b"ms k 2 F5 T50\r\n10\r\nms s 5\r\nvalue\r\nmd s I\r\n";
    cut_and_whole("-m 16 -B ascii", &[&set[..], stream].concat());
}

/// The binary protocol.
pub(crate) fn binary(stream: &[u8]) {
    cut_and_whole("-m 16 -B binary", stream);
}

/// A datagram.
pub(crate) fn udp(datagram: &[u8]) {
    let datagram = &datagram[..datagram.len().min(INPUT_BYTES_MAX)];
    let mut rig = Rig::new("-m 16 -p 11211 -U 11211");
    for reply in rig.datagram(Token(1), datagram) {
        assert!(reply.len() <= 1400 && reply[..2] == datagram[..2], "a reply to this request");
    }
    rig.process.machine().shared().audit();
}

/// What a server says to a client: every request ends once.
pub(crate) fn client(replies: &[u8]) {
    let Some((&how, replies)) = replies.split_first() else { return };
    let replies = &replies[..replies.len().min(INPUT_BYTES_MAX)];
    let protocol = if how & 1 == 0 { Protocol::Text } else { Protocol::Binary };
    let mut net = Net::new(ClientOptions { protocol, ..ClientOptions::default() }, &[1]);
    net.silence(1);
    ask_all(&mut net);
    net.heard(1);
    let (mut ended, first) = (0, replies.len() * usize::from(how) / 256);
    for piece in [&replies[..first], &replies[first..]] {
        if net.open_connections() > 0 {
            net.inject(1, piece);
        }
        ended += net.run().len();
    }
    net.pass(Duration::from_secs(2));
    assert_eq!(ended + net.run().len(), ASKED, "every request ends once");
}

/// Requests made by [`ask_all`].
const ASKED: usize = 6;

fn ask_all(net: &mut Net) {
    let asked = net.with(|client, cx| {
        client.set(cx, "k", b"v", 0, 0)?;
        client.get(cx, "k", 1)?;
        client.gets_many(cx, &["a", "b", "c"].map(Key::from), 2)?;
        if client.ask(cx, "k", &Op::MetaGet(&MetaGet::default()), 3).is_err() {
            client.ask(cx, "k", &Op::Gets, 3)?;
        }
        client.ask(cx, "k", &Op::Count(Count { by: 1, down: false, initial: None }), 4)?;
        client.ask(cx, "k", &Op::Store(Store::new(Verb::Cas(7), b"x")), 5)
    });
    asked.expect("an idle client accepts a few requests");
}

/// A command line, one word per line.
pub(crate) fn config(words: &[u8]) {
    let Ok(words) = core::str::from_utf8(words) else { return };
    let words: Vec<&str> = words.lines().collect();
    match Command::from_words(&words) {
        Ok(Command::Serve(config)) => {
            let shards = config.shards();
            assert!(shards.is_power_of_two(), "{shards} shards");
            let _last = config.cache(shards - 1);
            let _valid = config.limits();
        }
        Ok(Command::Help | Command::Version | Command::License) => {}
        Err(error) => assert!(!error.to_string().is_empty(), "a mistake is named"),
    }
}

/// A list of servers and a key: the first line has the scheme and who is out, the last one the key.
pub(crate) fn placement(bytes: &[u8]) {
    const SCHEMES: [Scheme; 12] = [
        Scheme::Classic,
        Scheme::Modula(KeyHash::Crc),
        Scheme::Modula(KeyHash::Md5),
        Scheme::Ketama(KeyHash::Md5),
        Scheme::KetamaWeighted,
        Scheme::KetamaSpy(KeyHash::Crc),
        Scheme::KetamaSpyWeighted,
        Scheme::ProxyRing(ProxyRing::Xxh3),
        Scheme::ProxyRing(ProxyRing::Ketama),
        Scheme::ProxyRing(ProxyRing::Twemproxy),
        Scheme::ProxyRing(ProxyRing::Evcache),
        Scheme::ProxyJump { seed: 7 },
    ];
    let (Some(&which), Some(&out)) = (bytes.first(), bytes.get(1)) else { return };
    let mut lines = bytes[2..].split(|&byte| byte == b'\n').take(17);
    let key = lines.next().unwrap_or_default();
    let node = |line: &[u8]| Node {
        host: String::from_utf8_lossy(&line[..line.len().min(64)]).into_owned(),
        port: line
            .iter()
            .fold(0, |port: u16, &byte| port.wrapping_mul(31).wrapping_add(byte.into())),
        weight: line.first().map_or(1, |&byte| u32::from(byte) % 9),
    };
    let nodes: Vec<Node> = lines.map(node).collect();
    let live: Vec<bool> = (0..nodes.len()).map(|at| out >> (at % 8) & 1 == 0).collect();
    let scheme = SCHEMES[usize::from(which) % SCHEMES.len()];
    let placed = Placement::with_live(scheme, &nodes, &live);
    let picked = placed.pick(key);
    assert_eq!(picked.is_none(), nodes.is_empty(), "{scheme:?} places every key");
    assert!(picked.is_none_or(|at| at < nodes.len()));
    assert_eq!(picked, placed.pick(key), "a key stays where it is");
    let hash = ExplicitHash(u32::from_le_bytes([which, out, which, out]));
    assert!(placed.pick_as(hash, key).is_none_or(|at| at < nodes.len()));
}
