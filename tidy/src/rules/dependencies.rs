//! What core and the simulator may depend on, through however many hands.
//!
//! The list names every crate that their normal and build dependencies reach on this host. It holds
//! no proc macro and no native code, so a stranger can take one component into their own runtime
//! and build it in seconds. Dependencies of tests are free.

use crate::manifest::package;
use crate::repo::Repo;
use crate::violation::Violation;
use std::path::Path;
use std::process::Command;

/// Foreign crates that core and the simulator may reach, and what for.
pub const ALLOWED: [(&str, &str); 17] = [
    ("bytes", "reference-counted buffers: the currency of the contract"),
    ("hashbrown", "hot look-ups with the fixed hasher"),
    ("rand_chacha", "the random streams"),
    ("rand_core", "of rand_chacha"),
    ("ppv-lite86", "of rand_chacha: the ChaCha rounds"),
    ("zerocopy", "of ppv-lite86; without its derive"),
    ("crc32fast", "placement and record checksums"),
    ("cfg-if", "of crc32fast"),
    ("md-5", "ketama placement"),
    ("digest", "of md-5"),
    ("block-buffer", "of digest"),
    ("crypto-common", "of digest"),
    ("hybrid-array", "of digest"),
    ("typenum", "of hybrid-array"),
    ("twox-hash", "placement as the built-in proxy's"),
    ("httparse", "heads of HTTP requests; hyper's authors' parser, alone"),
    ("memchr", "line ends in text protocols"),
];

/// A crate held to the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The package's name.
    pub name: String,
    /// Its manifest.
    pub manifest: String,
}

/// The crates of core and the simulator.
pub fn held(repo: &Repo) -> Vec<Held> {
    let of = |path: &str, text: &str| {
        let parts: Vec<&str> = path.split('/').collect();
        let inside = matches!(parts.as_slice(), ["core", _, "Cargo.toml"] | ["sim", "Cargo.toml"]);
        let name = package(text).filter(|_| inside)?;
        Some(Held { name: name.to_owned(), manifest: path.to_owned() })
    };
    repo.files().filter_map(|f| of(&f.path, &f.text)).collect()
}

/// Asks cargo what a crate reaches: one line per place in the tree, its depth in front.
///
/// # Errors
/// What cargo said, if it could not be asked or could not answer without a network.
pub fn tree(root: &Path, name: &str) -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args(["tree", "--offline", "--locked", "--no-dedupe", "--edges", "normal,build"])
        .args(["--prefix", "depth", "--format", " {p}", "--package", name])
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Asks cargo about every held crate and judges the answers.
pub fn check(root: &Path, repo: &Repo, found: &mut Vec<Violation>) {
    let held = held(repo);
    for one in &held {
        match tree(root, &one.name) {
            Ok(tree) => judge(one, &held, &tree, found),
            Err(said) => found.push(Violation::new(
                &one.manifest,
                1,
                format!("cargo does not tell its dependencies: {said}"),
                "run `cargo fetch` once, and commit Cargo.lock",
            )),
        }
    }
}

/// Holds one crate's tree against the list.
pub fn judge(one: &Held, held: &[Held], tree: &str, found: &mut Vec<Violation>) {
    let mut chain: Vec<&str> = Vec::new();
    let mut reported: Vec<&str> = Vec::new();
    for line in tree.lines() {
        let Some((depth, package)) = line.split_once(' ') else { continue };
        let Ok(depth) = depth.parse::<usize>() else { continue };
        let name = package.split(' ').next().unwrap_or(package);
        chain.truncate(depth);
        chain.push(name);
        let proc_macro = package.contains("(proc-macro)");
        if depth == 0 || reported.contains(&name) || (is_allowed(one, held, name) && !proc_macro) {
            continue;
        }
        reported.push(name);
        let what = if proc_macro { "a proc macro" } else { "not on the list" };
        found.push(Violation::new(
            &one.manifest,
            1,
            format!("`{name}` is {what}: {}", chain.join(" → ")),
            "do without it; or argue for it beside the list in tidy/src/rules/dependencies.rs",
        ));
    }
}

/// Whether `one` may reach a crate. The simulator knows the contract and no component; core knows
/// core alone.
fn is_allowed(one: &Held, held: &[Held], name: &str) -> bool {
    let foreign = ALLOWED.iter().any(|(allowed, _)| *allowed == name);
    let ours = held.iter().find(|h| h.name == name);
    let simulator = one.manifest.starts_with("sim/");
    let known = |h: &Held| match simulator {
        true => h.manifest == "core/machine/Cargo.toml",
        false => h.manifest.starts_with("core/"),
    };
    foreign || ours.is_some_and(known)
}

#[cfg(test)]
mod tests;
