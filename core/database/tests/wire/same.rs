//! Determinism: the same inputs make the same content and the same bytes on the disk.

use crate::rig::Rig;

const REQUESTS: usize = 300;

fn request(n: usize) -> String {
    let (owner, text) = (n % 7, "v".repeat(n * 31 % 400));
    match n % 9 {
        0 => format!("SET key{} {n}{text}", n % 40),
        1 => format!("ROW.PUT posts {owner} {n} {n}{text}"),
        2 => format!("ROW.NEXT posts {owner} 3"),
        3 => format!("HSET hash field{} {n}", n % 20),
        4 => format!("ZADD sorted {} member{}", n % 13, n % 30),
        5 => format!("SADD set member{}", n % 30),
        6 => "SPOP set".to_owned(),
        7 => format!("EXPIRE key{} 100", n % 40),
        _ => format!("ROW.BATCH {owner} PUT home 0 {n} BUMP home 0 NEXT home 1"),
    }
}

/// What came of the script: replies, content, disk.
fn run() -> (String, u64, u64, u64) {
    let mut rig = Rig::new("--checkpoint-bytes 64k --pages 100 --pool-pages 10");
    let clients: Vec<_> = (0..5).map(|_| rig.open()).collect();
    let mut told = String::new();
    rig.say(clients[0], "ROW.PUT home 0 0 x");
    for n in 0..REQUESTS {
        // Several at a time, so that they share syncs.
        rig.lone.send(clients[n % 5], format!("{}\r\n", request(n)).as_bytes());
        if n % 3 == 0 {
            rig.rest();
        }
    }
    rig.rest();
    clients.iter().for_each(|&client| told += &rig.take(client));
    let (disk, content) = (rig.lone.disk().digest(), rig.lone.machine().store().digest());
    (told, content, disk, rig.lone.submitted())
}

#[test]
fn the_same_requests_make_the_same_replies_content_and_bytes_on_disk() {
    let first = run();
    assert!(first.0.len() > REQUESTS && first.3 > 100, "something was done");
    assert_eq!(first, run());
}
