//! This repository keeps its rules.

use std::path::Path;
use storytime_tidy::violation::report;
use storytime_tidy::{Repo, rules};

#[test]
fn this_repository_keeps_its_rules() {
    // Asked at run time: two checkouts may share one target folder.
    let crate_dir = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo tells tests their crate");
    let root = Path::new(&crate_dir).join("..");
    let repo = Repo::read(&root).expect("the checkout that holds this test can be read");
    assert!(repo.sources().len() > 10, "the rules look at the repository, not at an empty folder");
    assert!(!rules::dependencies::held(&repo).is_empty(), "core and the simulator are found");
    let mut found = rules::check(&repo);
    rules::dependencies::check(&root, &repo, &mut found);
    assert!(found.is_empty(), "{}", report(found));
}
