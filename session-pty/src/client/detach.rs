//! The key that leaves a session, in every form in which terminals send it.

use std::fmt;
use std::str::FromStr;

/// A key that detaches: `Ctrl` with a letter or one of `@ [ \ ] ^ _`.
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
#[error("{text:?} is no detach key: use C-x with a letter or one of @ [ \\ ] ^ _")]
pub struct DetachKeyError {
    text: String,
}

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
}

impl FromStr for DetachKey {
    type Err = DetachKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = text.strip_prefix("C-").or_else(|| text.strip_prefix('^')).map(str::as_bytes);
        match key {
            Some(&[key]) if key.is_ascii_alphabetic() || b"@[\\]^_".contains(&key) => {
                Ok(Self { key: key.to_ascii_lowercase() })
            }
            _ => Err(DetachKeyError { text: text.chars().take(20).collect() }),
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

    /// Gives up on an unfinished sequence: a person pressed Escape and then a bracket.
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
            if !rest.starts_with(b"\x1b[") {
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
    let last = bytes[2..].iter().position(|byte| !matches!(byte, 0x20..=0x3f))?;
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
            b"\x1b",
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
        let mut matcher = Matcher::new(DetachKey::default());
        for piece in [&b"x\x1b[9"[..], b"2;", b"5"] {
            let found = matcher.feed(piece);
            assert!(!found.detach);
            assert!(matcher.is_holding());
        }
        assert!(matcher.feed(b"u").detach);
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
