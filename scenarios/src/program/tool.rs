//! `gearman` in a command line of a scenario, and the simulated shell that it is typed into.
//!
//! On real machines the tool is a process, its commands are those of the machine. In the simulator
//! its commands are those of [`commands`]; each takes [`COMMAND_TIME`] and a little more for what
//! it reads. What it prints is kept, as files are: by the host, over the lives of the process.
//!
//! Not modelled: the disk that files lie on, and how busy a core is with commands.

use super::around::{Around, Feed};
use super::{ProgramError, boxed, commands, printed};
use crate::models::Results;
use crate::models::app::lock;
use crate::story::files::{Content, File, log_line};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_gearman::tools::{
    Answer, Command, Common, Ended, Input, Performer, Ran, Run, Shell, Stream, Submitter,
};
use storytime_machine::Bytes;
use storytime_sim::Factory;

/// How long a simulated command takes to begin and to end.
const COMMAND_TIME: Duration = Duration::from_millis(2);
/// And for each byte that it reads, nanoseconds.
const COMMAND_NS_PER_BYTE: u64 = 10;
/// Most of standard input in one piece, bytes.
const PIECE_BYTES_MAX: usize = 64 << 10;
/// Most that is kept of what was printed, bytes.
const PRINTED_BYTES_MAX: usize = 16 << 20;

/// `gearman` with its options, and what stands around it.
#[derive(Clone, Debug)]
pub struct Tool {
    command: Command,
    /// Where its input comes from, and where its output goes.
    pub around: Around,
}

/// What a tool printed, in all lives of its process.
#[derive(Clone, Debug, Default)]
pub struct Printed(Arc<Mutex<Vec<u8>>>);

/// Where a tool is started.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The host's name.
    pub host: String,
    /// The files on it.
    pub files: Vec<File>,
    /// What is printed there.
    pub printed: Printed,
}

impl Printed {
    /// It, as figures.
    pub fn results(&self) -> Results {
        printed::results(&lock(&self.0))
    }
}

impl Tool {
    /// Reads the words behind `gearman`.
    ///
    /// # Errors
    /// It refuses them.
    pub fn from_words(words: &[&str]) -> Result<Self, ProgramError> {
        let usage = |what: String| ProgramError::Usage("gearman", what);
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let read = Command::from_words(&words, None).map_err(|wrong| usage(wrong.to_string()))?;
        match read.0 {
            Command::Help => Err(usage("this prints something and does no job".to_owned())),
            _ if read.1.daemon => Err(usage("a story sees what it starts: no -d".to_owned())),
            command => Ok(Self { command, around: Around::default() }),
        }
    }

    /// The same in a command line with something around it.
    pub fn with(&self, around: Around) -> Self {
        Self { around, ..self.clone() }
    }

    /// What a host that runs it is for, in a word.
    pub const fn role(&self) -> &'static str {
        match self.command {
            Command::Worker(_) => "worker",
            Command::Client(_) | Command::Help => "client",
        }
    }

    /// Whether it ends by itself: it submits jobs, and its input has an end.
    pub fn ends(&self) -> bool {
        let follows = matches!(&self.around.from, Feed::Command(words) if follows(words).is_some());
        matches!(self.command, Command::Client(_)) && !follows
    }

    /// Makes its processes on a simulated host.
    pub fn factory(&self, place: &Place) -> Factory {
        let (tool, place) = (self.clone(), place.clone());
        Box::new(move |setup| {
            if tool.around.to.as_ref().is_some_and(|to| !to.append) {
                lock(&place.printed.0).clear();
            }
            let shell = Box::new(Typed::new(&tool.around.from, &place));
            match tool.command.clone() {
                Command::Worker(mut config) => {
                    at_home(&mut config.common, &place.host);
                    boxed(Performer::new(config, shell), setup)
                }
                Command::Client(mut config) => {
                    at_home(&mut config.common, &place.host);
                    boxed(Submitter::new(config, shell), setup)
                }
                Command::Help => panic!("refused when it was read"),
            }
        })
    }
}

/// `localhost` is another machine on every machine.
fn at_home(common: &mut Common, host: &str) {
    for server in common.servers.iter_mut().filter(|server| server.host == "localhost") {
        host.clone_into(&mut server.host);
    }
}

/// The file that `tail -f` follows.
pub fn follows(words: &[String]) -> Option<&str> {
    match words {
        [tail, follow, file] if tail == "tail" && follow == "-f" => Some(file),
        _ => None,
    }
}

/// Standard input that is still to come.
#[derive(Clone, Debug)]
enum Coming {
    /// It is there.
    Ready(Bytes),
    /// A log that grows: the next line, of how many, and the time between two.
    Growing { host: String, next: u64, lines: u64, gap: Duration },
    /// There is no such file.
    Missing(String),
}

/// The shell that a command line is typed into.
#[derive(Debug)]
struct Typed {
    input: Coming,
    printed: Printed,
}

impl Typed {
    fn new(from: &Feed, place: &Place) -> Self {
        let content = |name: &str| match place.files.iter().find(|file| file.name == name) {
            Some(file) => Coming::Ready(file.at_first().into()),
            None => Coming::Missing(name.to_owned()),
        };
        let input = match from {
            Feed::Nothing => Coming::Ready(Bytes::new()),
            Feed::File(name) => content(name),
            Feed::Command(words) => match follows(words) {
                Some(name) => match place.files.iter().find(|file| file.name == name) {
                    Some(&File { content: Content::Log { lines, gap }, .. }) => {
                        Coming::Growing { host: place.host.clone(), next: 0, lines, gap }
                    }
                    _ => content(name),
                },
                None => Coming::Ready(commands::run(words, b"").0.into()),
            },
        };
        Self { input, printed: place.printed.clone() }
    }
}

impl Shell for Typed {
    fn read(&mut self) -> Answer<Input> {
        match &mut self.input {
            Coming::Ready(rest) if rest.is_empty() => Answer::Now(Input::End),
            Coming::Ready(rest) => {
                let piece = rest.split_to(rest.len().min(PIECE_BYTES_MAX));
                Answer::Now(Input::Piece(piece))
            }
            // Whoever follows a file waits, also where nothing comes any more.
            Coming::Growing { next, lines, .. } if next == lines => Answer::Later,
            Coming::Growing { host, next, gap, .. } => {
                let line = log_line(host, *next);
                *next += 1;
                Answer::After(*gap, Input::Piece(line.into()))
            }
            Coming::Missing(name) => Answer::Now(Input::Failed(format!("{name}: no such file"))),
        }
    }

    fn print(&mut self, stream: Stream, bytes: &[u8]) -> bool {
        if stream == Stream::Out {
            let mut printed = lock(&self.printed.0);
            let room = PRINTED_BYTES_MAX - printed.len();
            printed.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        true
    }

    fn run(&mut self, run: Run) -> Answer<Ran> {
        let (output, status) = commands::run(&run.command, &run.input);
        let reading = Duration::from_nanos(run.input.len() as u64 * COMMAND_NS_PER_BYTE);
        let ran = Ran { output: output.into(), ended: Ended::Exited(status) };
        Answer::After(COMMAND_TIME + reading, ran)
    }

    fn resume(&mut self) {
        // What it gives, it gives at once.
    }
}
