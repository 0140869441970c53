//! What a viewer's terminal sends: typing, reports of mouse and focus, answers to queries.
//!
//! Typing makes a viewer the leader, whose size the terminal has. Reports and answers must not, those of followers must
//! not reach the program, which asked one terminal, not all of them, and they are out of date where the supervisor has
//! died: typing alone is sent again.

use std::time::{Duration, Instant};

/// What a piece of input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Somebody pressed keys or pasted.
    Typed,
    /// The mouse moved, or the window gained or lost the focus.
    Reported,
    /// The terminal answered a query.
    Answered,
}

/// Cuts one viewer's input into pieces of one origin each, over any cutting of the stream.
#[derive(Debug, Default)]
pub(super) struct Sorter {
    held: Vec<u8>,
    since: Option<Instant>,
    /// Inside a bracketed paste, where everything was typed.
    pasting: bool,
}

/// How long an unfinished sequence may be taken for the beginning of an answer. A key such as Alt-] begins like one.
pub(super) const PATIENCE: Duration = Duration::from_millis(50);

/// An unfinished sequence longer than this is no answer of a terminal.
const LONGEST: usize = 4096;

const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

impl Sorter {
    /// Takes in bytes and hands out what is complete.
    pub(super) fn feed(&mut self, bytes: &[u8], mut piece: impl FnMut(&[u8], Origin)) {
        let input = [std::mem::take(&mut self.held).as_slice(), bytes].concat();
        let mut rest = &input[..];
        while let Some((len, origin)) = first_piece(rest) {
            let (first, later) = rest.split_at(len);
            match first {
                PASTE_BEGINS => self.pasting = true,
                PASTE_ENDS => self.pasting = false,
                _ => {}
            }
            piece(first, if self.pasting { Origin::Typed } else { origin });
            rest = later;
        }
        if rest.len() > LONGEST {
            piece(rest, Origin::Typed);
            rest = &[];
        }
        self.held = rest.to_vec();
        self.since = (!rest.is_empty()).then(|| self.since.unwrap_or_else(Instant::now));
    }

    /// How long the unfinished sequence that is held back may still take.
    pub(super) fn left(&self) -> Option<Duration> {
        self.since.map(|since| PATIENCE.saturating_sub(since.elapsed()))
    }

    /// Gives up on a sequence that took too long: it was typed.
    pub(super) fn overdue(&mut self) -> Vec<u8> {
        if self.left().is_none_or(|left| !left.is_zero()) {
            return Vec::new();
        }
        self.give_up()
    }

    /// Hands out what is held back, which was typed.
    pub(super) fn give_up(&mut self) -> Vec<u8> {
        self.since = None;
        std::mem::take(&mut self.held)
    }
}

/// Length and origin of the first whole piece; `None` when nothing or only an unfinished sequence is there.
fn first_piece(bytes: &[u8]) -> Option<(usize, Origin)> {
    match bytes {
        [] => None,
        // A lone escape is a key: whoever pressed it is not kept waiting for what may never come.
        [0x1b] => Some((1, Origin::Typed)),
        [0x1b, b'[', rest @ ..] => control_sequence(rest).map(|(len, origin)| (len + 2, origin)),
        [0x1b, introducer @ (b']' | b'P' | b'_'), rest @ ..] => {
            match begins_answer(*introducer, rest) {
                Some(true) => string_end(rest).map(|len| (len + 2, Origin::Answered)),
                Some(false) => Some((2, Origin::Typed)),
                None => None,
            }
        }
        [0x1b, rest @ ..] => {
            Some((1 + rest.iter().take(1).filter(|&&byte| byte != 0x1b).count(), Origin::Typed))
        }
        _ => {
            let len = bytes.iter().position(|&byte| byte == 0x1b).unwrap_or(bytes.len());
            Some((len, Origin::Typed))
        }
    }
}

/// Whether a string sequence is one that terminals answer with; `None` while too little of it is there. Anything
/// else is a key pressed with Alt, and what follows it.
fn begins_answer(introducer: u8, rest: &[u8]) -> Option<bool> {
    let beginnings: &[&[u8]] = match introducer {
        b']' => return rest.first().map(u8::is_ascii_digit),
        b'P' => &[b">|", b"0$r", b"1$r", b"0+r", b"1+r", b"!|"],
        _ => &[b"G"],
    };
    if beginnings.iter().any(|beginning| rest.starts_with(beginning)) {
        return Some(true);
    }
    let may_become = beginnings.iter().any(|beginning| beginning.starts_with(rest));
    if may_become { None } else { Some(false) }
}

/// Length and origin of a control sequence after its introducer.
fn control_sequence(rest: &[u8]) -> Option<(usize, Origin)> {
    // X10 mouse reports carry three bytes of their own after the M.
    if rest.first() == Some(&b'M') {
        return (rest.len() >= 4).then_some((4, Origin::Reported));
    }
    let end = rest.iter().position(|byte| !matches!(byte, 0x20..=0x3f))?;
    let (parameters, last) = (&rest[..end], rest[end]);
    let private = parameters.first().copied();
    let origin = match last {
        b'I' | b'O' if parameters.is_empty() => Origin::Reported,
        b'M' | b'm' if private == Some(b'<') => Origin::Reported,
        b'M' if !parameters.is_empty() => Origin::Reported,
        b'c' if matches!(private, Some(b'?' | b'>' | b'=')) => Origin::Answered,
        b'R' if is_position(parameters) => Origin::Answered,
        b'n' | b't' => Origin::Answered,
        b'y' if parameters.ends_with(b"$") => Origin::Answered,
        b'u' if private == Some(b'?') => Origin::Answered,
        _ => Origin::Typed,
    };
    Some((end + 1, origin))
}

/// Whether the parameters before an `R` are a cursor position. `1;2` to `1;16` are F3 with modifiers instead.
fn is_position(parameters: &[u8]) -> bool {
    let text = std::str::from_utf8(parameters).unwrap_or_default();
    let Some((row, column)) = text.trim_start_matches('?').split_once(';') else { return false };
    row != "1" || !column.parse().is_ok_and(|modifier: u32| (2..=16).contains(&modifier))
}

/// Length of a string sequence after its introducer, its end (BEL or ESC \) included.
fn string_end(rest: &[u8]) -> Option<usize> {
    rest.iter().enumerate().find_map(|(at, &byte)| match byte {
        0x07 => Some(at + 1),
        0x1b if rest.get(at + 1) == Some(&b'\\') => Some(at + 2),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(input: &[u8]) -> Vec<(Vec<u8>, Origin)> {
        let mut pieces = Vec::new();
        Sorter::default().feed(input, |bytes, origin| pieces.push((bytes.to_vec(), origin)));
        pieces
    }

    #[test]
    fn each_kind_is_known() {
        let cases: &[(&[u8], Origin)] = &[
            (b"ls\r", Origin::Typed),
            (b"\x1b", Origin::Typed),
            (b"\x1b[A", Origin::Typed),
            (b"\x1bOP", Origin::Typed),
            (b"\x1b[1;5R", Origin::Typed),
            (b"\x1b[200~", Origin::Typed),
            (b"\x1b[97;5u", Origin::Typed),
            (b"\x1b[I", Origin::Reported),
            (b"\x1b[<0;3;4M", Origin::Reported),
            (b"\x1b[M !!", Origin::Reported),
            (b"\x1b[?62;22c", Origin::Answered),
            (b"\x1b[12;40R", Origin::Answered),
            (b"\x1b[0n", Origin::Answered),
            (b"\x1b[?2026;2$y", Origin::Answered),
            (b"\x1b]11;rgb:0000/0000/0000\x1b\\", Origin::Answered),
            (b"\x1bP>|term 1.0\x1b\\", Origin::Answered),
            (b"\x1b_Gi=1;OK\x1b\\", Origin::Answered),
            (b"\x1b_x", Origin::Typed),
            (b"\x1b]x", Origin::Typed),
            (b"\x1bPx", Origin::Typed),
            (b"\x1b[200~\x1b[0n\x1b[I\x1b[201~", Origin::Typed),
        ];
        for (input, origin) in cases {
            let pieces = sorted(input);
            assert!(pieces.iter().all(|(_, found)| found == origin), "{pieces:?}");
            assert_eq!(pieces.concat_bytes(), *input);
        }
    }

    trait ConcatBytes {
        fn concat_bytes(&self) -> Vec<u8>;
    }

    impl ConcatBytes for Vec<(Vec<u8>, Origin)> {
        fn concat_bytes(&self) -> Vec<u8> {
            self.iter().flat_map(|(bytes, _)| bytes.clone()).collect()
        }
    }

    #[test]
    fn an_answer_in_two_halves_is_one_answer() {
        let mut sorter = Sorter::default();
        let mut pieces = Vec::new();
        for half in [&b"\x1b[?6"[..], b"2c"] {
            sorter.feed(half, |bytes, origin| pieces.push((bytes.to_vec(), origin)));
        }
        assert_eq!(pieces, [(b"\x1b[?62c".to_vec(), Origin::Answered)]);
    }

    #[test]
    fn what_does_not_become_an_answer_in_time_was_typed() {
        let mut sorter = Sorter::default();
        sorter.feed(b"\x1b]", |piece, _| panic!("{piece:?} may still become an answer"));
        assert!(sorter.left().is_some_and(|left| left <= PATIENCE));
        sorter.since = sorter.since.and_then(|since| since.checked_sub(PATIENCE));
        assert_eq!((sorter.overdue(), sorter.left()), (b"\x1b]".to_vec(), None));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_reordered(
            chunks in prop::collection::vec(
                prop::collection::vec(prop_oneof![Just(0x1b), Just(b'['), Just(b']'), any::<u8>()], 0..12),
                0..12,
            ),
        ) {
            let mut sorter = Sorter::default();
            let mut out = Vec::new();
            for chunk in &chunks {
                sorter.feed(chunk, |bytes, _| out.extend_from_slice(bytes));
            }
            out.extend_from_slice(&sorter.held);
            prop_assert_eq!(out, chunks.concat());
        }
    }
}
