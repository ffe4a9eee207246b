//! Requests that come together are answered as if they had come one by one, wherever they are cut.

use crate::rig::Rig;

/// Requests that a look ahead could get wrong: what follows depends on what comes before.
fn script() -> Vec<String> {
    let mset: Vec<String> = (0..40).map(|n| format!("m{n} {n}")).collect();
    let mut lines = vec![
        "SET a 1".to_owned(),
        "HSET hash field 1 other 2".to_owned(),
        "GET a".to_owned(),
        "HELLO 2 AUTH default secret".to_owned(),
    ];
    lines.extend((0..30).map(|n| format!("INCRBY n{} {n}", n % 4)));
    lines.push(format!("MSET {}", mset.join(" ")));
    let rest = "GET m39|SELECT 3|GET m39|SET a 2|SELECT 0|GET a|MULTI|INCR a|NOSUCH|EXEC|MULTI|\
                INCR a|HGET hash field|EXEC|HGET hash other|DEL hash|HSET hash field 3|\
                RENAME hash a|INCR a|GET a|ZADD z 1 one 2 two|ZADD z 3 one|ZRANGE z 0 -1|\
                SADD s x y|SADD s y z|SCARD s|ROW.PUT posts 1 1 text|ROW.GET posts 1 1|\
                LPUSH list x|LPUSH list y|LRANGE list 0 -1|GET|NOSUCH|SET a|DBSIZE|QUIT|SET a 9";
    lines.extend(rest.split('|').map(str::to_owned));
    lines
}

/// A line as client libraries send it.
fn encoded(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let bulk = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
    format!("*{}\r\n{}", words.len(), words.iter().map(bulk).collect::<String>())
}

/// Replies and content when the bytes come in pieces that end at these places.
fn answered(bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> (String, u64) {
    let mut rig = Rig::new("--requirepass secret");
    let client = rig.open();
    let (mut told, mut from) = (String::new(), 0);
    for end in ends.into_iter().chain([bytes.len()]) {
        rig.lone.send(client, &bytes[from..end]);
        rig.rest();
        told += &String::from_utf8_lossy(rig.lone.received(client));
        rig.lone.received(client).clear();
        from = end;
    }
    (told, rig.lone.machine().store().digest())
}

#[test]
fn requests_in_one_piece_are_answered_as_one_by_one() {
    for form in [|line: &str| format!("{line}\r\n"), encoded] {
        let requests: Vec<String> = script().iter().map(|line| form(line)).collect();
        let bytes = requests.concat().into_bytes();
        let mut ends: Vec<usize> = Vec::new();
        for request in &requests {
            ends.push(ends.last().unwrap_or(&0) + request.len());
        }
        let one_by_one = answered(&bytes, ends);
        assert!(one_by_one.0.contains("NOAUTH") && one_by_one.0.contains("EXECABORT"));
        assert!(one_by_one.0.ends_with("+OK\r\n"), "nothing is answered behind the farewell");
        assert_eq!(answered(&bytes, []), one_by_one);
        for step in [1, 7, 100, 1000] {
            assert_eq!(answered(&bytes, (step..bytes.len()).step_by(step)), one_by_one, "{step}");
        }
    }
}

#[test]
fn a_broken_request_is_answered_behind_those_before_it() {
    let good = encoded("INCR n");
    let bytes = format!("{}*1\r\n!\r\n{good}", good.repeat(20));
    let (told, _) = answered(bytes.replace("INCR", "ECHO").as_bytes(), []);
    assert_eq!(told.matches("NOAUTH").count(), 20);
    assert!(told.ends_with("-ERR Protocol error: expected '$', got '!'\r\n"), "{told}");
}

#[test]
fn requests_behind_a_pause_are_carried_out_once() {
    let mut rig = Rig::new("");
    let client = rig.open();
    // Of many lengths, so that none can stand in for another.
    let amounts = (0..3000).map(|n| 10u64.pow(n % 7));
    // One that waits for nothing first: the pause falls between two that were found together.
    let requests = amounts.clone().map(|amount| encoded(&format!("INCRBY n {amount}")));
    let bytes = encoded("PING") + &requests.collect::<String>();
    let told = rig.send(client, bytes.as_bytes());
    let mut sum = 0;
    let sums = amounts.map(|amount| {
        sum += amount;
        format!(" :{sum}")
    });
    assert_eq!(told, format!("+PONG{}", sums.collect::<String>()));
}
