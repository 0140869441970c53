//! What programs write to terminals: plain lines, coloured ones, wide characters, a screen drawn again and again.

use crate::Random;

/// Columns of the terminal that all output here is made for.
pub const COLUMNS: u16 = 120;

/// Rows of that terminal.
pub const ROWS: u16 = 40;

/// A kind of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A compiler's log.
    Plain,
    /// A test runner's log: several colours a line, from all three palettes.
    Coloured,
    /// Characters of two columns and three bytes.
    Wide,
    /// A full-screen program that addresses every row of every frame.
    Redraw,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Coloured, Self::Wide, Self::Redraw];

    /// The word for it in the name of a bench.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Coloured => "coloured",
            Self::Wide => "cjk",
            Self::Redraw => "redraw",
        }
    }

    /// At least `len` bytes of it, as a program writes it: whole lines or frames, each line ended by `\n` alone.
    #[must_use]
    pub fn output(self, len: usize) -> Vec<u8> {
        let mut random = Random::new(0x5e55_1011);
        let mut text = String::with_capacity(len + 4096);
        let mut number = 0;
        while text.len() < len {
            match self {
                Self::Plain => plain_line(&mut text, &mut random),
                Self::Coloured => coloured_line(&mut text, &mut random),
                Self::Wide => wide_line(&mut text, &mut random),
                Self::Redraw => frame(&mut text, &mut random, number),
            }
            number += 1;
        }
        text.into_bytes()
    }
}

/// What a terminal's line discipline makes of output: `\n` becomes `\r\n` (POSIX `ONLCR`).
#[must_use]
pub fn through_terminal(output: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(output.len() + output.len() / 32);
    for &byte in output {
        if byte == b'\n' {
            bytes.push(b'\r');
        }
        bytes.push(byte);
    }
    bytes
}

const WORDS: [&str; 12] = [
    "compiling",
    "session",
    "v0.1.0",
    "warning:",
    "unused",
    "src/lib.rs:42",
    "finished",
    "in",
    "3.07s",
    "target",
    "->",
    "ok",
];

fn word(random: &mut Random) -> &'static str {
    random.choose(&WORDS)
}

fn plain_line(text: &mut String, random: &mut Random) {
    for _ in 0..4 + random.below(9) {
        text.push_str(word(random));
        text.push(' ');
    }
    text.push('\n');
}

fn coloured_line(text: &mut String, random: &mut Random) {
    for _ in 0..4 + random.below(6) {
        let colour = match random.below(3) {
            0 => format!("\x1b[1;{}m", 31 + random.below(7)),
            1 => format!("\x1b[38;5;{}m", random.below(256)),
            _ => format!("\x1b[38;2;{};{};90m", random.below(256), random.below(256)),
        };
        text.push_str(&colour);
        text.push_str(word(random));
        text.push_str("\x1b[0m ");
    }
    text.push('\n');
}

fn wide_line(text: &mut String, random: &mut Random) {
    for _ in 0..10 + random.below(40) {
        // CJK unified ideographs, all of two columns.
        let code = 0x4e00 + u32::try_from(random.below(0x5000)).unwrap_or_default();
        text.extend(char::from_u32(code));
    }
    text.push('\n');
}

fn frame(text: &mut String, random: &mut Random, number: usize) {
    let columns = usize::from(COLUMNS);
    text.push_str("\x1b[?25l\x1b[H");
    for row in 1..ROWS {
        let colour = 16 + (row + random.below(4) as u16) % 216;
        let load = random.below(60);
        text.push_str(&format!(
            "\x1b[{row};1H\x1b[38;5;{colour}m{:>6}\x1b[0m \u{2502} {:<20} \u{2502}\x1b[7m{:load$}\x1b[27m\x1b[K",
            random.below(100_000),
            word(random),
            "",
        ));
    }
    let status = format!("frame {number}");
    text.push_str(&format!(
        "\x1b[{ROWS};1H\x1b[44m{status:<width$}\x1b[0m\x1b[?25h",
        width = columns - 1
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_as_long_as_asked_for_and_the_same_again() {
        for kind in Kind::ALL {
            let output = kind.output(10_000);
            assert!((10_000..20_000).contains(&output.len()), "{kind:?} {}", output.len());
            assert_eq!(output, kind.output(10_000), "{kind:?}");
        }
    }

    #[test]
    fn a_terminal_returns_the_carriage() {
        assert_eq!(through_terminal(b"a\nb\r\n"), b"a\r\nb\r\r\n");
    }
}
