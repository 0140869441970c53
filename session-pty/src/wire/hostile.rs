//! Bytes from a peer that means harm: frames of every kind, lengths that lie, messages that are nearly right.

use proptest::collection::vec;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use session_core::TerminalSize;

use super::frame::{HEADER_LEN, MAX_PAYLOAD};
use super::{
    Blob, Decoder, ExitMessage, Frame, Hello, Kind, Reply, Request, SupervisorStatus, ViewerSpec,
    encode,
};

const KINDS: [Kind; 18] = [
    Kind::Hello,
    Kind::Request,
    Kind::Reply,
    Kind::Blob,
    Kind::Input,
    Kind::Resize,
    Kind::EndOfInput,
    Kind::Detach,
    Kind::Report,
    Kind::Output,
    Kind::Gap,
    Kind::Resized,
    Kind::Exited,
    Kind::Detached,
    Kind::Screen,
    Kind::Position,
    Kind::Event,
    Kind::Typed,
];

/// Messages as they are sent, to be damaged.
const MESSAGES: &[&str] = &[
    r#"{"protocol":1,"version":"0.1.0","store":{"kind":"sqlite","data_dir":"/d"},"capabilities":["events"]}"#,
    r#"{"id":1,"call":"list"}"#,
    r#"{"id":18446744073709551615,"call":{"attach":{"session":"01J","spec":{"size":{"cols":80,"rows":24},"feed":"log"}}}}"#,
    r#"{"id":2,"ok":{"a":[1,2.5e300,null,true]},"error":{"kind":"busy","message":"m","hint":null}}"#,
    r#"{"size":[0,65536],"scrollback":1e99,"from":-1,"ssh_agent":"/a\u0000b","read_only":"yes"}"#,
    r#"{"exit":{"code":256}}"#,
    r#""\ud800""#,
    "[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// Where a connection stands after some bytes, and what came of them.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    frames: Vec<Frame>,
    is_refused: bool,
    unread: Vec<u8>,
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                // Afterwards the connection is closed.
                Err(_) => return Outcome { frames, is_refused: true, unread: Vec::new() },
            }
        }
    }
    Outcome { frames, is_refused: false, unread: decoder.unread().to_vec() }
}

/// What the bytes mean, read all at once and without the decoder.
fn expected(mut bytes: &[u8]) -> Outcome {
    let mut frames = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<HEADER_LEN>() {
        let len = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if len > MAX_PAYLOAD {
            return Outcome { frames, is_refused: true, unread: Vec::new() };
        }
        let Some(payload) = rest.get(..len) else { break };
        let kind = KINDS.into_iter().find(|kind| *kind as u8 == head[0]);
        frames.extend(kind.map(|kind| Frame { kind, payload: payload.to_vec() }));
        bytes = &rest[len..];
    }
    Outcome { frames, is_refused: false, unread: bytes.to_vec() }
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let damage = (any::<prop::sample::Index>(), any::<u8>(), 0u8..4);
    let damaged = (prop::sample::select(MESSAGES), vec(damage, 0..4));
    damaged.prop_map(|(message, damages)| {
        let mut bytes = message.as_bytes().to_vec();
        for (at, byte, kind) in damages {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                2 => bytes.insert(at, byte),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    })
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        4 => vec(any::<u8>(), 0..40),
        3 => message(),
        1 => (1_000usize..80_000).prop_map(|len| vec![b'x'; len]),
    ];
    let lengths = [
        0,
        1,
        4,
        5,
        0xffff,
        0x1_0000,
        MAX_PAYLOAD as u32 - 1,
        MAX_PAYLOAD as u32,
        MAX_PAYLOAD as u32 + 1,
        i32::MAX as u32,
        u32::MAX,
    ];
    let kind = prop_oneof![8 => prop::sample::select(KINDS.map(|kind| kind as u8).to_vec()), 1 => any::<u8>()];
    prop_oneof![
        12 => (kind.clone(), payload).prop_map(|(kind, payload)| {
            let mut bytes = encode(Kind::Input, &payload);
            bytes[0] = kind;
            bytes
        }),
        1 => (kind, prop::sample::select(lengths.to_vec()), vec(any::<u8>(), 0..20)).prop_map(|(kind, len, some)| {
            [&[kind][..], &len.to_le_bytes(), &some].concat()
        }),
        1 => vec(any::<u8>(), 0..12),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i128>().prop_map(|number| number.to_string()),
        any::<u16>().prop_map(|number| number.to_string()),
        prop::sample::select(vec!["0", "-0", "1e9", "null", "\"80\"", "0.5", "[]", "65536"])
            .prop_map(str::to_owned),
    ]
}

/// Either way is fine, a panic is not.
fn read<T: DeserializeOwned>(payload: &[u8]) {
    let _either_way = serde_json::from_slice::<T>(payload);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn frames_mean_the_same_however_they_are_cut(
        frames in vec(frame(), 0..8), cuts in vec(prop_oneof![8 => 1usize..12, 2 => 100usize..70_000], 1..40),
    ) {
        let bytes = frames.concat();
        let mut rest = &bytes[..];
        let pieces = cuts.iter().cycle().map_while(|cut| {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            rest = later;
            (!now.is_empty()).then_some(now)
        });
        let outcome = decode(pieces);
        prop_assert_eq!(&outcome, &expected(&bytes));
        // What waits is one frame that is not whole.
        prop_assert!(outcome.unread.len() < HEADER_LEN + MAX_PAYLOAD);
    }

    #[test]
    fn messages_that_are_nearly_right_are_read_or_refused(payload in message(), kind in prop::sample::select(KINDS.to_vec())) {
        let _either_way = Hello::from_frame(&Frame { kind, payload: payload.clone() });
        read::<Request>(&payload);
        read::<Reply>(&payload);
        read::<SupervisorStatus>(&payload);
        read::<ExitMessage>(&payload);
        if let Ok(ViewerSpec { size: Some(size), .. }) = serde_json::from_slice(&payload) {
            prop_assert!((1..=TerminalSize::MAX).contains(&size.cols()));
        }
    }

    #[test]
    fn a_size_of_any_numbers_is_one_or_is_refused(cols in number(), rows in number()) {
        let message = format!("{{\"cols\":{cols},\"rows\":{rows}}}");
        if let Ok(size) = serde_json::from_str::<TerminalSize>(&message) {
            let sides = 1..=TerminalSize::MAX;
            prop_assert!(sides.contains(&size.cols()) && sides.contains(&size.rows()));
        }
    }

    #[test]
    fn a_blob_keeps_no_more_than_it_may(payloads in vec(0usize..900, 0..12), over in 0usize..3) {
        let sent: usize = payloads.iter().sum();
        let limit = (sent + 1).saturating_sub(over);
        let mut blob = Blob::of_at_most(limit);
        for len in &payloads {
            blob.push(vec![1; *len]);
        }
        let kept = blob.take();
        prop_assert_eq!(kept.map(|bytes| bytes.len()), (sent <= limit).then_some(sent));
    }
}

#[test]
fn depth_is_bounded() {
    for open in ["[", "{\"ok\":"] {
        let payload = format!("{{\"id\":1,\"ok\":{}", open.repeat(100_000));
        read::<Reply>(payload.as_bytes());
        read::<Request>(payload.as_bytes());
        read::<ViewerSpec>(payload.as_bytes());
    }
}
