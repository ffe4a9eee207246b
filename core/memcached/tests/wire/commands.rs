//! Every command, as a client sees it.

use crate::rig::{Rig, WALL_START};

/// Says a line to the server and expects exactly these replies.
macro_rules! dialogue {
    ($rig:expr, $conn:expr, $($say:expr => $expect:expr),* $(,)?) => {
        $(assert_eq!($rig.send($conn, $say), $expect, "after {:?}", $say);)*
    };
}

#[test]
fn what_is_set_is_got_back_with_its_flags() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "set foo 123 0 6\r\nfooval\r\n" => "STORED\r\n",
        "get foo\r\n" => "VALUE foo 123 6\r\nfooval\r\nEND\r\n",
        "get nothing\r\n" => "END\r\n",
        "get foo nothing foo \r\n"
            => "VALUE foo 123 6\r\nfooval\r\nVALUE foo 123 6\r\nfooval\r\nEND\r\n",
        "set empty 4294967295 0 0\r\n\r\n" => "STORED\r\n",
        "get empty\n" => "VALUE empty 4294967295 0\r\n\r\nEND\r\n",
    );
}

#[test]
fn storage_commands_keep_their_conditions() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "replace k 0 0 1\r\na\r\n" => "NOT_STORED\r\n",
        "append k 0 0 1\r\na\r\n" => "NOT_STORED\r\n",
        "prepend k 0 0 1\r\na\r\n" => "NOT_STORED\r\n",
        "add k 5 0 1\r\nb\r\n" => "STORED\r\n",
        "add k 6 0 1\r\nc\r\n" => "NOT_STORED\r\n",
        "append k 9 0 2\r\n>>\r\n" => "STORED\r\n",
        "prepend k 9 0 2\r\n<<\r\n" => "STORED\r\n",
        "get k\r\n" => "VALUE k 5 5\r\n<<b>>\r\nEND\r\n",
        "replace k 7 0 1\r\nd\r\n" => "STORED\r\n",
        "get k\r\n" => "VALUE k 7 1\r\nd\r\nEND\r\n",
        "delete k\r\n" => "DELETED\r\n",
        "delete k\r\n" => "NOT_FOUND\r\n",
    );
}

#[test]
fn cas_stores_only_over_the_version_it_names() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "cas k 0 0 1 1\r\na\r\n" => "NOT_FOUND\r\n",
        "set k 0 0 1\r\na\r\n" => "STORED\r\n",
        "gets k\r\n" => "VALUE k 0 1 1\r\na\r\nEND\r\n",
        "cas k 0 0 1 0\r\nb\r\n" => "EXISTS\r\n",
        "cas k 0 0 1 2\r\nb\r\n" => "EXISTS\r\n",
        "cas k 0 0 1 1\r\nb\r\n" => "STORED\r\n",
        "cas k 0 0 1 1\r\nc\r\n" => "EXISTS\r\n",
        "gets k\r\n" => "VALUE k 0 1 2\r\nb\r\nEND\r\n",
        "cas k 0 0 1 x\r\nc\r\n" => "CLIENT_ERROR bad command line format\r\n",
        "cas k 0 0 1\r\nc\r\n" => "CLIENT_ERROR bad command line format\r\n",
        "touch k 0\r\ngets k\r\n" => "TOUCHED\r\nVALUE k 0 1 2\r\nb\r\nEND\r\n",
    );
    let mut rig = Rig::new("-C");
    let c = rig.open();
    dialogue!(rig, c,
        "set k 0 0 1\r\na\r\n" => "STORED\r\n",
        "gets k\r\n" => "VALUE k 0 1 0\r\na\r\nEND\r\n",
        "cas k 0 0 1 1\r\nb\r\n" => "EXISTS\r\n",
    );
}

#[test]
fn numbers_count_up_and_down_in_place() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "incr n 1\r\n" => "NOT_FOUND\r\n",
        "set n 3 0 2\r\n10\r\n" => "STORED\r\n",
        "decr n 1\r\n" => "9\r\n",
        "get n\r\n" => "VALUE n 3 2\r\n9 \r\nEND\r\n",
        "incr n 99\r\n" => "108\r\n",
        "get n\r\n" => "VALUE n 3 3\r\n108\r\nEND\r\n",
        "decr n 1000\r\n" => "0\r\n",
        "incr n 18446744073709551615\r\n" => "18446744073709551615\r\n",
        "incr n 2\r\n" => "1\r\n",
        "incr n x\r\n" => "CLIENT_ERROR invalid numeric delta argument\r\n",
        "incr n -1\r\n" => "CLIENT_ERROR invalid numeric delta argument\r\n",
        "incr n\r\n" => "CLIENT_ERROR bad command line format\r\n",
        "set t 0 0 2\r\nhi\r\n" => "STORED\r\n",
        "incr t 1\r\n" => "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
        "set t 0 0 0\r\n\r\ndecr t 1\r\n"
            => "STORED\r\n\
                CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
    );
}

#[test]
fn a_number_in_flight_keeps_its_old_digits() {
    let mut rig = Rig::new("");
    let c = rig.open();
    let long = format!("7{}", " ".repeat(999));
    rig.send(c, format!("set n 0 0 1000\r\n{long}\r\n"));
    rig.deliver(c, b"get n\r\nincr n 1\r\n");
    let sent = String::from_utf8(rig.take_all(c)).unwrap();
    assert_eq!(sent, format!("VALUE n 0 1000\r\n{long}\r\nEND\r\n8\r\n"));
}

#[test]
fn time_kills_what_is_to_die() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "set relative 0 10 1\r\na\r\n" => "STORED\r\n",
        format!("set date 0 {} 1\r\na\r\n", WALL_START + 20) => "STORED\r\n",
        format!("set past 0 {} 1\r\na\r\n", WALL_START - 20) => "STORED\r\n",
        "set negative 0 -1 1\r\na\r\n" => "STORED\r\n",
        "set ever 0 0 1\r\na\r\n" => "STORED\r\n",
        "get past negative\r\n" => "END\r\n",
    );
    rig.pass(9);
    assert_eq!(rig.send(c, "get relative\r\n"), "VALUE relative 0 1\r\na\r\nEND\r\n");
    rig.pass(1);
    assert_eq!(rig.send(c, "get relative date\r\n"), "VALUE date 0 1\r\na\r\nEND\r\n");
    rig.pass(10);
    assert_eq!(rig.send(c, "get date\r\nadd date 0 0 1\r\nb\r\n"), "END\r\nSTORED\r\n");
    rig.pass(1 << 31);
    assert_eq!(rig.send(c, "get ever\r\n"), "VALUE ever 0 1\r\na\r\nEND\r\n");
    assert_eq!(rig.counter("get_expired"), 4);
}

#[test]
fn touch_and_gat_move_the_hour_of_death() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "touch k 5\r\n" => "NOT_FOUND\r\n",
        "gat 5 k\r\n" => "END\r\n",
        "set k 0 5 1\r\na\r\nset l 0 5 1\r\nb\r\n" => "STORED\r\nSTORED\r\n",
        "touch k 50\r\n" => "TOUCHED\r\n",
        "gats 50 l m k\r\n" => "VALUE l 0 1 2\r\nb\r\nVALUE k 0 1 1\r\na\r\nEND\r\n",
        "gat 60 l\r\n" => "VALUE l 0 1\r\nb\r\nEND\r\n",
        "touch k x\r\n" => "CLIENT_ERROR invalid exptime argument\r\n",
        "gat x k\r\n" => "CLIENT_ERROR invalid exptime argument\r\n",
        "gat 5\r\n" => "CLIENT_ERROR bad command line format\r\n",
        "touch k\r\n" => "CLIENT_ERROR bad command line format\r\n",
    );
    rig.pass(49);
    assert_eq!(rig.send(c, "get k\r\n"), "VALUE k 0 1\r\na\r\nEND\r\n");
    rig.pass(1);
    assert_eq!(rig.send(c, "get k l\r\n"), "VALUE l 0 1\r\nb\r\nEND\r\n");
}

#[test]
fn flush_all_kills_now_or_later_and_spares_what_comes_after() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "set k 0 0 1\r\na\r\nflush_all\r\nget k\r\n" => "STORED\r\nOK\r\nEND\r\n",
        "set k 0 0 1\r\nb\r\nget k\r\n" => "STORED\r\nVALUE k 0 1\r\nb\r\nEND\r\n",
        "flush_all 10\r\nget k\r\n" => "OK\r\nVALUE k 0 1\r\nb\r\nEND\r\n",
    );
    rig.pass(9);
    assert_eq!(rig.send(c, "set l 0 0 1\r\nc\r\n"), "STORED\r\n");
    rig.pass(1);
    dialogue!(rig, c,
        "set m 0 0 1\r\nd\r\n" => "STORED\r\n",
        "get k l m\r\n" => "VALUE m 0 1\r\nd\r\nEND\r\n",
        "flush_all noreply\r\nget m\r\n" => "END\r\n",
        "flush_all x\r\n" => "CLIENT_ERROR invalid exptime argument\r\n",
        format!("flush_all {}\r\n", WALL_START + 1000) => "OK\r\n",
        "flush_all -1\r\n" => "OK\r\n",
    );
    let mut rig = Rig::new("-F");
    let c = rig.open();
    dialogue!(rig, c,
        "set k 0 0 1\r\na\r\n" => "STORED\r\n",
        "flush_all\r\n" => "CLIENT_ERROR flush_all not allowed\r\n",
        "get k\r\n" => "VALUE k 0 1\r\na\r\nEND\r\n",
    );
}

#[test]
fn a_later_flush_all_revives_nothing() {
    let mut rig = Rig::new("");
    let c = rig.open();
    rig.send(c, "set r 0 0 1\r\na\r\n");
    rig.pass(3);
    assert_eq!(rig.send(c, "flush_all\r\nflush_all 1000\r\nget r\r\n"), "OK\r\nOK\r\nEND\r\n");
    rig.pass(10);
    assert_eq!(rig.send(c, "get r\r\n"), "END\r\n");
}

#[test]
fn noreply_silences_success_and_failure() {
    let mut rig = Rig::new("");
    let c = rig.open();
    let silent = "add k 0 0 1 noreply\r\n1\r\nset k 0 0 1 noreply\r\n2\r\n\
        replace k 0 0 1 noreply\r\n3\r\nappend k 0 0 1 noreply\r\n4\r\n\
        prepend k 0 0 1 noreply\r\n5\r\nincr k 3 noreply\r\ndecr k 1 noreply\r\n\
        touch k 0 noreply\r\nverbosity 1 noreply\r\ndelete nothing noreply\r\n\
        cas k 0 0 1 99 noreply\r\nx\r\nset k 0 0 2 noreply\r\nbad\r\nbogus noreply\r\n\
        set k x 0 2 noreply\r\nab\r\ndelete old 0 noreply\r\n";
    let rest = "CLIENT_ERROR bad command line format\r\n";
    assert_eq!(rig.send(c, silent), rest, "only the line end behind the bad chunk is answered");
    assert_eq!(rig.send(c, "get k\r\n"), "VALUE k 0 3\r\n536\r\nEND\r\n");
}

#[test]
fn the_small_commands_answer() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "version\r\n" => format!("VERSION {}\r\n", storytime_memcached::VERSION),
        "verbosity 2\r\n" => "OK\r\n",
        "verbosity\r\n" => "CLIENT_ERROR bad command line format\r\n",
        "verbosity invalid\r\n" => "CLIENT_ERROR bad command line format\r\n",
        "stats nonsense\r\n" => "ERROR\r\n",
        "stats noreply\r\n" => "ERROR\r\n",
        "stats reset\r\n" => "RESET\r\n",
        "stats items\r\n" => "END\r\n",
        "quit\r\nversion\r\n" => "",
    );
    assert!(rig.has_hung_up(c));
}

#[test]
fn stats_tell_the_truth() {
    let mut rig = Rig::new("-m 8 -c 3 -l 127.0.0.1,10.0.0.1:5");
    let (a, b) = (rig.open(), rig.open());
    rig.pass(7);
    rig.send(a, "set k 0 0 1\r\na\r\nget k l\r\ntouch k 0\r\nincr k 1\r\ndelete l\r\n");
    let stats = rig.send(b, "stats\r\n");
    for line in [
        "STAT uptime 7",
        "STAT time 1180000007",
        "STAT curr_connections 2",
        "STAT total_connections 2",
        "STAT cmd_get 2",
        "STAT cmd_set 1",
        "STAT get_hits 1",
        "STAT get_misses 1",
        "STAT cmd_touch 1",
        "STAT touch_hits 1",
        "STAT delete_misses 1",
        "STAT curr_items 1",
        "STAT total_items 1",
        "STAT limit_maxbytes 8388608",
    ] {
        assert!(stats.contains(&format!("{line}\r\n")), "{line} in {stats}");
    }
    assert!(stats.ends_with("END\r\n"));
    let settings = rig.send(b, "stats s\r\n");
    for line in ["STAT maxconns 3", "STAT inter 127.0.0.1,10.0.0.1:5", "STAT item_size_max 1048576"]
    {
        assert!(settings.contains(&format!("{line}\r\n")), "{line} in {settings}");
    }
    rig.send(b, "stats reset\r\n");
    let stats = rig.send(b, "stats\r\n");
    assert!(stats.contains("STAT cmd_get 0\r\n") && stats.contains("STAT curr_items 1\r\n"));
    assert!(rig.send(b, "stats items\r\n").contains("STAT items:1:number 1\r\n"));
}
