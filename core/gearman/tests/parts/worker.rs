//! The worker alone: asking, sleeping, working, losing servers.

use crate::doer::Doer;
use crate::toy::Toy;
use crate::{Bench, text};
use bytes::Bytes;
use core::time::Duration;
use storytime_gearman::packet::Kind;
use storytime_gearman::worker::{Dialect, Down, Grab, WorkerOptions};
use storytime_sim::Config;

/// A worker that can do these.
pub(crate) fn can(functions: &[&'static str]) -> WorkerOptions {
    let functions = functions.iter().map(|name| (text(name), None)).collect();
    WorkerOptions { functions, client_id: Some(text("tester")), ..WorkerOptions::default() }
}

/// Servers whose queues hold so many jobs of one millisecond each.
fn full(jobs: u64) -> impl Fn() -> Toy + Clone {
    move || {
        let mut toy = Toy::default();
        (0..jobs).for_each(|_| toy.add("work", "1"));
        toy
    }
}

fn sent(bench: &mut Bench, kind: Kind) -> usize {
    bench.toy(0).seen.kinds.get(&kind).copied().unwrap_or_default()
}

#[test]
fn jobs_are_done_one_at_a_time_and_then_the_worker_sleeps() {
    let mut bench = Bench::with(Config::new(1), 1, full(20)).work(can(&["work", "other"]));
    bench.run(1);
    assert_eq!((bench.doer(0).done, bench.doer(0).most), (20, 1));
    assert_eq!(sent(&mut bench, Kind::GrabJobUniq), 21);
    assert_eq!(sent(&mut bench, Kind::PreSleep), 1);
    let first: Vec<Kind> =
        bench.toy(0).seen.packets.iter().map(|(kind, _)| *kind).take(4).collect();
    assert_eq!(first, [Kind::SetClientId, Kind::CanDo, Kind::CanDo, Kind::GrabJobUniq]);
}

#[test]
fn servers_are_asked_in_turn_so_that_none_is_preferred() {
    let mut bench = Bench::with(Config::new(1), 3, full(20)).work(can(&["work"]));
    bench.run(2);
    let order: Vec<u32> = bench.doer(0).begun.iter().map(|(.., server)| *server).collect();
    assert_eq!(order.len(), 60);
    for nine in order[6..].chunks_exact(9) {
        let of = |server| nine.iter().filter(|found| **found == server).count();
        assert_eq!((of(0), of(1), of(2)), (3, 3, 3), "{order:?}");
    }
}

#[test]
fn a_server_alone_with_its_jobs_is_not_slowed_by_idle_ones() {
    let mut bench = Bench::with(Config::new(1), 3, Toy::default).work(can(&["work"]));
    bench.run(1);
    let grabs = bench.worker(0).counters().grabs;
    assert_eq!(grabs, 3, "each was asked once, and all sleep");
    (0..100).for_each(|_| bench.toy(1).add("work", "1"));
    wake(&mut bench, 1);
    bench.run(5);
    assert_eq!(bench.doer(0).done, 100);
    assert_eq!(bench.worker(0).counters().grabs, 3 + 101, "the others were left asleep");
}

/// Makes a server wake everybody.
fn wake(bench: &mut Bench, nth: usize) {
    use crate::asker::{Asker, What};
    use storytime_gearman::client::{ClientOptions, Job};
    let job = Job::new("nobody-can", "").background();
    let ip = bench.ips[nth];
    let options = ClientOptions::default();
    let make = move || Asker::new(options.clone(), &[ip], vec![(0, What::Submit(job.clone()))]);
    bench.add("waker", make);
}

#[test]
fn several_jobs_at_once_are_never_more_than_wanted() {
    for jobs_max in [2, 4, 7] {
        let options = WorkerOptions { jobs_max, ..can(&["work"]) };
        let mut bench = Bench::with(Config::new(1), 2, full(50)).work(options);
        bench.run(2);
        assert_eq!((bench.doer(0).done, bench.doer(0).most), (100, jobs_max));
    }
}

#[test]
fn what_is_told_of_a_job_is_what_was_asked_for() {
    let key = || Some(text("key"));
    let cases = [
        (Grab::Plain, None, None),
        (Grab::Unique, key(), None),
        (Grab::All, key(), Some(text("parts"))),
    ];
    for (grab, unique, reducer) in cases {
        let options = WorkerOptions { grab, ..can(&["work"]) };
        let mut bench = Bench::with(Config::new(1), 1, full(1)).work(options);
        bench.run(1);
        assert_eq!(bench.doer(0).begun, [(text("work"), unique, reducer, 0)]);
    }
}

#[test]
fn ends_are_said_in_each_dialect() {
    for (dialect, time, ends) in [
        (Dialect::Gearmand, "1500", vec![Kind::WorkFail, Kind::WorkException]),
        (Dialect::Danga, "2", vec![Kind::WorkFail, Kind::WorkException, Kind::WorkFail]),
    ] {
        let toy = || {
            let mut toy = Toy::default();
            toy.add("fail", "x");
            toy.add("exception", "words");
            toy
        };
        let mut options = WorkerOptions { dialect, ..can(&["fail", "exception"]) };
        options.functions[0].1 = Some(Duration::from_millis(1500));
        let mut bench = Bench::with(Config::new(1), 1, toy).work(options);
        bench.run(1);
        let packets = &bench.toy(0).seen.packets;
        let timed = packets.iter().find(|(kind, _)| *kind == Kind::CanDoTimeout);
        assert_eq!(timed.expect("one has a time").1[1], time);
        let is_end = |kind: &Kind| matches!(kind, Kind::WorkFail | Kind::WorkException);
        let said: Vec<Kind> = packets.iter().map(|(kind, _)| *kind).filter(is_end).collect();
        assert_eq!(said, ends);
    }
}

#[test]
fn an_idle_worker_asks_again_every_ten_seconds_and_does_nothing_else() {
    let mut bench = Bench::with(Config::new(1), 2, Toy::default).work(can(&["work"]));
    bench.run(3600);
    let counters = bench.worker(0).counters();
    assert!((700..=722).contains(&counters.grabs), "{counters:?}");
    assert_eq!((counters.connects, counters.connections_lost), (2, 0));
}

#[test]
fn a_wake_up_that_never_came_costs_ten_seconds() {
    let mut bench = Bench::with(Config::new(1), 1, Toy::default).work(can(&["work"]));
    bench.run(1);
    bench.toy(0).add("work", "1");
    bench.run(9);
    assert_eq!(bench.doer(0).done, 0);
    bench.run(12);
    assert_eq!(bench.doer(0).done, 1);
}

#[test]
fn a_job_whose_server_dies_is_told_to_be_gone_and_still_counts_until_it_ends() {
    let toy = || {
        let mut toy = Toy::default();
        toy.add("work", "3000");
        toy.add("work", "1");
        toy
    };
    let mut bench = Bench::with(Config::new(1), 2, toy).work(can(&["work"]));
    bench.run(1);
    let first = bench.doer(0).begun[0].3 as usize;
    let server = bench.servers[first];
    bench.world.kill(server);
    bench.run(2);
    assert_eq!((bench.doer(0).gone, bench.doer(0).begun.len()), (1, 1), "it is still at work");
    assert_eq!(bench.doer(0).downs[0], Down::Lost);
    bench.run(8);
    assert_eq!((bench.doer(0).in_vain, bench.doer(0).done), (1, 3));
}

#[test]
fn servers_that_are_all_away_are_tried_less_and_less_often_and_used_when_they_are_back() {
    let mut bench = Bench::with(Config::new(1), 3, full(1)).work(can(&["work"]));
    for server in bench.servers.clone() {
        bench.world.kill(server);
    }
    let events = bench.world.events();
    bench.run(100);
    let counters = bench.worker(0).counters();
    assert!((30..=51).contains(&counters.connects), "{counters:?}");
    assert!(bench.world.events() - events < 1000, "nothing spins");
    for server in bench.servers.clone() {
        bench.world.start(server);
    }
    bench.run(113);
    assert_eq!(bench.doer(0).done, 3);
}

#[test]
fn a_server_without_power_is_noticed_asleep_and_at_work() {
    for job in [None, Some("60000")] {
        let toy = move || {
            let mut toy = Toy::default();
            job.into_iter().for_each(|data| toy.add("work", data));
            toy
        };
        let mut bench = Bench::with(Config::new(1), 1, toy).work(can(&["work"]));
        bench.run(1);
        let host = bench.host_of(0);
        bench.world.power_cut(host);
        bench.run(17);
        assert_eq!(bench.doer(0).downs[0], Down::Silent, "{job:?}");
        assert_eq!(bench.doer(0).gone, u64::from(job.is_some()));
    }
}

#[test]
fn a_server_that_does_not_answer_is_left() {
    let toy = || {
        let mut toy = full(1)();
        toy.deaf = true;
        toy
    };
    let mut bench = Bench::with(Config::new(1), 1, toy).work(can(&["work"]));
    bench.run(60);
    let counters = bench.worker(0).counters();
    assert_eq!(bench.doer(0).downs[0], Down::Silent);
    assert!((6..=12).contains(&counters.grabs), "{counters:?}");
}

#[test]
fn a_server_that_reads_slowly_makes_parts_wait_and_ends_too() {
    let toy = || {
        let mut toy = Toy::default();
        toy.add("parts", "200");
        toy.add("grow", "0");
        toy.add("grow", "0");
        toy
    };
    let options = WorkerOptions { jobs_max: 3, ..can(&["parts", "grow"]) };
    let mut bench = Bench::with(Config::new(1), 1, toy).work(options);
    bench.run_ms(2);
    let server = bench.servers[0];
    bench.world.freeze(server);
    // The simulator holds the output against its limit, which is less than the parts together.
    bench.run(1);
    assert!(bench.doer(0).done < 3, "parts wait");
    bench.world.thaw(server);
    bench.run(8);
    assert_eq!(bench.doer(0).done, 3);
    assert_eq!(bench.toy(0).seen.ends.len(), 3);
    assert_eq!(sent(&mut bench, Kind::WorkData), 200);
}

#[test]
fn leaving_finishes_what_is_begun_and_closes_everything() {
    let options = WorkerOptions { jobs_max: 2, ..can(&["work"]) };
    let habits = |doer: &mut Doer| doer.leaves_after = 5;
    let mut bench = Bench::with(Config::new(1), 2, full(20)).work_as(options, habits);
    bench.run(5);
    assert!(bench.worker(0).is_closed());
    let done = bench.doer(0).done;
    assert!((5..=6).contains(&done), "one more may have been under way: {done}");
    let ended: usize = (0..2).map(|nth| bench.toy(nth).seen.ends.len()).sum();
    assert_eq!(ended as u64, done, "every result arrived");
    let running: usize = (0..2).map(|nth| bench.toy(nth).running()).sum();
    assert_eq!((running, bench.doer(0).downs.len()), (0, 0));
}

#[test]
fn hanging_up_gives_all_jobs_back_and_the_worker_comes_again() {
    let options = WorkerOptions { jobs_max: 3, ..can(&["work"]) };
    let habits = |doer: &mut Doer| doer.hangs_up_after = 5;
    let mut bench = Bench::with(Config::new(1), 1, full(20)).work_as(options, habits);
    bench.run(5);
    let (begun, gone) = (bench.doer(0).begun.len(), bench.doer(0).gone);
    assert!((1..=3).contains(&gone), "those that it had: {gone}");
    assert_eq!(bench.doer(0).downs, [Down::Lost]);
    assert!(begun > 5, "there is a second connection: {begun}");
    assert_eq!(sent(&mut bench, Kind::CanDo), 2);
}

#[test]
fn a_worker_that_learns_is_given_jobs_that_waited_for_it() {
    let learns = Some((Duration::from_secs(1), text("work")));
    let habits = move |doer: &mut Doer| doer.learns = learns.clone();
    let mut bench = Bench::with(Config::new(1), 1, full(3)).work_as(can(&["other"]), habits);
    bench.run_ms(900);
    assert_eq!(bench.doer(0).done, 0);
    bench.run(2);
    assert_eq!(bench.doer(0).done, 3);
}

#[test]
fn jobs_longer_than_a_connections_buffer_come_whole() {
    let toy = || {
        let mut toy = Toy::default();
        toy.add("swallow", Bytes::from(vec![b'j'; 3 << 20]));
        toy
    };
    let mut bench = Bench::with(Config::new(1), 1, toy).work(can(&["swallow"]));
    bench.run(5);
    assert_eq!(bench.toy(0).seen.ends[0].2, (3 << 20).to_string());
}
