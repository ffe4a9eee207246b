//! Two servers on the loopback, and one stream for both.

use crate::reply::Reply;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to listen, and to answer a stream.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where Debian puts redis-server.
const DEBIAN: &str = "/usr/bin/redis-server";

/// The redis-server to compare with.
pub(crate) fn find_peer() -> Option<PathBuf> {
    let named = std::env::var_os("STORYTIME_PEER_REDIS").map(PathBuf::from);
    Some(named.unwrap_or_else(|| DEBIAN.into())).filter(|path| path.exists())
}

/// The peer and ours.
pub(crate) struct Pair {
    servers: [Server; 2],
    resp3: bool,
}

struct Server {
    child: Child,
    at: SocketAddr,
}

impl Pair {
    pub(crate) fn start(peer: &PathBuf, resp3: bool) -> Self {
        let mut theirs = Command::new(peer);
        theirs.args(["--save", "", "--appendonly", "no"]);
        let mut ours = Command::new(env!("CARGO_BIN_EXE_storytime"));
        ours.args(["dbd", "--appendonly", "no", "--databases", "16"]);
        Self { servers: [theirs, ours].map(Server::start), resp3 }
    }

    /// What each answers to a stream, from no content on.
    pub(crate) fn answers(&mut self, stream: &[u8], requests: usize) -> [Vec<Reply>; 2] {
        let resp3 = self.resp3;
        self.servers.each_mut().map(|server| {
            let mut all = b"FLUSHALL\r\n".to_vec();
            if resp3 {
                all.extend_from_slice(b"HELLO 3\r\n");
            }
            let before = if resp3 { 2 } else { 1 };
            all.extend_from_slice(stream);
            let mut socket = TcpStream::connect(server.at).expect("the server listens");
            socket.set_read_timeout(Some(PATIENCE)).expect("a time above zero");
            socket.write_all(&all).expect("the server reads");
            let mut from = BufReader::new(socket);
            (0..before).for_each(|_| drop(Reply::read(&mut from)));
            (0..requests).map(|_| Reply::read(&mut from)).collect()
        })
    }
}

impl Server {
    fn start(mut command: Command) -> Self {
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let at = free.expect("the loopback has a free port");
        command.args(["--bind", "127.0.0.1", "--port"]).arg(at.port().to_string());
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
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
