//! The meta commands, as a client sees them: requests and the whole of their replies.

use crate::rig::{Rig, replies};

/// Says a line to the server and expects exactly these replies.
macro_rules! dialogue {
    ($rig:expr, $conn:expr, $($say:expr => $expect:expr),* $(,)?) => {
        $(assert_eq!($rig.send($conn, $say), $expect, "after {:?}", $say);)*
    };
}

const BAD: &str = "CLIENT_ERROR bad command line format\r\n";
/// One byte more than a key may have.
const KEY_TOO_LONG: usize = 251;

#[test]
fn mg_shows_what_is_asked_for_in_the_order_of_asking() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "mg k\r\n" => "EN\r\n",
        "mg k v q\r\n" => "",
        "mg k s v k Oabc\r\n" => "EN kk Oabc\r\n",
        "set k 17 100 3\r\nabc\r\n" => "STORED\r\n",
        "mg k\r\n" => "HD\r\n",
        "mg k v\r\n" => "VA 3\r\nabc\r\n",
        "mg k v q\r\n" => "VA 3\r\nabc\r\n",
        "mg k s t f c k Oxyz v\r\n" => "VA 3 s3 t100 f17 c1 kk Oxyz\r\nabc\r\n",
        "mg  k   Oxyz  k c   f t s \r\n" => "HD Oxyz kk c1 f17 t100 s3\r\n",
        "mg k v Pproxy Llocal\n" => "VA 3\r\nabc\r\n",
        "set ever 0 0 0\r\n\r\n" => "STORED\r\n",
        "mg ever s t v\r\n" => "VA 0 s0 t-1\r\n\r\n",
    );
}

#[test]
fn mg_tells_what_was_before_it_and_u_leaves_it_so() {
    let mut rig = Rig::new("");
    let c = rig.open();
    rig.send(c, "set k 0 0 1\r\na\r\n");
    rig.pass(5);
    dialogue!(rig, c,
        "mg k h l u\r\n" => "HD h0 l5\r\n",
        "mg k h u v\r\n" => "VA 1 h0\r\na\r\n",
        "mg k h\r\n" => "HD h0\r\n",
        "mg k h\r\n" => "HD h1\r\n",
        "set k 0 0 1\r\nb\r\n" => "STORED\r\n",
        "mg k u\r\n" => "HD\r\n",
        "mg k h u l\r\n" => "HD h0 l0\r\n",
    );
}

#[test]
fn mg_touches_and_t_counts_from_where_it_stands() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "mg k T30\r\n" => "EN\r\n",
        "ms k 1 T100\r\na\r\n" => "HD\r\n",
        "mg k t T30 v\r\n" => "VA 1 t100\r\na\r\n",
        "mg k T60 t\r\n" => "HD t60\r\n",
        "mg k T0 t\r\n" => "HD t-1\r\n",
        "mg k T-1 t\r\n" => "HD t0\r\n",
        "mg k\r\n" => "EN\r\n",
    );
    assert_eq!((rig.counter("cmd_touch"), rig.counter("touch_hits")), (4, 4));
    assert_eq!((rig.counter("cmd_get"), rig.counter("get_misses")), (2, 2));
}

#[test]
fn a_version_that_is_known_spares_the_value() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "ms k 2 c E9\r\nab\r\n" => "HD c9\r\n",
        "mg k v c C9\r\n" => "HD c9\r\n",
        "mg k C8 v c\r\n" => "VA 2 c9\r\nab\r\n",
        "mg k E5 c\r\n" => "HD c9\r\n",
    );
}

#[test]
fn ms_stores_in_every_mode() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "ms k 1 MR\r\na\r\n" => "NS\r\n",
        "ms k 1 MA\r\na\r\n" => "NS\r\n",
        "ms k 1 MP C5\r\na\r\n" => "NS\r\n",
        "ms k 1 ME F7 T50\r\na\r\n" => "HD\r\n",
        "ms k 1 ME\r\nb\r\n" => "NS\r\n",
        "ms k 2 MA F9 T9 s\r\nbc\r\n" => "HD s3\r\n",
        "ms k 2 MP s c\r\n<>\r\n" => "HD s5 c3\r\n",
        "mg k v f t\r\n" => "VA 5 f7 t50\r\n<>abc\r\n",
        "ms k 1 MR\r\nd\r\n" => "HD\r\n",
        "ms k 1 MS F4294967295\r\ne\r\n" => "HD\r\n",
        "mg k v f t\r\n" => "VA 1 f4294967295 t-1\r\ne\r\n",
        "ms viv 2 MA N30 s\r\nab\r\n" => "HD s2\r\n",
        "ms viv 2 MP N90 s\r\ncd\r\n" => "HD s4\r\n",
        "mg viv v t\r\n" => "VA 4 t30\r\ncdab\r\n",
        "ms k 1 MZ\r\nx\r\n" => "CLIENT_ERROR invalid mode for ms M token\r\n",
        "ms k 1 M\r\nx\r\n" => "CLIENT_ERROR invalid mode for ms M token\r\n",
        "ms k 0 S100\r\n\r\n" => "CLIENT_ERROR invalid flag\r\n",
        "ms k 0\r\n\r\nmg k v\r\n" => "HD\r\nVA 0\r\n\r\n",
    );
}

#[test]
fn ms_compares_versions_and_gives_them() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "ms k 1 c C5\r\na\r\n" => "NF c0\r\n",
        "ms k 1 c E100\r\na\r\n" => "HD c100\r\n",
        "ms k 1 c C99 s k Oo\r\nbb\r\n" => format!("CLIENT_ERROR bad data chunk\r\n{BAD}"),
        "ms k 1 c C99 s k Oo\r\nb\r\n" => "EX c0 s1 kk Oo\r\n",
        "ms k 1 C0\r\nb\r\n" => "EX\r\n",
        "ms k 1 C100 E7 c\r\nb\r\n" => "HD c7\r\n",
        "ms k 1 MR C7\r\nc\r\n" => "HD\r\n",
        "ms k 1 MA C7\r\nd\r\n" => "EX\r\n",
        "ms k 1 MA C0\r\nd\r\n" => "HD\r\n",
        "mg k v\r\n" => "VA 2\r\ncd\r\n",
    );
}

#[test]
fn md_deletes_marks_and_empties() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "md k k Oo\r\n" => "NF kk Oo\r\n",
        "md k q\r\n" => "NF\r\n",
        "ms k 2 F5 T50 E9\r\nab\r\n" => "HD\r\n",
        "md k C8 Oo\r\n" => "EX Oo\r\n",
        "md k C9 k\r\n" => "HD kk\r\n",
        "mg k\r\n" => "EN\r\n",
        "ms k 2 F5 T50 E9\r\nab\r\n" => "HD\r\n",
        "md k x\r\n" => "HD\r\n",
        "mg k v f t c\r\n" => "VA 0 f0 t-1 c9\r\n\r\n",
        "md k x T30 E11\r\n" => "HD\r\n",
        "mg k v t c\r\n" => "VA 0 t30 c11\r\n\r\n",
        "md k x F7\r\n" => "HD\r\n",
        "mg k v f h c\r\n" => "VA 0 f7 h0 c11\r\n\r\n",
        "md k q\r\nmn\r\n" => "MN\r\n",
        "mg k\r\n" => "EN\r\n",
    );
}

#[test]
fn one_reader_of_a_stale_value_wins_the_right_to_mend_it() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "ms k 3 E10\r\nold\r\n" => "HD\r\n",
        "md k I T30 C9\r\n" => "EX\r\n",
        "md k I T30 E20\r\n" => "HD\r\n",
        "mg k v t c\r\n" => "VA 3 t30 c20 X W\r\nold\r\n",
        "mg k v\r\n" => "VA 3 Z X\r\nold\r\n",
        "get k\r\n" => "VALUE k 0 3\r\nold\r\nEND\r\n",
        // Too late: a marked item takes an older version's value, and stays marked.
        "ms k 3 I C10 T90\r\nnew\r\n" => "HD\r\n",
        "mg k v t\r\n" => "VA 3 t30 Z X\r\nnew\r\n",
        "ms k 3 I C99999\r\nxxx\r\n" => "EX\r\n",
        "ms k 3 I C0\r\nxxx\r\n" => "EX\r\n",
        "md k I E50\r\n" => "HD\r\n",
        "mg k c\r\n" => "HD c50 X W\r\n",
        "ms k 4 C50 T90\r\ndone\r\n" => "HD\r\n",
        "mg k v t\r\n" => "VA 4 t90\r\ndone\r\n",
        "md k x I\r\n" => "HD\r\n",
        "mg k v\r\n" => "VA 0 X W\r\n\r\n",
    );
}

#[test]
fn one_reader_near_the_end_wins_the_right_to_renew() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "ms k 1 T50\r\na\r\n" => "HD\r\n",
        "mg k R30\r\n" => "HD\r\n",
        "mg k R50\r\n" => "HD\r\n",
        "mg k R51 t\r\n" => "HD t50 W\r\n",
        "mg k R51\r\n" => "HD Z\r\n",
        "ms k 1 T50\r\nb\r\n" => "HD\r\n",
        "mg k R51 T100\r\n" => "HD W\r\n",
        "ms k 1 T50\r\nb\r\n" => "HD\r\n",
        "mg k T100 R51\r\n" => "HD\r\n",
        "ms ever 1\r\nb\r\n" => "HD\r\n",
        "mg ever R1000\r\n" => "HD\r\n",
    );
}

#[test]
fn a_miss_makes_an_empty_item_for_one_winner() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "mg k s c v N30 t E77\r\n" => "VA 0 s0 c77 t30 W\r\n\r\n",
        "mg k s v N30 q\r\n" => "VA 0 s0 Z\r\n\r\n",
        "ms k 2 C77\r\nab\r\n" => "HD\r\n",
        "mg k v N30 t\r\n" => "VA 2 t-1\r\nab\r\n",
        "mg other t N30 q\r\n" => "HD t-1 W\r\n",
        "mg other t\r\n" => "HD t30 Z\r\n",
    );
    assert_eq!(rig.counter("cmd_set"), 3, "what is made is stored");
    rig.pass(30);
    assert_eq!(rig.send(c, "mg other\r\n"), "EN\r\n");
}

#[test]
fn ma_counts() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "ma n\r\n" => "NF\r\n",
        "ma n q k Oo\r\n" => "NF kn Oo\r\n",
        "ma n N90 J13 v t\r\n" => "VA 2 t90\r\n13\r\n",
        "ma m t N90\r\n" => "HD t-1\r\n",
        "ma m t\r\n" => "HD t90\r\n",
        "ma n\r\n" => "HD\r\n",
        "ma n N0 J99 v D30\r\n" => "VA 2\r\n44\r\n",
        "ma n v MD D4 Oo k\r\n" => "VA 2 Oo kn\r\n40\r\n",
        "ma n v M- D9000\r\n" => "VA 1\r\n0\r\n",
        "ma n M+ q D18446744073709551615\r\n" => "",
        "ma n MI v D2\r\n" => "VA 1\r\n1\r\n",
        "ma n T30 t\r\n" => "HD t30\r\n",
        "ma n E100 c v\r\n" => "VA 1 c100\r\n3\r\n",
        "ma n C99\r\n" => "EX\r\n",
        "ma n C100 E5 c\r\n" => "HD c5\r\n",
        "ma n C0 v\r\n" => "VA 1\r\n5\r\n",
        "set t 0 0 2\r\nhi\r\n" => "STORED\r\n",
        "ma t\r\n" => "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
        "ma n MX\r\n" => "CLIENT_ERROR invalid mode for ma M token\r\n",
        "ma n Dx\r\n" => "CLIENT_ERROR invalid or duplicate flag\r\n",
        "ma n v v\r\n" => "CLIENT_ERROR invalid or duplicate flag\r\n",
        "ma\r\n" => BAD,
    );
    assert_eq!((rig.counter("incr_misses"), rig.counter("decr_hits")), (2, 2));
}

#[test]
fn keys_in_base64_may_hold_anything() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "ms Zm9v 2 b k c\r\nab\r\n" => "HD kZm9v b c1\r\n",
        "get foo\r\n" => "VALUE foo 0 2\r\nab\r\nEND\r\n",
        "mg Zm9v b v k\r\n" => "VA 2 kZm9v b\r\nab\r\n",
        "mg foo k\r\n" => "HD kfoo\r\n",
        "mg Zm9v v\r\n" => "EN\r\n",
        "mg YmFy b k\r\n" => "EN kYmFy b\r\n",
        // "a b\n"
        "ms YSBiCg== 1 b\r\nx\r\n" => "HD\r\n",
        "ma YSBiCg== b\r\n" => "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
        "md YSBiCg== b k\r\n" => "HD kYSBiCg== b\r\n",
        "mg !!! b\r\n" => "CLIENT_ERROR error decoding key\r\n",
        "ms Zm9 2 b\r\nab\r\nmn\r\n" => "CLIENT_ERROR error decoding key\r\nMN\r\n",
    );
    let me = rig.send(c, "me Zm9v b\r\n");
    assert!(me.starts_with("ME Zm9v exp=-1 la=0 cas=1 fetch=yes cls="), "{me}");
}

#[test]
fn me_tells_what_is_known() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c, "me k\r\n" => "EN\r\n", "set k 0 100 3\r\nabc\r\n" => "STORED\r\n");
    rig.pass(7);
    let me = rig.send(c, "me k\r\n");
    assert!(me.starts_with("ME k exp=93 la=7 cas=1 fetch=no cls=1 size="), "{me}");
    assert_eq!(rig.send(c, "me k\r\n"), me, "looking is no use");
    dialogue!(rig, c,
        "me\r\n" => BAD,
        format!("me {}\r\n", "k".repeat(KEY_TOO_LONG)) => BAD,
        "me !!! b\r\n" => BAD,
    );
    assert_eq!(rig.counter("cmd_meta"), 3);
}

#[test]
fn mn_follows_everything_asked_before() {
    let mut rig = Rig::new("");
    let c = rig.open();
    let quiet = "ms a 1 q\r\nx\r\nmg b q\r\nmg a v q Oa\r\nmd a q\r\nma n N0 q\r\nmn\r\nmn x\r\n";
    assert_eq!(rig.send(c, quiet), "VA 1 Oa\r\nx\r\nMN\r\nMN\r\n");
}

#[test]
fn flags_that_cannot_be_meant_are_refused() {
    let mut rig = Rig::new("");
    let c = rig.open();
    let (long, mark) = ("k".repeat(KEY_TOO_LONG), "O".repeat(33));
    let many = " v".repeat(19);
    dialogue!(rig, c,
        "mg\r\n" => BAD,
        "md \r\n" => BAD,
        "mx k\r\n" => "ERROR\r\n",
        format!("mg {long} v\r\n") => BAD,
        "mg k v v\r\n" => "CLIENT_ERROR duplicate flag\r\n",
        "mg k !\r\n" => BAD,
        "mg k 5\r\n" => "CLIENT_ERROR invalid flag\r\n",
        "mg k z\r\n" => "CLIENT_ERROR invalid flag\r\n",
        "mg k Tx\r\n" => "CLIENT_ERROR bad token in command line format\r\n",
        "mg k N\r\n" => "CLIENT_ERROR bad token in command line format\r\n",
        "md k C-1\r\n" => "CLIENT_ERROR bad token in command line format\r\n",
        "mg k Jx\r\n" => "CLIENT_ERROR invalid numeric initial value\r\n",
        "mg k Dx\r\n" => "CLIENT_ERROR invalid numeric delta value\r\n",
        "mg k Fx\r\n" => BAD,
        "mg k Tx v v\r\n" => "CLIENT_ERROR duplicate flag\r\n",
        format!("mg k{many}\r\n") => "CLIENT_ERROR options flags are too long\r\n",
        format!("mg k {mark}\r\n") => "CLIENT_ERROR opaque token too long\r\n",
        format!("mg k {}\r\n", &mark[1..]) => format!("EN {}\r\n", &mark[1..]),
    );
}

#[test]
fn a_refused_ms_takes_its_data_block_along_if_its_length_can_be_read() {
    let (long, mark) = ("k".repeat(KEY_TOO_LONG), "O".repeat(33));
    for (line, told) in [
        (format!("ms {long} 4"), "bad command line format"),
        ("ms k 4 v v".to_owned(), "duplicate flag"),
        ("ms k 4 z".to_owned(), "invalid flag"),
        ("ms k 4 Tx".to_owned(), "bad token in command line format"),
        ("ms k 4 Fx".to_owned(), "bad command line format"),
        ("ms k 4 q MZ".to_owned(), "invalid mode for ms M token"),
        (format!("ms k 4 {mark}"), "opaque token too long"),
        (format!("ms k 4 {mark} MZ"), "invalid mode for ms M token"),
    ] {
        let stream = format!("{line}\r\nquit\r\nmg k\r\n");
        let expect = format!("CLIENT_ERROR {told}\r\nEN\r\n");
        assert_eq!(replies("", &[stream.as_bytes()]), (expect.into_bytes(), false), "{line}");
    }
    for line in ["ms k", "ms k x", "ms k -1", "ms k 2147483646", "ms k 4 !"] {
        let stream = format!("{line}\r\nversions\r\n");
        let expect = format!("{BAD}ERROR\r\n");
        assert_eq!(replies("", &[stream.as_bytes()]), (expect.into_bytes(), false), "{line}");
    }
}

#[test]
fn a_refused_ms_of_any_mode_leaves_nothing_stale_and_says_so_even_if_quiet() {
    let large = "x".repeat(1 << 20);
    for mode in ["MS", "ME", "MA", "MR", "C5"] {
        let mut rig = Rig::new("");
        let c = rig.open();
        dialogue!(rig, c,
            "ms k 3\r\nold\r\n" => "HD\r\n",
            format!("ms k {} q {mode}\r\n{large}\r\n", large.len())
                => "SERVER_ERROR object too large for cache\r\n",
            "mg k\r\n" => "EN\r\n",
            "ms k 2 q\r\nabc\r\n" => format!("CLIENT_ERROR bad data chunk\r\n{BAD}"),
        );
        assert_eq!(rig.counter("store_too_large"), 1, "{mode}");
    }
}

#[test]
fn an_over_long_mark_is_refused_before_anything_is_done() {
    let mut rig = Rig::new("");
    let c = rig.open();
    let mark = "O".repeat(33);
    dialogue!(rig, c,
        "set n 0 100 1\r\n1\r\n" => "STORED\r\n",
        format!("ma n {mark}\r\n") => "CLIENT_ERROR opaque token too long\r\n",
        format!("mg n T5 {mark}\r\n") => "CLIENT_ERROR opaque token too long\r\n",
        "mg n v t\r\n" => "VA 1 t100\r\n1\r\n",
    );
}
