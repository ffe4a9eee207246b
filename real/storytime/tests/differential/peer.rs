//! Two servers on the loopback, and one stream for both.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use storytime_real::{Listening, nobodys_address};

/// How long a server may take to answer a stream.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where Debian puts memcached.
const DEBIAN: &str = "/usr/bin/memcached";

/// The memcached to compare with.
pub(crate) fn find_peer() -> Option<PathBuf> {
    let named = std::env::var_os("STORYTIME_PEER_MEMCACHED").map(PathBuf::from);
    Some(named.unwrap_or_else(|| DEBIAN.into())).filter(|path| path.exists())
}

/// The peer and ours.
pub(crate) struct Pair {
    servers: [Listening; 2],
    /// Whether the peer's release has the words that ours has; older ones had others for bad lines.
    pub(crate) peer_is_new: bool,
}

/// First release of the original's minor version 1.6 whose words for bad lines are today's.
const RELEASE_NEW: u32 = 40;

fn is_new(program: &PathBuf) -> bool {
    let said = Command::new(program).arg("-V").output().map(|output| output.stdout);
    let said = String::from_utf8(said.unwrap_or_default()).unwrap_or_default();
    let release = said.trim().rsplit('.').next().and_then(|digits| digits.parse::<u32>().ok());
    // A build from the head of the source has no number.
    release.is_none_or(|release| release >= RELEASE_NEW)
}

impl Pair {
    pub(crate) fn start(peer: &PathBuf) -> Self {
        let ours = env!("CARGO_BIN_EXE_storytime");
        let theirs = start(Command::new(peer));
        let mut command = Command::new(ours);
        command.arg("memcached");
        Self { servers: [theirs, start(command)], peer_is_new: is_new(peer) }
    }

    /// What each answers to a stream, from nothing in the cache to the end of the connection.
    pub(crate) fn answers(&self, stream: &[u8]) -> [Vec<u8>; 2] {
        self.servers.each_ref().map(|server| {
            ask(server.at(), b"flush_all\r\nquit\r\n");
            ask(server.at(), stream)
        })
    }
}

fn start(mut command: Command) -> Listening {
    let at = nobodys_address();
    command.args(["-l", &at.ip().to_string(), "-p", &at.port().to_string()]);
    command.args(["-U", "0", "-u", "root", "-t", "1", "-m", "64"]);
    Listening::start(&mut command, at).unwrap_or_else(|why| panic!("{why}"))
}

fn ask(at: SocketAddr, stream: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(at).expect("the server listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time above zero");
    // A server may hang up on a stream before it has all of it.
    let _hung_up = socket.write_all(stream);
    let _hung_up = socket.shutdown(Shutdown::Write);
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match socket.read(&mut piece) {
            Ok(0) => return answer,
            Ok(n) => answer.extend_from_slice(&piece[..n]),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return answer,
            Err(e) => panic!("no end of the answer to {}: {e}", stream.escape_ascii()),
        }
    }
}
