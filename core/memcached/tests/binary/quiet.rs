//! Quiet requests: no word of success, every word of failure.

use crate::Client;
use crate::packet::{Request, count, key, op, request, store};

#[test]
fn success_is_silent() {
    let mut client = Client::new("");
    client.send_quietly(&[
        store(op::SETQ, "k", "b"),
        store(op::ADDQ, "l", "m"),
        store(op::REPLACEQ, "k", "c"),
        key(op::APPENDQ, "k").value("d"),
        key(op::PREPENDQ, "k").value("b"),
        count(op::INCRQ, "n", 1, 5, 0),
        count(op::INCRQ, "n", 1, 5, 0),
        count(op::DECRQ, "n", 2, 5, 0),
    ]);
    assert_eq!(client.ask(&key(op::GET, "k")), "deadbeef||bcd");
    assert_eq!(client.ask(&key(op::GET, "n")), "00000000||4");
    client.send_quietly(&[key(op::DELETEQ, "k")]);
    assert_eq!(client.ask(&key(op::GET, "k")), "0x1 Not found");
    client.rig.pass(2);
    client.send_quietly(&[request(op::FLUSHQ)]);
    assert_eq!(client.ask(&key(op::GET, "l")), "0x1 Not found");
}

#[test]
fn misses_of_gets_are_silent_and_hits_are_not() {
    let mut client = Client::new("");
    client.send_quietly(&[
        key(op::GETQ, "k"),
        key(op::GETKQ, "k"),
        key(op::GATQ, "k").extras(&[0]),
        key(op::GATKQ, "k").extras(&[0]),
    ]);
    client.ask(&store(op::SET, "k", "v"));
    assert_eq!(client.ask(&key(op::GETQ, "k")), "deadbeef||v");
    assert_eq!(client.ask(&key(op::GETKQ, "k")), "deadbeef|k|v");
    assert_eq!(client.ask(&key(op::GATQ, "k").extras(&[0])), "deadbeef||v");
    assert_eq!(client.ask(&key(op::GATKQ, "k").extras(&[0])), "deadbeef|k|v");
}

#[test]
fn failures_are_told() {
    let mut client = Client::new("-I 4k -o slab_chunk_max=2");
    let exists = "0x2 Data exists for key.";
    client.ask(&store(op::SET, "k", "abc"));
    for (request, answer) in [
        (store(op::ADDQ, "k", "v"), exists),
        (store(op::REPLACEQ, "none", "v"), "0x1 Not found"),
        (store(op::SETQ, "k", "v").version(1 << 50), exists),
        (store(op::SETQ, "none", "v").version(1 << 50), "0x1 Not found"),
        (store(op::SETQ, "big", vec![b'x'; 5000]), "0x3 Too large."),
        (key(op::APPENDQ, "none").value("v"), "0x5 Not stored."),
        (key(op::PREPENDQ, "none").value("v"), "0x5 Not stored."),
        (key(op::DELETEQ, "none"), "0x1 Not found"),
        (key(op::DELETEQ, "k").version(1 << 50), exists),
        (count(op::INCRQ, "none", 1, 1, u32::MAX), "0x1 Not found"),
        (count(op::DECRQ, "k", 1, 1, 0), "0x6 Non-numeric server-side value for incr or decr"),
    ] {
        assert_eq!(client.ask(&request), answer, "{request:?}");
    }
    assert!(!client.has_hung_up());
    assert_eq!(Client::new("-F").ask(&request(op::FLUSHQ)), "0x20 Auth failure.");
}

#[test]
fn a_multiget_is_a_run_of_quiet_gets_with_a_loud_end() {
    let mut client = Client::new("");
    client.send_quietly(&[store(op::SETQ, "b", "B"), store(op::SETQ, "d", "D")]);
    let gets: Vec<Request> =
        ["a", "b", "c", "d"].iter().zip(0..).map(|(k, n)| key(op::GETKQ, k).opaque(n)).collect();
    let all = [&gets[..], &[request(op::NOOP).opaque(99)]].concat();
    let replies = client.send_all(&all);
    let shown: Vec<(u32, String)> = replies.iter().map(|r| (r.opaque, r.show())).collect();
    let hit = |key, value| format!("deadbeef|{key}|{value}");
    assert_eq!(shown, [(1, hit("b", "B")), (3, hit("d", "D")), (99, "||".to_owned())]);
}

#[test]
fn quiet_and_loud_requests_keep_their_order() {
    let mut client = Client::new("");
    let mut requests = Vec::new();
    for n in 0..500 {
        let name = format!("k{n}");
        requests.push(store(op::SETQ, &name, n.to_string()));
        requests.push(key(op::GETQ, &name).opaque(n));
        requests.push(store(op::ADDQ, &name, "no").opaque(n));
        requests.push(key(op::DELETEQ, &name));
        requests.push(key(op::GET, &name).opaque(n));
    }
    let replies = client.send_all(&requests);
    assert_eq!(replies.len(), 1500);
    for (n, three) in (0..).zip(replies.chunks(3)) {
        assert!(three.iter().all(|reply| reply.opaque == n));
        assert_eq!(three[0].show(), format!("deadbeef||{n}"));
        assert_eq!((three[1].status, three[2].status), (2, 1));
    }
}
