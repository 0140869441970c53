//! A screen's rows as one HTML element with inline styles.

use std::fmt::Write as _;

use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::color::Colors;
use alacritty_terminal::vte::ansi::{Color, NamedColor, Rgb};

use super::brush::{Look, glyph, used};
use super::links;
use super::palette;
use super::text;
use super::tracked::Tracked;

/// Only these make a link: a screen's text comes from whatever a program printed.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

pub(super) fn write(state: &Tracked, scrollback: Option<usize>) -> String {
    let colors = state.term.colors();
    let foreground = palette::value(colors, NamedColor::Foreground as usize);
    let background = palette::value(colors, NamedColor::Background as usize);
    // A line feed at the beginning is not shown: with this one, none of the rows is lost.
    let mut html = format!(
        "<pre style=\"color:{};background:{};font-family:monospace\">\n",
        css(foreground),
        css(background)
    );
    let mut room = links::WRITTEN;
    for cells in text::all(state, scrollback) {
        row(&mut html, colors, cells, &mut room);
        html.push('\n');
    }
    html.push_str("</pre>\n");
    html
}

/// `room` is how many bytes of links may still be written.
fn row(html: &mut String, colors: &Colors, cells: &[Cell], room: &mut usize) {
    let mut close = String::new();
    let mut look = Look::default();
    for (column, cell) in cells.iter().enumerate().take(used(cells)) {
        let Some((character, marks, _)) = glyph(cells, column) else { continue };
        let next = Look::of(cell);
        if next != look {
            html.push_str(&close);
            close = open(html, colors, &next, room);
            look = next;
        }
        escape(html, std::iter::once(&character).chain(marks).copied());
    }
    html.push_str(&close);
}

/// Opens what a look needs and returns what closes it.
fn open(html: &mut String, colors: &Colors, look: &Look, room: &mut usize) -> String {
    if *look == Look::default() {
        return String::new();
    }
    let mut close = String::new();
    let uri = look.link.as_ref().map(|link| link.uri());
    let is_written =
        |uri: &&str| uri.len() <= *room && SCHEMES.iter().any(|scheme| uri.starts_with(scheme));
    if let Some(uri) = uri.filter(is_written) {
        *room -= uri.len();
        html.push_str("<a href=\"");
        escape(html, uri.chars());
        html.push_str("\">");
        close.push_str("</a>");
    }
    let style = style(colors, look);
    if !style.is_empty() {
        let _ = write!(html, "<span style=\"{style}\">");
        close.insert_str(0, "</span>");
    }
    close
}

fn style(colors: &Colors, look: &Look) -> String {
    let mut style = String::new();
    let (mut fg, mut bg) = (look.fg, look.bg);
    if look.flags.contains(Flags::INVERSE) {
        (fg, bg) = (bg, fg);
    }
    if fg != Color::Named(NamedColor::Foreground) {
        let _ = write!(style, "color:{};", css(palette::resolve(colors, fg)));
    }
    if bg != Color::Named(NamedColor::Background) {
        let _ = write!(style, "background:{};", css(palette::resolve(colors, bg)));
    }
    let flags = [
        (Flags::BOLD, "font-weight:bold;"),
        (Flags::DIM, "opacity:0.6;"),
        (Flags::ITALIC, "font-style:italic;"),
        (Flags::HIDDEN, "visibility:hidden;"),
    ];
    for (flag, css) in flags {
        if look.flags.contains(flag) {
            style.push_str(css);
        }
    }
    let lines = [
        (Flags::ALL_UNDERLINES, " underline"),
        (Flags::STRIKEOUT, " line-through"),
        (Flags::DOUBLE_UNDERLINE, " double"),
        (Flags::UNDERCURL, " wavy"),
        (Flags::DOTTED_UNDERLINE, " dotted"),
        (Flags::DASHED_UNDERLINE, " dashed"),
    ];
    if look.flags.intersects(Flags::ALL_UNDERLINES | Flags::STRIKEOUT) {
        style.push_str("text-decoration:");
        for (flag, css) in lines {
            if look.flags.intersects(flag) {
                style.push_str(css);
            }
        }
        if let Some(color) = look.underline {
            let _ = write!(style, " {}", css(palette::resolve(colors, color)));
        }
        style.push(';');
    }
    style
}

fn css(rgb: Rgb) -> String {
    format!("#{:02x}{:02x}{:02x}", rgb.r, rgb.g, rgb.b)
}

fn escape(html: &mut String, characters: impl Iterator<Item = char>) {
    for character in characters {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(character),
        }
    }
}
