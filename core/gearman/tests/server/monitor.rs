//! Connections that watch.

use crate::rig::{Rig, packets};
use storytime_gearman::server::{BEHIND_BYTES_MAX, WATCHERS_MAX};
use storytime_machine::{Duration, Exit, Signal};
use storytime_sim::enumerate::Client;

/// What who watches was told, without the times.
fn lines(rig: &mut Rig, watcher: Client) -> Vec<String> {
    let bytes = core::mem::take(rig.lone.received(watcher));
    let text = String::from_utf8(bytes.to_vec()).expect("lines of text");
    let told = text.lines().map(|line| line.split_once('\t').map_or(line, |(_, rest)| rest));
    told.map(str::to_owned).collect()
}

#[test]
fn who_watches_is_told_the_life_of_each_job() {
    let mut rig = Rig::new("");
    let (watcher, client, worker) = (rig.open(), rig.open(), rig.open());
    assert_eq!(rig.send(watcher, b"monitor\n"), "OK\\r\\n");
    rig.say(client, "SUBMIT_JOB f u x\nSUBMIT_JOB f u x\nSUBMIT_JOB_BG g _ y");
    rig.say(worker, "CAN_DO g\nCAN_DO f\nGRAB_JOB\nWORK_COMPLETE H:1 z\nGRAB_JOB");
    rig.lone.reset(worker);
    let told = lines(&mut rig, watcher);
    let columns = told.iter().map(|line| line.split('\t').collect::<Vec<_>>());
    let (jobs, workers): (Vec<String>, Vec<usize>) =
        columns.map(|columns| (columns[..4].join(" "), columns[4..].len())).unzip();
    assert_eq!(
        jobs,
        [
            "submitted H:1 f u",
            "joined H:1 f u",
            "submitted H:2 g ",
            "assigned H:1 f u",
            "completed H:1 f u",
            "assigned H:2 g ",
            "requeued H:2 g ",
        ]
    );
    assert_eq!(workers, [0, 0, 0, 1, 1, 1, 0], "a worker is named while it has the job");
    let worker = rig.open();
    rig.say(worker, "CAN_DO g\nGRAB_JOB\nWORK_FAIL H:2");
    rig.send(client, b"cancel job H:9\n");
    rig.say(client, "SUBMIT_JOB f _ x");
    rig.send(worker, b"cancel job H:3\n");
    rig.say(client, "SUBMIT_JOB f _ x");
    rig.lone.reset(client);
    let words = lines(&mut rig, watcher);
    let words: Vec<&str> = words.iter().filter_map(|line| line.split('\t').next()).collect();
    let expected = ["assigned", "failed", "submitted", "cancelled", "submitted", "abandoned"];
    assert_eq!(words, expected);
}

#[test]
fn a_name_cannot_end_its_column_or_its_line() {
    let mut rig = Rig::new("");
    let (watcher, client) = (rig.open(), rig.open());
    rig.send(watcher, b"monitor events\r\n");
    rig.say(client, "SUBMIT_JOB a\tb\rc _ x");
    rig.take(watcher);
    rig.lone.send(client, &packets("SUBMIT_JOB a\tb u x"));
    assert_eq!(lines(&mut rig, watcher), ["submitted\tH:2\ta?b\tu"]);
}

#[test]
fn who_reads_slowly_loses_lines_and_is_told_how_many() {
    let mut rig = Rig::new("");
    let (watcher, client) = (rig.open(), rig.open());
    rig.send(watcher, b"monitor\n");
    rig.lone.set_reads(watcher, false);
    let unique = "u".repeat(59);
    let jobs = 2 * BEHIND_BYTES_MAX / 90;
    let all = (0..jobs).map(|nth| format!("SUBMIT_JOB_BG f {unique}{nth:05} x\n"));
    rig.say(client, &all.collect::<String>());
    let lost = rig.counter("watchers_lost_lines");
    assert!(lost > 0 && lost < jobs as u64, "{lost} of {jobs}");
    rig.lone.set_reads(watcher, true);
    rig.say(client, "SUBMIT_JOB_BG f last x");
    let told = lines(&mut rig, watcher);
    let events = told.iter().filter(|line| line.starts_with("submitted")).count();
    assert_eq!(events as u64 + lost, jobs as u64 + 1, "each is told or counted");
    let losses: Vec<&String> = told.iter().filter(|line| line.starts_with("lost")).collect();
    assert_eq!(losses, [&format!("lost\t{lost}")]);
}

#[test]
fn statistics_count_what_happened_since_the_last_line() {
    let mut rig = Rig::new("");
    let (watcher, client) = (rig.open(), rig.open());
    rig.send(watcher, b"monitor stats 2\n");
    rig.say(client, "SUBMIT_JOB_BG f u x\nSUBMIT_JOB_BG f u x\nSUBMIT_JOB_BG f v x");
    rig.pass(Duration::from_secs(5));
    let told = lines(&mut rig, watcher);
    let stats: Vec<&String> = told.iter().filter(|line| line.starts_with("stats")).collect();
    assert_eq!(stats.len(), 2, "{told:?}");
    assert!(stats[0].starts_with("stats\tseconds=2\tsubmitted=2\tjoined=1\t"), "{}", stats[0]);
    assert!(stats[0].contains("\tjobs=2\tqueued=2\trunning=0\t"), "{}", stats[0]);
    assert!(stats[1].starts_with("stats\tseconds=2\tsubmitted=0\tjoined=0\t"), "{}", stats[1]);
    rig.lone.reset(watcher);
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.counter("watchers"), 0);
}

#[test]
fn no_more_than_so_many_watch() {
    let mut rig = Rig::new("");
    let watchers: Vec<_> = (0..=WATCHERS_MAX).map(|_| rig.open()).collect();
    for (nth, watcher) in watchers.iter().enumerate() {
        let said = rig.send(*watcher, b"monitor\n");
        let expected = if nth < WATCHERS_MAX { "OK" } else { "ERR TOO_MANY_MONITORS" };
        assert_eq!(said, format!("{expected}\\r\\n"));
    }
    assert_eq!(rig.send(watchers[0], b"monitor stats\n"), "OK\\r\\n", "it has its place");
    rig.lone.reset(watchers[1]);
    assert_eq!(rig.send(watchers[WATCHERS_MAX], b"monitor\n"), "OK\\r\\n");
}

#[test]
fn who_watches_does_not_keep_a_server_that_is_to_end() {
    let mut rig = Rig::new("");
    let watcher = rig.open();
    rig.send(watcher, b"monitor\n");
    rig.signal(Signal::User1);
    assert!(rig.lone.run_until(|lone| lone.exit().is_some()), "it ends");
    assert_eq!((rig.lone.is_open(watcher), rig.lone.exit()), (false, Some(Exit::Stopped)));
}
