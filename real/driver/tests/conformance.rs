//! The conformance suite on tokio: every host an address of the loopback, every process a thread.

#![cfg(not(madsim))]

use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use storytime_conformance::{Ability, Actor, Arm, Ending, Scene, TLS_NAME, play_all};
use storytime_machine::{Duration, Endpoint, IpAddr, Ipv4Addr, Machine};
use storytime_real::{Clock, Handle, Host, TlsConfigs, spawn};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// How long one look at an actor waits before the next actor is looked at.
const LOOK: Duration = Duration::from_millis(2);

struct Loopback {
    /// Data directories of the scenes.
    dir: PathBuf,
    scenes: u32,
    tls: TlsConfigs,
}

impl Loopback {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("storytime-conf-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("the temporary directory is writable");
        grant(&dir.join("grant"));
        Self { dir, scenes: 0, tls: certificate() }
    }

    fn next_scene(&self) -> PathBuf {
        self.dir.join(self.scenes.to_string())
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        // A directory that stays behind harms nobody.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A command that grants one address and no other.
fn grant(command: &Path) {
    std::fs::write(command, "#!/bin/sh\n[ \"$2\" = 127.0.77.200 ]\n").expect("it is our directory");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(command, mode).expect("it is our file");
}

/// A certificate that only this test trusts.
fn certificate() -> TlsConfigs {
    let made = generate_simple_self_signed([TLS_NAME.to_owned()]);
    let CertifiedKey { cert, signing_key } = made.expect("a plain name is accepted");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("the key is PKCS #8");
    let provider = Arc::new(default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("certificate and key belong together");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a well-formed certificate");
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConfigs { server: Some(Arc::new(server)), client: Some(Arc::new(client)) }
}

impl Arm for Loopback {
    fn name(&self) -> &'static str {
        "tokio"
    }

    fn can(&self, _: Ability) -> bool {
        true
    }

    fn ip(&self, host: u8) -> IpAddr {
        Ipv4Addr::new(127, 0, 77, host + 1).into()
    }

    /// Every address of the loopback net is there without anybody's doing; `grant` takes only this.
    fn spare(&self) -> IpAddr {
        Ipv4Addr::new(127, 0, 77, 200).into()
    }

    /// Broadcast: no stream goes there, on any computer.
    fn nowhere(&self) -> IpAddr {
        Ipv4Addr::BROADCAST.into()
    }

    fn unix(&self, name: &str) -> Endpoint {
        Endpoint::unix(self.next_scene().join(name).as_os_str().as_encoded_bytes())
    }

    fn play(&mut self, scene: Scene) -> Vec<Ending> {
        let dir = self.next_scene();
        self.scenes += 1;
        let (clock, begin) = (Clock::start(), Instant::now());
        let mut stage: Vec<Player> = Vec::new();
        for Actor { name, ip, machine, limits, stop_after } in scene.cast {
            let mut host = Host::new(dir.join(format!("{}-{name}", stage.len())));
            std::fs::create_dir_all(&host.data_dir).expect("the temporary directory is ours");
            (host.ip, host.names, host.limits) = (Some(ip), scene.names.clone(), limits);
            host.address_command = Some(self.dir.join("grant"));
            (host.tls, host.clock, host.check_invariants) = (Some(self.tls.clone()), clock, true);
            let handle = spawn(host, machine).expect("there are threads left");
            stage.push(Player { handle, stop_after, ending: None });
        }
        while begin.elapsed() < scene.limit && stage.iter().any(|player| player.ending.is_none()) {
            stage.iter_mut().for_each(|player| player.look(begin.elapsed()));
        }
        stage.iter().map(|player| player.ending.unwrap_or(Ending::StillRunning)).collect()
    }
}

struct Player {
    handle: Handle<Box<dyn Machine>>,
    stop_after: Option<Duration>,
    ending: Option<Ending>,
}

impl Player {
    fn look(&mut self, elapsed: Duration) {
        if self.stop_after.is_some_and(|after| elapsed >= after) {
            self.stop_after = None;
            self.handle.stop();
        }
        if self.ending.is_none() {
            self.ending = match self.handle.wait_for(LOOK) {
                Some(storytime_real::Ending::Exited(exit)) => Some(Ending::Exited(exit)),
                Some(storytime_real::Ending::Killed) => panic!("nobody killed it"),
                None => None,
            };
        }
    }
}

#[test]
fn tokio_keeps_every_promise_of_the_contract() {
    let played = play_all(&mut Loopback::new());
    assert!(played.skipped.is_empty(), "{:?}", played.skipped);
    assert!(played.ran.len() > 20, "{:?}", played.ran);
}
