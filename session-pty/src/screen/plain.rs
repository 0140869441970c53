//! Long stretches of plain output: what of them still shows in the end, and so has to be fed to the emulator.
//!
//! Plain are printed characters, CR, LF, TAB and SGR. With the whole screen as scroll region each line feed at the bottom
//! pushes a row out, and as many as the screen has rows lead to the bottom. So after as many more as screen and history
//! have together, and one, nothing is left of what was before but the attributes and the character that REP would repeat.

/// What has to be fed instead of a long plain stretch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gist {
    /// The attributes that the skipped part has set, as the sequences that set them.
    pub(super) attributes: Vec<u8>,
    /// The last character that the skipped part has printed.
    pub(super) printed: Option<char>,
    /// Where the rest begins, at the beginning of a line.
    pub(super) rest: usize,
}

/// More attributes than this without a reset are no usual output.
const ATTRIBUTES: usize = 16 << 10;

/// The gist of these bytes for so many rows and lines of history; `None` where all of them have to be fed.
pub(super) fn gist(bytes: &[u8], rows: usize, history: usize) -> Option<Gist> {
    let rest = last_lines(bytes, rows + history + 1)?;
    let mut gist = Gist { attributes: Vec::new(), printed: None, rest };
    let (mut printed, mut line_feeds) = (None, 0);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' '..=b'~' | 0x80..=0xc1 | 0xc3.. => {
                if at < rest {
                    printed = Some(at);
                }
                at += 1;
            }
            b'\r' | b'\n' | b'\t' => {
                line_feeds += usize::from(byte == b'\n' && at < rest);
                at += 1;
            }
            0x1b => {
                let length = attribute(&bytes[at..])?;
                if at < rest {
                    let sequence = &bytes[at..at + length];
                    if matches!(sequence, b"\x1b[m" | b"\x1b[0m") {
                        gist.attributes.clear();
                    }
                    gist.attributes.extend_from_slice(sequence);
                    if gist.attributes.len() > ATTRIBUTES {
                        return None;
                    }
                }
                at += length;
            }
            // Controls, and what encodes controls in UTF-8.
            _ => return None,
        }
    }
    if line_feeds < rows {
        return None;
    }
    if let Some(last) = printed {
        gist.printed = Some(character_that_ends(&bytes[..=last])?);
    }
    Some(gist)
}

/// Where the last so many lines begin that are ended by CR LF, the bytes behind them included.
fn last_lines(bytes: &[u8], lines: usize) -> Option<usize> {
    let mut ends =
        (1..bytes.len()).rev().filter(|&at| bytes[at] == b'\n' && bytes[at - 1] == b'\r');
    ends.nth(lines).map(|at| at + 1)
}

/// The length of the SGR sequence with which the bytes begin, also of one that is cut off at their end.
fn attribute(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1) {
        None => return Some(1),
        Some(b'[') => {}
        Some(_) => return None,
    }
    let parameters = bytes[2..].iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'));
    let end = 2 + parameters.count();
    match bytes.get(end) {
        None => Some(end),
        Some(b'm') => Some(end + 1),
        Some(_) => None,
    }
}

/// The character that ends with the last of the bytes, where they are UTF-8.
fn character_that_ends(bytes: &[u8]) -> Option<char> {
    let begin = bytes.iter().rposition(|byte| byte & 0xc0 != 0x80)?;
    std::str::from_utf8(&bytes[begin..]).ok()?.chars().next()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::screen::{Screen, Size};

    /// On a screen of one row without history.
    fn gist_of(text: &str) -> Option<(String, Option<char>, String)> {
        let gist = gist(text.as_bytes(), 1, 0)?;
        let attributes = String::from_utf8(gist.attributes).unwrap();
        Some((attributes, gist.printed, text[gist.rest..].to_owned()))
    }

    #[test]
    fn the_last_lines_are_kept_and_the_attributes_before() {
        let found = |attributes: &str, printed, rest: &str| {
            Some((attributes.to_owned(), printed, rest.to_owned()))
        };
        assert_eq!(gist_of("a\r\nb\r\nc\r\nd"), found("", Some('a'), "b\r\nc\r\nd"));
        assert_eq!(gist_of("a\r\nb\r\nc"), None);
        let coloured = "\x1b[1ma\x1b[0m\x1b[31mé\x1b[4m\r\nb\x1b[0m\r\nc\r\n";
        let attributes = "\x1b[0m\x1b[31m\x1b[4m";
        assert_eq!(gist_of(coloured), found(attributes, Some('é'), "b\x1b[0m\r\nc\r\n"));
        // What is cut off at the end comes on with the rest.
        for cut in ["\x1b", "\x1b[", "\x1b[3"] {
            let text = format!("a\r\nb\r\nc\r\n{cut}");
            assert_eq!(gist_of(&text), found("", Some('a'), &format!("b\r\nc\r\n{cut}")));
        }
    }

    #[test]
    fn what_does_more_than_print_is_fed_whole() {
        for other in [
            "\x1b[H",
            "\x1b[2J",
            "\x1b7",
            "\x1b]0;t\x07",
            "\x1b[?1049h",
            "\x1b[>4m",
            "\x08",
            "\x0e",
            "\x07",
            "\u{85}",
            "\x7f",
        ] {
            for text in [format!("{other}a\r\nb\r\nc\r\n"), format!("a\r\nb\r\nc{other}\r\nd\r\n")]
            {
                assert_eq!(gist_of(&text), None, "{text:?}");
            }
        }
        // A line feed alone keeps the column.
        assert_eq!(gist_of("a\nb\nc\nd\n"), None);
        let many = format!("{}\r\nb\r\nc\r\nd\r\n", "\x1b[1m".repeat(ATTRIBUTES / 4 + 1));
        assert_eq!(gist_of(&many), None);
    }

    /// What a program may have done before, and output that is mostly plain.
    fn output() -> impl Strategy<Value = (String, Vec<String>)> {
        let before = prop::collection::vec(
            prop::sample::select(vec![
                "text\r\n",
                "\x1b[2;4r",
                "\x1b[r",
                "\x1b[4h",
                "\x1b[?7l",
                "\x1b[?1049h",
                "\x1b[20h",
                "\x1b[41m",
                "\x1b(0",
                "\x1b[3;9H",
                "\x1b[?6h",
                "\x1b]8;;http://a/\x07link",
                "wide 界",
                "\x1b[1",
                "\x1b]0;ti",
                "界"[..].as_ref(),
                "\x1b7",
                "\x1bH\x1b[5C",
                "\x1b[?69h\x1b[2;6s",
            ]),
            0..6,
        );
        let piece = prop::sample::select(vec![
            "line\r\n",
            "\r\n",
            "a longer line than the screen is wide, by far\r\n",
            "\x1b[31mred\x1b[0m\r\n",
            "\tt\r\n",
            "界界界界界界界界\r\n",
            "e\u{301}\r\n",
            "\x1b[1;44m",
            "\x1b[m",
            "no return\n",
            "over\rwritten\r\n",
            "end",
            "\x1b[38;2;1;2;3m\r\n",
            "\x1b[?25l",
            "\x1b[A",
        ]);
        (before, prop::collection::vec(piece, 0..60)).prop_map(|(before, pieces)| {
            (before.concat(), pieces.into_iter().map(ToOwned::to_owned).collect())
        })
    }

    proptest! {
        #[test]
        fn nobody_sees_that_something_was_skipped(
            (before, pieces) in output(),
            (columns, rows, history) in (2u16..24, 1u16..8, 0usize..12),
        ) {
            let size = Size::new(columns, rows).unwrap();
            let [mut whole, mut cut] = [(); 2].map(|()| {
                let mut screen = Screen::new(size, history);
                screen.feed(before.as_bytes());
                screen
            });
            whole.feed(pieces.concat().as_bytes());
            pieces.iter().for_each(|piece| cut.feed(piece.as_bytes()));
            // REP, and what goes on from here, shows the rest of the state.
            for behind in ["", "\x1b[3b", "x\r\nabc\x1b[0m"] {
                for screen in [&mut whole, &mut cut] {
                    screen.feed(behind.as_bytes());
                }
                let shown = [&whole, &cut].map(|screen| {
                    String::from_utf8_lossy(&screen.snapshot_with_history(history)).into_owned()
                });
                prop_assert_eq!(&shown[0], &shown[1]);
                prop_assert_eq!(whole.unfinished(), cut.unfinished());
            }
        }
    }
}
