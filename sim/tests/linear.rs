//! The linearizability checker, against histories whose verdict is known and against a check of
//! every order there is.

use proptest::prelude::*;
use storytime_machine::Time;
use storytime_sim::check::linear::{Model, Operation, Search, Verdict, by_key};

/// A register that can be read, written, and compared and set.
struct Register;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Read,
    Write(u8),
    Cas(u8, u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Value(u8),
    Done,
    Refused,
}

impl Model for Register {
    type State = u8;
    type Input = Ask;
    type Output = Answer;

    fn start(&self) -> u8 {
        0
    }

    fn step(&self, state: &u8, input: &Ask, output: Option<&Answer>) -> Option<u8> {
        let (next, answer) = match *input {
            Ask::Read => (*state, Answer::Value(*state)),
            Ask::Write(value) => (value, Answer::Done),
            Ask::Cas(old, new) if old == *state => (new, Answer::Done),
            Ask::Cas(..) => (*state, Answer::Refused),
        };
        output.is_none_or(|said| *said == answer).then_some(next)
    }
}

fn operation(call: u64, input: Ask, done: Option<(u64, Answer)>) -> Operation<Ask, Answer> {
    Operation { call: Time(call), input, done: done.map(|(time, answer)| (Time(time), answer)) }
}

fn verdict(history: &[Operation<Ask, Answer>]) -> Verdict {
    Search::default().check(&Register, history)
}

#[test]
fn a_read_that_overlaps_a_write_may_see_either_value() {
    let write = operation(0, Ask::Write(1), Some((10, Answer::Done)));
    for seen in [0, 1] {
        let read = operation(5, Ask::Read, Some((6, Answer::Value(seen))));
        assert!(matches!(verdict(&[write.clone(), read]), Verdict::Linearizable(_)), "{seen}");
    }
}

#[test]
fn a_value_once_seen_does_not_vanish() {
    let history = [
        operation(0, Ask::Write(1), Some((10, Answer::Done))),
        operation(2, Ask::Read, Some((3, Answer::Value(1)))),
        operation(4, Ask::Read, Some((5, Answer::Value(0)))),
    ];
    assert_eq!(verdict(&history), Verdict::Broken(vec![0, 1]));
}

#[test]
fn a_write_that_nobody_saw_return_may_take_effect_late_or_never() {
    let lost = operation(0, Ask::Write(7), None);
    let read = |at, value| operation(at, Ask::Read, Some((at + 1, Answer::Value(value))));
    for seen in [[0, 0], [0, 7], [7, 7]] {
        let history = [lost.clone(), read(10, seen[0]), read(20, seen[1])];
        assert!(matches!(verdict(&history), Verdict::Linearizable(_)), "{seen:?}");
    }
    assert!(matches!(verdict(&[lost, read(10, 7), read(20, 0)]), Verdict::Broken(_)));
}

#[test]
fn two_winners_of_one_compare_and_set_are_one_too_many() {
    let cas = |new| operation(0, Ask::Cas(0, new), Some((10, Answer::Done)));
    assert!(matches!(verdict(&[cas(1), cas(2)]), Verdict::Broken(_)));
    assert!(matches!(verdict(&[cas(1)]), Verdict::Linearizable(_)));
}

#[test]
fn a_search_ends_at_its_bound() {
    let writes: Vec<_> =
        (0..20).map(|n| operation(0, Ask::Write(n), Some((99, Answer::Done)))).collect();
    let read = operation(100, Ask::Read, Some((101, Answer::Value(77))));
    let history: Vec<_> = writes.into_iter().chain([read]).collect();
    let search = Search { configurations_max: 1000 };
    assert_eq!(search.check(&Register, &history), Verdict::Undecided);
}

#[test]
fn keys_are_checked_apart() {
    let history = [("a", 1), ("b", 2), ("a", 3)].map(|(key, at)| Operation {
        call: Time(at),
        input: key,
        done: Some((Time(at), ())),
    });
    let split = by_key(history, |key| *key);
    assert_eq!(split.iter().map(|(k, h)| (*k, h.len())).collect::<Vec<_>>(), [("a", 2), ("b", 1)]);
}

/// Tries every order of every choice of the operations without a return.
fn by_brute_force(history: &[Operation<Ask, Answer>], taken: &mut Vec<usize>, state: u8) -> bool {
    let open: Vec<usize> = (0..history.len()).filter(|at| !taken.contains(at)).collect();
    if open.iter().all(|&at| history[at].done.is_none()) {
        return true;
    }
    open.iter().any(|&at| {
        let late = open.iter().any(|&other| {
            history[other].done.as_ref().is_some_and(|(time, _)| *time < history[at].call)
        });
        let output = history[at].done.as_ref().map(|(_, answer)| answer);
        let Some(next) = Register.step(&state, &history[at].input, output) else { return false };
        if late {
            return false;
        }
        taken.push(at);
        let found = by_brute_force(history, taken, next);
        taken.pop();
        found
    })
}

fn any_operation() -> impl Strategy<Value = Operation<Ask, Answer>> {
    let input = prop_oneof![
        Just(Ask::Read),
        (1..3u8).prop_map(Ask::Write),
        (0..3u8, 1..3u8).prop_map(|(old, new)| Ask::Cas(old, new)),
    ];
    let known = prop_oneof![4 => Just(true), 1 => Just(false)];
    (0..12u64, 1..8u64, input, 0..3u8, any::<bool>(), known).prop_map(
        |(call, length, input, value, done, known)| {
            let answer = match input {
                Ask::Read => Answer::Value(value),
                Ask::Write(_) => Answer::Done,
                Ask::Cas(..) => {
                    if done {
                        Answer::Done
                    } else {
                        Answer::Refused
                    }
                }
            };
            operation(call, input, known.then_some((call + length, answer)))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_search_agrees_with_trying_every_order(
        history in prop::collection::vec(any_operation(), 1..7)
    ) {
        let found = matches!(verdict(&history), Verdict::Linearizable(_));
        prop_assert_eq!(found, by_brute_force(&history, &mut Vec::new(), 0));
    }
}
