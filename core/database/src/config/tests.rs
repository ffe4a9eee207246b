//! Command lines, right and wrong.

use super::*;

fn serve(line: &str) -> Config {
    let words: Vec<&str> = line.split_whitespace().collect();
    match Command::from_words(&words) {
        Ok(Command::Serve(config)) => *config,
        other => panic!("{line}: {other:?}"),
    }
}

fn mistake(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    Command::from_words(&words).expect_err(line).to_string()
}

#[test]
fn options_are_read_in_any_order_and_with_an_equals_sign() {
    let config = serve("--maxclients=7 --port 6380 --maxmemory 64m --pool-pages 2 --pages 9");
    assert_eq!((config.port, config.clients_max, config.memory_bytes_max), (6380, 7, 64 << 20));
    assert_eq!(
        config.paging,
        Some(Paging { pages: 9, pool_pages: 2, page_rows: 16, apply_ahead: 0 })
    );
    let config = serve("--replicaof 10.0.0.5 6379 --appendfsync no --dir a/b/");
    assert_eq!(config.replica_of, Some(Place { host: "10.0.0.5".into(), port: 6379 }));
    assert_eq!((config.durability, &config.dir[..]), (Durability::Behind, &b"a/b"[..]));
    let config = serve("--pair h2:7001 --pair-listen 7001 --witness w:7000 --prefer-active yes");
    assert!(config.pair.is_some_and(|pair| pair.prefer_active));
}

#[test]
fn mistakes_say_what_is_right() {
    let port = mistake("--port x");
    assert_eq!(port, "--port x: expected a port, 0 to 65535");
    assert!(mistake("--prot 1").contains("did you mean --port?"));
    assert!(mistake("--pages 5").contains("both --pages and --pool-pages"));
    assert!(mistake("--replicaof host").contains("a host and a port"));
    assert!(mistake("--dir /etc").contains("below the data directory"));
    assert!(mistake("--read-only=yes").contains("takes no value"));
    assert!(mistake("--appendonly no --appendfsync always").contains("leave --appendfsync out"));
    assert!(mistake("--servers 2").contains("--master-master"));
}

#[test]
fn the_help_fits_a_screen_and_warns_of_open_ports() {
    assert!(HELP.contains("no authentication: keep them on a private network"));
    assert!(HELP.lines().count() <= 40 && HELP.lines().all(|line| line.len() <= 100));
    assert_eq!(Command::from_words(&["--port", "1", "-h"]), Ok(Command::Help));
}
