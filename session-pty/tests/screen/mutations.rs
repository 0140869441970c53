//! What programs print, damaged on purpose: every form of sequence, numbers that are none, any cut and any size.

use proptest::collection::vec;
use proptest::prelude::*;
use session_pty::screen::{Notice, Screen, Size};

use crate::copies::assert_found_the_same;
use crate::examine::{assert_equal, examine};
use crate::pieces::{Output, piece};
use crate::recordings::RECORDINGS;
use crate::stage::{cases, copy, readable};

/// Numbers at which something may overflow.
#[rustfmt::skip]
const NUMBERS: &[&str] = &[
    "", "0", "1", "2", "3", "5", "8", "19", "20", "21", "80", "255", "256", "1023", "1024", "1025", "9999", "32767",
    "32768", "65535", "65536", "2147483648", "4294967296", "18446744073709551616",
];

/// Characters whose width, or whose right to be one, is in doubt.
#[rustfmt::skip]
const CHARACTERS: &[&[u8]] = &[
    "\u{301}".as_bytes(), "\u{200d}".as_bytes(), "\u{fe0f}".as_bytes(), "\u{feff}".as_bytes(), "\u{1f1e9}".as_bytes(),
    "1\u{fe0f}\u{20e3}".as_bytes(), "\u{1100}\u{1161}\u{11a8}".as_bytes(), "\u{85}".as_bytes(), "\u{9b}31m".as_bytes(),
    "\u{ad}".as_bytes(), "\u{202e}".as_bytes(), "\u{e0067}".as_bytes(), "\u{10ffff}".as_bytes(), "\u{ffff}".as_bytes(),
    "\u{fdfd}".as_bytes(), "\u{0e33}".as_bytes(), "\u{115f}".as_bytes(), "\u{3164}".as_bytes(), "日".as_bytes(),
    b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xf0\x9f", b"\xe2\x82", b"\xff", b"\x80", b"\x7f", b"\0",
];

/// What ends a string, or does not.
const ENDS: &[&str] = &["\x07", "\x1b\\", "\x18", "\x1a", "\x1b", "", "\x1bc", "\u{9c}"];

/// What happens to a screen.
#[derive(Clone, Debug)]
enum Step {
    Output(Output),
    Resized(Size),
}

fn numbers() -> impl Strategy<Value = String> {
    let number = prop::sample::select(NUMBERS);
    let some = vec((number, prop::sample::select(b";;;:".to_vec())), 0..4);
    let some = prop_oneof![30 => some.boxed(), 1 => vec((Just("1"), Just(b';')), 31..36).boxed()];
    some.prop_map(|numbers| {
        let text: String = numbers
            .into_iter()
            .map(|(number, end)| format!("{number}{}", char::from(end)))
            .collect();
        text.trim_end_matches([';', ':']).to_owned()
    })
}

fn control() -> impl Strategy<Value = Vec<u8>> {
    (
        prop::sample::select(vec!["", "?", ">", "<", "=", "!"]),
        numbers(),
        "[ !\"#$'*]{0,1}",
        0x40..0x7f_u8,
    )
        .prop_map(|(prefix, numbers, between, end)| {
            format!("\x1b[{prefix}{numbers}{between}{}", char::from(end)).into_bytes()
        })
}

fn escape() -> impl Strategy<Value = Vec<u8>> {
    vec(0x20..0x7f_u8, 1..3).prop_map(|rest| [b"\x1b".to_vec(), rest].concat())
}

fn string() -> impl Strategy<Value = Vec<u8>> {
    let begin = prop_oneof![
        4 => prop::sample::select(vec!["0", "2", "4", "7", "8", "10", "11", "12", "22", "50", "52", "104", "110", "133"])
            .prop_map(|number| format!("\x1b]{number};")),
        1 => numbers().prop_map(|numbers| format!("\x1b]{numbers}")),
        1 => prop::sample::select(vec!["\x1bP", "\x1bP$q", "\x1bP+q", "\x1b_G", "\x1b^", "\x1bX", "\x1bk"])
            .prop_map(str::to_owned),
    ];
    let text = prop_oneof![
        "[ -~]{0,20}",
        "[;:?0-9a-f#/]{0,20}",
        "(id=[a-z]{0,3}|[a-z]{1,3}=)?;(http|file)://[a-z日é/]{0,9}",
        (1usize..1200).prop_map(|times| "long ".repeat(times)),
    ];
    (begin, text, prop::sample::select(ENDS))
        .prop_map(|(begin, text, end)| format!("{begin}{text}{end}").into_bytes())
}

fn recorded() -> impl Strategy<Value = Vec<u8>> {
    (0..RECORDINGS.len(), any::<prop::sample::Index>(), 1usize..200).prop_map(
        |(which, from, len)| {
            let bytes = RECORDINGS[which].2;
            let from = from.index(bytes.len());
            bytes[from..bytes.len().min(from + len)].to_vec()
        },
    )
}

/// Output with some damage: bytes that are others, are missing or are there twice.
fn output() -> impl Strategy<Value = Output> {
    let whole = prop_oneof![
        5 => piece(),
        4 => recorded(),
        4 => control(),
        2 => string(),
        1 => escape(),
        2 => prop::sample::select(CHARACTERS).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..20),
    ];
    let damage = (any::<prop::sample::Index>(), 1usize..9, any::<u8>(), 0u8..4);
    (vec(whole, 0..8), vec(damage, 0..2)).prop_map(|(pieces, damages)| {
        let mut bytes = pieces.concat();
        for (at, len, byte, kind) in damages {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + len);
            match kind {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => drop(bytes.drain(at..end)),
                _ => bytes.extend_from_within(at..end),
            }
        }
        Output(bytes)
    })
}

fn size() -> impl Strategy<Value = Size> {
    let side = || prop_oneof![1 => 0u16..2, 3 => 2u16..5, 6 => 5u16..30, 1 => 30u16..130];
    prop_oneof![
        60 => (side(), side()).boxed(),
        1 => prop::sample::select(vec![(65_535, 1), (1, 65_535), (1024, 2), (2, 1024)]).boxed(),
    ]
    .prop_map(|(cols, rows)| Size::nearest(cols, rows))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![6 => output().prop_map(Step::Output), 1 => size().prop_map(Step::Resized)]
}

fn after(size: Size, history: usize, steps: &[Step]) -> Screen {
    let mut screen = Screen::new(size, history);
    for step in steps {
        match step {
            Step::Output(output) => screen.feed(&output.0),
            Step::Resized(size) => screen.resize(*size),
        }
    }
    screen
}

/// Whatever was printed, this is the most that a screen keeps and tells.
fn assert_bounded(screen: &mut Screen, history: usize) {
    assert!(!screen.take_notices().contains(&Notice::Rebuilt));
    assert!(screen.take_answers().len() <= 64 << 10);
    assert!(screen.unfinished().len() <= 64 << 10);
    let text = |text: Option<&str>| text.map_or(0, |text| text.chars().count());
    assert!(text(screen.title()) <= 4096 && text(screen.directory()) <= 4096);
    let rows = screen.rows_text();
    let shown = screen.history_text(usize::MAX);
    assert!(shown.len() <= history);
    for row in rows.iter().chain(&shown) {
        // A character and its marks for each column.
        assert!(row.chars().count() <= 33 * usize::from(screen.size().cols().max(2)), "{row:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(300), failure_persistence: None, ..Default::default() })]

    #[test]
    fn damaged_output_breaks_nothing(size in size(), history in 0usize..40, steps in vec(step(), 0..12), view in size()) {
        let mut screen = Screen::new(size, history);
        for step in &steps {
            match step {
                Step::Output(output) => screen.feed(&output.0),
                Step::Resized(size) => screen.resize(*size),
            }
            let whole = screen.replay(usize::MAX, usize::MAX);
            let some = screen.replay(usize::MAX, whole.len() / 2);
            prop_assert!(some.len() <= screen.replay(0, 0).len() + whole.len() / 2);
            let _rendered = (screen.html(Some(9)), screen.ansi(Some(9)), screen.frame(view).paint(None));
            assert_bounded(&mut screen, history);
        }
    }

    #[test]
    fn damaged_output_is_restored(size in size(), before in vec(step(), 0..10), rest in output()) {
        let original = || after(size, 50, &before);
        assert_found_the_same(original);
        let (mut original, mut restored) = (original(), copy(&original()));
        for screen in [&mut original, &mut restored] {
            // What REP would repeat is not restored where a full screen lacks it; whatever has begun is given up.
            screen.feed(b"\x18.");
            screen.feed(&rest.0);
        }
        assert_equal(&examine(&mut original), &examine(&mut restored), "after the rest");
    }

    #[test]
    fn damaged_output_is_the_same_however_it_is_cut(size in size(), output in vec(output(), 0..6), cuts in vec(1usize..30, 1..20)) {
        let bytes = output.into_iter().flat_map(|output| output.0).collect::<Vec<_>>();
        let mut whole = Screen::new(size, 20);
        whole.feed(&bytes);
        let mut cut = Screen::new(size, 20);
        let mut rest = &bytes[..];
        for len in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*len).min(rest.len()));
            cut.feed(now);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(whole.unfinished(), cut.unfinished());
        prop_assert_eq!(readable(&whole.snapshot_with_history(20)), readable(&cut.snapshot_with_history(20)));
    }
}
