//! Order and counts over functions, priorities and times, against a list that is sorted anew.

use crate::desk::{Desk, JOB};
use proptest::prelude::*;
use std::collections::BTreeMap;
use storytime_gearman::engine::{Number, Priority, Rules, Submit, When};

const FUNCTIONS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Copy, Debug)]
enum Step {
    Submit { function: usize, priority: Priority, key: u8, later: u64 },
    Grab(u32),
    Complete(u32),
    Lose(u32),
    Cancel(u64),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let submit =
        (0..3_usize, 0..3_usize, 0..6_u8, 0..8_u64).prop_map(|(function, p, key, later)| {
            let later = later.saturating_sub(5);
            Step::Submit { function, priority: Priority::ALL[p], key, later }
        });
    let step = prop_oneof![
        4 => submit,
        4 => (0..3_u32).prop_map(Step::Grab),
        3 => (0..3_u32).prop_map(Step::Complete),
        1 => (0..3_u32).prop_map(Step::Lose),
        1 => (0..40_u64).prop_map(Step::Cancel),
        1 => (0..3_u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..200)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Later(u64),
    /// Since when, in the order in which jobs came into their queues.
    Queued(u64),
    Running(u32, u64),
}

#[derive(Clone, Copy, Debug)]
struct Job {
    function: usize,
    priority: Priority,
    key: u8,
    place: Place,
}

/// Jobs by number.
#[derive(Default)]
struct List {
    jobs: BTreeMap<u64, Job>,
    next: u64,
    turn: u64,
    wall: u64,
}

impl List {
    fn turn(&mut self) -> Place {
        self.turn += 1;
        Place::Queued(self.turn)
    }

    fn submit(&mut self, function: usize, priority: Priority, key: u8, due: u64) -> u64 {
        let same = |job: &Job| key > 0 && job.key == key && job.function == function;
        let found = self.jobs.iter().find(|(_, job)| same(job)).map(|(&number, _)| number);
        let is_due = due <= self.wall;
        if let Some(number) = found {
            if let Place::Later(then) = self.jobs[&number].place {
                let place = if is_due { self.turn() } else { Place::Later(then.min(due)) };
                self.jobs.get_mut(&number).expect("it was found").place = place;
            }
            return number;
        }
        self.next += 1;
        let place = if is_due { self.turn() } else { Place::Later(due) };
        self.jobs.insert(self.next, Job { function, priority, key, place });
        self.next
    }

    fn pass(&mut self, seconds: u64) {
        self.wall += seconds;
        let later = self.jobs.iter().filter_map(|(&number, job)| match job.place {
            Place::Later(due) if due <= self.wall => Some((due, number)),
            _ => None,
        });
        let mut due: Vec<(u64, u64)> = later.collect();
        due.sort_unstable();
        for (_, number) in due {
            let place = self.turn();
            self.jobs.get_mut(&number).expect("it is due").place = place;
        }
    }

    fn since(&self, number: u64) -> Option<u64> {
        match self.jobs[&number].place {
            Place::Queued(since) => Some(since),
            Place::Later(_) | Place::Running(..) => None,
        }
    }

    /// Whether a worker that can do everything may get this job now.
    fn may_get(&self, number: Option<u64>) -> bool {
        let queued = || self.jobs.iter().filter(|(n, _)| self.since(**n).is_some());
        let Some(number) = number else { return queued().count() == 0 };
        let Some(since) = self.since(number) else { return false };
        let got = self.jobs[&number];
        queued().all(|(&other, job)| {
            job.priority > got.priority
                || job.priority == got.priority
                    && (job.function != got.function || self.since(other) >= Some(since))
        })
    }

    fn of(&self, worker: u32) -> Vec<u64> {
        let of = |job: &Job| matches!(job.place, Place::Running(by, _) if by == worker);
        self.jobs.iter().filter(|(_, job)| of(job)).map(|(&number, _)| number).collect()
    }
}

fn is_ready(place: Place) -> bool {
    matches!(place, Place::Queued(_))
}

/// Does one step on both.
fn step(desk: &mut Desk, list: &mut List, step: Step) -> Result<(), TestCaseError> {
    match step {
        Step::Submit { function, priority, key, later } => {
            let due = if later == 0 { 0 } else { list.wall + later };
            let number = list.submit(function, priority, key, due);
            let when = if due == 0 { When::Now } else { When::Epoch(due) };
            let unique: &[u8] = if key == 0 { b"" } else { &[b'0' + key] };
            let function = FUNCTIONS[function].as_bytes();
            desk.submit(1, Submit { function, unique, priority, background: true, when, ..JOB });
            prop_assert_eq!(desk.line(1), format!("created {number}"));
        }
        Step::Grab(worker) => {
            let said = desk.grab(10 + worker);
            let number = said.split(' ').nth(1).and_then(|word| word.parse().ok());
            prop_assert!(list.may_get(number), "{said} of {:?}", list.jobs);
            if let Some(number) = number {
                let job = list.jobs.get_mut(&number).expect("it may be got");
                let Place::Queued(since) = job.place else { unreachable!("it may be got") };
                job.place = Place::Running(worker, since);
            }
        }
        Step::Complete(worker) => {
            if let Some(&number) = list.of(worker).first() {
                desk.complete(10 + worker, number);
                list.jobs.remove(&number);
            }
        }
        Step::Lose(worker) => {
            desk.gone(10 + worker);
            learn(desk, worker);
            for job in list.jobs.values_mut() {
                match job.place {
                    Place::Running(by, since) if by == worker => job.place = Place::Queued(since),
                    _ => {}
                }
            }
        }
        Step::Cancel(number) => {
            prop_assert_eq!(desk.cancel(number), list.jobs.remove(&number).is_some());
        }
        Step::Wait(seconds) => {
            list.pass(seconds);
            desk.at(list.wall);
        }
    }
    Ok(())
}

fn learn(desk: &mut Desk, worker: u32) {
    for function in FUNCTIONS {
        desk.can_do(10 + worker, function);
    }
}

fn counts_agree(desk: &Desk, list: &List) -> Result<(), TestCaseError> {
    for view in desk.engine.functions() {
        let of = |job: &&Job| FUNCTIONS[job.function].as_bytes() == view.name;
        let jobs = || list.jobs.values().filter(of);
        prop_assert_eq!(view.jobs as usize, jobs().count());
        for priority in Priority::ALL {
            let queued = jobs().filter(|job| job.priority == priority && is_ready(job.place));
            prop_assert_eq!(view.queued[priority as usize] as usize, queued.count());
        }
        let running = jobs().filter(|job| matches!(job.place, Place::Running(..)));
        prop_assert_eq!(view.running as usize, running.count());
    }
    for (&number, job) in &list.jobs {
        let status = desk.engine.get_status(Number(number));
        prop_assert!(status.known);
        prop_assert_eq!(status.running, matches!(job.place, Place::Running(..)));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn jobs_go_out_as_a_sorted_list_says(steps in steps(), round_robin in any::<bool>()) {
        let mut desk = Desk::new(Rules { round_robin, ..Rules::default() });
        let mut list = List::default();
        for worker in 0..3 {
            learn(&mut desk, worker);
        }
        for each in steps {
            step(&mut desk, &mut list, each)?;
            counts_agree(&desk, &list)?;
        }
    }
}
