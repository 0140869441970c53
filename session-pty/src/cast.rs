//! Recordings that players of terminal sessions understand: asciicast, version 2.
//!
//! The first line is an object with the size and the time of the beginning, each further one an array: seconds since
//! then, a kind (`o` for output, `r` for a new size, `m` for a remark), and a text. See
//! <https://docs.asciinema.org/manual/asciicast/v2/>.

use serde::{Deserialize, Serialize};
use session_core::{TerminalSize, Timestamp};

/// The first line.
#[derive(Debug, Deserialize, Serialize)]
struct Header<'a> {
    version: u32,
    width: u16,
    height: u16,
    /// Seconds since 1970.
    timestamp: i64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    title: Option<std::borrow::Cow<'a, str>>,
}

/// Turns what happens on a terminal into lines.
#[derive(Debug)]
pub(crate) struct Cast {
    began: Timestamp,
    /// The beginning of a character whose other bytes have yet to come.
    unfinished: Vec<u8>,
}

impl Cast {
    /// A new recording, and its first line.
    pub(crate) fn begin(size: TerminalSize, title: Option<&str>, now: Timestamp) -> (Self, String) {
        let header = Header {
            version: 2,
            width: size.cols(),
            height: size.rows(),
            timestamp: now.as_millis().div_euclid(1000),
            title: title.map(Into::into),
        };
        // What the first line says and no later, so that whoever goes on with it counts from the same moment.
        let began = Timestamp::from_millis(header.timestamp * 1000);
        (Self { began, unfinished: Vec::new() }, line(&header))
    }

    /// Goes on with a recording that begins with this line; `None` if it is none.
    pub(crate) fn resume(first: &str) -> Option<Self> {
        let header: Header<'_> = serde_json::from_str(first).ok()?;
        if header.version != 2 {
            return None;
        }
        let began = Timestamp::from_millis(header.timestamp.checked_mul(1000)?);
        Some(Self { began, unfinished: Vec::new() })
    }

    /// Output, as text: bytes that are none become replacement characters, and a character that has begun waits for
    /// its end. `None` when there is nothing to say yet.
    pub(crate) fn output(&mut self, bytes: &[u8], now: Timestamp) -> Option<String> {
        self.unfinished.extend_from_slice(bytes);
        let whole = self.unfinished.len() - begun_character(&self.unfinished);
        let text = String::from_utf8_lossy(&self.unfinished[..whole]).into_owned();
        self.unfinished.drain(..whole);
        (!text.is_empty()).then(|| self.event(now, "o", &text))
    }

    /// How many bytes of output wait for the rest of their character.
    pub(crate) fn waiting(&self) -> usize {
        self.unfinished.len()
    }

    /// Another size.
    pub(crate) fn resized(&self, size: TerminalSize, now: Timestamp) -> String {
        self.event(now, "r", &format!("{}x{}", size.cols(), size.rows()))
    }

    /// A remark, which players show on their time line.
    pub(crate) fn remark(&self, text: &str, now: Timestamp) -> String {
        self.event(now, "m", text)
    }

    fn event(&self, now: Timestamp, kind: &str, text: &str) -> String {
        // A clock that goes back does not take the recording along.
        let elapsed = now.as_millis().saturating_sub(self.began.as_millis()).max(0);
        line(&(elapsed as f64 / 1000.0, kind, text))
    }
}

fn line(value: &impl Serialize) -> String {
    // Numbers and texts always have a JSON form.
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

/// How many bytes at the end are the beginning of a character and not yet all of it.
fn begun_character(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    let begun = tail.iter().rposition(|byte| *byte >= 0xc0).map(|at| &tail[at..]);
    begun.filter(|begun| is_incomplete(begun)).map_or(0, <[u8]>::len)
}

fn is_incomplete(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_750_000_000_000 + millis)
    }

    /// The output in these lines.
    fn played(lines: &str) -> String {
        let events = lines.lines().map(|line| serde_json::from_str(line).unwrap());
        events
            .filter(|(_, kind, _): &(f64, String, String)| kind == "o")
            .map(|(_, _, text)| text)
            .collect()
    }

    #[test]
    fn lines_are_those_of_the_format() {
        let (mut cast, header) =
            Cast::begin(TerminalSize::nearest(120, 40), Some("a \"b\""), at(0));
        assert_eq!(
            header,
            "{\"version\":2,\"width\":120,\"height\":40,\"timestamp\":1750000000,\"title\":\"a \\\"b\\\"\"}\n"
        );
        assert_eq!(
            cast.output(b"\x1b[1mhi\r\n", at(1500)).unwrap(),
            "[1.5,\"o\",\"\\u001b[1mhi\\r\\n\"]\n"
        );
        assert_eq!(
            cast.resized(TerminalSize::nearest(80, 24), at(2000)),
            "[2.0,\"r\",\"80x24\"]\n"
        );
        assert_eq!(cast.remark("gap", at(-5)), "[0.0,\"m\",\"gap\"]\n");
        let mut again = Cast::resume(header.trim_end()).unwrap();
        assert_eq!(again.output(b"x", at(250)).unwrap(), "[0.25,\"o\",\"x\"]\n");
        for none in [
            "",
            "{}",
            "[1.0,\"o\",\"x\"]",
            "{\"version\":3,\"width\":1,\"height\":1,\"timestamp\":1}",
        ] {
            assert!(Cast::resume(none).is_none(), "{none}");
        }
    }

    #[test]
    fn a_character_waits_for_its_end() {
        let (mut cast, _) = Cast::begin(TerminalSize::nearest(80, 24), None, at(0));
        assert_eq!(cast.output(&"🧪".as_bytes()[..2], at(1)), None);
        assert_eq!(cast.waiting(), 2);
        assert_eq!(played(&cast.output(&"🧪".as_bytes()[2..], at(2)).unwrap()), "🧪");
        assert_eq!(cast.waiting(), 0);
        // What can never be one does not.
        assert_eq!(played(&cast.output(b"\xff\xc3(", at(3)).unwrap()), "\u{fffd}\u{fffd}(");
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_text_is_the_same(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xf0), Just(0x9f), Just(b'a')], 0..60),
            cuts in prop::collection::vec(1_usize..5, 0..60),
        ) {
            let (mut cast, _) = Cast::begin(TerminalSize::nearest(80, 24), None, at(0));
            let (mut lines, mut rest) = (String::new(), &bytes[..]);
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let (piece, left) = rest.split_at(cut.min(rest.len()));
                lines.extend(cast.output(piece, at(0)));
                rest = left;
            }
            let whole = bytes.len() - cast.waiting();
            prop_assert_eq!(played(&lines), String::from_utf8_lossy(&bytes[..whole]));
        }
    }
}
