//! Sets of tasks, and jobs in pieces.

use crate::asker::{What, job};
use crate::setter::{Setter, Splitter};
use crate::worker::can;
use crate::{Bench, text};
use core::time::Duration;
use storytime_gearman::adapter::Adapter;
use storytime_gearman::client::{
    ClientOptions, Event, Job, NotAccepted, Outcome, TaskSetOptions, Unique,
};
use storytime_machine::Machine;
use storytime_sim::ProcessId;

impl Bench {
    /// A process that is told where the servers are.
    fn with_process<M: Machine>(
        &mut self,
        make: impl Fn(&[storytime_machine::IpAddr]) -> M + 'static,
    ) -> ProcessId {
        let ips = self.ips.clone();
        self.add("process", move || make(&ips)).1
    }

    fn set(&mut self, options: TaskSetOptions, requests_max: usize, jobs: Vec<Job>) -> ProcessId {
        self.with_process(move |ips| Setter::new(options, requests_max, ips, &jobs))
    }

    fn setter(&mut self, process: ProcessId) -> &mut Setter {
        let setter = self.world.machine::<Adapter<Setter>>(process).expect("it runs");
        &mut setter.handler
    }
}

#[test]
fn a_set_ends_when_each_of_its_tasks_has() {
    let jobs = vec![
        Job::new("echo", "a"),
        Job::new("parts", ""),
        Job::new("queued", "").background(),
        Job::new("fail", ""),
        Job::new("slow", "700"),
        Job::new("nul", "").unique(Unique::Key(text("\0"))),
    ];
    let mut bench = Bench::new(1);
    let process = bench.set(TaskSetOptions::default(), 100, jobs);
    bench.run(1);
    let setter = bench.setter(process);
    assert_eq!(setter.outcome(0), Some(&Outcome::Done(text("a"))));
    assert_eq!(setter.outcome(1), Some(&Outcome::Done(text("one two three"))));
    assert!(matches!(setter.outcome(2), Some(Outcome::Accepted(_))));
    assert_eq!(setter.outcome(3), Some(&Outcome::Failed(Event::Failed { tag: 1003 })));
    assert_eq!(setter.outcome(4), Some(&Outcome::Done(text("slow"))));
    assert_eq!(setter.outcome(5), Some(&Outcome::NotAccepted(NotAccepted::BadJob)));
    let done = setter.done_at.expect("it is done").as_millis();
    assert!((700..702).contains(&done), "when the slowest was: {done} ms");
}

#[test]
fn tasks_that_fail_are_submitted_again_so_often() {
    let options = TaskSetOptions { attempts_max: 3, ..TaskSetOptions::default() };
    let jobs = ["2", "3", "4"].map(|times| Job::new("flaky", times)).to_vec();
    let mut bench = Bench::new(1);
    let process = bench.set(options, 100, jobs);
    bench.run(10);
    let setter = bench.setter(process);
    assert_eq!(setter.outcome(0), Some(&Outcome::Done(text("2"))));
    assert_eq!(setter.outcome(1), Some(&Outcome::Done(text("3"))));
    assert_eq!(setter.outcome(2), Some(&Outcome::Failed(Event::Failed { tag: 1002 })));
    assert_eq!(bench.toy(0).flaky.values().copied().collect::<Vec<_>>(), [2, 3, 3]);
}

#[test]
fn no_more_tasks_are_under_way_than_wanted_nor_than_the_client_takes() {
    for (in_flight_max, requests_max) in [(4, 100), (100, 4)] {
        let options = TaskSetOptions {
            in_flight_max,
            retry_after: Duration::from_millis(1),
            ..TaskSetOptions::default()
        };
        let jobs = (0..20).map(|_| Job::new("slow", "100")).collect();
        let mut bench = Bench::new(1);
        let process = bench.set(options, requests_max, jobs);
        bench.run(10);
        let done = bench.setter(process).done_at.expect("it is done").as_millis();
        assert!((500..520).contains(&done), "five rounds of four: {done} ms");
    }
}

#[test]
fn a_set_that_nobody_takes_comes_to_its_end_too() {
    let options = TaskSetOptions { attempts_max: 3, ..TaskSetOptions::default() };
    let mut bench = Bench::new(1);
    let server = bench.servers[0];
    bench.world.kill(server);
    let process = bench.set(options, 100, vec![Job::new("echo", ""); 10]);
    bench.run(20);
    let setter = bench.setter(process);
    for place in 0..10 {
        assert!(matches!(setter.outcome(place), Some(Outcome::Failed(Event::NotSent { .. }))));
    }
}

#[test]
fn a_job_in_pieces_is_done_by_many_and_put_together_by_one() {
    let lines = (1..=30).map(|n| format!("{}\n", "x".repeat(n))).collect::<String>();
    let letters = lines.len();
    let whole = Job { reducer: Some(text("length")), ..Job::new("whole", lines) };
    let broken = Job { reducer: Some(text("fail")), ..Job::new("whole", "1\n2\n") };
    let script = vec![(0, What::Submit(whole)), (1, What::Submit(broken)), job(2, "echo", "")];
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.with_process(Splitter::new);
    bench = bench.work(can(&["length"])).work(can(&["length"]));
    bench.run(2);
    assert_eq!(bench.asker().endings(0..2), [format!("complete {letters}"), "failed".to_owned()]);
    let shares = [bench.doer(0).done, bench.doer(1).done];
    assert_eq!(shares.iter().sum::<u64>(), 30);
    assert!(shares.iter().all(|share| *share > 5), "both have a share: {shares:?}");
}
