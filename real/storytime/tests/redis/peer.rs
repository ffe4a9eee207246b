//! Two servers on the loopback, and one stream for both.

use crate::reply::Reply;
use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use storytime_real::{Listening, nobodys_address};

/// How long a server may take to answer.
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
    servers: [Listening; 2],
    resp3: bool,
}

impl Pair {
    pub(crate) fn start(peer: &PathBuf, resp3: bool) -> Self {
        let mut theirs = Command::new(peer);
        theirs.args(["--save", "", "--appendonly", "no"]);
        let mut ours = Command::new(env!("CARGO_BIN_EXE_storytime"));
        ours.args(["dbd", "--appendonly", "no", "--databases", "16"]);
        Self { servers: [theirs, ours].map(start), resp3 }
    }

    /// What each answers to a stream, from no content on.
    pub(crate) fn answers(&self, stream: &[u8], requests: usize) -> [Vec<Reply>; 2] {
        let resp3 = self.resp3;
        self.servers.each_ref().map(|server| {
            let mut all = b"FLUSHALL\r\n".to_vec();
            if resp3 {
                all.extend_from_slice(b"HELLO 3\r\n");
            }
            let before = if resp3 { 2 } else { 1 };
            all.extend_from_slice(stream);
            let mut socket = TcpStream::connect(server.at()).expect("the server listens");
            socket.set_read_timeout(Some(PATIENCE)).expect("a time above zero");
            socket.write_all(&all).expect("the server reads");
            let mut from = BufReader::new(socket);
            (0..before).for_each(|_| drop(Reply::read(&mut from)));
            (0..requests).map(|_| Reply::read(&mut from)).collect()
        })
    }
}

fn start(mut command: Command) -> Listening {
    let at = nobodys_address();
    command.args(["--bind", &at.ip().to_string(), "--port", &at.port().to_string()]);
    Listening::start(&mut command, at).unwrap_or_else(|why| panic!("{why}"))
}
