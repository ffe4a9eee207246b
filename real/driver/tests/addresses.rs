//! Moving addresses on the operating system: what the operator's command is told, and in which
//! order.

#![cfg(not(madsim))]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use storytime_machine::{AddressError, Boot, Cx, Duration, Exit, IpAddr, Ipv4Addr, Machine, Token};
use storytime_real::{Ending, Host, spawn};

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// Takes an address, gives it up and takes it again, all at once.
#[derive(Default)]
struct Restless {
    results: Vec<Result<(), AddressError>>,
}

impl Machine for Restless {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.take_address(ADDRESS);
        cx.release_address(ADDRESS);
        cx.take_address(ADDRESS);
        cx.after(Token(0), Duration::from_secs(10));
    }

    fn addressed(&mut self, cx: &mut Cx, ip: IpAddr, result: Result<(), AddressError>) {
        assert_eq!(ip, ADDRESS);
        self.results.push(result);
        if self.results.len() == 2 {
            cx.exit(Exit::Stopped);
        }
    }

    fn timer(&mut self, cx: &mut Cx, _: Token) {
        cx.exit(Exit::Failed("the address was never answered"));
    }
}

/// Runs it with a command of this text, or without one; the outcomes, and what the command noted.
fn run(name: &str, text: Option<&str>) -> (Vec<Result<(), AddressError>>, String) {
    let dir = std::env::temp_dir().join(format!("storytime-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("the temporary directory is writable");
    let mut host = Host::new(&dir);
    host.address_command = text.map(|text| command(&dir, text));
    let mut handle = spawn(host, Restless::default()).expect("there are threads left");
    assert_eq!(handle.wait(), Ending::Exited(Exit::Stopped));
    let noted = std::fs::read_to_string(dir.join("noted")).unwrap_or_default();
    // A directory that stays behind harms nobody.
    let _ = std::fs::remove_dir_all(&dir);
    (handle.with_machine(|machine| machine.results.clone()), noted)
}

fn command(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("command");
    std::fs::write(&path, text).expect("it is our directory");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, mode).expect("it is our file");
    path
}

#[test]
fn the_command_is_run_for_each_change_in_order() {
    let note = "#!/bin/sh\nsleep 0.05\necho \"$@\" >> \"${0%/*}/noted\"\n";
    let (results, noted) = run("addresses", Some(note));
    assert_eq!(results, [Ok(()), Ok(())]);
    assert_eq!(noted, "take 192.0.2.7\nrelease 192.0.2.7\ntake 192.0.2.7\n");
}

#[test]
fn an_address_is_denied_when_the_command_fails_or_there_is_none() {
    let denied = [Err(AddressError::Denied); 2];
    assert_eq!(run("addresses-fail", Some("#!/bin/sh\nexit 1\n")).0, denied);
    assert_eq!(run("addresses-none", None).0, denied);
}
