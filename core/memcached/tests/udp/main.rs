//! Requests in datagrams and the datagrams of their replies.

#[path = "../binary/packet.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod packet;
#[path = "../wire/rig.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod rig;

use packet::{key, op, request, store};
use rig::Rig;
use storytime_machine::{Bytes, Token};

/// The socket behind the one TCP listener of the same number.
const SOCKET: Token = Token(1);
const FRAME_BYTES: usize = 8;

fn rig(line: &str) -> Rig {
    Rig::new(&format!("-p 11211 -U 11211 {line}"))
}

fn frame(number: u16, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let header = [number.to_be_bytes(), [0, 0], [0, 1], [0, 0]];
    [header.as_flattened(), payload.as_ref()].concat()
}

/// Joins a reply, and looks at its frame headers.
fn join(number: u16, datagrams: &[Bytes]) -> Vec<u8> {
    let mut joined = Vec::new();
    for (place, datagram) in (0u16..).zip(datagrams) {
        assert!(datagram.len() <= 1400, "{} bytes", datagram.len());
        let total = datagrams.len() as u16;
        let header = [number.to_be_bytes(), place.to_be_bytes(), total.to_be_bytes(), [0, 0]];
        assert_eq!(datagram[..FRAME_BYTES], *header.as_flattened());
        joined.extend_from_slice(&datagram[FRAME_BYTES..]);
    }
    joined
}

fn ask(rig: &mut Rig, payload: impl AsRef<[u8]>) -> String {
    let datagrams = rig.datagram(SOCKET, &frame(0x0102, payload));
    String::from_utf8_lossy(&join(0x0102, &datagrams)).into_owned()
}

#[test]
fn each_packet_chooses_its_protocol() {
    let mut rig = rig("");
    assert_eq!(ask(&mut rig, "set k 5 0 2\r\nhi\r\n"), "STORED\r\n");
    assert_eq!(ask(&mut rig, "get k\r\n"), "VALUE k 5 2\r\nhi\r\nEND\r\n");
    let reply = rig.datagram(SOCKET, &frame(7, key(op::GET, "k").bytes()));
    assert_eq!(packet::replies(&join(7, &reply))[0].show(), "00000005||hi");
    let reply = rig.datagram(SOCKET, &frame(8, store(op::SET, "k", "ho").bytes()));
    assert_eq!(packet::replies(&join(8, &reply))[0].show(), "||");
    assert_eq!(ask(&mut rig, "get k none\r\n"), "VALUE k 3735928559 2\r\nho\r\nEND\r\n");
    assert_eq!(ask(&mut rig, "nonsense\r\n"), "ERROR\r\n");
    let conn = rig.open();
    assert!(rig.send(conn, "get k\r\n").ends_with("ho\r\nEND\r\n"), "the data are the same");
}

#[test]
fn long_replies_take_several_datagrams() {
    let mut rig = rig("");
    let conn = rig.open();
    for len in [1, 1370, 1380, 1400, 20_000, 200_000] {
        let value: String = (0..len).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
        rig.send(conn, format!("set k 0 0 {len}\r\n{value}\r\n"));
        let expected = format!("VALUE k 0 {len}\r\n{value}\r\nEND\r\n");
        let datagrams = rig.datagram(SOCKET, &frame(9, "get k\r\n"));
        assert_eq!(datagrams.len(), expected.len().div_ceil(1392));
        assert_eq!(join(9, &datagrams), expected.as_bytes());
        let datagrams = rig.datagram(SOCKET, &frame(9, key(op::GET, "k").bytes()));
        assert_eq!(packet::replies(&join(9, &datagrams))[0].value, value.as_bytes());
    }
}

#[test]
fn several_hits_and_several_requests_are_one_reply() {
    let mut rig = rig("");
    assert_eq!(ask(&mut rig, "set a 0 0 1\r\nA\r\nset b 0 0 1\r\nB\r\n"), "STORED\r\nSTORED\r\n");
    let both = "VALUE a 0 1\r\nA\r\nVALUE b 0 1\r\nB\r\nEND\r\n";
    assert_eq!(ask(&mut rig, "get a b\r\n"), both);
    assert_eq!(ask(&mut rig, "get a b\r\nget b\r\n"), format!("{both}VALUE b 0 1\r\nB\r\nEND\r\n"));
}

#[test]
fn what_wants_no_reply_gets_none() {
    let mut rig = rig("");
    assert_eq!(ask(&mut rig, "set k 0 0 1 noreply\r\nA\r\n"), "");
    assert_eq!(ask(&mut rig, store(op::SETQ, "l", "B").bytes()), "");
    assert_eq!(ask(&mut rig, key(op::GETQ, "none").bytes()), "");
    assert_eq!(ask(&mut rig, "quit\r\n"), "");
    assert_eq!(ask(&mut rig, "get k l\r\n").matches("VALUE").count(), 2);
    assert_eq!(rig.counter("datagrams_dropped"), 0);
}

#[test]
fn what_is_not_one_whole_request_is_dropped_and_counted() {
    let mut rig = rig("");
    let mut two = frame(1, "get k\r\n");
    two[5] = 2;
    let mut second = two.clone();
    second[3] = 1;
    let none = [&two[..4], &[0, 0, 0, 0], b"get k\r\n"].concat();
    let dropped = [&b""[..], b"\0\x01", &frame(1, ""), &two, &second, &none];
    for datagram in dropped {
        assert!(rig.datagram(SOCKET, datagram).is_empty(), "{datagram:?}");
    }
    assert_eq!(rig.counter("datagrams_dropped"), dropped.len() as u64);
}

#[test]
fn an_unfinished_request_leaves_nothing_behind() {
    let mut rig = rig("-m 64");
    let header = store(op::SET, "k", "").header(8, 1, 900_009);
    for unfinished in [
        b"get k".to_vec(),
        b"set k 0 0 10\r\nabc".to_vec(),
        format!("set k 0 0 900000\r\n{}", "x".repeat(20_000)).into_bytes(),
        [&header[..], &[0; 8], b"k", &[b'x'; 20_000]].concat(),
        store(op::SET, "k", "value").bytes()[..30].to_vec(),
        vec![0x80],
    ] {
        assert_eq!(ask(&mut rig, &unfinished), "", "{} bytes", unfinished.len());
        assert_eq!(ask(&mut rig, "get k\r\n"), "END\r\n", "the next one starts afresh");
    }
    rig.process.machine().shared().audit();
}

#[test]
fn a_refusal_does_not_end_the_socket() {
    let mut rig = rig("");
    let reply = rig.datagram(SOCKET, &frame(3, key(op::GET, [b'x'; 251]).bytes()));
    assert_eq!(packet::replies(&join(3, &reply))[0].show(), "0x4 Invalid arguments");
    let reply = rig.datagram(SOCKET, &frame(4, request(op::NOOP).bytes()));
    assert_eq!(packet::replies(&join(4, &reply))[0].show(), "||");
    let long = format!("set k{} 0 0 1\r\nA\r\n", "x".repeat(3000));
    assert_eq!(ask(&mut rig, long), "", "a line too long");
    assert_eq!(ask(&mut rig, "get k\r\n"), "END\r\n");
}

#[test]
fn a_reply_is_bounded() {
    let mut rig = rig("-m 64 -I 8m");
    let conn = rig.open();
    let refusal = "SERVER_ERROR out of memory writing get response\r\n";
    for len in [300_000, 1 << 20, 7 << 20] {
        rig.send(conn, format!("set big 0 0 {len}\r\n{}\r\n", "x".repeat(len)));
        assert_eq!(ask(&mut rig, "get big\r\n"), refusal, "{len}");
        let reply = rig.datagram(SOCKET, &frame(3, key(op::GET, "big").bytes()));
        assert_eq!(packet::replies(&join(3, &reply))[0].show(), "0x82 Out of memory", "{len}");
    }
    rig.send(conn, format!("set mid 0 0 5000\r\n{}\r\n", "x".repeat(5000)));
    assert_eq!(ask(&mut rig, format!("get{}\r\n", " mid".repeat(60))), refusal);
    assert_eq!(ask(&mut rig, format!("get{}\r\n", " mid".repeat(20))).len(), 20 * 5020 + 5);
    rig.process.machine().shared().audit();
}

#[test]
fn sockets_speak_what_they_were_given() {
    let text = |protocol: &str| ask(&mut rig(protocol), "get k\r\n");
    let noop = frame(1, request(op::NOOP).bytes());
    let binary = |protocol: &str| join(1, &rig(protocol).datagram(SOCKET, &noop)).len();
    assert_eq!(
        (text("-B auto"), text("-B ascii"), text("-B binary")),
        ("END\r\n".to_owned(), "END\r\n".to_owned(), String::new(),)
    );
    assert_eq!((binary("-B auto"), binary("-B binary")), (24, 24));
    let answer = ask(&mut rig("-B ascii"), key(op::GET, "k").bytes());
    assert_eq!(answer, "", "no line end: no whole request");
}
