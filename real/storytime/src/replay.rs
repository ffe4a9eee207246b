//! `storytime replay`: a failing seed again, to the byte.

use crate::cli::ReplayOptions;
use crate::serve::print;
use crate::{FAILED, OK, WRONG, build};
use storytime_scenarios::failure::{Failure, FailureError};
use storytime_scenarios::simulate::Options;

pub(crate) fn run(options: &ReplayOptions) -> u8 {
    match replay(options) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("storytime: {why}");
            WRONG
        }
    }
}

fn replay(options: &ReplayOptions) -> Result<u8, FailureError> {
    let failure = Failure::load(&options.failure)?;
    let trace = options.trace || options.until.is_some();
    let options = Options { trace, until_event: options.until };
    let replay = failure.replay(options, &build::id())?;
    for variant in &replay.run.variants {
        if trace {
            let name = replay.story.variants[variant.variant].name.as_deref();
            print(&format!("--- {}", name.unwrap_or("the run")));
        }
        for line in &variant.trace {
            print(line);
        }
    }
    if options.until_event.is_some() {
        return Ok(OK);
    }
    if let Some(other) = &replay.other_build {
        print(&format!("note: this is another build; the seed failed under {other}"));
    }
    let (story, seed) = (&failure.story, failure.seed);
    print(&format!("{story}, seed {seed}, then: {}", failure.broken));
    let now = replay.run.first_failure(&replay.story);
    print(&format!("now:  {}", now.as_deref().unwrap_or("everything holds")));
    let digest = replay.run.digest();
    if replay.same_digest {
        print(&format!("same run, to the byte: digest {digest:016x}"));
    } else {
        print(&format!("not the same run: digest {digest:016x}, then {}", failure.digest));
    }
    Ok(if replay.same_digest && now.is_none() { OK } else { FAILED })
}
