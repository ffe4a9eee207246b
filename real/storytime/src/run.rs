//! `storytime run`: one story, its verdict, its report.

use crate::cli::RunOptions;
use crate::progress::Progress;
use crate::serve::{log_to_stderr, print};
use crate::{FAILED, OK, WRONG, build};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use storytime_reports::model::Report;
use storytime_reports::{html, json, terminal};
use storytime_scenarios::catalog;
use storytime_scenarios::diagnostic::Checked;
use storytime_scenarios::overlay::Override;
use storytime_scenarios::real::{RealError, RealOptions, run_real};
use storytime_scenarios::report::{Context, report};
use storytime_scenarios::run::Run;
use storytime_scenarios::simulate::{Options, run_simulated};
use storytime_scenarios::story::{Profile, Story};

pub(crate) fn run(options: &RunOptions) -> u8 {
    let profile = if options.real { Profile::Real } else { Profile::Full };
    let story = match open(&options.story, profile, &options.set) {
        Ok(story) => story,
        Err(wrong) => {
            eprint!("{}", wrong.render(std::io::stderr().is_terminal()));
            return WRONG;
        }
    };
    log_to_stderr("warn");
    let mut progress = Progress::new(!options.json);
    progress.say(&format!("{}: simulating", story.card.id));
    let simulated = run_simulated(&story, options.seed, Options::default());
    let mut runs = vec![&simulated];
    let real = if options.real {
        progress.say(&format!("{}: running on real sockets", story.card.id));
        match real(&story, options.seed) {
            Ok(real) => Some(real),
            Err(why) => {
                progress.clear();
                eprintln!("storytime: the run on real sockets could not be made: {why}");
                return FAILED;
            }
        }
    } else {
        None
    };
    runs.extend(real.as_ref());
    progress.clear();
    let report = report(&story, &runs, &context(options));
    conclude(&report, options)
}

/// Opens a story with the values of `--set`.
pub(crate) fn open(name: &str, profile: Profile, sets: &[String]) -> Checked<Story> {
    let file = catalog::open(name)?;
    let overrides: Checked<Vec<Override>> =
        sets.iter().map(|set| Override::from_argument(set)).collect();
    file.story(profile, &overrides?)
}

/// Runs the story on real sockets, with this very program as its servers.
fn real(story: &Story, seed: u64) -> Result<Run, RealError> {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("storytime"));
    let folder = format!("storytime-{}", std::process::id());
    let work_dir = std::env::temp_dir().join(folder);
    let ran = run_real(story, seed, &RealOptions::new(program, &work_dir));
    if ran.is_ok() {
        // What the servers wrote is of use only if something went wrong.
        let _kept = std::fs::remove_dir_all(&work_dir);
    }
    ran
}

fn context(options: &RunOptions) -> Context {
    let mut command = format!("storytime run {} --seed {}", options.story, options.seed);
    if options.real {
        command += " --real";
    }
    let mut overrides = Vec::new();
    for set in &options.set {
        command += &format!(" --set '{set}'");
        let (key, value) = set.split_once('=').unwrap_or((set, ""));
        overrides.push((key.to_owned(), value.to_owned()));
    }
    Context { command, build: build::id(), overrides }
}

fn conclude(report: &Report, options: &RunOptions) -> u8 {
    let path = options.report.clone().unwrap_or_else(|| default_path(report));
    let saved = save(&path, &html::page(report));
    let shown = if saved { path.display().to_string() } else { String::new() };
    if options.json {
        print(&json::line(report, &shown));
    } else {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        print(&terminal::summary(report, &shown, 80, colour));
    }
    match (saved, report.holds()) {
        (_, false) => FAILED,
        (false, true) => WRONG,
        (true, true) => OK,
    }
}

fn default_path(report: &Report) -> PathBuf {
    Path::new("reports-out").join(format!("{}-{}.html", report.story.id, report.seed))
}

fn save(path: &Path, page: &str) -> bool {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    match made.and_then(|()| std::fs::write(path, page)) {
        Ok(()) => true,
        Err(why) => {
            eprintln!("storytime: the report could not be written to {}: {why}", path.display());
            false
        }
    }
}
