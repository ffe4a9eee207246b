//! Command lines: what they mean, and what is said of those that cannot be meant.

use super::super::{Command, Config, Encryption, Protocol, help};
use super::*;
use core::time::Duration;
use storytime_machine::Endpoint;

fn config(line: &str) -> Config {
    Config::from_words(&line.split_whitespace().collect::<Vec<_>>()).expect(line)
}

fn refusal(line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().collect();
    Command::from_words(&words).expect_err(line).to_string()
}

fn sockets(line: &str) -> Vec<String> {
    let show = |udp: bool, at: &Endpoint| format!("{}{at}", if udp { "udp " } else { "" });
    config(line).listeners().iter().map(|l| show(l.udp, &l.at)).collect()
}

#[test]
fn the_command_line_of_the_talks_is_understood() {
    let config = config("-d -m 1024 -l 10.0.0.40 -p 11211 -u nobody -c 2048");
    assert_eq!(config.memory_bytes_max, 1 << 30);
    assert_eq!(config.connections_max, 2048);
    assert!(config.program.daemon && config.program.user.as_deref() == Some("nobody"));
    let at: Vec<String> = config.endpoints().iter().map(ToString::to_string).collect();
    assert_eq!(at, ["10.0.0.40:11211"]);
}

#[test]
fn values_may_stick_or_follow_and_flags_may_be_bundled() {
    for line in
        ["-m64 -vv", "-m 64 -v -v", "-vvm64", "--memory-limit=64 -vv", "-vv --memory-limit 64"]
    {
        let config = config(line);
        assert_eq!((config.memory_bytes_max, config.verbosity), (64 << 20, 2), "{line}");
    }
    assert_eq!(config("").endpoints(), [Endpoint::any(11211)]);
    assert_eq!(config("-s /tmp/m").endpoints(), [Endpoint::unix("/tmp/m")]);
    assert_eq!(config("-m 128 -I 2m").item_bytes_max, 2 << 20);
    assert_eq!(config("-I 512k").item_bytes_max, 512 << 10);
}

#[test]
fn several_addresses_each_with_its_port() {
    let line = "-p 11300 -l 127.0.0.1,10.0.0.1:11301 -l [::1]:5,* -l 127.0.0.1";
    assert_eq!(sockets(line), ["127.0.0.1:11300", "10.0.0.1:11301", "[::1]:5", "0.0.0.0:11300"]);
    let words = config("-l 127.0.0.1 -l ::1").listen_words;
    assert_eq!(words.as_deref(), Some("127.0.0.1,::1"));
}

#[test]
fn ports_may_be_off_or_free_and_udp_alone_names_both() {
    assert_eq!(sockets("-p 0"), [""; 0]);
    assert_eq!(sockets("-p -1"), ["0.0.0.0:0"]);
    assert_eq!(sockets("-U 11222"), ["0.0.0.0:11222", "udp 0.0.0.0:11222"]);
    assert_eq!(sockets("-U -1"), ["0.0.0.0:0", "udp 0.0.0.0:0"]);
    assert_eq!(sockets("-p 11262 -U -1"), ["0.0.0.0:11262", "udp 0.0.0.0:0"]);
    assert_eq!(sockets("-U 0"), ["0.0.0.0:11211"]);
    assert_eq!(sockets("-s /tmp/m -p 1 -U 2"), ["unix:/tmp/m"]);
}

#[test]
fn a_listener_may_have_a_protocol_a_tag_and_its_own_encryption() {
    let line = "-Z -o ssl_chain_cert=c -l notls:proto[ascii]:tag_tools_:127.0.0.1:1,\
                btls:proto[binary]:tag[svc]:[::1]:2,mtls:10.0.0.1,10.0.0.2";
    let found = config(line).listeners();
    let parts: Vec<_> = found.iter().map(|l| (l.encryption, l.protocol, l.tag.as_str())).collect();
    assert_eq!(
        parts,
        [
            (Encryption::None, Protocol::Ascii, "tools"),
            (Encryption::Basic, Protocol::Binary, "svc"),
            (Encryption::Mutual, Protocol::Auto, ""),
            (Encryption::Default, Protocol::Auto, ""),
        ]
    );
}

#[test]
fn the_suboptions_of_1_4_and_of_today() {
    let old = config("-o no_modern");
    assert_eq!((old.classes.chunk_bytes_max, old.lru.segmented), (1 << 20, false));
    assert!(!old.turn_away && !old.maintainer && !old.crawler.enabled && old.automove == 0);
    assert!(config("-o no_modern,lru_crawler").crawler.enabled);
    let new = config("-o modern,slab_automove=2,slab_automove_window=3,idle_timeout=3 -f 1.08");
    assert_eq!((new.automove, new.automove_window), (2, 3));
    assert_eq!(new.idle_timeout, Some(Duration::from_secs(3)));
    assert_eq!(new.classes.factor_millionths, 1_080_000);
    let small = config("-I 1024 -o slab_chunk_max=1,slab_sizes=100-200-1024");
    assert_eq!((small.classes.chunk_bytes_max, small.classes.sizes.len()), (1024, 3));
    assert_eq!(config("-o hot_max_factor=0.25").lru.hot_max_thousandths, 250);
}

#[test]
fn logging_in_settles_the_protocol() {
    assert_eq!(config("-S").protocol, Protocol::Binary);
    assert_eq!(config("-Y users").protocol, Protocol::Ascii);
    for (line, says) in [
        ("-S -B ascii", "-S is for the binary protocol alone; say -B binary"),
        ("-S -U 1", "-S and UDP exclude each other; say -U 0"),
        ("-Y users -B binary", "-Y is for the text protocol alone; say -B ascii"),
        ("-Y users -S", "-Y is for the text protocol alone; say -B ascii"),
        ("-Y users -U 1", "-Y and UDP exclude each other; say -U 0"),
        (
            "-Y users -l proto[binary]:127.0.0.1",
            "-Y is for the text protocol alone; leave out proto[binary]",
        ),
    ] {
        assert_eq!(refusal(line), says, "{line}");
    }
}

const ADDRESS: &str = "expected an address such as 10.0.0.1, 10.0.0.1:11211 or [::1]:11211";

#[test]
fn what_cannot_be_meant_is_refused_with_advice() {
    for (line, says) in [
        ("-z", "unknown option -z; -h lists those that exist"),
        ("--memory=3", "unknown option --memory; did you mean --memory-limit?"),
        ("--thread=3", "unknown option --thread; did you mean --threads?"),
        ("-m", "option -m needs a value behind it; -h shows which"),
        ("--daemon=1", "option --daemon takes no value; leave out the = and what follows"),
        ("11211", "unexpected word \"11211\"; options begin with -, and -h lists them"),
        ("-c 0", "-c 0: expected connections, at least 1"),
        ("-c -1", "-c -1: expected connections, at least 1"),
        ("-t 0", "-t 0: expected threads, 1 to 1024"),
        ("-f 1", "-f 1: expected a factor above 1, such as 1.25"),
        ("-I 1000", "-I 1000: expected an item size from 1k to 1g, such as 1048576, 512k or 2m"),
        ("-I 256m", "-I is more than half of the memory limit; lower it, or give more with -m"),
        ("-B http", "-B http: expected ascii, binary or auto"),
        ("-p 70000", "-p 70000: expected a port from 1 to 65535, 0 for none or -1 for a free one"),
        ("-l mtls:127.0.0.1", "notls, btls and mtls in -l need -Z"),
        ("-Z", "-Z needs a certificate: -o ssl_chain_cert=<file>"),
        ("-o hashpowr=16", "unknown option -o hashpowr; did you mean hashpower?"),
        ("-o ext_path=/x:1g", "unknown option -o ext_path; -h lists those that exist"),
        ("-o hashpower", "-o hashpower needs a value: -o hashpower=…; -h shows which"),
        ("-o hashpower=40", "-o hashpower 40: expected a power of two, 12 to 32"),
        ("-o temporary_ttl=9,no_lru_maintainer", "temporary_ttl needs lru_maintainer"),
        (
            "-o slab_chunk_max=3",
            "-I must be a multiple of the largest chunk, 3 kB; \
                                 -o slab_chunk_max= changes it",
        ),
    ] {
        assert_eq!(refusal(line), says, "{line}");
    }
    for line in ["-l fooble", "-l 10.0.0.1:x", "-l [::1]5"] {
        let given = line.strip_prefix("-l ").expect("the lines above begin so");
        assert_eq!(refusal(line), format!("-l {given}: {ADDRESS}"), "{line}");
    }
    assert_eq!(Command::from_words(&["-h", "-m"]).map_err(|_| ()), Err(()));
    assert_eq!(Command::from_words(&["-vh"]), Ok(Command::Help));
    assert_eq!(Command::from_words(&["-i"]), Ok(Command::License));
    assert_eq!(Command::from_words(&["--version"]), Ok(Command::Version));
    assert!(Config::from_words(&["-h"]).is_err());
}

#[test]
fn every_option_of_the_table_is_in_the_help() {
    let help = help();
    for spec in SPECS {
        let both = format!("-{}, --{}", spec.short, spec.long);
        assert!(help.contains(&both), "{both}");
    }
    for name in suboptions::NAMES {
        let undone = name.starts_with("no_") && *name != "no_modern";
        let unsaid = undone || name.contains("drop_privileges");
        assert!(unsaid || help.contains(name), "{name}");
    }
    let (_, below) = help.split_once("--extended").expect("it was looked for above");
    let indented = below.lines().skip(1).all(|line| line.starts_with("   "));
    assert!(indented, "{below}");
}
