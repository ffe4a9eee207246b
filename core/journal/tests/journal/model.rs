//! A model of any life: whatever is appended, checkpointed, killed and cut in whatever order, what
//! was acknowledged is there, and nothing else.

use crate::host::{Host, small};
use proptest::prelude::*;
use storytime_journal::{JournalOptions, Lsn};
use storytime_machine::{Bytes, Ratio};
use storytime_sim::disk::{CrashPlan, DiskConfig, Profile};

#[derive(Clone, Debug)]
enum Act {
    /// Append records of these lengths in one callback.
    Append(Vec<usize>),
    /// Let so many disk operations complete.
    Steps(usize),
    Settle,
    Checkpoint,
    /// Read from a record in the middle.
    Read(usize),
    Kill,
    PowerCut(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let lens = proptest::collection::vec(0usize..2000, 1..5);
    prop_oneof![
        8 => lens.prop_map(Act::Append),
        4 => (1usize..6).prop_map(Act::Steps),
        3 => Just(Act::Settle),
        1 => Just(Act::Checkpoint),
        2 => (0usize..1000).prop_map(Act::Read),
        1 => Just(Act::Kill),
        2 => any::<u64>().prop_map(Act::PowerCut),
    ]
}

/// What was appended since the last recovery found out what is there, by number from 1.
#[derive(Default)]
struct Model {
    records: Vec<Bytes>,
    acknowledged: usize,
}

impl Model {
    fn note(&mut self, host: &Host) {
        self.acknowledged = self.acknowledged.max(host.seen().durable.0 as usize);
    }

    /// After a recovery: the records that there are become the truth.
    fn compare(&mut self, host: &Host) {
        let seen = host.seen();
        let ready = seen.ready.unwrap_or_else(|| panic!("refused: {:?}", seen.refused));
        let last = ready.last.0 as usize;
        assert!(last >= self.acknowledged, "{last} of {} acknowledged", self.acknowledged);
        assert!(last <= self.records.len(), "{last} of {} appended", self.records.len());
        let at = ready.checkpoint.0 as usize;
        let pieces: Vec<Bytes> = seen.pieces.clone();
        assert_eq!(pieces, if at > 0 { vec![stamp(at)] } else { vec![] });
        let told: Vec<_> = seen.records.iter().map(|(_, bytes)| bytes.clone()).collect();
        assert_eq!(told, self.records[at..last]);
        self.records.truncate(last);
        self.acknowledged = last;
    }
}

fn stamp(at: usize) -> Bytes {
    format!("the first {at}").into()
}

fn live(profile: Profile, options: JournalOptions, acts: &[Act]) {
    let mut host = Host::with(DiskConfig::new(profile), options, 1);
    let mut model = Model::default();
    host.recover();
    for (number, act) in acts.iter().enumerate() {
        match act {
            Act::Append(lens) => {
                let record = |&len: &usize| Bytes::from(vec![number as u8; len]);
                let records: Vec<Bytes> = lens.iter().map(record).collect();
                host.call(|owner, cx| owner.append(cx, &records));
                let results = host.seen().appended.iter().rev().take(records.len()).rev();
                let taken = records.iter().zip(results).filter(|(_, result)| result.is_ok());
                model.records.extend(taken.map(|(record, _)| record.clone()));
            }
            Act::Steps(count) => {
                for _ in 0..*count {
                    host.step();
                }
            }
            Act::Settle => host.settle(),
            Act::Checkpoint => {
                let at = host.owner().journal.last();
                if at > Lsn(0) && !host.owner().journal.is_checkpointing() {
                    let pieces = [stamp(at.0 as usize)];
                    host.call(|owner, cx| owner.checkpoint(cx, at, &pieces));
                }
            }
            Act::Read(place) => read(&mut host, &model, *place),
            Act::Kill | Act::PowerCut(_) => {
                model.note(&host);
                match act {
                    Act::PowerCut(seed) => {
                        let tears = Ratio::new(1, 4);
                        host.power_cut(CrashPlan::Random { seed: *seed, tears });
                    }
                    _ => host.kill(),
                }
                host.recover();
                model.compare(&host);
            }
        }
        model.note(&host);
    }
    host.settle();
    assert_eq!(host.seen().durable.0 as usize, model.records.len(), "everything gets durable");
}

fn read(host: &mut Host, model: &Model, place: usize) {
    let journal = &host.owner().journal;
    let (oldest, durable) = (journal.oldest().0 as usize, journal.durable().0 as usize);
    if oldest > durable {
        return;
    }
    let from = oldest + place % (durable + 1 - oldest);
    host.call(|owner, cx| owner.read(cx, Lsn(from as u64), 1000));
    host.settle();
    let read = host.seen().read.clone().expect("every read is answered");
    // A checkpoint may have made it needless meanwhile.
    let Ok(records) = read else { return };
    assert!(!records.is_empty());
    for (index, (lsn, bytes)) in records.iter().enumerate() {
        assert_eq!((lsn.0 as usize, bytes), (from + index, &model.records[from + index - 1]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_life_keeps_its_promises(
        profile in prop_oneof![
            Just(Profile::Friendly), Just(Profile::Posix), Just(Profile::Hostile)
        ],
        kept in 1u32..3,
        reserve in prop_oneof![Just(0usize), Just(2048), Just(8192)],
        acts in proptest::collection::vec(act(), 1..60),
    ) {
        let options = JournalOptions { checkpoints_kept: kept, reserve_bytes: reserve, ..small() };
        live(profile, options, &acts);
    }
}
