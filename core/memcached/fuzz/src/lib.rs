//! What the targets call: the functions of the test over the corpus.

#[path = "../../tests/client/net.rs"]
#[allow(dead_code, reason = "each program uses its part")]
mod net;
#[path = "../../tests/wire/rig.rs"]
#[allow(dead_code, reason = "each program uses its part")]
mod rig;
#[path = "../../tests/corpus/targets.rs"]
mod targets;

/// Does with the bytes what the target of that name does.
///
/// # Panics
/// If there is no such target, or what it looks for was found.
pub fn run(name: &str, bytes: &[u8]) {
    let found = targets::TARGETS.iter().find(|(target, _)| *target == name);
    let (_, target) = found.expect("there is a target of that name");
    target(bytes);
}
