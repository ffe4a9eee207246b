//! The same bytes are answered in the same way, however they are cut; and no bytes do harm.

use crate::rig::{Rig, framed, packets};
use proptest::prelude::*;
use storytime_gearman::packet::{Kind, Magic};

/// What a stream in pieces is answered with, and whether it was hung up on.
fn answers(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    let mut rig = Rig::new("--max-packet 64k");
    let peer = rig.open();
    for piece in pieces {
        rig.lone.send(peer, piece);
        assert_eq!(rig.lone.broken(), None);
    }
    (rig.lone.received(peer).to_vec(), !rig.lone.is_open(peer))
}

fn dialogue() -> Vec<u8> {
    let mut stream = packets(
        "CAN_DO f\nSET_CLIENT_ID me\nSUBMIT_JOB f _ data\nSUBMIT_JOB_HIGH_BG f key _\n\
         GRAB_JOB_UNIQ\nWORK_STATUS H:2 1 2\nGET_STATUS H:2\nWORK_COMPLETE H:2 _\n\
         SUBMIT_REDUCE_JOB f _ r a data\nGRAB_JOB_ALL\nWORK_FAIL H:1\nOPTION_REQ exceptions\n\
         ECHO_REQ",
    );
    stream.extend_from_slice(b"status\r\nworkers\nnonsense\n");
    stream.extend(packets("SUBMIT_JOB_EPOCH f _ 99 later\nPRE_SLEEP"));
    stream.extend(framed(Magic::Response, 16, b"x"));
    stream.extend(packets(&format!("SUBMIT_JOB f _ {}", "long ".repeat(2000))));
    stream.extend(packets("GRAB_JOB\nRESET_ABILITIES\nGRAB_JOB"));
    stream
}

#[test]
fn a_dialogue_cut_in_two_at_every_byte_is_answered_alike() {
    let stream = dialogue();
    let whole = answers(&[&stream]);
    assert!(!whole.1, "it is a good one");
    for cut in (0..=stream.len()).step_by(if cfg!(debug_assertions) { 7 } else { 1 }) {
        let (front, back) = stream.split_at(cut);
        assert_eq!(answers(&[front, back]), whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(answers(&bytes), whole, "byte by byte");
}

/// A packet of any kind with arguments as they may come, or none at all.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        &b""[..],
        b"f",
        b"g",
        b"key",
        b"-",
        b"H:1",
        b"H:2",
        b"1",
        b"*",
        b"exceptions",
        b"99999999999999999999",
        b"a\nb",
    ]);
    let arguments = prop::collection::vec(word, 0..9);
    let good = (0..45u32, arguments.clone()).prop_map(|(kind, mut arguments)| {
        let wanted = Kind::of(kind).map(|kind| kind.arguments() + usize::from(kind.has_data()));
        arguments.resize(wanted.unwrap_or(1).max(1), b"");
        framed(Magic::Request, kind, &arguments.join(&0))
    });
    let odd = (0..45u32, arguments, any::<bool>()).prop_map(|(kind, arguments, answer)| {
        let magic = if answer { Magic::Response } else { Magic::Request };
        framed(magic, kind, &arguments.join(&0))
    });
    let line = prop::sample::select(vec![
        "status",
        "workers",
        "show jobs",
        "show unique jobs",
        "prioritystatus",
        "maxqueue f 2",
        "cancel job H:1",
        "create function f",
        "drop function g",
        "verbose",
        "",
        " ",
        "a b c d e f",
    ]);
    let line = line.prop_map(|line| format!("{line}\r\n").into_bytes());
    let garbage = prop::collection::vec(any::<u8>(), 0..20);
    prop_oneof![8 => good, 2 => odd, 3 => line, 1 => garbage]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn streams_of_anything_do_no_harm_and_are_answered_alike_however_they_are_cut(
        pieces in prop::collection::vec(piece(), 1..30),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let stream: Vec<u8> = pieces.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(answers(&parts), answers(&[&stream]));
    }

    #[test]
    fn two_peers_that_send_anything_leave_the_server_to_a_third(
        pieces in prop::collection::vec((0..2usize, piece()), 1..60),
    ) {
        let mut rig = Rig::new("--max-packet 64k");
        let mut peers = [rig.open(), rig.open()];
        for (who, piece) in pieces {
            if !rig.lone.is_open(peers[who]) {
                peers[who] = rig.open();
            }
            rig.lone.send(peers[who], &piece);
            prop_assert_eq!(rig.lone.broken(), None);
        }
        for peer in peers {
            rig.lone.reset(peer);
        }
        let other = rig.open();
        prop_assert_eq!(rig.say(other, "ECHO_REQ on"), "ECHO_RES on");
    }
}
