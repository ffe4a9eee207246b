//! Good files are read; bad files get one clear diagnostic.

use std::path::{Path, PathBuf};
use storytime_scenarios::diagnostic::Diagnostic;
use storytime_scenarios::overlay::Override;
use storytime_scenarios::read::{File, check_ids};
use storytime_scenarios::story::Profile;

fn crate_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn stories() -> Vec<File> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(crate_dir())
        .expect("the crate's folder")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
        .filter(|path| !path.ends_with("Cargo.toml"))
        .collect();
    paths.sort();
    paths.iter().map(|path| File::open(path).expect("a story parses")).collect()
}

fn fail(diagnostic: &Diagnostic) -> ! {
    panic!("{}", diagnostic.render(false))
}

#[test]
fn every_story_is_valid_in_every_profile() {
    let stories = stories();
    assert!(stories.len() >= 2);
    for file in &stories {
        file.check().unwrap_or_else(|diagnostic| fail(&diagnostic));
    }
    check_ids(&stories).unwrap_or_else(|diagnostic| fail(&diagnostic));
}

/// A bad file may begin with lines such as `#! set load.web.rate=x`, `#! profile campaign` and
/// `#! with other.toml`, which say how it is to be read.
fn read_badly(path: &Path) -> String {
    let bytes = std::fs::read(path).expect("readable");
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let asked = |what: &str| -> Vec<String> {
        let prefix = format!("#! {what} ");
        text.lines().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
    };
    let outcome = (|| {
        let file = File::from_bytes(&name, bytes)?;
        let profile = match asked("profile").first().map(String::as_str) {
            None => Profile::Full,
            Some("campaign") => Profile::Campaign,
            Some("real") => Profile::Real,
            Some(other) => panic!("{other} is no profile"),
        };
        let sets: Result<Vec<_>, _> =
            asked("set").iter().map(|set| Override::from_argument(set)).collect();
        file.story(profile, &sets?)?;
        let other = asked("with").iter().map(|_| file.clone()).next();
        match other {
            Some(other) => check_ids(&[other, file]),
            None => Ok(()),
        }
    })();
    match outcome {
        Err(diagnostic) => diagnostic.render(false),
        Ok(()) => panic!("{name} was accepted"),
    }
}

#[test]
fn every_bad_file_gets_one_clear_diagnostic() {
    insta::glob!("bad/*.toml", |path| {
        insta::assert_snapshot!(read_badly(path));
    });
}

#[test]
fn there_are_many_kinds_of_mistakes() {
    let count = std::fs::read_dir(crate_dir().join("tests/bad")).expect("the folder").count();
    assert!(count >= 24, "{count} bad files");
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_read() {
    let bytes = vec![b'#'; 300 << 10];
    let diagnostic = File::from_bytes("huge.toml", bytes).expect_err("too large");
    assert!(diagnostic.title.contains("more than the 262144 allowed"), "{diagnostic}");
}

#[test]
fn a_missing_file_is_named() {
    let diagnostic = File::open(Path::new("/nowhere/x.toml")).expect_err("missing");
    assert!(diagnostic.title.contains("/nowhere/x.toml"), "{diagnostic}");
}

#[test]
fn an_override_changes_the_story() {
    let file = &stories()[0];
    let set = Override::from_argument("story.duration=100s").expect("valid");
    let story = file.story(Profile::Full, &[set]).unwrap_or_else(|diagnostic| fail(&diagnostic));
    assert_eq!(story.variants[0].setup.duration.as_secs(), 100);
}

/// Every byte of a good file, changed in turn, gives a story or a diagnostic, never a panic.
#[test]
fn no_damage_to_a_file_makes_the_reader_panic() {
    let good = std::fs::read(crate_dir().join("does-fsync-work.toml")).expect("readable");
    for at in (0..good.len()).step_by(7) {
        for byte in [b'"', b'[', b'9', 0xff] {
            let mut bad = good.clone();
            bad[at] = byte;
            let outcome = File::from_bytes("damaged.toml", bad)
                .and_then(|file| file.story(Profile::Campaign, &[]));
            if let Err(diagnostic) = outcome {
                assert!(!diagnostic.render(false).is_empty());
            }
        }
    }
}
