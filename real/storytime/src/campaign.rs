//! `storytime campaign`: many seeds of one story.

use crate::cli::CampaignOptions;
use crate::progress::Progress;
use crate::run::open;
use crate::serve::print;
use crate::{FAILED, OK, WRONG, build};
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Instant;
use storytime_scenarios::campaign::{Campaign, JOBS_MAX};
use storytime_scenarios::failure::Failure;
use storytime_scenarios::run::Run;
use storytime_scenarios::story::{Profile, Story};

/// Failing seeds that are kept as files; further ones are counted.
const FAILURES_MAX: usize = 100;

pub(crate) fn run(options: &CampaignOptions) -> u8 {
    let profile = if options.full { Profile::Full } else { Profile::Campaign };
    let story = match open(&options.story, profile, &options.set) {
        Ok(story) => story,
        Err(wrong) => {
            eprint!("{}", wrong.render(std::io::stderr().is_terminal()));
            return WRONG;
        }
    };
    let campaign = Campaign {
        first_seed: options.first,
        seeds: options.seeds,
        jobs: options.jobs.map_or_else(cores, |jobs| jobs as u32).clamp(1, JOBS_MAX),
        partition: options.partition,
    };
    let mut progress = Progress::new(!options.json);
    let build = build::id();
    let mut digests = BTreeMap::new();
    let began = Instant::now();
    // A failing machine's panic is caught and reported with its seed; its stack is for `replay`.
    std::panic::set_hook(Box::new(|_| {}));
    let mut failures = BTreeMap::new();
    let tally = campaign.run(&story, &mut |run, broken, so_far| {
        digests.insert(run.seed, run.digest());
        if options.json {
            print(&line(&story, run, broken));
        }
        if broken.is_some() && failures.len() < FAILURES_MAX {
            let failure = Failure::of(&options.story, &story, run, &options.set, &build);
            failures.extend(failure.map(|failure| (run.seed, failure)));
        }
        progress.tell(|| {
            let failed = so_far.failed;
            format!("{}: seed {} of {}, {failed} failed", story.card.id, so_far.done, so_far.seeds)
        });
    });
    drop(std::panic::take_hook());
    progress.clear();
    if let Some(path) = &options.digests {
        let text: String =
            digests.iter().map(|(seed, digest)| format!("{seed} {digest:016x}\n")).collect();
        if let Err(why) = std::fs::write(path, text) {
            eprintln!("storytime: {}: {why}", path.display());
            return WRONG;
        }
    }
    let saved = keep(&failures, &story.card.id, &options.failures);
    if !options.json {
        let seconds = began.elapsed().as_secs_f64();
        print(&format!(
            "{}: {} of {} seeds hold, {} failed; {} events in {seconds:.1} s; digest {:016x}",
            story.card.id,
            tally.done - tally.failed,
            tally.seeds,
            tally.failed,
            tally.events,
            tally.digest,
        ));
        for text in saved {
            print(&text);
        }
    }
    if tally.failed == 0 { OK } else { FAILED }
}

/// Writes a failure file for each failing seed; says how to repeat the first ones.
fn keep(failures: &BTreeMap<u64, Failure>, id: &str, folder: &Path) -> Vec<String> {
    /// Failures that are told on the terminal; all are kept as files.
    const TOLD_MAX: usize = 5;
    let mut told = Vec::new();
    for (seed, failure) in failures {
        let broken = &failure.broken;
        match failure.save(folder, id) {
            Ok(path) if told.len() < TOLD_MAX => {
                let path = path.display();
                told.push(format!("seed {seed}: {broken}\n  repeat it: storytime replay {path}"));
            }
            Ok(_) => {}
            Err(why) => told.push(format!("seed {seed}: {broken}\n  {why}")),
        }
    }
    told
}

fn line(story: &Story, run: &Run, broken: Option<&str>) -> String {
    serde_json::json!({
        "story": story.card.id,
        "seed": run.seed,
        "digest": format!("{:016x}", run.digest()),
        "events": run.events(),
        "holds": broken.is_none(),
        "broken": broken,
    })
    .to_string()
}

fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32)
}
