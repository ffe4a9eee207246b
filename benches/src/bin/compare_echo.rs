//! What the tokio driver and the contract cost: the echo machine on real sockets against an echo
//! that does nothing but epoll, read and write.
//!
//! Both servers run as children of this program, side by side, and have their turns A B A B on the
//! same load; the load runs here. With two cores, servers have one and the load the other. Loopback
//! only. Figures are the server's CPU time (user and kernel, from /proc) per message.
//!
//! Options: `--rounds N` and `--seconds N` of each turn. Called with a server's name it is that
//! server: it says where it listens, and ends with its standard input.

use std::io::Read;
use std::process::{Command, ExitCode};
use std::time::Duration;
use storytime_benches::cpu;
use storytime_benches::echo::{Echo, SOCKET_MESSAGE_BYTES};
use storytime_benches::epoll_echo;
use storytime_benches::socket_load::{Exchange, Load};
use storytime_benches::spread::Spread;
use storytime_benches::turns::Turns;
use storytime_machine::Endpoint;
use storytime_real::{Host, Listening, Options};

/// If not said otherwise.
const TURNS: Turns = Turns::new(7, 1);
/// Before each turn: connections are up and the server's buffers have their size.
const WARM_UP: Duration = Duration::from_millis(100);

/// The loads, and how much more the machine may cost.
const LOADS: [(&str, Shape, f64); 2] = [
    ("one at a time on 50", Shape { conns: 50, batch: 1 }, 1.1),
    ("batches of 50 on 8", Shape { conns: 8, batch: 50 }, 2.0),
];

/// How many connections, and messages under way on each.
#[derive(Clone, Copy)]
struct Shape {
    conns: usize,
    batch: usize,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["epoll"] => serve(|| epoll_echo::serve(|at| println!("{at}"))),
        ["machine"] => serve(serve_machine),
        _ => turns().and_then(compare),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("compare_echo: {what}");
            ExitCode::FAILURE
        }
    }
}

fn turns() -> Result<Turns, String> {
    let (mut turns, mut words) = (TURNS, std::env::args().skip(1));
    while let Some(word) = words.next() {
        let value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        if !turns.take(&word, value)? {
            return Err("usage: compare_echo [--rounds N] [--seconds N]".into());
        }
    }
    Ok(turns)
}

// ---- servers ------------------------------------------------------------------------------------

/// Runs a server until standard input ends, as it does when the parent is gone.
fn serve(server: impl FnOnce() -> std::io::Result<()>) -> Result<(), String> {
    if let Some([core, _]) = cpu::two_cores().map_err(|error| error.to_string())? {
        cpu::pin_to(&[core]).map_err(|error| error.to_string())?;
    }
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    server().map_err(|error| error.to_string())
}

fn serve_machine() -> std::io::Result<()> {
    let at = Endpoint::tcp(std::net::Ipv4Addr::LOCALHOST, 0);
    let options = Options { signals: false, ..Options::default() };
    let host = Host::new(std::env::temp_dir()); // An echo has no files.
    storytime_real::run(host, &options, |_| {
        Echo::new(at.clone(), SOCKET_MESSAGE_BYTES, |at| println!("{at}"))
    })?;
    Ok(())
}

fn start(name: &str) -> Result<Listening, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    Listening::announced(Command::new(program).arg(name))
}

/// Nanoseconds of CPU time that a server takes per message under this load.
fn measure(server: &Listening, shape: Shape, length: Duration) -> std::io::Result<f64> {
    let exchange = Exchange::echo(shape.batch, SOCKET_MESSAGE_BYTES);
    let mut load = Load::start(server.at(), shape.conns, [exchange].into())?;
    load.run(WARM_UP)?;
    let before = cpu::used_by(server.id())?;
    let messages = load.run(length)?.operations;
    let used = cpu::used_by(server.id())? - before;
    if messages == 0 {
        return Err(std::io::Error::other("no message came back"));
    }
    Ok(used.as_nanos() as f64 / messages as f64)
}

// ---- comparison ---------------------------------------------------------------------------------

fn compare(Turns { rounds, length }: Turns) -> Result<(), String> {
    let servers = [start("epoll")?, start("machine")?];
    let cores = cpu::two_cores().map_err(|error| error.to_string())?;
    if let Some([_, core]) = cores {
        cpu::pin_to(&[core]).map_err(|error| error.to_string())?;
    }
    let placed = if cores.is_some() { "a core each" } else { "one core for both" };
    println!("server CPU per message of {SOCKET_MESSAGE_BYTES} bytes: median (min to max)");
    println!("{rounds} rounds, turns of {length:?}, {placed} for server and load");
    for (name, shape, ratio_max) in LOADS {
        let (mut bare, mut machine, mut ratio) = (Spread::new(), Spread::new(), Spread::new());
        for _ in 0..rounds {
            let turn =
                |server: &Listening| measure(server, shape, length).map_err(|e| e.to_string());
            let [a, b] = [turn(&servers[0])?, turn(&servers[1])?];
            bare.add(a);
            machine.add(b);
            ratio.add(b / a);
        }
        println!("{name} connections");
        println!("  epoll, read, write     {bare:7.0} ns");
        println!("  machine on tokio       {machine:7.0} ns");
        println!("  ratio                  {ratio:7.2}      target {ratio_max}");
    }
    Ok(())
}
