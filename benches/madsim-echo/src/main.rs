//! Echo over TCP on madsim: the same work as the simulator's own, and nothing else.
//!
//! Arguments: calling hosts, connections of each, messages on each, bytes of a message, shortest
//! and longest one-way delay in microseconds. Prints the CPU time in nanoseconds.
//!
//! madsim delivers nothing before `flush`, so there is one after each message.

#[cfg(madsim)]
mod echo;

#[cfg(madsim)]
fn main() {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .map(|word| word.parse().expect("arguments are whole numbers"))
        .collect();
    let &[hosts, conns, messages, message_bytes, latency_min_us, latency_max_us] = &numbers[..]
    else {
        panic!(
            "six numbers: hosts, connections, messages, bytes, shortest and longest delay in µs"
        );
    };
    let work = echo::Work { hosts, conns, messages, message_bytes, latency_min_us, latency_max_us };
    println!("{}", echo::run(work).as_nanos());
}

#[cfg(not(madsim))]
fn main() {
    eprintln!("build this with RUSTFLAGS=\"--cfg madsim\"; compare_kernels does");
    std::process::exit(2);
}
