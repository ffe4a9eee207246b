//! Scores, ranks, sizes, scans.

use super::sorted;
use crate::commands::scan::Scan;
use crate::commands::{Exec, Outcome};
use crate::resp::Args;
use crate::resp::out::double;

pub(super) fn score(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    match sorted(exec, args.at(1))?.and_then(|sorted| sorted.score(args.at(2))) {
        Some(score) => exec.out.double(score),
        None => exec.out.nil(),
    }
    Ok(())
}

pub(super) fn scores(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    exec.out.array(args.len() - 2);
    for member in args.from(2).iter() {
        match sorted(exec, args.at(1))?.and_then(|sorted| sorted.score(member)) {
            Some(score) => exec.out.double(score),
            None => exec.out.nil(),
        }
    }
    Ok(())
}

pub(super) fn size(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let len = sorted(exec, args.at(1))?.map_or(0, |sorted| sorted.len());
    exec.out.count(len);
    Ok(())
}

fn rank_of(exec: &mut Exec<'_>, args: Args<'_>, reverse: bool) -> Outcome {
    let member = args.at(2);
    let rank = sorted(exec, args.at(1))?.and_then(|sorted| {
        let rank = sorted.rank(member)?;
        Some(if reverse { sorted.len() - 1 - rank } else { rank })
    });
    match rank {
        Some(rank) => exec.out.count(rank),
        None => exec.out.nil(),
    }
    Ok(())
}

pub(super) fn rank(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    rank_of(exec, args, false)
}

pub(super) fn reverse_rank(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    rank_of(exec, args, true)
}

pub(super) fn scan(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let scan = Scan::read(args.from(2))?;
    let found = sorted(exec, args.at(1))?.map(|sorted| sorted.scores());
    let (places, next) = scan.step(found.map_or(0, |scores| scores.len()));
    let pairs = places.rev().filter_map(|at| found.map(|scores| scores.at(at)));
    let pairs = pairs.filter(|(member, _)| scan.fits(member));
    let fit: Vec<_> = pairs.map(|(member, &score)| (member.clone(), score)).collect();
    exec.out.array(2);
    exec.out.bulk(next.to_string().as_bytes());
    exec.out.array(2 * fit.len());
    for (member, score) in fit {
        exec.out.bulk(&member);
        exec.out.bulk(double(score).as_bytes());
    }
    Ok(())
}
