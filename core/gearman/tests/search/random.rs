//! Longer histories in larger yards, at random.

use crate::plans;
use crate::yard::{Plan, Yard};
use proptest::prelude::*;
use storytime_gearman::engine::Rules;

/// Lets as many things happen as there are choices; each picks one of those that can.
fn wander(plan: &Plan, choices: &[u16]) -> Result<(), TestCaseError> {
    let mut yard = Yard::new(plan);
    let mut history = Vec::new();
    for &choice in choices {
        let events = yard.events(plan);
        let event = events[usize::from(choice) % events.len()];
        history.push(event.to_string());
        yard.happen(plan, event);
        let wrong = yard.book.wrong.take();
        prop_assert_eq!(wrong, None, "after\n{}", history.join("\n"));
    }
    yard.settle(plan);
    prop_assert_eq!(yard.book.wrong, None, "at the end of\n{}", history.join("\n"));
    Ok(())
}

fn large(plan: Plan) -> Plan {
    Plan { clients: 4, workers: 4, keys: b"uvwx ", submits: 200, jobs_each: 2, ..plan }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn anything_may_happen_in_memory(choices in prop::collection::vec(any::<u16>(), 1..250)) {
        let plan = plans::comings_and_goings(0);
        wander(&large(Plan { sleeps: true, ..plan }), &choices)?;
    }

    #[test]
    fn anything_may_happen_with_a_disk(choices in prop::collection::vec(any::<u16>(), 1..250)) {
        wander(&large(Plan { crashes: 3, ..plans::everything(0) }), &choices)?;
    }

    #[test]
    fn any_number_may_be_woken(
        wake_max in 0_u32..4,
        choices in prop::collection::vec(any::<u16>(), 1..250),
    ) {
        let rules = Rules { wake_max, ..Rules::default() };
        wander(&large(Plan { rules, keys: b" ", ..plans::sleepers(0) }), &choices)?;
    }
}
