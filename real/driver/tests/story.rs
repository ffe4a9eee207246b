//! The story `add-a-server` in small, as one history: the simulator's kernel and this driver, on
//! tokio or on madsim, must tell the same.
//!
//! One reader asks for every key in turn and stores what it misses. It asks for one key at a time,
//! so what it sees depends on placement and on the servers alone, and on no timing.

mod site;

use site::{KEYS, Reader, SERVERS, history_in_simulator, server};
use storytime_machine::{Duration, IpAddr};
use storytime_real::Host;

const SEED: u64 = 2007;
const PORT: u16 = 11211;

/// What must be true of any history, on whatever it ran.
fn judge(history: &[(u64, bool)]) {
    let hits = |from: u64, to: u64| {
        let part = &history[(from * KEYS) as usize..(to * KEYS) as usize];
        part.iter().filter(|(_, hit)| *hit).count() as u64
    };
    assert_eq!(history.len() as u64, 3 * KEYS);
    assert_eq!((hits(0, 1), hits(1, 2)), (0, KEYS), "empty at first, full then");
    let kept = hits(2, 3) * 100 / KEYS;
    assert!((10..30).contains(&kept), "with modulo, one key of five stays: {kept} %");
}

#[cfg(not(madsim))]
#[test]
fn the_simulator_and_tokio_tell_the_same_history() {
    use std::time::Instant;
    let ip = |n: u8| IpAddr::from([127, 0, 78, n + 1]);
    let host = |ip| Host { ip: Some(ip), ..Host::new(std::env::temp_dir()) };
    let servers: Vec<_> = (0..SERVERS)
        .map(|n| storytime_real::spawn(host(ip(n)), server(PORT)).expect("a thread can be had"))
        .collect();
    let began = Instant::now();
    for n in 0..SERVERS {
        while std::net::TcpStream::connect((ip(n), PORT)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "server {n} does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let reader = Reader::new((0..SERVERS).map(ip).collect(), PORT);
    let reader = storytime_real::spawn(host(ip(SERVERS)), reader).expect("a thread can be had");
    let began = Instant::now();
    while reader.exit().is_none() && began.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let history = reader.with_machine(|reader| reader.history.clone());
    drop(servers);
    judge(&history);
    assert_eq!(history, history_in_simulator(SEED));
}

#[cfg(madsim)]
#[test]
fn the_simulator_and_madsim_tell_the_same_history_whatever_the_seed() {
    for seed in 0..20 {
        let history = std::thread::spawn(move || {
            madsim::runtime::Runtime::with_seed_and_config(seed, Default::default())
                .block_on(history_in_madsim())
        });
        let history = history.join().expect("no task panics");
        judge(&history);
        assert_eq!(history, history_in_simulator(SEED + seed), "madsim seed {seed}");
    }
}

#[cfg(madsim)]
async fn history_in_madsim() -> Vec<(u64, bool)> {
    let runtime = madsim::runtime::Handle::current();
    let ip = |n: u8| IpAddr::from([10, 0, 78, n + 1]);
    let host = |ip| Host { ip: Some(ip), ..Host::new("data") };
    for n in 0..SERVERS {
        let node = runtime.create_node().name(format!("cache{n}")).ip(ip(n)).build();
        let (_, process) = storytime_real::prepare(host(ip(n)), server(PORT));
        node.spawn(process);
    }
    // The servers listen before anybody connects: madsim refuses at once what is not there yet.
    madsim::time::sleep(Duration::from_millis(100)).await;
    let node = runtime.create_node().name("reader").ip(ip(SERVERS)).build();
    let reader = Reader::new((0..SERVERS).map(ip).collect(), PORT);
    let (control, process) = storytime_real::prepare(host(ip(SERVERS)), reader);
    let ended = madsim::time::timeout(Duration::from_secs(600), node.spawn(process)).await;
    assert!(ended.is_ok(), "the reader came to its end");
    control.with_machine(|reader| reader.history.clone())
}
