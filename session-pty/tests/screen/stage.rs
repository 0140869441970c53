//! Screens, copies of them, and what two have to have in common.

use session_pty::screen::{Screen, Size};

pub(crate) const SIZE: Size = Size::nearest(20, 6);

pub(crate) fn screen(bytes: impl AsRef<[u8]>) -> Screen {
    sized(SIZE, bytes)
}

pub(crate) fn sized(size: Size, bytes: impl AsRef<[u8]>) -> Screen {
    let mut screen = Screen::new(size, 50);
    screen.feed(bytes.as_ref());
    screen
}

/// What somebody has who was given a snapshot of `screen`.
pub(crate) fn copy(screen: &Screen) -> Screen {
    sized(screen.size(), [&screen.snapshot(), screen.unfinished()].concat())
}

pub(crate) fn readable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\x1b", "\n\\e")
}

/// What differs, with a little before it.
pub(crate) fn difference(a: &[u8], b: &[u8]) -> Option<String> {
    let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    let from = at.saturating_sub(20);
    (a != b).then(|| format!("{} ---{}", readable(&a[from..]), readable(&b[from..])))
}

/// Everything that a snapshot tells is equal, and the rows as text.
pub(crate) fn assert_same(a: &Screen, b: &Screen, when: &str) {
    assert_eq!(a.rows_text(), b.rows_text(), "text {when}");
    assert_eq!(a.grid(), b.grid(), "grid {when}");
    assert_eq!(difference(&a.ansi(None), &b.ansi(None)), None, "attributes {when}");
    assert_eq!(difference(&a.snapshot(), &b.snapshot()), None, "state {when}");
    assert_eq!(a.unfinished(), b.unfinished(), "unfinished {when}");
}

/// The same with all of its history.
pub(crate) fn copy_with_history(screen: &Screen) -> Screen {
    let bytes = [&screen.snapshot_with_history(usize::MAX), screen.unfinished()].concat();
    sized(screen.size(), bytes)
}

/// How often a property is tried: as `PROPTEST_CASES` says, else so often.
pub(crate) fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default)
}
