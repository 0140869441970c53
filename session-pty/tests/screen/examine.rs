//! Finds out all about a terminal by asking and by trying, never by looking inside.

use session_pty::screen::Size;

use crate::terminal::Terminal;

/// What was found out, each with how.
pub(crate) type Findings = Vec<(String, String)>;

const PRIVATE_MODES: [u16; 16] =
    [1, 6, 7, 12, 25, 47, 1000, 1002, 1003, 1004, 1005, 1006, 1007, 1049, 2004, 2026];

/// Tries a terminal out; afterwards it is good for nothing else.
///
/// Not tried is the character that REP would repeat, which a full screen may have lost, and modes that an emulator
/// does nothing with: those are compared in the snapshots.
pub(crate) fn examine(terminal: &mut impl Terminal) -> Findings {
    let mut found = Findings::new();
    // Whatever has begun is given up.
    terminal.feed(b"\x18");
    let _earlier = terminal.answers();
    see(terminal, &mut found, "at once");
    ask(terminal, &mut found);

    write(terminal, &mut found, "a mark on what is before the cursor", "\u{301}");
    write(terminal, &mut found, "what is printed next", "q~#日x");
    write(terminal, &mut found, "the saved cursor", "\x1b8q~#");
    write(terminal, &mut found, "shifted in and out", "\x0eq~#\x0fq~#");
    margins(terminal, &mut found);
    tab_stops(terminal, &mut found);
    keyboard(terminal, &mut found);
    for depth in 0..11 {
        terminal.feed(b"\x1b[23t");
        note(&mut found, format!("title {depth}"), format!("{:?}", terminal.title()));
    }
    if terminal.is_alternate() {
        terminal.feed(b"\x1b[?1049l");
        see(terminal, &mut found, "the main screen behind");
        write(terminal, &mut found, "its mark", "\u{301}");
        write(terminal, &mut found, "its print", "q~");
        write(terminal, &mut found, "its shifts", "\x0eq~#\x0fq~#");
        write(terminal, &mut found, "its saved cursor", "\x1b8q~#");
        keyboard(terminal, &mut found);
    } else {
        terminal.feed(b"\x1b[?1049h");
        keyboard(terminal, &mut found);
        write(terminal, &mut found, "the saved cursor of the alternate screen", "\x1b8q~");
        terminal.feed(b"\x1b[?1049l");
        see(terminal, &mut found, "the main screen again");
    }
    found
}

/// As [`examine`], and then in other widths, for a terminal that was given all of the history.
pub(crate) fn examine_with_history(terminal: &mut impl Terminal) -> Findings {
    let size = terminal.size();
    let mut found = Findings::new();
    note(&mut found, "history", terminal.picture(usize::MAX));
    found.extend(examine(terminal));
    for (columns, rows) in [(-7, 2), (13, -3), (-3, 1)] {
        let changed = |value: u16, by: i16| value.saturating_add_signed(by).max(2);
        terminal.resize(Size::nearest(changed(size.cols(), columns), changed(size.rows(), rows)));
        note(&mut found, format!("resized by {columns} {rows}"), terminal.picture(usize::MAX));
    }
    found
}

/// Panics where two findings differ.
pub(crate) fn assert_equal(expected: &Findings, found: &Findings, when: &str) {
    for ((how, expected), (_, found)) in expected.iter().zip(found) {
        assert_eq!(expected, found, "{when}: {how}\n{expected}\n---\n{found}");
    }
    assert_eq!(expected.len(), found.len(), "{when}");
}

fn note(found: &mut Findings, how: impl Into<String>, what: String) {
    found.push((how.into(), what.replace("\\x1b", "\n\\e")));
}

fn see(terminal: &mut impl Terminal, found: &mut Findings, how: &str) {
    note(found, how, terminal.picture(0));
    terminal.feed(b"\x1b[6n");
    note(found, format!("cursor, {how}"), answers(terminal));
    note(found, format!("title, {how}"), format!("{:?}", terminal.title()));
}

fn write(terminal: &mut impl Terminal, found: &mut Findings, how: &str, text: &str) {
    terminal.feed(text.as_bytes());
    see(terminal, found, how);
}

fn answers(terminal: &mut impl Terminal) -> String {
    terminal.answers().escape_ascii().to_string()
}

fn ask(terminal: &mut impl Terminal, found: &mut Findings) {
    let mut questions = String::from("\x1b[4$p\x1b[20$p\x1b[?u\x1b[?4m\x1b[18t");
    for mode in PRIVATE_MODES {
        questions.push_str(&format!("\x1b[?{mode}$p"));
    }
    for index in (0..18).chain([200, 255]) {
        questions.push_str(&format!("\x1b]4;{index};?\x07"));
    }
    questions.push_str("\x1b]10;?\x07\x1b]11;?\x07\x1b]12;?\x07");
    terminal.feed(questions.as_bytes());
    note(found, "answers", answers(terminal));
}

fn margins(terminal: &mut impl Terminal, found: &mut Findings) {
    write(terminal, found, "from the bottom", "\x1b[?6l\x1b[999;1HA\n\nB");
    write(terminal, found, "from the top", "\x1b[1;1HC\x1bM\x1bMD");
    write(terminal, found, "inside the margins", "\x1b[?6h\x1b[1;1HE\x1b[999;3HF\nG\x1b[?6l");
}

fn tab_stops(terminal: &mut impl Terminal, found: &mut Findings) {
    terminal.feed(b"\x1b[?6l\x1b[1;1H");
    for _ in 0..terminal.size().cols() {
        terminal.feed(b"\t\x1b[6n");
    }
    note(found, "tab stops", answers(terminal));
}

/// Which flags are in force, and which were pushed below them.
fn keyboard(terminal: &mut impl Terminal, found: &mut Findings) {
    terminal.feed(b"\x1b[?u");
    for _ in 0..34 {
        terminal.feed(b"\x1b[<1u\x1b[?u");
    }
    note(found, "keyboard", answers(terminal));
}
