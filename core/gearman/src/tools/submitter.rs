//! `gearman` without `-w`: submits jobs and prints what becomes of them.
//!
//! What each flag prints is the original's. Where this differs:
//!
//! * A job that could not be sent, was refused, or whose end nobody knows makes the exit status 1;
//!   the original says so and ends with 0.
//! * Lines of standard input have any length, and the last one need not end with a newline.
//! * A word without a character is a job without data.
//! * Jobs in the background are submitted without waiting for each other.

use super::options::{ClientConfig, Lines, Source};
use super::places::LookUps;
use super::shell::{Answer, DATA_BYTES_MAX, Input, PACKET_BYTES_MAX, Shell, Stream};
use super::workloads::Workloads;
use crate::client::{
    CLIENT_TOKENS, Client, ClientOptions, Event, Job, NotAccepted, Progress, Unique, Why,
};
use crate::tenants::NOT_AUTHORIZED;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;
use storytime_machine::{Boot, Cx, Exit, IpAddr, Machine, ResolveError, Token};

/// Most jobs in the background that are under way at once; a set for all functions fits in any
/// case.
pub const JOBS_UNDER_WAY_MAX: usize = 256;
/// How long a server may take to be reached and to answer where no `-t` says.
const PATIENCE: Duration = Duration::from_secs(60);
/// The time of input that is there already (simulated input).
const READ: Token = Token(CLIENT_TOKENS);
const _: () = assert!(JOBS_UNDER_WAY_MAX >= super::options::FUNCTIONS_MAX);

/// The machine. It ends when the last job has, with a failure if any job failed.
pub struct Submitter {
    config: ClientConfig,
    look_ups: LookUps,
    shell: Box<dyn Shell>,
    state: State,
    input: Reading,
    /// Input whose time has not come.
    early: Option<Input>,
    /// Data being submitted to one function after the other, and the next function.
    set: Option<(Bytes, usize)>,
    under_way: usize,
    /// Jobs submitted so far.
    jobs: u64,
    failed: bool,
}

enum State {
    AwaitAddresses,
    Submit(Box<Client>),
    Ended,
}

/// What is left of the data.
enum Reading {
    /// Words of the command line, from behind.
    Words(Vec<Bytes>),
    Input {
        cut: Workloads,
        asked: bool,
        ended: bool,
    },
}

impl Submitter {
    /// A machine that has not started.
    pub fn new(config: ClientConfig, shell: Box<dyn Shell>) -> Self {
        let input = match &config.source {
            Source::Nothing => Reading::Words(vec![Bytes::new()]),
            Source::Words(words) => Reading::Words(words.iter().rev().cloned().collect()),
            Source::Input(lines) => {
                Reading::Input { cut: Workloads::new(*lines), asked: false, ended: false }
            }
        };
        let look_ups = LookUps::new(&config.common);
        let state = State::AwaitAddresses;
        let (early, under_way, jobs, failed, set) = (None, 0, 0, false, None);
        Self { config, look_ups, shell, state, input, early, set, under_way, jobs, failed }
    }

    /// The shell's answer to [`Shell::read`].
    pub fn on_input(&mut self, cx: &mut Cx, input: Input) {
        self.take_in(input);
        self.go_on(cx);
    }

    /// Becomes a client once all addresses are known.
    fn begin(&mut self, cx: &mut Cx) {
        let State::AwaitAddresses = self.state else { return };
        let Some(servers) = self.look_ups.endpoints() else { return };
        let common = &self.config.common;
        let options = ClientOptions {
            servers,
            tls_names: self.look_ups.names(),
            tenant: common.tenant.clone(),
            timeout: common.timeout.unwrap_or(PATIENCE),
            packet_bytes_max: PACKET_BYTES_MAX,
            ..ClientOptions::default()
        };
        self.state = State::Submit(Box::new(Client::new(options, Token(0))));
        self.go_on(cx);
    }

    /// Passes something on to the client.
    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Client, &mut Cx) -> bool) {
        if let State::Submit(client) = &mut self.state {
            what(client, cx);
            self.go_on(cx);
        }
    }

    fn take_in(&mut self, input: Input) {
        // It may come when nobody wants it any more.
        let Reading::Input { cut, asked, ended } = &mut self.input else { return };
        *asked = false;
        let wrong = match input {
            Input::Piece(piece) => match cut.add(&piece) {
                Ok(()) => return,
                Err(_) => format!("more than {DATA_BYTES_MAX} bytes are too much for one job"),
            },
            Input::End => {
                cut.end();
                *ended = true;
                return;
            }
            Input::Failed(why) => format!("standard input cannot be read: {why}"),
        };
        // What is there is not all, so it is no job.
        self.input = Reading::Words(Vec::new());
        self.fail(format_args!("{wrong}"));
    }

    /// The next data, if it is there and may be submitted now.
    fn next_data(&mut self, cx: &mut Cx) -> Option<Bytes> {
        let room = match self.config.background {
            true => self.under_way + self.config.common.functions.len() <= JOBS_UNDER_WAY_MAX,
            false => self.under_way == 0,
        };
        loop {
            match &mut self.input {
                _ if !room => return None,
                Reading::Words(words) => return words.pop(),
                Reading::Input { cut, asked, ended } => {
                    if let Some(data) = cut.next() {
                        if self.config.source == Source::Input(Lines::Together) {
                            self.input = Reading::Words(Vec::new());
                        }
                        return Some(data);
                    }
                    if *ended || *asked {
                        return None;
                    }
                    *asked = true;
                    match self.shell.read() {
                        Answer::Later => return None,
                        Answer::Now(input) => self.take_in(input),
                        Answer::After(takes, input) => {
                            self.early = Some(input);
                            cx.after(READ, takes);
                            return None;
                        }
                    }
                }
            }
        }
    }

    fn is_done(&self) -> bool {
        let read = match &self.input {
            Reading::Words(words) => words.is_empty(),
            Reading::Input { asked, ended, .. } => *ended && !*asked,
        };
        read && self.set.is_none() && self.under_way == 0
    }

    /// Tells what happened and submits what may be submitted.
    fn go_on(&mut self, cx: &mut Cx) {
        loop {
            let State::Submit(client) = &mut self.state else { return };
            if let Some(event) = client.next_event() {
                self.tell(&event);
                continue;
            }
            if self.set.is_none() {
                self.set = self.next_data(cx).map(|data| (data, 0));
            }
            if self.set.is_none() || !self.submit_next(cx) {
                break;
            }
        }
        if self.is_done() {
            self.end(cx);
        }
    }

    fn end(&mut self, cx: &mut Cx) {
        self.state = State::Ended;
        cx.exit(if self.failed { Exit::Failed("a job failed") } else { Exit::Stopped });
    }

    /// Submits the data to its next function. Whether to go on.
    fn submit_next(&mut self, cx: &mut Cx) -> bool {
        let State::Submit(client) = &mut self.state else { panic!("looked at by the caller") };
        let (data, nth) = self.set.take().expect("looked at by the caller");
        let config = &self.config;
        let functions = &config.common.functions;
        let unique = Unique::as_libgearman(config.unique.clone(), config.background);
        let job = Job {
            unique,
            priority: config.priority,
            background: config.background,
            timeout: config.common.timeout,
            ..Job::new(functions[nth].clone(), data.clone())
        };
        // The tag tells the function.
        let tag = self.jobs * functions.len() as u64 + nth as u64;
        let last = nth + 1 == functions.len();
        match client.submit(cx, job, tag) {
            Ok(()) => self.under_way += 1,
            Err(NotAccepted::TooMany) if self.under_way > 0 => {
                self.set = Some((data, nth));
                return false;
            }
            Err(why) => {
                let function = functions[nth].clone();
                self.fail(format_args!("{}: {why}", function.escape_ascii()));
            }
        }
        self.jobs += 1;
        self.set = (!last).then_some((data, nth + 1));
        true
    }
}

/// What is told of a job.
impl Submitter {
    fn function_of(&self, tag: u64) -> Bytes {
        let functions = &self.config.common.functions;
        functions[(tag % functions.len() as u64) as usize].clone()
    }

    fn tell(&mut self, event: &Event) {
        let function = self.function_of(event.tag());
        self.under_way -= usize::from(event.is_end());
        match event {
            Event::Created { handle, .. } if self.config.common.verbose => {
                self.print(Stream::Out, format!("Task created: {}\n", handle.name).as_bytes());
            }
            Event::Created { .. } => {}
            Event::Data { data, .. } | Event::Complete { data, .. } => {
                self.print_of(&function, Stream::Out, data);
            }
            Event::Warning { data, .. } => self.print_of(&function, Stream::Err, data),
            Event::Exception { data, .. } => {
                self.print_of(&function, Stream::Err, data);
                self.failed = true;
            }
            Event::Status { progress, .. } => {
                let percent = percent(*progress);
                self.print_of(&function, Stream::Out, format!("{percent}% Complete\n").as_bytes());
            }
            Event::Failed { .. } => {
                self.print_of(&function, Stream::Err, b"Job failed\n");
                self.failed = true;
            }
            Event::Lost { handle, why, .. } => {
                let what = match (why, handle) {
                    (Why::Time, Some(_)) => "no result in time (-t)",
                    (Why::Time, None) => "the job server does not answer",
                    (Why::Connection, Some(_)) => "connection lost; the job may still be done",
                    (Why::Connection, None) => "connection lost; the job may have been accepted",
                    (Why::Garbled, _) if !self.config.common.tls => {
                        "the server says what no job server says; if it is encrypted, say -S"
                    }
                    (Why::Garbled, _) => "the server says what no job server says",
                };
                self.fail(format_args!("{}: {what}", function.escape_ascii()));
            }
            Event::NotSent { .. } => {
                let places: Vec<String> =
                    self.config.common.servers.iter().map(ToString::to_string).collect();
                let (function, places) = (function.escape_ascii(), places.join(" or "));
                self.fail(format_args!("{function}: not sent: cannot connect to {places}"));
            }
            Event::Refused { code, text, .. } => {
                let text = text.escape_ascii();
                let is_stranger = *code == *NOT_AUTHORIZED.as_bytes();
                let advice = match self.config.common.tenant {
                    None if is_stranger => "; GEARMAN_TENANT=NAME:SECRET says as whose",
                    Some(_) if is_stranger => "; GEARMAN_TENANT is not right for it",
                    _ => "",
                };
                let code = code.escape_ascii();
                let function = function.escape_ascii();
                self.fail(format_args!("{function}: refused: {code} {text}{advice}"));
            }
            Event::StatusIs { .. } | Event::Echoed { .. } => panic!("nobody asked for it"),
        }
    }

    fn fail(&mut self, what: fmt::Arguments<'_>) {
        self.failed = true;
        self.print(Stream::Err, format!("gearman: {what}\n").as_bytes());
    }

    /// Prints with the function's name in front, if that is asked for.
    fn print_of(&mut self, function: &[u8], stream: Stream, bytes: &[u8]) {
        if self.config.prefix {
            self.print(stream, &[function, b": "].concat());
        }
        self.print(stream, bytes);
    }

    fn print(&mut self, stream: Stream, bytes: &[u8]) {
        if !self.shell.print(stream, bytes) && stream == Stream::Out {
            // Nobody reads the results: begin no more jobs.
            self.failed = true;
            self.input = Reading::Words(Vec::new());
            self.set = None;
        }
    }
}

/// As whole percent; nothing of nothing is 0.
fn percent(progress: Progress) -> u128 {
    let (numerator, denominator) = (progress.numerator, progress.denominator);
    (u128::from(numerator) * 100).checked_div(u128::from(denominator)).unwrap_or(0)
}

impl Machine for Submitter {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        self.look_ups.start(cx);
        self.begin(cx);
    }

    fn resolved(&mut self, cx: &mut Cx, lookup: Token, result: Result<Vec<IpAddr>, ResolveError>) {
        if let Err(place) = self.look_ups.on_resolved(lookup, result) {
            let what = format!("{place}: no such host");
            self.fail(format_args!("{what}"));
            return self.end(cx);
        }
        self.begin(cx);
    }

    storytime_machine::pass_to_part!(open data eof drained gone failed);

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer == READ {
            let input = self.early.take().expect("the timer is set with it");
            return self.on_input(cx, input);
        }
        self.pass(cx, |client, cx| client.on_timer(cx, timer));
    }

    fn invariants(&self) {
        if let State::Submit(client) = &self.state {
            client.invariants();
            assert!(self.under_way <= JOBS_UNDER_WAY_MAX, "jobs under way are bounded");
        }
    }
}
