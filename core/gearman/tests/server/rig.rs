//! A server, and peers that type.

use std::sync::Arc;
use storytime_gearman::packet::{Kind, Magic, Parser};
use storytime_gearman::server::{Nowhere, Surroundings};
use storytime_gearman::{Command, Config, Gearmand, PORT};
use storytime_machine::{BytesMut, Duration, Machine, Rng, Setup, Signal, Time, Token};
use storytime_sim::disk::Profile;
use storytime_sim::enumerate::{Client, Happened, Lone};
use storytime_sim::{DiskConfig, SimDisk};

/// A server and its clock.
pub(crate) struct Rig {
    pub(crate) lone: Lone<Gearmand>,
}

/// Options from a command line.
pub(crate) fn config(line: &str) -> Config {
    let words: Vec<&str> = line.split_whitespace().collect();
    match Command::from_words(&words) {
        Ok(Command::Serve(config)) => *config,
        other => panic!("{line}: {other:?}"),
    }
}

impl Rig {
    /// A server that is up.
    pub(crate) fn new(line: &str) -> Self {
        // Answers come at once, unless a test says otherwise.
        let patience =
            ["--grab-patience", "--ack-patience"].map(|flag| match line.contains(flag) {
                true => String::new(),
                false => format!("{flag} 0"),
            });
        let patience = patience.join(" ");
        Self::with(config(&format!("--job-handle-prefix H {patience} {line}")))
    }

    /// A server that is up, with options that no flag has.
    pub(crate) fn with(config: Config) -> Self {
        Self::within(config, Arc::new(Nowhere))
    }

    /// A server that is up, in a program.
    pub(crate) fn within(config: Config, around: Arc<dyn Surroundings>) -> Self {
        let setup = Setup { limits: config.limits(), ..Setup::new(Rng::new(2005, 4730)) };
        let disk = SimDisk::new(DiskConfig::new(Profile::Posix), Rng::new(1, 4730));
        let mut lone = Lone::boot(Gearmand::within(config, around), setup, disk, Time(1 << 40), 0);
        assert!(lone.run_until(|lone| lone.listens(PORT)), "it comes up");
        Self { lone }
    }

    pub(crate) fn open(&mut self) -> Client {
        self.lone.connect(PORT).expect("it listens")
    }

    /// Sends packets, one a line: a kind's name and its arguments; what comes back to this peer,
    /// shown in the same way.
    pub(crate) fn say(&mut self, client: Client, lines: &str) -> String {
        self.send(client, &packets(lines))
    }

    /// Sends bytes; what comes back to this peer.
    pub(crate) fn send(&mut self, client: Client, bytes: &[u8]) -> String {
        self.lone.send(client, bytes);
        self.take(client)
    }

    /// What a peer got so far.
    pub(crate) fn take(&mut self, client: Client) -> String {
        assert_eq!(self.lone.broken(), None);
        let inbox = self.lone.received(client);
        let all = core::mem::take(inbox);
        show(all)
    }

    /// Lets so much time go by, and what is due meanwhile happen.
    pub(crate) fn pass(&mut self, time: Duration) {
        // A timer of none of the server's names: it looks what is due, and time stops there.
        let end = self.lone.now() + time;
        self.lone.call(|_, cx| cx.at(Token(99), end));
        while self.lone.now() < end && self.lone.advance() != Happened::Quiet {}
    }

    /// Seconds since 1970.
    pub(crate) fn wall(&mut self) -> u64 {
        self.lone.call(|_, cx| cx.wall_clock().as_secs()).expect("it runs")
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        self.lone.call(|machine, cx| machine.signal(cx, signal));
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        let mut found = None;
        self.lone.machine().counters(&mut |each, value| {
            if each == name {
                found = Some(value);
            }
        });
        found.expect("a counter of that name")
    }
}

/// A packet to the server.
pub(crate) fn packet(kind: Kind, arguments: &[&[u8]]) -> Vec<u8> {
    framed(Magic::Request, kind as u32, &arguments.join(&0))
}

/// A packet with any header.
pub(crate) fn framed(magic: Magic, kind: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).expect("tests are small");
    [&magic.bytes()[..], &kind.to_be_bytes(), &len.to_be_bytes(), body].concat()
}

/// Packets from lines. `_` stands for nothing; the last argument takes the rest of the line.
pub(crate) fn packets(lines: &str) -> Vec<u8> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.flat_map(one).collect()
}

fn one(line: &str) -> Vec<u8> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let kind = Kind::ALL.iter().find(|kind| kind.name() == name).expect(name);
    let most = kind.arguments() + usize::from(kind.has_data());
    let words = rest.splitn(most.max(1), ' ');
    let words: Vec<&[u8]> =
        words.map(|word| if word == "_" { &[][..] } else { word.as_bytes() }).collect();
    packet(*kind, if most == 0 { &[] } else { &words })
}

/// Bytes from the server: packets, each as it would be typed, and lines.
pub(crate) fn show(mut bytes: BytesMut) -> String {
    let parser = Parser::new(Magic::Response, 1 << 30);
    let mut shown = Vec::new();
    while !bytes.is_empty() {
        if bytes[0] != 0 {
            let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
            shown.push(bytes.split_to(end).escape_ascii().to_string());
            continue;
        }
        match parser.next(&mut bytes) {
            Ok(Some(packet)) => {
                let arguments = packet.kind.arguments() + usize::from(packet.kind.has_data());
                let mut line = packet.kind.name().to_owned();
                for nth in 0..arguments {
                    let argument = packet.argument(nth);
                    let short = argument.len() < 100;
                    let word = argument.escape_ascii().to_string();
                    line.push(' ');
                    line.push_str(match (argument, short) {
                        ([], _) => "_",
                        (_, true) => &word,
                        (_, false) => "(long)",
                    });
                }
                shown.push(line);
            }
            other => {
                shown.push(format!("{other:?}"));
                break;
            }
        }
    }
    shown.join(", ")
}
