//! Frames come back as they were sent; anything else is refused and never a panic.

use super::*;
use crate::generation::Generation;
use core::time::Duration;
use proptest::prelude::*;

fn path() -> impl Strategy<Value = Bytes> {
    "[a-z]{1,8}(/[a-z]{1,8}){0,2}".prop_map(Bytes::from)
}

fn standing() -> impl Strategy<Value = Standing> {
    let generation =
        || (1..u64::MAX, any::<u64>()).prop_map(|(epoch, id)| Generation { epoch, id });
    (generation(), proptest::option::of(generation()), any::<bool>())
        .prop_map(|(current, since, consistent)| Standing { current, since, consistent })
}

fn op() -> impl Strategy<Value = Op> {
    let (file, at) = (any::<u32>(), 0..u64::MAX / 2);
    let names = proptest::collection::vec(path(), 0..5);
    prop_oneof![
        Just(Op::Begin),
        Just(Op::Finish),
        (path(), names).prop_map(|(dir, names)| Op::Names { dir, names }),
        (file, path(), any::<u64>()).prop_map(|(file, path, len)| Op::File { file, path, len }),
        (file, at.clone(), 0..70_000_u32, any::<u64>())
            .prop_map(|(file, at, len, digest)| Op::Check { file, at, len, digest }),
        (file, path(), any::<bool>()).prop_map(|(file, path, create)| Op::Open {
            file,
            path,
            create
        }),
        (file, at, proptest::collection::vec(any::<u8>(), 0..2000))
            .prop_map(|(file, at, data)| Op::Write { file, at, data: data.into() }),
        (file, any::<u64>()).prop_map(|(file, len)| Op::SetLen { file, len }),
        file.prop_map(|file| Op::Sync { file }),
        file.prop_map(|file| Op::Close { file }),
        (path(), path()).prop_map(|(from, to)| Op::Rename { from, to }),
        path().prop_map(|path| Op::Unlink { path }),
        path().prop_map(|path| Op::MakeDir { path }),
        path().prop_map(|path| Op::SyncDir { path }),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    let half = || prop_oneof![Just(Half::First), Just(Half::Second)];
    let refusal = prop_oneof![
        Just(Refusal::Busy),
        Just(Refusal::Stale),
        Just(Refusal::Split),
        Just(Refusal::SameHalf)
    ];
    prop_oneof![
        (half(), any::<u64>(), standing()).prop_map(|(half, life, standing)| Frame::Hello {
            half,
            life,
            standing
        }),
        (half(), any::<u64>(), standing()).prop_map(|(half, life, standing)| Frame::Welcome {
            half,
            life,
            standing
        }),
        refusal.prop_map(Frame::Refuse),
        any::<u64>().prop_map(|number| Frame::Ping { number }),
        (any::<u64>(), any::<bool>())
            .prop_map(|(number, promised)| Frame::Pong { number, promised }),
        (any::<u64>(), op()).prop_map(|(seq, op)| Frame::Op { seq, op }),
        any::<u64>().prop_map(|seq| Frame::Ack { seq }),
        (any::<u64>(), any::<bool>()).prop_map(|(seq, same)| Frame::Checked { seq, same }),
        Just(Frame::InSync),
    ]
}

proptest! {
    #[test]
    fn frames_come_back_whatever_the_cuts(
        frames in proptest::collection::vec(frame(), 1..6),
        cut in 1..200_usize,
    ) {
        let mut sent = BytesMut::new();
        frames.iter().for_each(|frame| frame.put(&mut sent));
        let (mut rx, mut got) = (BytesMut::new(), Vec::new());
        for piece in sent.chunks(cut) {
            rx.extend_from_slice(piece);
            while let Some(bytes) = next_frame(&mut rx).unwrap() {
                got.push(Frame::parse(bytes).unwrap());
            }
        }
        prop_assert_eq!(got, frames);
        prop_assert!(rx.is_empty());
    }

    #[test]
    fn questions_and_answers_come_back(
        seq in any::<u64>(), life in any::<u64>(), lease in any::<u64>(), standing in standing(),
        epoch in any::<u64>(), both in any::<bool>(),
    ) {
        for want in [Want::Lease, Want::KeepAlone, Want::KeepBoth] {
            let lease = Duration::from_nanos(lease);
            let ask = Ask { seq, half: Half::Second, life, lease, standing, want };
            let mut bytes = BytesMut::new();
            ask.put(&mut bytes);
            let frame = next_frame(&mut bytes).unwrap().unwrap();
            prop_assert_eq!(Ask::parse(frame), Ok(ask));
        }
        let denials =
            [Denial::Held, Denial::Behind, Denial::NotHolder, Denial::Unknown, Denial::Split];
        let rulings = denials.map(Ruling::Denied).into_iter();
        for ruling in rulings.chain([Ruling::Granted { epoch, both }]) {
            let mut bytes = BytesMut::new();
            Answer { seq, ruling }.put(&mut bytes);
            let frame = next_frame(&mut bytes).unwrap().unwrap();
            prop_assert_eq!(Answer::parse(frame), Ok(Answer { seq, ruling }));
        }
    }

    #[test]
    fn garbage_is_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        kind in 1..22_u8,
    ) {
        let mut framed = vec![kind];
        framed.extend(&bytes);
        let _ = Frame::parse(framed.clone().into());
        let _ = Ask::parse(framed.clone().into());
        let _ = Answer::parse(framed.into());
        let mut rx = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = next_frame(&mut rx) {}
    }
}
