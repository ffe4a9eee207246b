//! States that differ by names alone are one state.

use crate::book::{Party, Record};
use crate::yard::{Plan, Yard};
use storytime_gearman::engine::Part;
use storytime_machine::hash::fold;

/// New names in the order in which old ones are met.
#[derive(Default)]
struct Names(Vec<u64>);

impl Names {
    fn name(&mut self, old: u64) -> u64 {
        let found = self.0.iter().position(|&met| met == old);
        found.unwrap_or_else(|| {
            self.0.push(old);
            self.0.len() - 1
        }) as u64
    }
}

const NUMBER: u64 = 1 << 60;
const TEXT: u64 = 2 << 60;
const CLIENT: u64 = 3 << 60;
const WORKER: u64 = 4 << 60;
const END: u64 = 5 << 60;

#[derive(Default)]
struct Canon {
    numbers: Names,
    texts: Names,
    clients: Names,
    workers: Names,
    clients_count: u64,
    words: Vec<u64>,
    /// What the engine says of each connection.
    states: Vec<Vec<u64>>,
}

impl Canon {
    fn peer(&mut self, peer: u64) -> u64 {
        if peer < self.clients_count {
            CLIENT | self.clients.name(peer)
        } else {
            WORKER | self.workers.name(peer)
        }
    }

    fn number(&mut self, number: u64) -> u64 {
        NUMBER | self.numbers.name(number)
    }

    fn text(&mut self, text: &[u8]) -> u64 {
        let text = text.iter().fold(text.len() as u64, |word, &byte| word << 8 | u64::from(byte));
        TEXT | self.texts.name(text)
    }

    fn part(&mut self, part: Part<'_>) {
        let word = match part {
            Part::Word(word) => word,
            Part::Number(number) => self.number(number.0),
            Part::Peer(peer) => self.peer(peer.0.into()),
            Part::Text(text) => self.text(text),
            Part::StateOf(peer) => {
                self.states.resize(peer.0 as usize + 1, Vec::new());
                return;
            }
        };
        match self.states.last_mut() {
            Some(state) => state.push(word),
            None => self.words.push(word),
        }
    }

    fn party(&mut self, party: &Party, state: Option<&Vec<u64>>) -> Vec<u64> {
        let mut words = state.cloned().unwrap_or_default();
        words.push(END);
        for asked in &party.asked {
            words.push(self.text(&[asked.key]));
            words.push(u64::from(asked.background));
            let ended: Vec<u64> = asked.ended.iter().map(|&n| self.number(n)).collect();
            words.extend(ended);
        }
        words.push(END);
        for numbers in [&party.waits, &party.runs] {
            let mut named: Vec<u64> = numbers.iter().map(|&n| self.number(n)).collect();
            named.sort_unstable();
            words.extend(named);
            words.push(END);
        }
        // Of any other job that is not its own nothing is passed on: its number does not matter.
        let mut overdue: Vec<u64> = party.overdue.iter().map(|&n| self.number(n)).collect();
        overdue.sort_unstable();
        words.extend(overdue);
        words.push(END);
        words.extend([party.stale.len() as u64, u64::from(party.asleep)]);
        words
    }
}

/// The state without the names in it, as two hashes in one.
pub(crate) fn canon(yard: &Yard, plan: &Plan) -> u128 {
    let mut canon = Canon { clients_count: plan.clients.into(), ..Canon::default() };
    yard.engine.describe(&mut |part| canon.part(part));
    let states = std::mem::take(&mut canon.states);
    let book = &yard.book;
    for &number in &book.order {
        if yard.engine.get_status(storytime_gearman::engine::Number(number)).known {
            let word = canon.number(number);
            canon.words.push(word);
        }
    }
    canon.words.extend([END, yard.submits.into(), yard.crashes.into()]);
    let mut parties: Vec<(u64, Vec<u64>)> = Vec::new();
    for (peer, party) in book.parties.iter().enumerate() {
        let peer_number = peer as u64;
        let (names, kind) = if peer_number < canon.clients_count {
            (&canon.clients, CLIENT)
        } else {
            (&canon.workers, WORKER)
        };
        // Those that are not met elsewhere are told apart by what is known of them alone.
        let name = names.0.iter().position(|&met| met == peer_number);
        let name = kind | name.map_or(0xff, |name| name as u64);
        let words = canon.party(party, states.get(peer));
        parties.push((name, words));
    }
    parties.sort_unstable();
    for (name, words) in parties {
        canon.words.push(name);
        canon.words.extend(words);
    }
    for &number in &book.promised {
        let word = canon.number(number);
        canon.words.push(word);
    }
    canon.words.push(END);
    if let Some(disk) = &book.disk {
        for (&number, row) in &disk.rows {
            let words = [canon.number(number), canon.text(&[row.key])];
            canon.words.extend(words);
        }
        for record in &disk.tail {
            let words = match record {
                Record::Keep(number, row, _) => [canon.number(*number), canon.text(&[row.key])],
                Record::Forget(number) => [canon.number(*number), END],
            };
            canon.words.extend(words);
        }
    }
    let half = |seed| canon.words.iter().fold(seed, |state, &word| fold(state, word));
    u128::from(half(1)) << 64 | u128::from(half(0x5bd1_e995))
}
