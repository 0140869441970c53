//! Names of keys and the bytes that a terminal sends for them, as xterm does.

use crate::error::CliError;

/// Which of two sequences cursor keys send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CursorKeys {
    /// `CSI A` and so on.
    Normal,
    /// `SS3 A` and so on: the program has set DECCKM.
    Application,
}

/// A key with what is held down together with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    base: Base,
    control: bool,
    meta: bool,
    shift: bool,
}

/// A key by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Character(char),
    /// Sends this, and has no form with modifiers but Alt.
    Plain(&'static [u8]),
    /// Tab, which with Shift goes back.
    Tab,
    /// `CSI 1 ; modifiers X`, or `SS3 X`.
    Letter(u8, LetterKind),
    /// `CSI number ; modifiers ~`.
    Number(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LetterKind {
    /// `CSI X`, or `SS3 X` when the program asked for that.
    Cursor,
    /// Always `SS3 X`.
    Function,
}

const NAMES: &str = "Enter Tab BTab Escape Space BSpace Up Down Left Right Home End PageUp PageDown Insert Delete \
                     F1 to F12, a character, or one with C-, M- or S- before it";

impl Key {
    /// Reads the name of a key.
    ///
    /// # Errors
    /// `usage`, with the names that there are.
    pub(crate) fn parse(name: &str) -> Result<Self, CliError> {
        let unknown =
            || CliError::usage(format!("{name:?} is no key")).hint(format!("keys are: {NAMES}"));
        let mut key = Self { base: Base::Tab, control: false, meta: false, shift: false };
        let mut rest = name;
        loop {
            // The last character stands for itself: `C--` is Ctrl with a hyphen, `^` a caret.
            rest = match rest.as_bytes() {
                [b'C', b'-', _, ..] => {
                    key.control = true;
                    &rest[2..]
                }
                [b'M', b'-', _, ..] => {
                    key.meta = true;
                    &rest[2..]
                }
                [b'S', b'-', _, ..] => {
                    key.shift = true;
                    &rest[2..]
                }
                [b'^', _, ..] => {
                    key.control = true;
                    &rest[1..]
                }
                _ => break,
            };
        }
        key.base = base(rest).ok_or_else(unknown)?;
        if key.shift && matches!(key.base, Base::Character(_) | Base::Plain(_)) {
            return Err(unknown());
        }
        if key.control
            && key.control_byte().is_none()
            && matches!(key.base, Base::Character(_) | Base::Plain(_))
        {
            return Err(unknown());
        }
        Ok(key)
    }

    /// Whether what it sends depends on the program's terminal modes.
    pub(crate) fn depends_on_mode(self) -> bool {
        matches!(self.base, Base::Letter(_, LetterKind::Cursor)) && self.modifiers() == 1
    }

    /// The bytes that a terminal sends for it.
    pub(crate) fn bytes(self, cursor_keys: CursorKeys) -> Vec<u8> {
        let modifiers = self.modifiers();
        let mut bytes = Vec::new();
        match self.base {
            Base::Letter(letter, kind) if modifiers == 1 => {
                let application =
                    kind == LetterKind::Function || cursor_keys == CursorKeys::Application;
                bytes.extend([0x1b, if application { b'O' } else { b'[' }, letter]);
            }
            Base::Letter(letter, _) => {
                bytes.extend(format!("\x1b[1;{modifiers}{}", char::from(letter)).bytes());
            }
            Base::Number(number) if modifiers == 1 => {
                bytes.extend(format!("\x1b[{number}~").bytes());
            }
            Base::Number(number) => bytes.extend(format!("\x1b[{number};{modifiers}~").bytes()),
            Base::Tab | Base::Plain(_) | Base::Character(_) => {
                if self.meta {
                    bytes.push(0x1b);
                }
                self.push_plain(&mut bytes);
            }
        }
        bytes
    }

    fn push_plain(self, bytes: &mut Vec<u8>) {
        match (self.base, self.control_byte()) {
            (_, Some(byte)) if self.control => bytes.push(byte),
            (Base::Tab, _) if self.shift => bytes.extend(b"\x1b[Z"),
            (Base::Tab, _) => bytes.push(b'\t'),
            (Base::Plain(plain), _) => bytes.extend(plain),
            (Base::Character(character), _) => {
                bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            (Base::Letter(..) | Base::Number(_), _) => {}
        }
    }

    /// The control character of this key, for those that have one.
    fn control_byte(self) -> Option<u8> {
        match self.base {
            Base::Character('?') => Some(0x7f),
            Base::Character(' ') | Base::Character('2') => Some(0),
            Base::Character('/') => Some(0x1f),
            Base::Character(character @ ('@'..='_' | 'a'..='z')) => {
                u8::try_from(character).ok().map(|byte| byte.to_ascii_uppercase() & 0x1f)
            }
            Base::Plain(b" ") => Some(0),
            Base::Plain(b"\x7f") => Some(0x08),
            _ => None,
        }
    }

    /// As xterm counts them: 1, and 1 for Shift, 2 for Alt, 4 for Ctrl.
    fn modifiers(self) -> u8 {
        1 + u8::from(self.shift) + 2 * u8::from(self.meta) + 4 * u8::from(self.control)
    }
}

fn base(name: &str) -> Option<Base> {
    let mut characters = name.chars();
    if let (Some(character), None) = (characters.next(), characters.next()) {
        return (!character.is_control()).then_some(Base::Character(character));
    }
    let cursor = |letter| Base::Letter(letter, LetterKind::Cursor);
    let function = |letter| Base::Letter(letter, LetterKind::Function);
    Some(match name.to_ascii_lowercase().as_str() {
        "enter" => Base::Plain(b"\r"),
        "escape" | "esc" => Base::Plain(b"\x1b"),
        "space" => Base::Plain(b" "),
        "bspace" => Base::Plain(b"\x7f"),
        "btab" => Base::Plain(b"\x1b[Z"),
        "tab" => Base::Tab,
        "up" => cursor(b'A'),
        "down" => cursor(b'B'),
        "right" => cursor(b'C'),
        "left" => cursor(b'D'),
        "home" => cursor(b'H'),
        "end" => cursor(b'F'),
        "insert" | "ic" => Base::Number(2),
        "delete" | "dc" => Base::Number(3),
        "pageup" | "pgup" | "ppage" => Base::Number(5),
        "pagedown" | "pgdn" | "npage" => Base::Number(6),
        "f1" => function(b'P'),
        "f2" => function(b'Q'),
        "f3" => function(b'R'),
        "f4" => function(b'S'),
        "f5" => Base::Number(15),
        "f6" => Base::Number(17),
        "f7" => Base::Number(18),
        "f8" => Base::Number(19),
        "f9" => Base::Number(20),
        "f10" => Base::Number(21),
        "f11" => Base::Number(23),
        "f12" => Base::Number(24),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_send_what_a_terminal_sends() {
        let cases: [(&str, &[u8]); 34] = [
            ("Enter", b"\r"),
            ("Tab", b"\t"),
            ("BTab", b"\x1b[Z"),
            ("S-Tab", b"\x1b[Z"),
            ("Escape", b"\x1b"),
            ("Esc", b"\x1b"),
            ("Space", b" "),
            ("BSpace", b"\x7f"),
            ("Up", b"\x1b[A"),
            ("Left", b"\x1b[D"),
            ("Home", b"\x1b[H"),
            ("End", b"\x1b[F"),
            ("PgUp", b"\x1b[5~"),
            ("PageDown", b"\x1b[6~"),
            ("Insert", b"\x1b[2~"),
            ("DC", b"\x1b[3~"),
            ("F1", b"\x1bOP"),
            ("F5", b"\x1b[15~"),
            ("F12", b"\x1b[24~"),
            ("C-c", b"\x03"),
            ("^c", b"\x03"),
            ("C-C", b"\x03"),
            ("C-\\", b"\x1c"),
            ("C-Space", b"\0"),
            ("C-?", b"\x7f"),
            ("M-x", b"\x1bx"),
            ("C-M-a", b"\x1b\x01"),
            ("M-C-a", b"\x1b\x01"),
            ("M-Enter", b"\x1b\r"),
            ("S-Up", b"\x1b[1;2A"),
            ("C-Right", b"\x1b[1;5C"),
            ("C-M-Delete", b"\x1b[3;7~"),
            ("\u{e9}", "\u{e9}".as_bytes()),
            ("-", b"-"),
        ];
        for (name, bytes) in cases {
            let key = Key::parse(name).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(key.bytes(CursorKeys::Normal), bytes, "{name}");
        }
    }

    #[test]
    fn cursor_keys_follow_the_program() {
        let bytes = |name: &str| Key::parse(name).unwrap().bytes(CursorKeys::Application);
        assert_eq!(bytes("Up"), b"\x1bOA");
        assert_eq!(bytes("Home"), b"\x1bOH");
        assert_eq!(bytes("C-Up"), b"\x1b[1;5A");
        assert_eq!(bytes("F5"), b"\x1b[15~");
        assert!(Key::parse("Up").unwrap().depends_on_mode());
        assert!(!Key::parse("C-Up").unwrap().depends_on_mode());
    }

    #[test]
    fn what_is_no_key_is_refused_with_a_list() {
        for name in ["", "Entre", "C-", "F13", "C-\u{e9}", "S-a", "\x1b", "C-Enter"] {
            let error = Key::parse(name).unwrap_err();
            assert!(error.advice().is_some_and(|hint| hint.contains("PageUp")), "{name:?}");
        }
    }
}
