//! `gearadmin`: asks a job server in its text protocol and prints what it says.
//!
//! Output and exit status are the original's: a refusal (`ERR …`) is told on standard error and
//! makes no difference to the exit status, a server that cannot be talked to makes it 1. So does
//! one that is for its tenants and does not know who asks.

use super::admin_options::{AdminConfig, Ask};
use super::shell::{Shell, Stream};
use bytes::BytesMut;
use core::time::Duration;
use std::collections::VecDeque;
use storytime_machine::{
    Boot, Close, Conn, Cx, Endpoint, Exit, Gone, IpAddr, Machine, Open, ResolveError, Tls, Token,
};

/// Longest line of a reply, bytes.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// How long the server may take to be reached, and to say more.
const PATIENCE: Duration = Duration::from_secs(60);
/// Said by a server to who is none of its tenants.
const STRANGER: &[u8] = b"ERR NOT_AUTHORIZED";
const SERVER: Token = Token(0);
const SILENT: Token = Token(1);

/// The machine. It ends when all is answered, or with a failure if it cannot be.
pub struct Admin {
    config: AdminConfig,
    asks: VecDeque<Ask>,
    /// Addresses of the server that were not tried.
    addresses: VecDeque<IpAddr>,
    shell: Box<dyn Shell>,
    state: State,
    failed: bool,
}

/// What is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    AwaitAddress,
    AwaitConnection,
    /// Whether the server knows who asks.
    AwaitLogIn(Conn),
    /// The first line of the answer to a question.
    AwaitReply(Conn, Shape),
    /// More lines of a table.
    AwaitEnd(Conn),
    Ended,
}

/// What an answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Line,
    /// Lines up to one with a dot alone.
    Table,
}

impl Ask {
    /// What is sent.
    fn words(&self) -> String {
        match self {
            Self::Pid => "getpid\r\n".into(),
            Self::Create(function) => format!("create function {function}\r\n"),
            Self::Drop(function) => format!("drop function {function}\r\n"),
            Self::Jobs => "show jobs\r\n".into(),
            Self::UniqueJobs => "show unique jobs\r\n".into(),
            Self::Cancel(handle) => format!("cancel job {handle}\r\n"),
            Self::Verbose => "verbose\r\n".into(),
            Self::Version => "version\r\n".into(),
            Self::Workers => "workers\r\n".into(),
            Self::PriorityStatus => "prioritystatus\r\n".into(),
            Self::Status => "status\r\n".into(),
        }
    }

    const fn shape(&self) -> Shape {
        match self {
            Self::Jobs | Self::UniqueJobs | Self::Workers | Self::PriorityStatus | Self::Status => {
                Shape::Table
            }
            Self::Pid
            | Self::Create(_)
            | Self::Drop(_)
            | Self::Cancel(_)
            | Self::Verbose
            | Self::Version => Shape::Line,
        }
    }
}

impl Admin {
    /// A machine that has not started.
    pub fn new(config: AdminConfig, shell: Box<dyn Shell>) -> Self {
        let asks = config.asks.iter().cloned().collect();
        let (addresses, state) = (VecDeque::new(), State::AwaitAddress);
        Self { config, asks, addresses, shell, state, failed: false }
    }

    fn fail(&mut self, cx: &mut Cx, what: &str) {
        self.print(Stream::Err, format!("Error: {what}\n").as_bytes());
        self.failed = true;
        self.end(cx);
    }

    fn end(&mut self, cx: &mut Cx) {
        self.state = State::Ended;
        let why = "the server could not be asked, or nobody reads its answers";
        cx.exit(if self.failed { Exit::Failed(why) } else { Exit::Stopped });
    }

    fn print(&mut self, stream: Stream, bytes: &[u8]) {
        if !self.shell.print(stream, bytes) {
            self.failed = true;
        }
    }

    fn connect(&mut self, cx: &mut Cx) {
        match self.addresses.pop_front() {
            Some(ip) => {
                self.state = State::AwaitConnection;
                cx.connect(SERVER, Endpoint::tcp(ip, self.config.server.port), PATIENCE);
            }
            None => {
                let what = format!("Error connecting to {}.\n", self.config.server.host);
                self.fail(cx, &what);
            }
        }
    }

    fn ask(&mut self, cx: &mut Cx, conn: Conn) {
        match self.asks.pop_front() {
            Some(ask) => {
                let tx = cx.tx(conn).expect("the caller was told of this connection");
                tx.put(ask.words().as_bytes());
                self.state = State::AwaitReply(conn, ask.shape());
                cx.after(SILENT, PATIENCE);
            }
            None => {
                cx.close(conn, Close::Flush);
                self.end(cx);
            }
        }
    }

    fn line(&mut self, cx: &mut Cx, line: &[u8]) {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text == STRANGER {
            let what = match &self.config.tenant {
                None => "the server is for its tenants: GEARMAN_TENANT=NAME:SECRET says who asks",
                Some(_) => "the server does not know the tenant of GEARMAN_TENANT, or not for this",
            };
            return self.fail(cx, what);
        }
        match self.state {
            State::AwaitLogIn(conn) if text == b"OK" => self.ask(cx, conn),
            State::AwaitLogIn(_) => {
                let said = text.escape_ascii();
                self.fail(cx, &format!("the server knows of no tenants: {said}"));
            }
            State::AwaitReply(conn, shape) => {
                let refused = line.strip_prefix(b"ERR ");
                let (stream, said) = match (refused, line.strip_prefix(b"OK ")) {
                    (Some(why), _) => (Stream::Err, [b"Error: ", why].concat()),
                    (None, _) if text == b"OK" => (Stream::Out, b"OK\n".to_vec()),
                    (None, Some(said)) => (Stream::Out, said.to_vec()),
                    (None, None) => (Stream::Out, line.to_vec()),
                };
                self.print(stream, &said);
                match shape {
                    Shape::Table if refused.is_none() && text != b"." => {
                        self.state = State::AwaitEnd(conn);
                    }
                    Shape::Table | Shape::Line => self.ask(cx, conn),
                }
            }
            State::AwaitEnd(conn) => {
                self.print(Stream::Out, line);
                if text == b"." {
                    self.ask(cx, conn);
                }
            }
            State::AwaitAddress | State::AwaitConnection | State::Ended => {}
        }
    }

    fn lost(&mut self, cx: &mut Cx) {
        if let State::AwaitLogIn(_) | State::AwaitReply(..) | State::AwaitEnd(_) = self.state {
            let host = &self.config.server.host;
            let what = format!("Socket was shutdown while reading from {host}");
            self.fail(cx, &what);
        }
    }
}

impl Machine for Admin {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        let host = self.config.server.host.clone();
        match host.parse() {
            Ok(ip) => {
                self.addresses.push_back(ip);
                self.connect(cx);
            }
            Err(_) => cx.resolve(SERVER, host),
        }
    }

    fn resolved(&mut self, cx: &mut Cx, _: Token, result: Result<Vec<IpAddr>, ResolveError>) {
        match result {
            Ok(ips) => {
                self.addresses = ips.into();
                self.connect(cx);
            }
            Err(_) => {
                let (host, port) = (&self.config.server.host, self.config.server.port);
                let why = "Name or service not known";
                let what = format!("Failed to connect on {host}:{port} with {why}");
                self.fail(cx, &what);
            }
        }
    }

    fn failed(&mut self, cx: &mut Cx, _: Token, _: Gone) {
        self.connect(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        if self.config.tls {
            cx.start_tls(conn, Tls::Client { name: self.config.server.host.clone() });
        }
        let Some(tenant) = &self.config.tenant else { return self.ask(cx, conn) };
        let line = format!("tenant {} {}\r\n", tenant.name(), tenant.secret());
        cx.tx(conn).expect("it has just come").put(line.as_bytes());
        self.state = State::AwaitLogIn(conn);
        cx.after(SILENT, PATIENCE);
    }

    fn data(&mut self, cx: &mut Cx, _: Conn, rx: &mut BytesMut) {
        cx.after(SILENT, PATIENCE);
        while let Some(at) = memchr::memchr(b'\n', rx) {
            let line = rx.split_to(at + 1);
            self.line(cx, &line);
        }
        if rx.len() > LINE_BYTES_MAX {
            rx.clear();
            self.fail(cx, "the server says what no job server says");
        }
    }

    fn eof(&mut self, cx: &mut Cx, _: Conn) {
        self.lost(cx);
    }

    fn gone(&mut self, cx: &mut Cx, _: Conn, _: Gone) {
        self.lost(cx);
    }

    fn timer(&mut self, cx: &mut Cx, _: Token) {
        if self.state != State::Ended {
            let what = format!("{} does not answer", self.config.server.host);
            self.fail(cx, &what);
        }
    }
}
