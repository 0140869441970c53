//! The key that leaves a session, in every form in which terminals send it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A key that detaches: `Ctrl` with a letter or one of `@ \ ] ^ _`, but none of those that terminals send as they
/// send Escape, Tab or Return.
///
/// Terminals send it as one control byte, or, when the program has switched their keyboard to another protocol,
/// as a sequence with the key's code and modifiers (kitty's `CSI code ; modifiers u`, xterm's
/// `CSI 27 ; modifiers ; code ~`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetachKey {
    /// The character that is pressed together with Ctrl, in lower case.
    key: u8,
}

/// A text that names no key that could detach.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DetachKeyError {
    /// It names no key that is pressed together with Ctrl.
    #[error("{text:?} is no detach key: use C-x with a letter or one of @ \\ ] ^ _")]
    Unknown {
        /// What was given, cut short.
        text: String,
    },
    /// Terminals send the same byte for a key that everybody needs.
    #[error("{key} cannot detach: terminals send the same byte for {taken_by}")]
    Taken {
        /// The key that was named.
        key: DetachKey,
        /// The key that could no longer be typed.
        taken_by: &'static str,
    },
}

/// A key that begins like a sequence and does not go on is passed on after this.
pub(super) const ESCAPE_WAIT: Duration = Duration::from_millis(30);

/// Looks for the key in what a terminal sends.
#[derive(Debug)]
pub(super) struct Matcher {
    key: DetachKey,
    held: Vec<u8>,
    /// Inside a bracketed paste, where nothing is a key.
    pasting: bool,
}

/// What is found in a piece of input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What is to be passed on.
    pub(super) pass: Vec<u8>,
    /// The key came after it; what followed is thrown away.
    pub(super) detach: bool,
}

impl Default for DetachKey {
    fn default() -> Self {
        Self { key: b'\\' }
    }
}

impl DetachKey {
    const fn control_byte(self) -> u8 {
        self.key.to_ascii_uppercase() & 0x1f
    }

    /// Which key sends the same byte, as ASCII has it.
    const fn taken_by(self) -> Option<&'static str> {
        match self.control_byte() {
            b'\x1b' => Some("Escape"),
            b'\t' => Some("Tab"),
            b'\n' => Some("a line feed"),
            b'\r' => Some("Return"),
            _ => None,
        }
    }
}

impl FromStr for DetachKey {
    type Err = DetachKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = text.strip_prefix("C-").or_else(|| text.strip_prefix('^')).map(str::as_bytes);
        match key {
            Some(&[key]) if key.is_ascii_alphabetic() || b"@[\\]^_".contains(&key) => {
                let key = Self { key: key.to_ascii_lowercase() };
                match key.taken_by() {
                    Some(taken_by) => Err(DetachKeyError::Taken { key, taken_by }),
                    None => Ok(key),
                }
            }
            _ => Err(DetachKeyError::Unknown { text: text.chars().take(20).collect() }),
        }
    }
}

impl fmt::Display for DetachKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ctrl-{}", char::from(self.key))
    }
}

impl Matcher {
    pub(super) const fn new(key: DetachKey) -> Self {
        Self { key, held: Vec::new(), pasting: false }
    }

    /// Whether an unfinished sequence is held back, which [`Self::release`] gives up waiting for.
    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Gives up on an unfinished sequence: a person pressed Escape, and perhaps a bracket after it.
    pub(super) fn release(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Looks at what came next.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Found {
        let input = [std::mem::take(&mut self.held).as_slice(), bytes].concat();
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            if rest[0] == self.key.control_byte() && !self.pasting {
                return Found { pass: input[..at].to_vec(), detach: true };
            }
            // An escape at the very end may be a key of its own, or where a read cut a sequence.
            if rest != b"\x1b" && !rest.starts_with(b"\x1b[") {
                at += 1;
                continue;
            }
            let Some(len) = sequence_len(rest) else {
                if rest.len() < 32 {
                    self.held = rest.to_vec();
                    return Found { pass: input[..at].to_vec(), detach: false };
                }
                at += 2;
                continue;
            };
            match &rest[..len] {
                b"\x1b[200~" => self.pasting = true,
                b"\x1b[201~" => self.pasting = false,
                sequence if !self.pasting && self.is_key(sequence) => {
                    return Found { pass: input[..at].to_vec(), detach: true };
                }
                _ => {}
            }
            at += len;
        }
        Found { pass: input, detach: false }
    }

    /// Whether a whole control sequence is the press of the key.
    fn is_key(&self, sequence: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(&sequence[2..]) else { return false };
        let code = u32::from(self.key.key);
        if let Some(parameters) = text.strip_suffix('u') {
            // code[:shifted[:base]] ; modifiers[:event] [; text]
            let mut parameters = parameters.split(';');
            let codes = parameters.next().unwrap_or_default();
            let mut modifiers = parameters.next().unwrap_or_default().split(':');
            let pressed = modifiers.next().and_then(modifier_bits).is_some_and(is_control)
                && modifiers.next().is_none_or(|event| event != "3");
            let mut alternatives = codes.split(':').enumerate();
            return pressed
                && alternatives.any(|(place, found)| place != 1 && found.parse() == Ok(code));
        }
        let Some(parameters) = text.strip_suffix('~').and_then(|rest| rest.strip_prefix("27;"))
        else {
            return false;
        };
        let Some((modifiers, found)) = parameters.split_once(';') else { return false };
        modifier_bits(modifiers).is_some_and(is_control) && found.parse() == Ok(code)
    }
}

/// The modifiers of a key report: one more than the sum of their bits.
fn modifier_bits(text: &str) -> Option<u32> {
    text.parse::<u32>().ok()?.checked_sub(1)
}

/// Control alone, whatever the locks say.
const fn is_control(bits: u32) -> bool {
    const CAPS_LOCK: u32 = 64;
    const NUM_LOCK: u32 = 128;
    bits & !(CAPS_LOCK | NUM_LOCK) == 4
}

/// Length of the control sequence at the start of `bytes`, if it is whole.
fn sequence_len(bytes: &[u8]) -> Option<usize> {
    let last = bytes.get(2..)?.iter().position(|byte| !matches!(byte, 0x20..=0x3f))?;
    Some(2 + last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(input: &[u8]) -> Found {
        Matcher::new(DetachKey::default()).feed(input)
    }

    #[test]
    fn every_form_of_the_key_detaches() {
        let forms: &[&[u8]] = &[
            b"\x1c",
            b"\x1b[92;5u",
            b"\x1b[92;5:1u",
            b"\x1b[92;69u",
            b"\x1b[228::92;5u",
            b"\x1b[92:124;5u",
            b"\x1b[27;5;92~",
        ];
        for form in forms {
            let input = [b"ab", *form, b"cd"].concat();
            assert_eq!(feed(&input), Found { pass: b"ab".to_vec(), detach: true }, "{form:?}");
        }
    }

    #[test]
    fn other_keys_pass() {
        let others: &[&[u8]] = &[
            b"\\",
            b"\x1bx",
            b"\x1b[A",
            b"\x1b[92;5:3u",
            b"\x1b[92;6u",
            b"\x1b[92u",
            b"\x1b[27;6;92~",
            b"\x1b[200~\x1c\x1b[92;5u\x1b[201~",
        ];
        for other in others {
            assert_eq!(feed(other), Found { pass: other.to_vec(), detach: false }, "{other:?}");
        }
    }

    #[test]
    fn a_key_in_pieces_is_still_the_key() {
        for form in [&b"\x1b[92;5u"[..], b"\x1b[27;5;92~"] {
            for cut in 1..form.len() {
                let mut matcher = Matcher::new(DetachKey::default());
                let found = matcher.feed(&[b"x", &form[..cut]].concat());
                assert_eq!(found, Found { pass: b"x".to_vec(), detach: false }, "{cut}");
                assert!(matcher.is_holding());
                let found = matcher.feed(&form[cut..]);
                assert_eq!(found, Found { pass: Vec::new(), detach: true }, "{cut}");
            }
        }
    }

    #[test]
    fn the_end_of_a_paste_in_pieces_is_still_its_end() {
        let mut matcher = Matcher::new(DetachKey::default());
        assert!(!matcher.feed(b"\x1b[200~\x1c\x1b").detach);
        assert!(!matcher.feed(b"[201~").detach);
        assert!(matcher.feed(b"\x1c").detach);
    }

    #[test]
    fn a_lone_escape_is_held_and_can_be_given_up() {
        let mut matcher = Matcher::new(DetachKey::default());
        assert_eq!(matcher.feed(b"a\x1b"), Found { pass: b"a".to_vec(), detach: false });
        assert_eq!(matcher.release(), b"\x1b");
        assert!(!matcher.is_holding());
        assert_eq!(matcher.feed(b"b"), Found { pass: b"b".to_vec(), detach: false });
    }

    #[test]
    fn keys_that_everybody_needs_are_refused() {
        let refused = [("C-[", "Escape"), ("C-i", "Tab"), ("^J", "a line feed"), ("C-M", "Return")];
        for (text, name) in refused {
            let message = text.parse::<DetachKey>().unwrap_err().to_string();
            assert!(message.ends_with(&format!("the same byte for {name}")), "{message}");
        }
    }

    #[test]
    fn keys_are_named_as_in_configurations() {
        assert_eq!("C-\\".parse::<DetachKey>().unwrap(), DetachKey::default());
        assert_eq!("C-a".parse::<DetachKey>().unwrap().control_byte(), 1);
        assert_eq!("^]".parse::<DetachKey>().unwrap().to_string(), "Ctrl-]");
        for bad in ["", "C-", "C-ab", "C-1", "F12"] {
            assert!(bad.parse::<DetachKey>().is_err(), "{bad}");
        }
    }
}
