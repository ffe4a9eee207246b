//! One program: the stories' runner and the servers.
//!
//! `storytime run add-a-server` runs a story; `storytime memcached -m 64` is a server, also when
//! the program is called through a link named `memcached`.

mod build;
mod campaign;
mod cli;
mod daemon;
mod dbd;
mod gearman;
mod gearman_bench;
mod gearmand;
mod identity;
mod mc;
mod mcproxy;
mod memcached;
mod mover;
mod pem;
mod progress;
mod replay;
mod run;
mod serve;
mod shards;
mod stories;
mod witness;

use clap::Parser as _;
use cli::{Cli, Command};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// All held; the server ended as asked.
const OK: u8 = 0;
/// An expectation or invariant failed; the server could not go on.
const FAILED: u8 = 1;
/// The command line or a file is wrong.
const WRONG: u8 = 2;

fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    // Called by a server's name: the rest is that server's command line.
    let called = words.first().and_then(|word| Path::new(word).file_name());
    if let Some(name) = called.filter(|name| serve::PROGRAMS.iter().any(|p| name == p)) {
        let name = name.to_owned();
        words.splice(0..1, ["storytime".into(), name]);
    }
    let cli = Cli::parse_from(words);
    let code = match cli.command {
        Command::Stories(options) => stories::list(&options),
        Command::Run(options) => run::run(&options),
        Command::Campaign(options) => campaign::run(&options),
        Command::Replay(options) => replay::run(&options),
        Command::Memcached(options) => memcached::memcached(&cli.host, &options.words),
        Command::Mcproxy(options) => mcproxy::mcproxy(&cli.host, &options.words),
        Command::Dbd(options) => dbd::dbd(&cli.host, &options.words),
        Command::Gearmand(options) => gearmand::gearmand(&cli.host, &options.words),
        Command::Witness(options) => witness::witness(&cli.host, &options.words),
        Command::Mover(options) => mover::mover(&cli.host, &options.words),
        Command::MoveCoordinator(options) => mover::coordinator(&cli.host, &options.words),
        Command::Gearman(options) => gearman::gearman(&cli.host, &options.words),
        Command::Gearadmin(options) => gearman::gearadmin(&cli.host, &options.words),
        Command::GearmanBench(options) => gearman_bench::run(&options),
        Command::Mc(options) => mc::run(&cli.host, &options),
        Command::Shards(options) => shards::run(&options.ask),
        Command::Diskcheck(options) => serve::diskcheck(&cli.host, &options.words),
    };
    ExitCode::from(code)
}
