//! A few questions, asked and answered once: a machine that ends with its last answer.

use bytes::Bytes;
use storytime_machine::{Boot, Cx, Exit, Machine, Token};
use storytime_memcached::client::{
    Client, ClientOptions, Command, Count, NotAccepted, Op, Outcome, RawMeta, ServerSpec, Store,
    Verb,
};

/// A question about one key or to all servers.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    Get,
    Gets,
    Gat(i32),
    Store { verb: Verb, value: Bytes, flags: u32, ttl: i32 },
    Delete,
    Count(Count),
    Touch(i32),
    Meta { command: &'static str, flags: String, value: Option<Bytes> },
    Stats(String),
    Version,
    Flush(u32),
}

/// The machine.
#[derive(Debug)]
pub(crate) struct Shot {
    client: Client,
    servers: Vec<ServerSpec>,
    questions: Vec<(String, Question)>,
    next: usize,
    outcomes: Vec<Option<Outcome>>,
    left: usize,
}

impl Shot {
    pub(crate) fn new(
        options: ClientOptions,
        servers: Vec<ServerSpec>,
        questions: Vec<(String, Question)>,
    ) -> Self {
        Self {
            client: Client::new(options, Token(0)),
            servers,
            outcomes: vec![None; questions.len()],
            left: questions.len(),
            questions,
            next: 0,
        }
    }

    /// Each question with its key, its outcome and the index of the server that has the key.
    pub(crate) fn take(&mut self) -> Vec<(String, Question, Outcome, usize)> {
        let questions = core::mem::take(&mut self.questions).into_iter();
        let answered = questions.zip(core::mem::take(&mut self.outcomes));
        let all = answered.filter_map(|((key, question), outcome)| {
            let server = self.client.server_of(&key).unwrap_or(0);
            Some((key, question, outcome?, server))
        });
        all.collect()
    }

    fn ask(&mut self, cx: &mut Cx, n: usize) -> Result<(), NotAccepted> {
        let (key, question) = &self.questions[n];
        let tag = n as u64;
        let op = match question {
            Question::Get => Op::Get,
            Question::Gets => Op::Gets,
            Question::Gat(exptime) => Op::GetAndTouch { exptime: *exptime },
            Question::Store { verb, value, flags, ttl } => {
                Op::Store(Store { verb: *verb, value: value.into(), flags: *flags, exptime: *ttl })
            }
            Question::Delete => Op::Delete,
            Question::Count(count) => Op::Count(*count),
            Question::Touch(exptime) => Op::Touch { exptime: *exptime },
            Question::Meta { command, flags, value } => {
                Op::RawMeta(RawMeta { command, flags, value: value.as_ref().map(Into::into) })
            }
            Question::Stats(sub) => return self.client.command(cx, &Command::Stats(sub), tag),
            Question::Version => return self.client.command(cx, &Command::Version, tag),
            Question::Flush(delay) => {
                return self.client.command(cx, &Command::FlushAll { delay: *delay }, tag);
            }
        };
        self.client.ask(cx, key, &op, tag)
    }

    fn go_on(&mut self, cx: &mut Cx) {
        while let Some(event) = self.client.next_event() {
            self.outcomes[event.tag as usize] = Some(event.outcome);
            self.left -= 1;
        }
        while self.next < self.questions.len() {
            match self.ask(cx, self.next) {
                Ok(()) => {}
                Err(NotAccepted::Busy) => break,
                Err(why) => {
                    self.outcomes[self.next] = Some(Outcome::NotAccepted(why));
                    self.left -= 1;
                }
            }
            self.next += 1;
        }
        // Answers at once are still in the queue.
        while let Some(event) = self.client.next_event() {
            self.outcomes[event.tag as usize] = Some(event.outcome);
            self.left -= 1;
        }
        if self.left == 0 {
            cx.exit(Exit::Stopped);
        }
    }

    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Client, &mut Cx) -> bool) {
        what(&mut self.client, cx);
        self.go_on(cx);
    }
}

impl Machine for Shot {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        if self.client.set_servers(cx, &self.servers).is_err() {
            return cx.exit(Exit::Failed("too many servers for one client"));
        }
        self.go_on(cx);
    }

    storytime_machine::pass_to_part!(open data eof gone failed timer);

    fn invariants(&self) {
        self.client.invariants();
    }
}
