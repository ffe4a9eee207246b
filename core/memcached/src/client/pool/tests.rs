//! Frames of replies, cut at every byte.

use super::frame::{Expect, HEADER_BYTES, Step, keys_of, opaque_of, stray_error};
use super::{Shape, Words};
use std::collections::VecDeque;

fn expect(shape: Shape, head: &[u8]) -> (Expect, VecDeque<u32>) {
    let keys: VecDeque<u32> = match shape {
        Shape::Values => keys_of(head).map(crc32fast::hash).collect(),
        _ => VecDeque::new(),
    };
    let left = match shape {
        Shape::Meta { replies } => replies,
        _ => keys.len() as u32,
    };
    (Expect { shape, left, quiet_before: 0, opaque: opaque_of(head) }, keys)
}

/// Reads a whole reply that arrives cut at `cut`, and says how it ended.
fn read(shape: Shape, head: &[u8], reply: &[u8], cut: usize) -> Step {
    let (mut expect, mut keys) = expect(shape, head);
    let mut at = 0;
    let mut upto = cut;
    loop {
        match expect.step(&mut keys, &reply[at..upto], 99) {
            Step::Frame { bytes, last: false } => at += bytes,
            Step::Await if upto < reply.len() => upto = reply.len(),
            Step::Frame { bytes, last: true } => {
                assert!(keys.is_empty(), "the reply's keys are forgotten with it");
                return Step::Frame { bytes: at + bytes, last: true };
            }
            other => return other,
        }
    }
}

fn packet(opcode: u8, status: u16, opaque: u32, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; HEADER_BYTES];
    (packet[0], packet[1]) = (0x81, opcode);
    packet[2..4].copy_from_slice(&(key.len() as u16).to_be_bytes());
    packet[6..8].copy_from_slice(&status.to_be_bytes());
    packet[8..12].copy_from_slice(&((key.len() + value.len()) as u32).to_be_bytes());
    packet[12..16].copy_from_slice(&opaque.to_be_bytes());
    [&packet, key, value].concat()
}

#[test]
fn whole_replies_are_found_however_they_are_cut() {
    let two = [packet(9, 0, 1, b"k", b"v"), packet(10, 0, 7, b"", b"")].concat();
    let stats = [packet(16, 0, 3, b"pid", b"1"), packet(16, 0, 3, b"", b"")].concat();
    let cases: [(Shape, &[u8], &[u8]); 20] = [
        (Shape::Line(Words::Stored), b"set k 0 0 1\r\n", b"STORED\r\n"),
        (Shape::Line(Words::Stored), b"set k 0 0 1\r\n", b"SERVER_ERROR out of memory\r\n"),
        (Shape::Line(Words::Stored), b"cas k 0 0 1 5\r\n", b"EXISTS\r\n"),
        (Shape::Line(Words::Number), b"decr k 1\r\n", b"9 \r\n"),
        (Shape::Line(Words::Touched), b"touch k 1\r\n", b"NOT_FOUND\r\n"),
        (Shape::Line(Words::Any), b"verbosity 1\r\n", b"OK\r\n"),
        (Shape::Values, b"get k\r\n", b"END\r\n"),
        (Shape::Values, b"get k\r\n", b"VALUE k 0 5\r\na\r\nEN\r\nEND\r\n"),
        (Shape::Values, b"gets a b c \r\n", b"VALUE b 1 1 77\r\nx\r\nEND\r\n"),
        (Shape::Values, b"gat 10 a a\r\n", b"VALUE a 0 0\r\n\r\nVALUE a 0 0\r\n\r\nEND\r\n"),
        (Shape::Lines, b"stats\r\n", b"STAT pid 1\r\nSTAT uptime 2\r\nEND\r\n"),
        (Shape::Lines, b"stats reset\r\n", b"RESET\r\n"),
        (Shape::Meta { replies: 1 }, b"mg k v t O9\r\n", b"VA 2 t-1 O9\r\n\r\n\r\n"),
        (Shape::Meta { replies: 1 }, b"mg k v\r\n", b"EN\r\n"),
        (Shape::Meta { replies: 2 }, b"mg k\r\nmd k\r\n", b"HD\r\nCLIENT_ERROR no\r\n"),
        (Shape::Meta { replies: 1 }, b"me Ok\r\n", b"ME Ok exp=-1 cas=2\r\n"),
        (Shape::MetaUntilNoop, b"mg k q v k\r\nmn\r\n", b"VA 1 kk\r\nx\r\nEN\r\nMN\r\n"),
        (Shape::Packet { opcode: 0, opaque: 5 }, b"", &packet(0, 1, 5, b"", b"Not found")),
        (Shape::PacketsUntil { opcode: 10, opaque: 7 }, b"", &two),
        (Shape::PacketsUntilKeyless { opcode: 16, opaque: 3 }, b"", &stats),
    ];
    for (shape, head, reply) in cases {
        for cut in 0..=reply.len() {
            let whole = Step::Frame { bytes: reply.len(), last: true };
            assert_eq!(read(shape, head, reply, cut), whole, "{shape:?} cut at {cut}");
        }
    }
}

#[test]
fn what_answers_another_question_is_nonsense() {
    let long = "x".repeat(2048);
    let meta = Shape::Meta { replies: 1 };
    let cases: [(Shape, &[u8], &[u8]); 20] = [
        (Shape::Values, b"get k\r\n", b"STORED\r\n"),
        (Shape::Values, b"get k\r\n", b"VALUE other 0 1\r\na\r\nEND\r\n"),
        (Shape::Values, b"get a b\r\n", b"VALUE b 0 0\r\n\r\nVALUE a 0 0\r\n\r\nEND\r\n"),
        (Shape::Values, b"get k\r\n", b"VALUE k 0 0\r\n\r\nVALUE k 0 0\r\n\r\nEND\r\n"),
        (Shape::Values, b"get k\r\n", b"VALUE k 0 100\r\n"),
        (Shape::Values, b"get k\r\n", b"VALUE k 0 1\r\nabcdefgh"),
        (Shape::Values, b"get k\r\n", b"VALUE k 0\r\n"),
        (Shape::Values, b"get k\r\n", b"VALUE k 0 +1\r\na\r\nEND\r\n"),
        (Shape::Values, b"get k\r\n", b"VALUE k 0 1 2 3\r\na\r\nEND\r\n"),
        (Shape::Line(Words::Stored), b"set\r\n", b"DELETED\r\n"),
        (Shape::Line(Words::Deleted), b"delete k\r\n", b"END\r\n"),
        (Shape::Line(Words::Deleted), b"delete k\r\n", b"DELETED\n"),
        (Shape::Line(Words::Number), b"incr k 1\r\n", b"\r\n"),
        (Shape::Line(Words::Any), b"x\r\n", long.as_bytes()),
        (meta, b"mg k O1\r\n", b"HD O2\r\n"),
        (meta, b"mg k\r\n", b"HD O2\r\n"),
        (meta, b"mg k v\r\n", b"VA 1\r\nxyz"),
        (meta, b"mg k v\r\n", b"VALUE k 0 1\r\nx\r\nEND\r\n"),
        (Shape::Packet { opcode: 0, opaque: 5 }, b"", &packet(0, 0, 6, b"", b"")),
        (Shape::Packet { opcode: 0, opaque: 5 }, b"", b"END\r\n"),
    ];
    for (shape, head, reply) in cases {
        let text = String::from_utf8_lossy(reply);
        assert_eq!(read(shape, head, reply, 0), Step::Nonsense, "{shape:?}: {text:?}");
    }
}

#[test]
fn errors_behind_quiet_requests_are_told_apart_only_in_binary() {
    let (mut line, mut keys) = expect(Shape::Line(Words::Stored), b"");
    line.quiet_before = 1;
    assert_eq!(line.step(&mut keys, b"SERVER_ERROR x\r\n", 99), Step::Ambiguous);
    let (mut get, _) = expect(Shape::Packet { opcode: 0, opaque: 5 }, b"");
    get.quiet_before = 1;
    let error = packet(0x11, 3, 4, b"", b"Too large.");
    let found = get.step(&mut keys, &error, 99);
    assert_eq!(found, Step::QuietError { bytes: error.len() });
    for cut in 0..error.len() {
        assert_eq!(stray_error(&error[..cut]), Step::Await, "cut at {cut}");
    }
    assert_eq!(stray_error(&error), Step::QuietError { bytes: error.len() });
    assert_eq!(stray_error(b"ERROR\r\nx"), Step::QuietError { bytes: 7 });
    assert_eq!(stray_error(b"STORED\r\n"), Step::Nonsense);
    assert_eq!(stray_error(&packet(1, 0, 0, b"", b"")), Step::Nonsense);
}
