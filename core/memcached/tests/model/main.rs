//! Random commands of all three protocols on one server, beside a plain map that says what each is
//! answered.
//!
//! Three connections speak classic text, meta and binary. Requests are pipelined, streams are cut
//! anywhere, the last request may be left unfinished while others go on, and time passes. Replies
//! are compared byte for byte. There is room for everything, so nothing is evicted.
//!
//! Not here: requests that cannot be read, and figures that depend on how memory is laid out.

mod binary;
mod command;
mod map;
mod meta;
#[path = "../binary/packet.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod packet;
#[path = "../wire/rig.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod rig;
mod text;

use command::{Argument, Classic, Meta, Version};
use map::Map;
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use rig::{Rig, WALL_START};
use storytime_machine::Conn;

/// A request of one of the protocols.
#[derive(Clone, Debug)]
enum Request {
    Text(Classic),
    Meta(Meta),
    Binary(Classic),
}

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// Requests on one connection, in one stream.
    Send {
        requests: Vec<Request>,
        cuts: Cuts,
        /// So many bytes of the last request stay behind until the connection's next turn.
        held: usize,
    },
    /// Unfinished requests are finished, then so many seconds pass.
    Pass(u8),
}

/// How a stream is cut.
#[derive(Clone, Debug)]
enum Cuts {
    Nowhere,
    /// At every byte, if the stream is no longer than [`CUT_BYTES_MAX`].
    Everywhere,
    /// At these places, counted around the stream's length.
    At(Vec<usize>),
}

/// Longest stream that is cut at every byte.
const CUT_BYTES_MAX: usize = 300;
/// Connections: one for each protocol.
const CONNS: usize = 3;

impl Request {
    const fn conn(&self) -> usize {
        match self {
            Self::Text(_) => 0,
            Self::Meta(_) => 1,
            Self::Binary(_) => 2,
        }
    }

    /// The same with numbers in the place of what versions are meant.
    fn resolved(mut self, map: &mut Map) -> Self {
        match &mut self {
            Self::Text(command) | Self::Binary(command) => {
                if let Classic::Store { key, compare: Some(compare), .. }
                | Classic::Delete { key, compare: Some(compare), .. }
                | Classic::Count { key, compare: Some(compare), .. } = command
                {
                    let number = compare.resolve(map, command::KEYS[*key]);
                    *compare = Version::Number(number);
                }
            }
            Self::Meta(command) => {
                for flag in &mut command.flags {
                    if let Argument::Version(version) = &mut flag.argument {
                        let number = version.resolve(map, command::KEYS[command.key]);
                        *version = Version::Number(number);
                    }
                }
            }
        }
        self
    }

    fn bytes(&self, opaque: u32) -> Vec<u8> {
        match self {
            Self::Text(command) => text::request(command),
            Self::Meta(command) => meta::request(command),
            Self::Binary(command) => binary::request(command, opaque).bytes(),
        }
    }

    fn reply(&self, map: &mut Map, opaque: u32) -> Vec<u8> {
        match self {
            Self::Text(command) => text::reply(map, command),
            Self::Meta(command) => meta::reply(map, command),
            Self::Binary(command) => {
                let reply = binary::reply(map, command, opaque);
                reply.map_or_else(Vec::new, |reply| binary::packed(&reply))
            }
        }
    }

    /// Whether a server may act on it before all of it is there, which is when the model does.
    fn acts_early(&self) -> bool {
        let value = match self {
            Self::Text(Classic::Store { value, .. })
            | Self::Binary(Classic::Store { value, .. }) => *value,
            Self::Meta(command) => command.value,
            _ => return false,
        };
        // What is too large is refused, and the old value deleted, at its first line.
        value.bytes().len() > 1_000_000
    }
}

/// A request whose end is still to come.
#[derive(Clone, Debug)]
struct Unfinished {
    request: Request,
    opaque: u32,
    rest: Vec<u8>,
}

/// The model, and what the last step means for the server.
#[derive(Clone, Debug)]
struct Reference {
    map: Map,
    unfinished: [Option<Unfinished>; CONNS],
    opaque: u32,
    /// By connection: pieces to deliver, and all replies that they bring.
    turns: Vec<(usize, Vec<Vec<u8>>, Vec<u8>)>,
    passed: u8,
}

impl Reference {
    /// Finishes what a connection has left unfinished.
    fn finish(&mut self, conn: usize) -> (Vec<u8>, Vec<u8>) {
        let Some(Unfinished { request, opaque, rest }) = self.unfinished[conn].take() else {
            return Default::default();
        };
        (rest, request.reply(&mut self.map, opaque))
    }

    fn send(&mut self, requests: Vec<Request>, cuts: &Cuts, held: usize) {
        let conn = requests[0].conn();
        let (mut stream, mut replies) = self.finish(conn);
        let last = requests.len() - 1;
        for (at, request) in requests.into_iter().enumerate() {
            let request = request.resolved(&mut self.map);
            self.opaque += 1;
            let bytes = request.bytes(self.opaque);
            let held = held.min(bytes.len() - 1);
            if at == last && held > 0 && !request.acts_early() {
                let (front, rest) = bytes.split_at(bytes.len() - held);
                stream.extend(front);
                let (opaque, rest) = (self.opaque, rest.to_vec());
                self.unfinished[conn] = Some(Unfinished { request, opaque, rest });
            } else {
                stream.extend(bytes);
                replies.extend(request.reply(&mut self.map, self.opaque));
            }
        }
        self.turns.push((conn, cut(&stream, cuts), replies));
    }
}

fn cut(stream: &[u8], cuts: &Cuts) -> Vec<Vec<u8>> {
    match cuts {
        Cuts::Everywhere if stream.len() <= CUT_BYTES_MAX => {
            stream.iter().map(|&byte| vec![byte]).collect()
        }
        Cuts::At(places) => {
            let mut places: Vec<usize> = places.iter().map(|at| at % (stream.len() + 1)).collect();
            places.sort_unstable();
            places.push(stream.len());
            let mut from = 0;
            let pieces = places.into_iter().map(|to| {
                let piece = stream[from..to].to_vec();
                from = to;
                piece
            });
            pieces.collect()
        }
        Cuts::Nowhere | Cuts::Everywhere => vec![stream.to_vec()],
    }
}

/// Random steps beside the model.
struct Model;

impl ReferenceStateMachine for Model {
    type State = Reference;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Reference> {
        let wall = i64::try_from(WALL_START).expect("a date of 2007");
        let map = Map::new(wall);
        let unfinished = [const { None }; CONNS];
        Just(Reference { map, unfinished, opaque: 0, turns: Vec::new(), passed: 0 }).boxed()
    }

    fn transitions(_: &Reference) -> BoxedStrategy<Step> {
        let requests = prop_oneof![
            prop::collection::vec(command::classic(false).prop_map(Request::Text), 1..5),
            prop::collection::vec(command::meta().prop_map(Request::Meta), 1..5),
            prop::collection::vec(command::classic(true).prop_map(Request::Binary), 1..5),
        ];
        let cuts = prop_oneof![
            Just(Cuts::Nowhere),
            Just(Cuts::Everywhere),
            prop::collection::vec(any::<usize>(), 1..6).prop_map(Cuts::At),
        ];
        let held = prop_oneof![3 => Just(0usize), 1 => 1..30usize, 1 => 1..20_000usize];
        let send = (requests, cuts, held).prop_map(|(requests, cuts, held)| Step::Send {
            requests,
            cuts,
            held,
        });
        prop_oneof![12 => send, 1 => (1..20u8).prop_map(Step::Pass)].boxed()
    }

    fn apply(mut state: Reference, step: &Step) -> Reference {
        state.turns.clear();
        state.passed = 0;
        match step {
            Step::Send { requests, cuts, held } => state.send(requests.clone(), cuts, *held),
            Step::Pass(seconds) => {
                for conn in 0..CONNS {
                    let (rest, replies) = state.finish(conn);
                    state.turns.push((conn, vec![rest], replies));
                }
                state.map.pass((*seconds).into());
                state.passed = *seconds;
            }
        }
        state
    }
}

/// The server and one connection for each protocol.
struct Real {
    rig: Rig,
    conns: [Conn; CONNS],
}

impl StateMachineTest for Model {
    type SystemUnderTest = Real;
    type Reference = Self;

    fn init_test(_: &Reference) -> Real {
        let mut rig = Rig::new("-m 256");
        let conns = [(); CONNS].map(|()| rig.open());
        Real { rig, conns }
    }

    fn apply(mut real: Real, state: &Reference, _: Step) -> Real {
        for (conn, pieces, expected) in &state.turns {
            let conn = real.conns[*conn];
            let mut replies = Vec::new();
            for piece in pieces {
                real.rig.deliver(conn, piece);
                replies.extend(real.rig.take_all(conn));
            }
            assert!(
                replies == *expected,
                "the server says\n  {}\nand the model\n  {}",
                shown(&replies),
                shown(expected)
            );
        }
        real.rig.pass(state.passed.into());
        real
    }

    fn teardown(real: Real, _: Reference) {
        real.rig.process.machine().shared().audit();
    }
}

/// The beginning, which tells enough.
fn shown(replies: &[u8]) -> String {
    replies[..replies.len().min(400)].escape_ascii().to_string()
}

prop_state_machine! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        // What was found once gets a test of its own.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_reply_is_that_of_a_plain_map(sequential 1..60 => Model);
}
