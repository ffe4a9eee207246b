//! Servers on the loopback, and connections to them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use storytime_gearman::packet::{Kind, Magic, Packet, Parser};
use storytime_machine::BytesMut;
use storytime_real::{Listening, nobodys_address};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where Debian puts gearmand.
const DEBIAN: &str = "/usr/sbin/gearmand";
/// What marks the end of an answer.
const MARK: &[u8] = b"end of the answer";

/// The gearmand to compare with.
pub(crate) fn find_peer() -> Option<PathBuf> {
    let named = std::env::var_os("STORYTIME_PEER_GEARMAND").map(PathBuf::from);
    Some(named.unwrap_or_else(|| DEBIAN.into())).filter(|path| path.exists())
}

/// A job server.
pub(crate) struct Server {
    listening: Listening,
}

/// A connection to one.
pub(crate) struct Wire {
    socket: TcpStream,
    inbox: BytesMut,
    /// Whether the server has closed it.
    closed: bool,
}

/// Something that a server said.
#[derive(Debug)]
pub(crate) enum Said {
    Packet(Packet),
    Line(String),
    Closed,
}

impl Server {
    pub(crate) fn theirs(program: &Path) -> Self {
        // With more threads than one, whether it hangs up after a command that failed depends on
        // which of them is faster.
        Self::start(Command::new(program), &["--threads", "0"])
    }

    pub(crate) fn ours(words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_storytime"));
        command.arg("gearmand");
        // As theirs: all are woken, and whoever asks is answered at once.
        Self::start(command, &[&["--worker-wakeup", "0", "--grab-patience", "0"], words].concat())
    }

    fn start(mut command: Command, words: &[&str]) -> Self {
        let at = nobodys_address();
        let (ip, port) = (at.ip().to_string(), at.port().to_string());
        command.args(["--listen", &ip, "--port", &port, "--log-file", "none"]);
        command.args(["--job-handle-prefix", "H"]).args(words);
        let listening = Listening::start(&mut command, at).unwrap_or_else(|why| panic!("{why}"));
        Self { listening }
    }

    pub(crate) fn connect(&self) -> Wire {
        let socket = TcpStream::connect(self.listening.at()).expect("the server listens");
        socket.set_nodelay(true).expect("it is a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time above zero");
        Wire { socket, inbox: BytesMut::new(), closed: false }
    }

    /// Waits until the server knows of so many connections and no more.
    pub(crate) fn wait_for_connections(&self, wanted: usize) {
        let start = Instant::now();
        let mut operator = self.connect();
        loop {
            operator.send(b"workers\n");
            let lines = operator.until_mark();
            let count = lines.iter().filter(|said| matches!(said, Said::Line(_))).count();
            // The operator's own, and the dot.
            if count == wanted + 2 {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{count} connections, and not {wanted}: {lines:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Wire {
    /// Sends bytes; nobody minds if they are not taken any more.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// What the server has said, and says to what it has been sent so far. To be sure that nothing
    /// is missed, it is asked for an echo.
    pub(crate) fn until_mark(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        if self.closed {
            return said;
        }
        let echo = [
            &Magic::Request.bytes()[..],
            &(Kind::EchoReq as u32).to_be_bytes(),
            &(MARK.len() as u32).to_be_bytes(),
            MARK,
        ];
        self.send(&echo.concat());
        loop {
            match self.next() {
                Said::Packet(packet)
                    if packet.kind == Kind::EchoRes && packet.argument(0) == MARK =>
                {
                    return said;
                }
                Said::Closed => {
                    self.closed = true;
                    said.push(Said::Closed);
                    return said;
                }
                other => said.push(other),
            }
        }
    }

    fn next(&mut self) -> Said {
        let parser = Parser::new(Magic::Response, 1 << 24);
        loop {
            if self.inbox.first().is_some_and(|byte| *byte != 0) {
                if let Some(end) = self.inbox.iter().position(|byte| *byte == b'\n') {
                    let line = self.inbox.split_to(end + 1);
                    return Said::Line(line.escape_ascii().to_string());
                }
            } else if let Some(packet) = parser.next(&mut self.inbox).expect("it says packets") {
                return Said::Packet(packet);
            }
            let mut more = [0; 4096];
            match self.socket.read(&mut more) {
                Ok(0) => return Said::Closed,
                Ok(len) => self.inbox.extend_from_slice(&more[..len]),
                Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("no answer within {PATIENCE:?}; so far {:?}", self.inbox)
                }
                Err(_) => return Said::Closed,
            }
        }
    }
}
