//! The check of the disk model by outside parties.
//!
//! Databases that know nothing of this project, on the simulated disk, with somebody pulling the
//! plug: what they promise must hold if the disk model is right about what `fsync` promises, and
//! must break if the disk lies.

mod on_redb;
mod on_sqlite;
mod plug;
mod vfs;

use plug::Plug;
use std::collections::BTreeMap;
use storytime_machine::{Ratio, Rng};
use storytime_sim::disk::DiskConfig;

/// Rows in the table.
const ROWS: u64 = 24;
/// Operations that a life gets at most before the plug is pulled.
const LIFE_OPS_MAX: u64 = 120;

/// Why a database could not do something.
#[derive(Debug)]
enum Trouble {
    /// The power is off.
    PowerOff,
    /// It found its files damaged, or said something else that it should not say.
    Broken(String),
}

/// What a database holds: the last transaction, and every row.
type Content = (u64, BTreeMap<u64, Vec<u8>>);

/// A database under test.
trait Database: Sized {
    /// How it is set up.
    type Setup: Clone;
    /// Opens it, with recovery where needed.
    fn open(setup: &Self::Setup, plug: &Plug) -> Result<Self, Trouble>;
    /// Its own check of its files, and all it holds.
    fn check(&mut self) -> Result<Content, Trouble>;
    /// Commits transaction `number`, which writes [`rows_of`] it.
    fn commit(&mut self, number: u64) -> Result<(), Trouble>;
}

/// What came of many power cuts.
#[derive(Debug, Default)]
struct Tally {
    /// Power cuts.
    cuts: u64,
    /// Of these, during recovery from the one before.
    in_recovery: u64,
    /// Of these, while a commit was under way that turned out to have happened, or not.
    in_commit: [u64; 2],
    /// Commits that were acknowledged.
    commits: u64,
    /// Acknowledged transactions that were gone.
    lost: u64,
    /// Times that the files were found damaged.
    broken: u64,
    /// How, the first time.
    first_break: Option<String>,
}

/// The rows that a transaction writes, and their content: functions of its number, so that one
/// number says what the whole table must hold.
fn rows_of(number: u64) -> Vec<(u64, Vec<u8>)> {
    let mut rng = Rng::new(number, 77);
    (0..1 + rng.below(4))
        .map(|_| {
            let row = rng.below(ROWS);
            let mut value = vec![0; 16 + rng.index(600)];
            rng.fill(&mut value);
            (row, value)
        })
        .collect()
}

/// What the table holds after transaction `last`.
fn table_after(last: u64) -> BTreeMap<u64, Vec<u8>> {
    let mut table = BTreeMap::new();
    for number in (1..=last).rev() {
        for (row, value) in rows_of(number).into_iter().rev() {
            table.entry(row).or_insert(value);
        }
        if table.len() as u64 == ROWS {
            break;
        }
    }
    table
}

/// Runs a database through `cuts` power cuts and counts what it lost.
fn campaign<D: Database>(setup: &D::Setup, config: &DiskConfig, seed: u64, cuts: u64) -> Tally {
    let mut rng = Rng::new(seed, 1);
    let mut tally = Tally::default();
    let (mut plug, mut known) = (Plug::new(config, seed), Known::default());
    while tally.cuts < cuts {
        if rng.chance(Ratio::new(1, 2)) {
            plug.pull_after(1 + rng.below(LIFE_OPS_MAX));
        }
        match live::<D>(setup, &plug, &mut rng, &mut known, &mut tally) {
            Ok(()) | Err(Trouble::PowerOff) => {}
            Err(Trouble::Broken(how)) => {
                tally.broken += 1;
                tally.first_break.get_or_insert(how);
                tally.cuts += 1;
                plug = Plug::new(config, seed + tally.broken);
                known = Known::default();
                continue;
            }
        }
        plug.pull();
        tally.cuts += 1;
        plug.restore();
    }
    tally
}

/// What the world outside knows of the database.
#[derive(Default)]
struct Known {
    acknowledged: u64,
    /// A commit was begun and not answered.
    in_doubt: bool,
}

fn live<D: Database>(
    setup: &D::Setup,
    plug: &Plug,
    rng: &mut Rng,
    known: &mut Known,
    tally: &mut Tally,
) -> Result<(), Trouble> {
    let opened = D::open(setup, plug).and_then(|mut database| {
        let content = database.check()?;
        Ok((database, content))
    });
    tally.in_recovery += u64::from(matches!(opened, Err(Trouble::PowerOff)));
    let (mut database, (last, table)) = opened?;
    let newest = known.acknowledged + u64::from(known.in_doubt);
    if last > newest {
        return Err(Trouble::Broken(format!("transaction {last} of {newest} was invented")));
    }
    if table != table_after(last) {
        return Err(Trouble::Broken(format!("transaction {last} is not whole")));
    }
    tally.lost += known.acknowledged.saturating_sub(last);
    if known.in_doubt {
        tally.in_commit[usize::from(last < newest)] += 1;
    }
    *known = Known { acknowledged: last, in_doubt: false };

    plug.pull_after(1 + rng.below(LIFE_OPS_MAX));
    for number in last + 1.. {
        known.in_doubt = true;
        database.commit(number)?;
        *known = Known { acknowledged: number, in_doubt: false };
        tally.commits += 1;
    }
    Ok(())
}

/// A campaign on a disk that keeps its promises: the database must keep its own.
fn keeps_its_promises<D: Database>(setup: &D::Setup, config: &DiskConfig, seed: u64, cuts: u64) {
    let tally = campaign::<D>(setup, config, seed, cuts);
    println!("{tally:?}");
    assert_eq!(tally.broken, 0, "damaged files: {tally:?}");
    assert_eq!(tally.lost, 0, "acknowledged transactions lost: {tally:?}");
    assert!(tally.commits > cuts, "too little happened: {tally:?}");
    assert!(tally.in_recovery > cuts / 20, "too few cuts in recovery: {tally:?}");
    assert!(tally.in_commit.iter().all(|&n| n > 0), "in-doubt commits went one way: {tally:?}");
}

/// A campaign on a disk that lies: the lie must be found out.
fn is_let_down<D: Database>(setup: &D::Setup, config: &DiskConfig, seed: u64, cuts: u64) {
    let tally = campaign::<D>(setup, config, seed, cuts);
    println!("{tally:?}");
    assert!(tally.lost + tally.broken > 0, "no lie was found out: {tally:?}");
}
