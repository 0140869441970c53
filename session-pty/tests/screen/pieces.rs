//! Pieces of a program's output: everything that a screen keeps is changed by some of them.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes that are shown as they would be written down.
#[derive(Clone)]
pub(crate) struct Output(pub(crate) Vec<u8>);

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// Sequences and control characters that stand for themselves.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "\r", "\n", "\r\n", "\t", "\x08", "\x0e", "\x0f", "\x1b7", "\x1b8", "\x1bD", "\x1bE", "\x1bM", "\x1bH",
    "\x1b=", "\x1b>", "\x1b#8", "\x1b(0", "\x1b(B", "\x1b)0", "\x1b)B", "\x1b[s", "\x1b[u", "\x1b[!p",
    "\x1b[r", "\x1b[2g", "\x1b[3g", "\x1b[?5W", "\x1bc", "\x1b]2;one\x07", "\x1b]0;two; three\x1b\\",
    "\x1b[22t", "\x1b[23t", "\x1b]7;file:///a\x07", "\x1b]8;;http://a/b;c\x1b\\", "\x1b]8;id=x;http://d\x07",
    "\x1b]8;;\x07", "\x1b[4h", "\x1b[4l", "\x1b[20h", "\x1b[>1u", "\x1b[>5u", "\x1b[<u", "\x1b[=3;1u",
    "\x1b[=8;2u", "\x1b[>4;2m", "\x1b[>4m", "\x1b[3 q", "\x1b[6 q", "\x1b[0 q", "\x1b]4;1;#102030\x07",
    "\x1b]11;rgb:10/20/30\x07", "\x1b]104;1\x07", "\x1b]50;CursorShape=1\x07", "\x1b*0", "\x1b+0", "\x1b)A",
    "\x1b[22;0t", "\x1b[23;2t", "\x1b[=1;3u", "\x1b[<3u", "\x1b[>31u", "\x1b[>4;1m", "\x1b[1 q", "\x1b[4 q",
    "\x1b[2 q", "\x1b]10;#aabbcc\x07", "\x1b]12;rgb:ff/00/00\x1b\\", "\x1b]110\x07", "\x1b]112\x1b\\",
    "\x1b(A", "\x1b+A", "\x1b[3;9s", "\x1b[?69h", "\x1b[5s", "\x1b]4;7;rgb:1/2/3;200;#0f0\x07", "\x1b]104\x07", "\x1b]7;\x07", "\x1b]2;\x07", "\x1b[2J", "\x1b[3J",
    "\x1b[H", "\x1b]8;id=x:k=v;http://e\x07", "\x1b[?1s", "\x1bn", "\x1b]133;A\x07", "\x1b[b", "\x1b[2b",
    "\x1b[?2026$p",
];

/// Attributes.
#[rustfmt::skip]
const SGR: &[&str] = &[
    "", "0", "1", "2", "3", "4", "4:2", "4:3", "4:4", "4:5", "5", "6", "25", "7", "8", "9", "22", "23", "24", "27", "28",
    "29", "31", "39", "42", "49", "95", "103", "38;5;8", "48;5;200", "38;2;1;2;3", "48;2;9;8;7", "58:5:3",
    "58:2::4:5:6", "59", "1;3;35;44",
];

/// Private modes: what the emulator acts on, what only an outer terminal does, what nobody knows.
#[rustfmt::skip]
const MODES: &[u16] = &[
    1, 3, 5, 6, 7, 9, 12, 25, 45, 47, 66, 67, 69, 1000, 1002, 1003, 1004, 1005, 1006, 1007, 1015, 1016, 1034, 1042,
    1047, 1048, 1049, 1049, 1049, 2004, 2026, 2027, 2031, 2048, 9001, 4242,
];

/// One piece of a program's output.
pub(crate) fn piece() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![4 => 0u16..8, 2 => 0u16..24, 1 => Just(65535u16)];
    let text = prop_oneof![
        "[a-zA-Z ]{1,12}",
        "[q-x#]{1,9}",
        "[日本語字한글]{1,6}",
        "[éßñ🙂🚀x]{1,5}",
        "([👩❤👍🏽🇩🇪](\u{200d}|\u{fe0f})?){1,3}",
        "(e\u{301}\u{302}|a\u{308}){1,2}",
    ];
    let csi = prop::sample::select(b"@ABCDEFGHIJKLMPSTXZ`abdefg".to_vec());
    prop_oneof![
        6 => text.prop_map(String::into_bytes),
        3 => prop::sample::select(PLAIN).prop_map(|bytes| bytes.as_bytes().to_vec()),
        3 => prop::sample::select(SGR).prop_map(|codes| format!("\x1b[{codes}m").into_bytes()),
        4 => (number.clone(), number.clone(), csi).prop_map(|(a, b, action)| {
            format!("\x1b[{a};{b}{}", char::from(action)).into_bytes()
        }),
        1 => (1u16..7, 1u16..9).prop_map(|(a, b)| format!("\x1b[{a};{b}r").into_bytes()),
        2 => (prop::sample::select(MODES), prop::bool::weighted(0.6))
            .prop_map(|(mode, on)| format!("\x1b[?{mode}{}", if on { 'h' } else { 'l' }).into_bytes()),
    ]
}

/// Output of up to so many pieces.
pub(crate) fn stream(pieces: usize) -> impl Strategy<Value = Output> {
    vec(piece(), 0..pieces).prop_map(|pieces| Output(pieces.concat()))
}
