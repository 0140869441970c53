//! Turns a program's output into plain text lines for logs.

use super::boundary::{Boundary, Sink};

/// Most characters of a line; a longer one is broken.
const LINE: usize = 16 * 1024;

/// Columns between tab stops.
const TAB: usize = 8;

/// Follows raw output and completes lines as a reader would have seen them: escape sequences are
/// gone, carriage returns and backspaces go back and what follows overwrites, parts of a line that
/// were erased are gone, tabs have become spaces.
///
/// Of control characters only `\n` comes out. Each character counts as one column. What moves
/// between rows does nothing, so a full-screen program leaves scraps. Lines longer than 16,384
/// characters are broken; bytes that are not UTF-8 become U+FFFD.
#[derive(Debug, Default, Clone)]
pub struct TextLog {
    boundary: Boundary,
    line: Line,
}

/// The line being written.
#[derive(Debug, Default, Clone)]
struct Line {
    characters: Vec<char>,
    column: usize,
    /// The beginning of a character whose rest has not come.
    partial: Vec<u8>,
}

/// A line together with where completed lines go.
struct Writing<'a> {
    line: &'a mut Line,
    out: &'a mut String,
}

impl TextLog {
    /// At the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes; completed lines are appended to `out`, each with `\n`.
    pub fn feed(&mut self, bytes: &[u8], out: &mut String) {
        self.boundary.follow(bytes, &mut Writing { line: &mut self.line, out });
    }

    /// Appends the unfinished last line, with `\n`, if there is one, and begins anew.
    pub fn finish(&mut self, out: &mut String) {
        let mut writing = Writing { line: &mut self.line, out };
        writing.flush_partial();
        if !writing.line.characters.is_empty() {
            writing.complete();
        }
        *self = Self::default();
    }

    /// The unfinished last line.
    pub fn current_line(&self) -> String {
        self.line.characters.iter().collect()
    }
}

impl Writing<'_> {
    fn complete(&mut self) {
        self.out.extend(self.line.characters.drain(..));
        self.out.push('\n');
        self.line.column = 0;
    }

    fn put(&mut self, character: char) {
        if self.line.column >= LINE {
            self.complete();
        }
        let line = &mut *self.line;
        if line.column > line.characters.len() {
            line.characters.resize(line.column, ' ');
        }
        match line.characters.get_mut(line.column) {
            Some(old) => *old = character,
            None => line.characters.push(character),
        }
        line.column += 1;
    }

    fn flush_partial(&mut self) {
        if !self.line.partial.is_empty() {
            self.line.partial.clear();
            self.put(char::REPLACEMENT_CHARACTER);
        }
    }

    fn character(&mut self, character: char) {
        match character {
            '\n' | '\x0b' | '\x0c' => self.complete(),
            '\r' => self.line.column = 0,
            '\x08' => self.line.column = self.line.column.saturating_sub(1),
            '\t' => self.line.column = (self.line.column / TAB + 1) * TAB,
            _ if character.is_control() => {}
            _ => self.put(character),
        }
    }

    /// A control sequence with one number, which is all that matters inside a line.
    fn control_sequence(&mut self, parameter: Option<usize>, action: u8) {
        let line = &mut *self.line;
        let count = parameter.unwrap_or(0).max(1);
        match action {
            b'C' | b'a' => line.column = line.column.saturating_add(count).min(LINE),
            b'D' => line.column = line.column.saturating_sub(count),
            b'G' | b'`' => line.column = (count - 1).min(LINE),
            b'K' => match parameter.unwrap_or(0) {
                0 => line.characters.truncate(line.column),
                1 => {
                    let end = (line.column + 1).min(line.characters.len());
                    line.characters[..end].fill(' ');
                }
                2 => line.characters.clear(),
                _ => {}
            },
            b'P' => {
                let start = line.column.min(line.characters.len());
                let end = start.saturating_add(count).min(line.characters.len());
                line.characters.drain(start..end);
            }
            _ => {}
        }
    }
}

impl Sink for Writing<'_> {
    fn text(&mut self, bytes: &[u8]) {
        let joined;
        let bytes = if self.line.partial.is_empty() {
            bytes
        } else {
            self.line.partial.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.line.partial);
            &joined
        };
        for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                self.character(character);
            }
            let invalid = chunk.invalid();
            let cut_off = bytes.ends_with(invalid)
                && std::ptr::eq(invalid.as_ptr_range().end, bytes.as_ptr_range().end)
                && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if cut_off {
                self.line.partial = invalid.to_vec();
            } else if !invalid.is_empty() {
                self.put(char::REPLACEMENT_CHARACTER);
            }
        }
    }

    fn control(&mut self, byte: u8) {
        self.flush_partial();
        self.character(char::from(byte));
    }

    fn sequence(&mut self, bytes: &[u8], _end: usize) {
        self.flush_partial();
        match bytes {
            b"\x1bE" | b"\x1bD" => self.complete(),
            [0x1b, b'[', parameters @ .., action] => {
                let parameters = std::str::from_utf8(parameters).unwrap_or("?");
                if parameters.is_empty() {
                    self.control_sequence(None, *action);
                } else if let Ok(parameter) = parameters.parse() {
                    self.control_sequence(Some(parameter), *action);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_read_as_lines() {
        let cases: [(&[&[u8]], &str); 12] = [
            (&[b"one\r\ntwo\r\nthree"], "one\ntwo\nthree\n"),
            (&[b" 10%\r 50%\r100%\r\n"], "100%\n"),
            (&[b"longer\rab\r\n"], "abnger\n"),
            (&[b"longer\r\x1b[Kab\x1b[2K\r\n"], "\n"),
            (&[b"abc\x08\x08XY\n"], "aXY\n"),
            (&[b"\x1b[3", b"1mred\x1b[", b"0m\n"], "red\n"),
            (&[b"\x1b]0;title\x07a\x1b]2;t\x1b\\b\x1bPq#1\x1b\\c\n"], "abc\n"),
            (&[b"a\xffb\xe2\x82c\n", b"\xe2\x82"], "a\u{fffd}b\u{fffd}c\n\u{fffd}\n"),
            (&[b"\xe2", b"\x82", b"\xac\n"], "€\n"),
            (&[b"a\tb\x07\x00\x7f\xc2\x85c\n"], "a       bc\n"),
            (&[b"a\x1b[5Cb\x1b[2Dc\x1b[1G_\n"], "_    cb\n"),
            (&[b"", b"\n\n"], "\n\n"),
        ];
        for (chunks, expected) in cases {
            let (mut log, mut out) = (TextLog::new(), String::new());
            for chunk in chunks {
                log.feed(chunk, &mut out);
            }
            log.finish(&mut out);
            assert_eq!(out, expected, "{}", chunks.concat().escape_ascii());
        }
        let (mut log, mut out) = (TextLog::new(), String::new());
        log.feed(&[b'x'; 100_000], &mut out);
        assert_eq!(out.lines().map(str::len).max(), Some(16_384));
        assert_eq!(out.len() - out.lines().count() + log.current_line().len(), 100_000);
    }
}
