//! Command lines, right and wrong.

use super::*;

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn serve(line: &str) -> Config {
    match Command::from_words(&words(line)) {
        Ok(Command::Serve(config)) => *config,
        other => panic!("{line}: {other:?}"),
    }
}

fn mistake(line: &str) -> String {
    Command::from_words(&words(line)).expect_err(line).to_string()
}

#[test]
fn flags_are_read_in_every_way_in_which_they_can_be_written() {
    let lines = [
        "-p 4731 -L localhost -d -R",
        "-p4731 -dRLlocalhost",
        "--port 4731 --listen
        localhost -dR",
        "--port=4731 --listen=localhost --daemon --round-robin",
    ];
    for line in lines {
        let config = serve(line);
        assert_eq!((config.port(), config.listen.as_deref()), (4731, Some("localhost")), "{line}");
        assert!(config.program.daemon && config.notes[0].starts_with("--round-robin"), "{line}");
    }
    let config = serve("--verbose=INFO --log-file=var/log/g.log --pid-file=var/g.pid -u root");
    assert_eq!(config.verbosity, Verbosity::Info);
    assert_eq!(config.program.log, Log::File("var/log/g.log".into()));
    assert_eq!(config.program.pid_file.as_deref(), Some("var/g.pid"));
    assert_eq!(config.program.user.as_deref(), Some("root"));
}

#[test]
fn what_the_originals_tests_check_is_right_or_wrong_as_there() {
    let right = "|--backlog=10|-b 10|--daemon|--coredump|-d|--file-descriptors=10|-f 10|--help|-h\
        |--keepalive|--keepalive-idle=10|--keepalive-interval=3|--keepalive-count=10\
        |--keepalive-idle=-1|--log-file=\"tmp/foo\"|--log-file=stderr|-l \"tmp/foo\"|--listen=10\
        |-L 10|--port=10|-p 10|--pid-file=\"tmp/gearmand.pid\"|-P \"tmp/gearmand.pid\"|-R|--ssl\
        |--round-robin|--syslog|--threads=10|-t 8|--user=nobody|-u nobody|--version|-V\
        |--verbose=DEBUG|--verbose=FATAL|--worker-wakeup=4|--protocol=http|--queue-type=builtin\
        |--job-retries=4|--job-handle-prefix=my_own_private_handle|--hashtable-buckets=2000|-j 6\
        |--protocol=http --http-port=8090|--libsqlite3-db=x --store-queue-on-shutdown|-q nonesuch";
    for line in right.split('|') {
        let line = format!("--check-args {line}");
        assert_eq!(Command::from_words(&words(&line)), Ok(Command::Checked), "{line}");
    }
    let wrong = "foo|--log|--verbose=BAD|--verbose=info|-vvv|-v|--config-file|--backlog=abc\
        |--backlog|-R=1|--round-robin=1|--verb=INFO|--port 1 --port 2|--hashtable-buckets=0\
        |--log-file=|-- foo|-d -d|--threads=x|--job-retries=-2";
    for line in wrong.split('|') {
        mistake(&format!("--check-args {line}"));
    }
}

#[test]
fn mistakes_say_what_is_wrong() {
    insta_like(&[
        ("foo", "unrecognised option 'foo'"),
        ("--bogus", "unrecognised option '--bogus'"),
        ("-vvv", "unrecognised option '-vvv'; -v is gone, please use --verbose INFO"),
        (
            "--backlog=abc",
            "the argument ('abc') for option '--backlog' is invalid; expected a number, -2147483648 to \
            2147483647",
        ),
        (
            "-p 99999",
            "the argument ('99999') for option '--port' is invalid; expected a number, 0 \
            to 65535",
        ),
        ("--backlog", "the required argument for option '--backlog' is missing"),
        ("-p 1 -p 2", "option '--port' cannot be specified more than once"),
        (
            "--verbose=info",
            "Invalid value for --verbose supplied; expected one of FATAL, ALERT, \
            CRITICAL, ERROR, WARNING, NOTICE, INFO, DEBUG",
        ),
        (
            "-q nonesuch",
            "Error while initializing the queue : nonesuch (there are builtin, in memory alone, \
             and journal)",
        ),
        (
            "-q builtin --queue-dir q",
            "--queue-dir is for -q journal; the builtin queue is in memory alone",
        ),
        ("-r gopher", "-r gopher: there is no such protocol here"),
        (
            "--dialect perl",
            "the argument ('perl') for option '--dialect' is invalid; expected gearmand or danga",
        ),
    ]);
}

fn insta_like(all: &[(&str, &str)]) {
    for (line, said) in all {
        assert_eq!(mistake(line), *said, "{line}");
    }
}

#[test]
fn retries_mean_what_either_version_of_the_original_means() {
    assert_eq!(serve("").losses_max, None);
    assert_eq!(serve("-j 0").losses_max, None);
    assert_eq!(serve("-j -1").losses_max, None);
    assert_eq!(serve("--job-retries=3").losses_max, Some(3));
    assert_eq!(serve("-j 0 --zero-retries none").losses_max, Some(1));
    assert_eq!(serve("-j 1 --zero-retries none").losses_max, Some(1), "as 0 then");
    assert_eq!(serve("-j 255 --zero-retries none").losses_max, Some(255));
    assert_eq!(serve("--zero-retries none").losses_max, None);
    assert!(mistake("-j 256").contains("between 1 and 255"), "losses are counted no further");
}

#[test]
fn a_file_of_flags_gives_what_the_command_line_does_not() {
    let file = "--port 4740\n# by hand\n--listen=10.0.0.1 --exceptions\n";
    let command = Command::from_words_and_file(&["-p", "4741"], file);
    let Ok(Command::Serve(config)) = command else { panic!("{command:?}") };
    assert_eq!((config.port(), config.listen.as_deref()), (4741, Some("10.0.0.1")));
    assert!(config.exceptions);
    assert_eq!(Command::config_file(&["--config-file=x"]), Ok(Some("x".to_owned())));
    assert!(Command::from_words_and_file::<&str>(&[], "--nonsense").is_err());
}

#[test]
fn what_has_no_effect_is_told_and_what_would_be_missed_is_refused() {
    let config = serve("-t 8 --keepalive --libsqlite3-db=x");
    assert_eq!(config.notes.len(), 3);
    assert_eq!(config.notes[0], "--threads has no effect: one thread serves all connections");
    assert!(mistake("--ssl-key k").contains("without --ssl nothing is encrypted"));
}

#[test]
fn tls_takes_three_files_or_what_the_environment_names() {
    let config = serve("--ssl --ssl-ca-file=ca --ssl-certificate c --ssl-key=k");
    let named = |file: &str| Some(file.to_owned());
    let files = TlsFiles { authorities: named("ca"), certificate: named("c"), key: named("k") };
    assert_eq!(config.tls, Some(files));
    assert_eq!(serve("--ssl").tls, Some(TlsFiles::default()));
    assert_eq!(serve("").tls, None);
}

#[test]
fn a_relay_has_its_flags_together_and_a_queue() {
    let all = "--queue-dir q --relay-to job2:4731 --relay-listen 4731 --relay-witness w:7000";
    let config = serve(all);
    let relay = config.relay.expect("a relay");
    assert_eq!((relay.other.port, relay.witness.host.as_str(), relay.first), (4731, "w", false));
    assert_eq!((relay.listen, relay.alone), (4731, Alone::Accept));
    assert_eq!(config.handle_prefix.as_deref(), Some("H:relay"), "names are the same on both");
    let config = serve(&format!("{all} --relay-first yes --relay-alone refuse"));
    let relay = config.relay.expect("a relay");
    assert_eq!((relay.first, relay.alone), (true, Alone::Refuse));
    assert!(mistake("--queue-dir q --relay-to job2:4731").contains("a relay needs"));
    assert!(mistake(&all.replace("--queue-dir q", "")).contains("needs --queue-dir"));
    assert!(mistake(&all.replace("job2:4731", "job2")).contains("expected HOST:PORT"));
}

#[test]
fn limits_go_together() {
    serve("").limits().assert_valid();
    let config = serve("--max-packet 1g");
    config.limits().assert_valid();
    assert!(config.limits().rx_bytes_max > config.packet_bytes_max + crate::packet::HEADER_BYTES);
    assert!(mistake("--max-packet 1").contains("64k to 1g"));
    assert_eq!(serve("--max-memory 512m").rules().jobs_bytes_max, 512 << 20);
    for wrong in ["1", "1025g", "-1", "lots", "99999999999999999999g"] {
        assert!(mistake(&format!("--max-memory={wrong}")).contains("1m to 1024g"), "{wrong}");
    }
}

#[test]
fn the_help_fits_the_width_of_a_terminal_and_names_every_flag_that_means_something() {
    assert!(HELP.lines().count() <= 72 && HELP.lines().all(|line| line.len() <= 80));
    for flag in flags::FLAGS.iter().filter(|flag| flag.idle.is_none()) {
        let named = HELP.contains(&format!("--{}", flag.long));
        assert!(named, "--{} is in the help", flag.long);
    }
}
