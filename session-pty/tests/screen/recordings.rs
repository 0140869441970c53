//! Recordings of real programs, left and come back to in many places.

use session_pty::screen::{Screen, Size};

use crate::examine::{assert_equal, examine};
use crate::oracle::{avt, feed, seen, shown};
use crate::stage::copy;
use crate::terminal::{Outer, Terminal as _};

/// Bytes between two places where a recording is cut: a prime, so that sequences are cut in all of theirs.
const STEP: usize = 97;

const NARROW: Size = Size::nearest(60, 16);

pub(crate) const RECORDINGS: [(&str, Size, &[u8]); 5] = [
    ("bash", NARROW, include_bytes!("../recordings/bash.vt")),
    ("curses", NARROW, include_bytes!("../recordings/curses.vt")),
    ("less", NARROW, include_bytes!("../recordings/less.vt")),
    ("tmux", Size::nearest(70, 18), include_bytes!("../recordings/tmux.vt")),
    ("vim", NARROW, include_bytes!("../recordings/vim.vt")),
];

fn screen(size: Size, bytes: &[u8]) -> Screen {
    let mut screen = Screen::new(size, 1000);
    screen.feed(bytes);
    screen
}

#[test]
fn whoever_comes_back_finds_the_screen_as_it_was() {
    for (name, size, bytes) in RECORDINGS {
        let expected = examine(&mut screen(size, bytes));
        for cut in (0..bytes.len()).step_by(STEP) {
            let left = screen(size, &bytes[..cut]);
            let mut back = copy(&left);
            if cut % 5 == 0 {
                let when = format!("{name} at {cut}");
                assert_equal(
                    &examine(&mut screen(size, &bytes[..cut])),
                    &examine(&mut copy(&left)),
                    &when,
                );
            }
            back.feed(&bytes[cut..]);
            assert_equal(&expected, &examine(&mut back), &format!("{name}, left at {cut}"));
        }
    }
}

#[test]
fn a_terminal_that_is_not_ours_shows_the_same() {
    for (name, size, bytes) in RECORDINGS {
        let mut watching = Outer::new(size);
        let mut ours = Screen::new(size, 1000);
        for cut in (0..bytes.len()).step_by(STEP) {
            let mut attached = Outer::with(size, ours.replay(usize::MAX, usize::MAX));
            attached.feed(ours.unfinished());
            assert_eq!(attached.rows(), watching.rows(), "{name} at {cut}");
            assert_eq!(attached.picture(0), watching.picture(0), "{name} at {cut}");
            let next = &bytes[cut..bytes.len().min(cut + STEP)];
            watching.feed(next);
            ours.feed(next);
            attached.feed(next);
            assert_eq!(attached.rows(), watching.rows(), "{name}, going on at {cut}");
        }
    }
}

#[test]
fn another_engine_reads_the_same_text() {
    for (name, size, bytes) in RECORDINGS {
        let mut ours = Screen::new(size, 1000);
        let mut other = avt(size);
        let mut done = 0;
        for cut in (0..bytes.len()).step_by(STEP) {
            // avt takes text, so whole characters.
            let end =
                (cut..bytes.len()).find(|&at| bytes[at] & 0xc0 != 0x80).unwrap_or(bytes.len());
            ours.feed(&bytes[done..end]);
            feed(&mut other, &bytes[done..end]);
            done = end;
            assert_eq!(
                shown(&ours),
                seen(&other),
                "{name} at {cut}\n{}\n---\n{}",
                shown(&ours),
                seen(&other)
            );
        }
    }
}
