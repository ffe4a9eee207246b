//! Bodies of requests in chunks, and what could be taken for another request.

use crate::http::{ask, has, rig, short, told, web};

const HEAD: &str = "POST /f HTTP/1.1\r\nTransfer-Encoding: chunked\r\n";
const NEXT: &str = "GET /g HTTP/1.1\r\nX-Gearman-Background: true\r\n\r\n";

/// A job whose body is this, as it is on the wire.
fn post(body: &str) -> String {
    format!("{HEAD}X-Gearman-Background: true\r\n\r\n{body}")
}

/// Whatever is not wrong: bodies, and what they are.
fn right() -> [(String, &'static str); 7] {
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(1000));
    [
        ("0\r\n\r\n".into(), ""),
        ("5\r\nhello\r\n0\r\n\r\n".into(), "hello"),
        ("1\r\nh\r\n000004\r\nello\r\n0000\r\n\r\n".into(), "hello"),
        ("A \t; quoted=\"a;b\" ; flag\r\nhellohello\r\n0;last\r\n\r\n".into(), "hellohello"),
        ("2\r\n\r\n\r\n0\r\n\r\n".into(), "\r\n"),
        ("5\r\nhello\r\n0\r\nDigest: none\r\nX:\r\nContent-Length: 9\r\n\r\n".into(), "hello"),
        (long, "hello"),
    ]
}

#[test]
fn a_body_in_chunks_may_come_in_any_pieces() {
    for (body, data) in right() {
        let whole = post(&body) + NEXT;
        for cut in 0..whole.len() {
            let mut rig = rig("");
            let (client, worker) = (web(&mut rig), rig.open());
            rig.lone.send(client, &whole.as_bytes()[..cut]);
            rig.lone.send(client, &whole.as_bytes()[cut..]);
            let answer = told(&mut rig, client);
            assert_eq!(answer.matches("HTTP/1.1 202 ").count(), 2, "{body:?} at {cut}: {answer}");
            let shown = data.as_bytes().escape_ascii().to_string();
            let data = if data.is_empty() { "_" } else { &*shown };
            let said = rig.say(worker, "CAN_DO f\nGRAB_JOB");
            assert_eq!(said, format!("JOB_ASSIGN H:1 f {data}"), "{body:?} at {cut}");
        }
        let mut rig = rig("");
        let client = web(&mut rig);
        for byte in whole.as_bytes() {
            rig.lone.send(client, &[*byte]);
        }
        let answer = told(&mut rig, client);
        assert_eq!(answer.matches("HTTP/1.1 202 ").count(), 2, "{body:?}: {answer}");
    }
}

#[test]
fn who_waits_to_send_its_chunks_is_told_to() {
    let mut rig = rig("");
    let (client, worker) = (web(&mut rig), rig.open());
    let said = ask(&mut rig, client, &format!("{HEAD}Expect: 100-continue\r\n\r\n"));
    assert_eq!(said, "HTTP/1.1 100 Continue\r\n\r\n");
    ask(&mut rig, client, "3\r\none\r\n");
    ask(&mut rig, client, "0\r\n\r\n");
    rig.say(worker, "CAN_DO f\nGRAB_JOB\nWORK_COMPLETE H:1 two");
    assert_eq!(short(&told(&mut rig, client)), ("200 OK".into(), "two".into()));
}

#[test]
fn where_two_readers_could_see_two_ends_the_connection_ends() {
    let head = |headers: &str| format!("POST /f HTTP/1.1\r\n{headers}\r\n\r\n0\r\n\r\n");
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked";
    let cases = [
        (head(both), "400"),
        (head("Transfer-Encoding: chunked\r\nContent-Length: 5"), "400"),
        (head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), "400"),
        (head("Transfer-Encoding : chunked"), "400"),
        (head("X: y\nTransfer-Encoding: chunked"), "400"),
        (head("X: y\r\n Transfer-Encoding: chunked"), "400"),
        (head(both).replace("1.1", "1.0"), "400"),
        (head("Transfer-Encoding: chunked").replace("1.1", "1.0"), "400"),
        (head("Transfer-Encoding: gzip"), "501"),
        (head("Transfer-Encoding: gzip, chunked"), "501"),
        (head("Transfer-Encoding: chunked, chunked"), "501"),
        (head("Transfer-Encoding: identity"), "501"),
        (head("Transfer-Encoding: xchunked"), "501"),
        (head("Transfer-Encoding:"), "501"),
        (post("5\r\nhelloo\r\n0\r\n\r\n"), "400"),
        (post("5\r\nhell\r\n0\r\n\r\n"), "400"),
        (post("5\nhello\r\n0\r\n\r\n"), "400"),
        (post("5\rhello\r\n0\r\n\r\n"), "400"),
        (post("5\r\nhello\n0\r\n\r\n"), "400"),
        (post("5;x\n;\r\nhello\r\n0\r\n\r\n"), "400"),
        (post("5\r\nhello\r\n0\r\nX: y\n\r\n"), "400"),
        (post("5\r\nhello\r\n0\r\nGET /g HTTP/1.1\r\n\r\n"), "400"),
        (post("5\r\nhello\r\n0\r\n X: folded\r\n\r\n"), "400"),
        (post("5 hello\r\n"), "400"),
        (post("5 \r\nhello\r\n"), "400"),
        (post("-5\r\nhello\r\n"), "400"),
        (post("+5\r\nhello\r\n"), "400"),
        (post("0x5\r\nhello\r\n"), "400"),
        (post(" 5\r\nhello\r\n"), "400"),
        (post("\r\nhello\r\n"), "400"),
        (post(";x\r\nhello\r\n"), "400"),
        (post("10000000000000005\r\nhello\r\n"), "400"),
    ];
    for (request, status) in cases {
        let mut rig = rig("");
        let client = web(&mut rig);
        let answer = ask(&mut rig, client, &(request.clone() + NEXT));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "nothing behind it: {request}");
        assert!(has(&answer, "Connection: close") && !rig.lone.is_open(client), "{request}");
        assert_eq!(rig.counter("jobs"), 0, "{request}");
    }
}

#[test]
fn all_of_a_body_in_chunks_is_bounded() {
    let many = |count: usize, extension: usize| {
        format!("1;{}\r\nx\r\n", "e".repeat(extension - 1)).repeat(count) + "0\r\n\r\n"
    };
    let trailers = |bytes: usize| format!("0\r\nX:{}\r\n\r\n", "y".repeat(bytes - 2));
    // As the longest packet, without its header.
    let most = (64 << 10) - 12;
    let long = |bytes: usize| format!("{bytes:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(bytes));
    let cases = [
        (long(most), "202"),
        (long(most + 1), "413"),
        (format!("1\r\nx\r\n{}", long(most)), "413"),
        (format!("1\r\nx\r\n{}", long(most - 1)), "202"),
        ("ffffffffffffffff\r\n".into(), "413"),
        (many(16, 1022), "202"),
        (many(17, 1022), "400"),
        (many(1, 1024), "400"),
        (trailers(16 << 10), "202"),
        (trailers((16 << 10) + 1), "431"),
        (format!("0\r\n{}\r\n", "X: y\r\n".repeat(4096)), "202"),
        (format!("0\r\n{}\r\n", "X: y\r\n".repeat(4097)), "431"),
    ];
    for (body, status) in cases {
        let mut rig = rig("--max-packet 64k");
        let client = web(&mut rig);
        let answer = ask(&mut rig, client, &post(&body));
        let front = &body[..body.len().min(20)];
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{front:?}: {answer}");
        assert_eq!(rig.lone.is_open(client), status == "202", "{front:?}");
    }
}

#[test]
fn bodies_that_do_not_end_are_held_within_the_bound_of_all_input() {
    let mut rig = {
        let mut config = crate::rig::config("--job-handle-prefix H -r http");
        config.held_bytes_max = 100_000;
        crate::rig::Rig::with(config)
    };
    assert!(rig.lone.run_until(|lone| lone.listens(8080)), "it listens");
    let clients: Vec<_> = (0..4).map(|_| web(&mut rig)).collect();
    for (nth, client) in clients.iter().enumerate() {
        let data = "x".repeat(20_000 + nth * 5_000);
        ask(&mut rig, *client, &format!("{HEAD}\r\nfffff\r\n{data}"));
    }
    let open: Vec<_> = clients.iter().map(|client| rig.lone.is_open(*client)).collect();
    assert_eq!(open, [true, true, true, false], "who holds most goes");
    assert_eq!(rig.counter("broken_peers"), 1);
}
