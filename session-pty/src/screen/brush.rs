//! Writes cells as terminal bytes: characters with SGR attributes and OSC 8 links.

use alacritty_terminal::term::cell::{Cell, Flags, Hyperlink};
use alacritty_terminal::vte::ansi::{Color, NamedColor};

use super::links;

/// Blinking (SGR 5 and 6), in the one bit that the engine leaves free: it knows no such attribute.
pub(super) const BLINK: Flags = Flags::from_bits_retain(1 << 15);

/// The flags that are attributes and not facts about the layout of a row.
const ATTRIBUTES: Flags = Flags::INVERSE
    .union(Flags::BOLD_ITALIC)
    .union(Flags::ALL_UNDERLINES)
    .union(Flags::DIM)
    .union(Flags::HIDDEN)
    .union(Flags::STRIKEOUT)
    .union(BLINK);

/// Everything about a cell except its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) fg: Color,
    pub(super) bg: Color,
    pub(super) flags: Flags,
    pub(super) underline: Option<Color>,
    pub(super) link: Option<Hyperlink>,
}

impl Default for Look {
    fn default() -> Self {
        Self::of(&Cell::default())
    }
}

impl Look {
    pub(super) fn of(cell: &Cell) -> Self {
        Self {
            fg: cell.fg,
            bg: cell.bg,
            flags: cell.flags & ATTRIBUTES,
            underline: cell.underline_color(),
            link: cell.hyperlink(),
        }
    }

    fn matches(&self, cell: &Cell) -> bool {
        self.fg == cell.fg
            && self.bg == cell.bg
            && self.flags == cell.flags & ATTRIBUTES
            && match &cell.extra {
                None => self.underline.is_none() && self.link.is_none(),
                Some(_) => {
                    self.underline == cell.underline_color() && self.link == cell.hyperlink()
                }
            }
    }
}

/// Whether a cell looks as one that nothing was ever written to.
pub(super) fn is_blank(cell: &Cell) -> bool {
    matches!(cell.c, ' ' | '\t')
        && (cell.extra.is_none() || is_bare(cell))
        && cell.bg == Color::Named(NamedColor::Background)
        && cell.fg == Color::Named(NamedColor::Foreground)
        && !cell.flags.intersects(ATTRIBUTES | Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER)
}

/// Whether nothing is left of what a cell had besides its character.
fn is_bare(cell: &Cell) -> bool {
    cell.zerowidth().is_none_or(<[char]>::is_empty)
        && cell.underline_color().is_none()
        && cell.hyperlink().is_none()
}

/// The columns of a row up to its last cell that is not blank.
pub(super) fn used(row: &[Cell]) -> usize {
    row.iter().rposition(|cell| !is_blank(cell)).map_or(0, |last| last + 1)
}

/// How the cell at `column` is shown: its characters and the columns they take, or `None` if the
/// cell to its left covers it. Half a wide character shows as a space.
pub(super) fn glyph(row: &[Cell], column: usize) -> Option<(char, &[char], usize)> {
    let cell = &row[column];
    let after = row.get(column + 1);
    if cell.flags.contains(Flags::WIDE_CHAR_SPACER)
        && column > 0
        && row[column - 1].flags.contains(Flags::WIDE_CHAR)
    {
        return None;
    }
    let marks = cell.zerowidth().unwrap_or_default();
    if cell.flags.contains(Flags::WIDE_CHAR) {
        return match after {
            Some(after) if after.flags.contains(Flags::WIDE_CHAR_SPACER) => {
                Some((cell.c, marks, 2))
            }
            _ => Some((' ', &[], 1)),
        };
    }
    // The engine leaves tabs in the cells they began in.
    Some((if cell.c == '\t' { ' ' } else { cell.c }, marks, 1))
}

/// A pen that remembers how it was last set.
#[derive(Debug)]
pub(super) struct Brush {
    pub(super) out: Vec<u8>,
    look: Look,
    /// How many bytes of links may still be written.
    links: usize,
}

impl Default for Brush {
    fn default() -> Self {
        Self { out: Vec::new(), look: Look::default(), links: links::WRITTEN }
    }
}

impl Brush {
    /// Begins anew, with a pen that has not been set.
    pub(super) fn clear(&mut self) {
        self.out.clear();
        (self.look, self.links) = (Look::default(), links::WRITTEN);
    }

    /// Appends bytes that leave the attributes alone.
    pub(super) fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        self.out.extend_from_slice(bytes.as_ref());
    }

    /// `CSI row ; column H`, counted from zero.
    pub(super) fn go(&mut self, row: usize, column: usize) {
        self.raw(format!("\x1b[{};{}H", row + 1, column + 1));
    }

    /// Back to no attributes and no link.
    pub(super) fn plain(&mut self) {
        self.set(&Look::default());
    }

    /// Sets the attributes and the link.
    pub(super) fn set(&mut self, look: &Look) {
        if self.look == *look {
            return;
        }
        let old = self.look.link.as_ref();
        let is_written = |link: &&Hyperlink| old == Some(link) || links::length(link) <= self.links;
        let link = look.link.as_ref().filter(is_written);
        if old != link {
            self.links -= link.map_or(0, links::length);
            match link {
                None => self.raw("\x1b]8;;\x1b\\"),
                Some(link) if link.id().is_empty() => {
                    self.raw(format!("\x1b]8;;{}\x1b\\", link.uri()));
                }
                Some(link) => {
                    self.raw(format!("\x1b]8;id={};{}\x1b\\", link.id(), link.uri()));
                }
            }
        }
        let same_pen = self.look.fg == look.fg
            && self.look.bg == look.bg
            && self.look.flags == look.flags
            && self.look.underline == look.underline;
        if !same_pen {
            self.raw(sgr(look));
        }
        self.look = Look { link: link.cloned(), ..look.clone() };
    }

    /// Writes what `glyph` told of a cell.
    pub(super) fn cell(&mut self, cell: &Cell, character: char, marks: &[char]) {
        if !self.look.matches(cell) {
            self.set(&Look::of(cell));
        }
        let mut buffer = [0; 4];
        for c in std::iter::once(&character).chain(marks) {
            self.out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        }
    }

    /// Writes a row's cells up to `end`; the cursor is at the row's beginning.
    pub(super) fn row(&mut self, row: &[Cell], end: usize) {
        for column in 0..end {
            if let Some((character, marks, _)) = glyph(row, column) {
                self.cell(&row[column], character, marks);
            }
        }
    }
}

/// The attributes as one SGR sequence that begins with a reset.
fn sgr(look: &Look) -> String {
    let mut text = String::from("\x1b[0");
    // 21 is "doubly underlined" to some terminals and "not bold" to others, so the kinds of
    // underline are written as sub-parameters, which the rest ignore.
    let flags = [
        (BLINK, ";5"),
        (Flags::BOLD, ";1"),
        (Flags::DIM, ";2"),
        (Flags::ITALIC, ";3"),
        (Flags::UNDERLINE, ";4"),
        (Flags::DOUBLE_UNDERLINE, ";4:2"),
        (Flags::UNDERCURL, ";4:3"),
        (Flags::DOTTED_UNDERLINE, ";4:4"),
        (Flags::DASHED_UNDERLINE, ";4:5"),
        (Flags::INVERSE, ";7"),
        (Flags::HIDDEN, ";8"),
        (Flags::STRIKEOUT, ";9"),
    ];
    for (flag, code) in flags {
        if look.flags.contains(flag) {
            text.push_str(code);
        }
    }
    color(&mut text, look.fg, 30);
    color(&mut text, look.bg, 40);
    match look.underline {
        // With semicolons a terminal that does not know 58 would take the rest for attributes.
        Some(Color::Spec(rgb)) => text += &format!(";58:2::{}:{}:{}", rgb.r, rgb.g, rgb.b),
        Some(Color::Indexed(index)) => text += &format!(";58:5:{index}"),
        Some(Color::Named(named)) => text += &format!(";58:5:{}", named as usize),
        None => {}
    }
    text.push('m');
    text
}

fn color(text: &mut String, color: Color, base: usize) {
    match color {
        Color::Named(named) => match named as usize {
            index @ 0..8 => *text += &format!(";{}", base + index),
            index @ 8..16 => *text += &format!(";{}", base + 60 + index - 8),
            // Foreground and background: what the reset has left.
            _ => {}
        },
        Color::Indexed(index) => *text += &format!(";{};5;{index}", base + 8),
        Color::Spec(rgb) => *text += &format!(";{};2;{};{};{}", base + 8, rgb.r, rgb.g, rgb.b),
    }
}
