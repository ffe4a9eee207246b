//! Which links are cut, and who serves then: the table of the crate's documentation, row by row.

use crate::rig::{Rig, Setting};
use core::time::Duration;
use storytime_pair::{Mirror, Role};
use storytime_sim::{Fault, HostId};

const SECOND: Duration = Duration::from_secs(1);

/// A link of the triangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    /// Between the halves.
    Pair,
    /// From the active half to the witness.
    Active,
    /// From the standby to the witness.
    Standby,
}
use Wire::{Active, Pair, Standby};

/// Who serves some time after the cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The same half, and flushes go to both disks.
    SameMirrored,
    /// The same half, alone.
    SameAlone,
    /// The other half, alone.
    Other,
    /// Nobody: the active half has stopped.
    Nobody,
}

const TABLE: [(&[Wire], Then); 8] = [
    (&[], Then::SameMirrored),
    (&[Pair], Then::SameAlone),
    (&[Active], Then::SameMirrored),
    (&[Standby], Then::SameMirrored),
    (&[Pair, Active], Then::Other),
    (&[Pair, Standby], Then::SameAlone),
    (&[Active, Standby], Then::SameMirrored),
    (&[Pair, Active, Standby], Then::Nobody),
];

fn ends(rig: &Rig, wire: Wire) -> (HostId, HostId) {
    match wire {
        Pair => (rig.hosts[0], rig.hosts[1]),
        Active => (rig.hosts[0], rig.witness),
        Standby => (rig.hosts[1], rig.witness),
    }
}

fn whole(seed: u64) -> Rig {
    let mut rig = Rig::new(&Setting::new(seed));
    rig.run_until(SECOND * 5, "a whole pair", Rig::is_whole).expect("it comes up");
    assert_eq!(rig.active(), Some(0));
    rig
}

fn cut(rig: &mut Rig, from: HostId, to: HostId) {
    rig.world.apply(&Fault::Cut { from, to });
}

fn look(rig: &mut Rig) -> Then {
    match rig.active() {
        None => Then::Nobody,
        Some(1) => Then::Other,
        Some(_) if rig.member(0).pair.mirror() == Mirror::Equal => Then::SameMirrored,
        Some(_) => Then::SameAlone,
    }
}

#[test]
fn the_table_of_partitions() {
    for (wires, then) in TABLE {
        let mut rig = whole(7);
        for &wire in wires {
            let (a, b) = ends(&rig, wire);
            cut(&mut rig, a, b);
            cut(&mut rig, b, a);
        }
        rig.run(SECOND * 6).unwrap_or_else(|why| panic!("{wires:?}: {why}"));
        assert_eq!(look(&mut rig), then, "{wires:?}");
        let acked = rig.client().acked.len();
        rig.run(SECOND * 2).unwrap_or_else(|why| panic!("{wires:?}: {why}"));
        let goes_on = rig.client().acked.len() > acked;
        assert_eq!(goes_on, then != Then::Nobody, "{wires:?}: acknowledged after the cut");
        rig.world.apply(&Fault::HealAll);
        rig.settle().unwrap_or_else(|why| panic!("{wires:?}, healed: {why}"));
    }
}

#[test]
fn links_cut_in_one_direction_only_are_no_worse() {
    for ways in 1..64_u32 {
        let mut rig = whole(8);
        for (bit, wire) in [Pair, Active, Standby].into_iter().enumerate() {
            let (a, b) = ends(&rig, wire);
            if ways >> (2 * bit) & 1 != 0 {
                cut(&mut rig, a, b);
            }
            if ways >> (2 * bit) & 2 != 0 {
                cut(&mut rig, b, a);
            }
        }
        rig.run(SECOND * 6).unwrap_or_else(|why| panic!("{ways:06b}: {why}"));
        // A link with one dead direction is a dead link: acknowledgements do not come back.
        let dead = |bit: u32| ways >> (2 * bit) & 3 != 0;
        let cuts = [dead(0), dead(1), dead(2)];
        let row = TABLE
            .iter()
            .find(|(wires, _)| cuts == [Pair, Active, Standby].map(|wire| wires.contains(&wire)));
        let (then, expected) = (look(&mut rig), row.expect("every row is there").1);
        // The witness hears that the standby is to be left behind and records it, but its answer
        // does not come: nobody can know whether the active half went on.
        let unanswered = dead(0) && ways >> 2 & 3 == 2;
        assert!(then == expected || unanswered && then == Then::Nobody, "{ways:06b}: {then:?}");
        rig.world.apply(&Fault::HealAll);
        rig.settle().unwrap_or_else(|why| panic!("{ways:06b}, healed: {why}"));
    }
}

#[test]
fn without_the_witness_nobody_is_left_behind() {
    let mut rig = whole(9);
    rig.world.power_cut(rig.witness);
    rig.run(SECOND * 4).unwrap();
    assert_eq!(look(&mut rig), Then::SameMirrored, "the standby's promises are enough");
    rig.world.power_cut(rig.hosts[1]);
    rig.run(SECOND / 2).unwrap();
    let acked = rig.client().acked.len();
    rig.run(SECOND * 3).unwrap();
    assert_eq!(rig.client().acked.len(), acked, "no flush completes on one disk alone");
    assert_eq!(rig.active(), None);
    rig.world.power_on(rig.witness);
    rig.run_until(SECOND * 6, "the first half serves again", |rig| rig.active() == Some(0))
        .unwrap();
    rig.world.power_on(rig.hosts[1]);
    rig.settle().unwrap();
}

#[test]
fn a_half_that_was_left_behind_never_serves_alone() {
    let mut rig = whole(10);
    rig.world.power_cut(rig.hosts[1]);
    rig.run(SECOND * 2).unwrap();
    rig.world.power_cut(rig.hosts[0]);
    rig.world.power_on(rig.hosts[1]);
    rig.run(SECOND * 6).unwrap();
    assert_eq!(rig.active(), None, "its disk is behind");
    assert_eq!(rig.member(1).pair.role(), Role::Undecided);
    rig.world.power_on(rig.hosts[0]);
    rig.settle().unwrap();
}

#[test]
fn a_frozen_active_half_finds_out_before_it_answers_anybody() {
    for millis in [300, 900, 1_000, 1_100, 2_500, 5_000] {
        let mut rig = whole(11);
        rig.world.freeze(rig.members[0]);
        // Looked at from outside it seems to serve while its lease runs; it makes no step.
        rig.run(Duration::from_millis(millis)).unwrap();
        rig.world.thaw(rig.members[0]);
        rig.run(SECOND).unwrap_or_else(|why| panic!("{millis} ms: {why}"));
        rig.settle().unwrap_or_else(|why| panic!("{millis} ms: {why}"));
        let expected = usize::from(millis > 2_000);
        if !(900..=1_100).contains(&millis) {
            assert_eq!(rig.active(), Some(expected), "{millis} ms");
        }
    }
}

#[test]
fn a_short_break_of_the_link_sends_only_what_was_touched() {
    let mut rig = whole(12);
    rig.run(SECOND * 2).unwrap();
    let counts = |rig: &mut Rig| {
        let mut all = std::collections::BTreeMap::new();
        rig.member(0).pair.counters(&mut |name, value| {
            all.insert(name, value);
        });
        all
    };
    let before = counts(&mut rig);
    let (a, b) = ends(&rig, Pair);
    cut(&mut rig, a, b);
    cut(&mut rig, b, a);
    rig.run(SECOND).unwrap();
    rig.world.apply(&Fault::HealAll);
    rig.settle().unwrap();
    let after = counts(&mut rig);
    assert_eq!(after["pair_resyncs_quick"], before["pair_resyncs_quick"] + 1, "{after:?}");
}
