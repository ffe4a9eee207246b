//! Headers that cannot be meant.

use crate::Client;
use crate::packet::{key, op, request, store};

const INVALID: &str = "0x4 Invalid arguments";

/// Sends a header and nothing else; what the server answers before it hangs up.
fn refusal(opcode: u8, extras: u8, key: u16, body: u32) -> String {
    let mut client = Client::new("");
    let replies = client.send_bytes(&request(opcode).header(extras, key, body));
    assert!(client.has_hung_up(), "{opcode:#x} {extras} {key} {body}");
    assert_eq!(replies.len(), 1, "{opcode:#x} {extras} {key} {body}");
    replies[0].show()
}

#[test]
fn lengths_that_do_not_suit_the_opcode_end_the_connection() {
    for (opcodes, lengths) in [
        (
            &[op::SET, op::SETQ, op::ADD, op::ADDQ, op::REPLACE, op::REPLACEQ][..],
            &[(0, 1, 1), (4, 1, 5), (9, 1, 10), (8, 0, 8), (8, 251, 300)][..],
        ),
        (
            &[op::GET, op::GETQ, op::GETK, op::GETKQ, op::DELETE, op::DELETEQ],
            &[(0, 0, 0), (4, 1, 5), (0, 1, 2), (0, 251, 251)],
        ),
        (&[op::APPEND, op::APPENDQ, op::PREPEND, op::PREPENDQ], &[(0, 0, 5), (8, 1, 10)]),
        (
            &[op::INCR, op::INCRQ, op::DECR, op::DECRQ],
            &[(0, 1, 1), (20, 0, 20), (20, 1, 22), (19, 1, 20)],
        ),
        (
            &[op::TOUCH, op::GAT, op::GATQ, op::GATK, op::GATKQ],
            &[(0, 1, 1), (4, 0, 4), (8, 1, 9), (4, 1, 6)],
        ),
        (&[op::FLUSH, op::FLUSHQ], &[(0, 1, 1), (0, 0, 1), (3, 0, 3), (4, 0, 5), (8, 0, 8)]),
        (
            &[op::NOOP, op::VERSION, op::QUIT, op::QUITQ, op::SASL_LIST],
            &[(0, 0, 1), (0, 1, 1), (4, 0, 4)],
        ),
        (&[op::STAT], &[(4, 0, 4), (0, 1, 2), (0, 251, 251)]),
        (&[op::SASL_AUTH, op::SASL_STEP], &[(0, 0, 0), (0, 0, 9), (4, 5, 9)]),
        (&[0x1b, 0x1f, 0x25, 0xff], &[(0, 251, 251), (0, 0, (1 << 30) + 1)]),
    ] {
        for &opcode in opcodes {
            for &(extras, key, body) in lengths {
                let answer = refusal(opcode, extras, key, body);
                assert_eq!(answer, INVALID, "{opcode:#x} {extras} {key} {body}");
            }
        }
    }
}

#[test]
fn lengths_that_contradict_each_other_end_the_connection() {
    for opcode in 0..=u8::MAX {
        for (extras, key, body) in
            [(0, 1, 0), (1, 0, 0), (8, 10, 17), (255, u16::MAX, 65_535), (1, u16::MAX, 0)]
        {
            assert_eq!(refusal(opcode, extras, key, body), "0x81 Unknown command", "{opcode:#x}");
        }
        assert_eq!(refusal(opcode, 0, 0, u32::MAX), INVALID, "{opcode:#x}");
        assert_eq!(refusal(opcode, 8, 250, (1 << 30) + 1), INVALID, "{opcode:#x}");
    }
}

#[test]
fn another_first_byte_ends_the_connection_and_earlier_replies_are_sent() {
    for stranger in [0x81, 0x00, b'g'] {
        let mut client = Client::new("");
        let stream = [request(op::NOOP).bytes(), vec![stranger], vec![0; 50]].concat();
        assert_eq!(client.send_bytes(&stream).len(), 1);
        assert!(client.has_hung_up());
    }
}

#[test]
fn refusals_come_behind_the_replies_of_a_pipeline() {
    let mut client = Client::new("");
    let stream = [
        store(op::SET, "k", "v").bytes(),
        key(op::GET, "k").bytes(),
        key(op::GET, [b'x'; 251]).bytes(),
        request(op::NOOP).bytes(),
    ];
    let shown: Vec<String> =
        client.send_bytes(&stream.concat()).iter().map(crate::packet::Reply::show).collect();
    assert_eq!(shown, ["||", "deadbeef||v", INVALID]);
    assert!(client.has_hung_up());
}

#[test]
fn the_longest_key_is_a_key() {
    let mut client = Client::new("");
    let long = [b'x'; 250];
    assert_eq!(client.ask(&store(op::SET, long, "v")), "||");
    assert_eq!(client.ask(&key(op::GET, long)), "deadbeef||v");
    let odd = [0, b' ', b'\r', b'\n', 0xff];
    assert_eq!(client.ask(&store(op::SET, odd, "w")), "||");
    assert_eq!(client.ask(&key(op::GET, odd)), "deadbeef||w");
}
