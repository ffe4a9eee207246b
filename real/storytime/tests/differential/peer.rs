//! Two servers on the loopback, and one stream for both.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to listen, and to answer a stream.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where Debian puts memcached.
const DEBIAN: &str = "/usr/bin/memcached";

/// The memcached to compare with.
pub(crate) fn find_peer() -> Option<PathBuf> {
    let named = std::env::var_os("STORYTIME_PEER_MEMCACHED").map(PathBuf::from);
    Some(named.unwrap_or_else(|| DEBIAN.into())).filter(|path| path.exists())
}

/// The peer and ours.
pub(crate) struct Pair([Server; 2]);

struct Server {
    child: Child,
    at: SocketAddr,
}

impl Pair {
    pub(crate) fn start(peer: &PathBuf) -> Self {
        let ours = env!("CARGO_BIN_EXE_storytime");
        Self([
            Server::start(Command::new(peer)),
            Server::start(Command::new(ours).arg("memcached")),
        ])
    }

    /// What each answers to a stream, from nothing in the cache to the end of the connection.
    pub(crate) fn answers(&mut self, stream: &[u8]) -> [Vec<u8>; 2] {
        self.0.each_mut().map(|server| {
            server.ask(b"flush_all\r\nquit\r\n");
            server.ask(stream)
        })
    }
}

impl Server {
    fn start(command: impl std::borrow::BorrowMut<Command>) -> Self {
        let mut command = command;
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let at = free.expect("the loopback has a free port");
        let words = ["-l", "127.0.0.1", "-U", "0", "-u", "root", "-t", "1", "-m", "64", "-p"];
        let command = command.borrow_mut().args(words).arg(at.port().to_string());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut server = Self { child: child.expect("the server starts"), at };
        let start = Instant::now();
        while TcpStream::connect(at).is_err() {
            let ended = server.child.try_wait().expect("our child");
            assert!(ended.is_none() && start.elapsed() < PATIENCE, "{at} does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    fn ask(&mut self, stream: &[u8]) -> Vec<u8> {
        let mut socket = TcpStream::connect(self.at).expect("the server listens");
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
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
