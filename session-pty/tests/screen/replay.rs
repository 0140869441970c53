//! The kept lines in the scrollback of whoever attaches, below what was there before.

use proptest::collection::vec;
use proptest::prelude::*;
use session_pty::screen::{Screen, Size};

use crate::pieces::Output;
use crate::stage::{cases, screen, sized};
use crate::terminal::{Outer, Terminal as _};

/// What somebody did before: more than a screenful, with colours, in a terminal that is not quite tidy.
fn used_before(size: Size) -> Outer {
    let lines: String = (0..30).map(|n| format!("\x1b[3{}m$ before {n}\r\n", n % 8)).collect();
    // The engine can not take back margins of a single row.
    let margins = if size.rows() > 2 { "\x1b[2;3r" } else { "" };
    Outer::with(size, format!("{lines}\x1b[m{margins}\x1b[?6h\x1b[4h\x1b)0\x0e\x1b[1;7m"))
}

/// What an attaching viewer does with the first screen that it is sent: it makes room and shows it.
fn attach(outer: &mut Outer, bytes: &[u8]) {
    let rows = outer.size().rows();
    outer
        .feed(format!("\x1b[m\x1b[?6l\x1b[r\x1b[{rows};1H{}", "\n".repeat(rows.into())).as_bytes());
    outer.feed(bytes);
}

/// A screen after this output, and the engine without ours.
fn watched(size: Size, bytes: &[u8]) -> (Screen, Outer) {
    let mut screen = Screen::new(size, 1000);
    screen.feed(bytes);
    (screen, Outer::with(size, bytes))
}

/// Attaches, and returns the rows that were there before and all that are there now.
fn rows_after(screen: &Screen, replay: &[u8]) -> (Vec<String>, Vec<String>, Outer) {
    let mut outer = used_before(screen.size());
    let before = outer.rows();
    attach(&mut outer, replay);
    (before, outer.rows(), outer)
}

/// Lines as programs print them: long ones, wide characters, colours up to the edge.
fn lines() -> impl Strategy<Value = Output> {
    let piece = prop_oneof![
        6 => "[a-z ]{0,30}".prop_map(String::into_bytes),
        3 => "[日本語字é🙂x]{1,12}".prop_map(String::into_bytes),
        1 => "(e\\u{301}|👩\\u{200d}🚀){1,3}".prop_map(String::into_bytes),
        3 => prop::sample::select(vec!["0", "1;31", "44", "4:3;58:5:9", "48;2;1;2;3", "7", "9"])
            .prop_map(|codes| format!("\x1b[{codes}m").into_bytes()),
        1 => Just(b"\x1b]8;id=1;https://example.org/\x1b\\link\x1b]8;;\x1b\\".to_vec()),
        4 => Just(b"\r\n".to_vec()),
    ];
    vec(piece, 0..60).prop_map(|pieces| Output(pieces.concat()))
}

fn size() -> impl Strategy<Value = Size> {
    (2u16..40, 1u16..10).prop_map(|(columns, rows)| Size::nearest(columns, rows))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(200), failure_persistence: None, ..Default::default() })]

    #[test]
    fn history_and_screen_follow_what_was_there(
        size in size(), output in lines(), alternate in any::<bool>(), kept in 0usize..60, more in lines(),
    ) {
        let (mut screen, mut watched) = watched(size, &output.0);
        // The alternate screen has no history: it is that of the main screen behind.
        let behind = if alternate { "\x1b[?1049h\x1b[Halternate" } else { "" };
        screen.feed(behind.as_bytes());
        let history = watched.history();
        let kept = kept.min(history);
        let (before, mut after, mut outer) = rows_after(&screen, &screen.replay(kept, usize::MAX));
        if alternate {
            prop_assert!(outer.is_alternate());
            prop_assert_eq!(outer.rows(), Outer::with(size, [&output.0, behind.as_bytes()].concat()).rows());
            outer.feed(b"\x1b[?1049l");
            after = outer.rows();
        }
        prop_assert_eq!(&after[..before.len()], &before);
        prop_assert_eq!(&after[before.len()..], &watched.rows()[history - kept..]);
        // What comes next scrolls the same lines out, and none is lost or there twice.
        watched.feed(&more.0);
        outer.feed(&more.0);
        prop_assert_eq!(&outer.rows()[before.len()..], &watched.rows()[history - kept..]);
    }

    #[test]
    fn rows_that_wrapped_can_wrap_anew(size in size(), output in lines(), columns in 2u16..40) {
        let (screen, mut watched) = watched(size, &output.0);
        let mut outer = Outer::with(size, screen.replay(usize::MAX, usize::MAX));
        let other = Size::nearest(columns, size.rows());
        watched.resize(other);
        outer.resize(other);
        prop_assert_eq!(outer.rows(), watched.rows());
    }

    #[test]
    fn bytes_bound_what_is_replayed(size in size(), output in lines(), bytes in 0usize..2000) {
        let (screen, watched) = watched(size, &output.0);
        let replay = screen.replay(usize::MAX, bytes);
        prop_assert!(replay.len() <= screen.replay(0, 0).len() + bytes);
        // The youngest lines are kept, and the screen is whole.
        let (before, after, outer) = rows_after(&screen, &replay);
        let kept = outer.history() - before.len();
        prop_assert_eq!(&after[before.len()..], &watched.rows()[watched.history() - kept..]);
        if kept < watched.history() {
            prop_assert!(screen.replay(usize::MAX, usize::MAX).len() > replay.len());
        }
    }
}

#[test]
fn a_line_that_wraps_across_the_seam_is_one_line() {
    let size = Size::nearest(10, 3);
    let (screen, watched) =
        watched(size, "first\r\n0123456789abcdefghij日本語日本語日本語日".as_bytes());
    let (before, after, mut outer) = rows_after(&screen, &screen.replay(99, usize::MAX));
    assert_eq!(&after[before.len()..], watched.rows());
    assert!(after[before.len() + 2].contains("|true"), "the last line of history wraps");
    // A wider terminal joins the two.
    outer.resize(Size::nearest(60, 3));
    let joined = "0123456789abcdefghij日本語日本語日本語日";
    assert!(outer.rows().iter().any(|row| row.starts_with(joined)), "{:#?}", outer.rows());
}

#[test]
fn what_was_there_before_is_never_cleared() {
    let lines: String = (0..40).map(|n| format!("line {n}\r\n")).collect();
    let mut screen = sized(Size::nearest(20, 6), lines);
    let bytes = screen.replay(99, usize::MAX).escape_ascii().to_string();
    assert!(!bytes.contains("[2J") && !bytes.contains("[3J") && !bytes.contains("[1;1H\\x1b[J"));
    let (_, all, mut outer) = rows_after(&screen, &screen.replay(99, usize::MAX));
    assert_eq!(all.iter().filter(|row| row.starts_with("line 7 ")).count(), 1);
    // Later screens, after a gap or another size, leave the scrollback as it is.
    let history = outer.history();
    screen.feed(b"\x1b[Hafter a gap");
    outer.feed(&screen.replay(0, usize::MAX));
    assert_eq!(outer.history(), history);
    assert!(outer.picture(0).starts_with("after a gap"));
}

#[test]
fn without_history_nothing_but_the_screen_is_sent() {
    let lines: String = (0..40).map(|n| format!("line {n}\r\n")).collect();
    let screen = sized(Size::nearest(20, 6), lines);
    let (before, after, _) = rows_after(&screen, &screen.replay(0, usize::MAX));
    assert_eq!(after.len(), before.len() + 6);
}

#[test]
fn a_program_in_the_middle_of_an_update_does_not_freeze_a_viewer() {
    let mut updating = screen("before\x1b[?2026h\x1b[2;1Hhalf");
    let mut viewer = Outer::with(updating.size(), updating.replay(0, 0));
    assert!(viewer.picture(0).starts_with("before") && viewer.picture(0).contains("\nhalf"));
    // It is shown what comes next too, whether or not the program ever ends its update.
    viewer.feed(b"\x1b[3;1Hmore");
    assert!(viewer.picture(0).contains("\nmore"));
    // A copy that is no terminal knows that the update has not ended.
    let mut copy = crate::stage::copy(&updating);
    for screen in [&mut updating, &mut copy] {
        screen.feed(b"\x1b[?2026$p");
        assert_eq!(screen.take_answers(), b"\x1b[?2026;1$y");
    }
}

#[test]
fn history_is_kept_where_the_screen_is_written_twice() {
    // A saved cursor that waits to wrap has the rows of the screen written again, below the history.
    let lines = "\r\n".repeat(3000);
    let cells = "\x1b[0;38;2;101;102;103mx\x1b[0;48;2;201;202;203mx".repeat(40);
    let rows: String = (1..=24).map(|row| format!("\x1b[{row};1H{cells}")).collect();
    let mut screen = Screen::new(Size::nearest(80, 24), 5000);
    screen.feed(format!("{lines}{rows}\x1b7").as_bytes());
    let all = screen.history_text(usize::MAX).len();
    let again = screen.replay(0, 0).len() + 3000;
    for (bytes, kept) in [(1 << 10, 0..=0), (again, 100..=all - 100), (1 << 20, all..=all)] {
        let replay = screen.replay(usize::MAX, bytes);
        assert!(replay.len() <= screen.replay(0, 0).len() + bytes);
        let mut copy = Screen::new(screen.size(), 5000);
        copy.feed(&replay);
        let history = copy.history_text(usize::MAX).len();
        assert!(kept.contains(&history), "{history} of {all} in {bytes}");
    }
}

#[test]
fn what_ties_the_screen_to_its_history_is_within_the_bound() {
    let size = Size::nearest(19, 2);
    let output =
        "\x1b[4:3;58:5:9m\x1b[48;2;1;2;3m\x1b[7ma   aa aaaé字本語é\x1b[1;31m aaé本🙂語日語日xx日é";
    let (screen, _) = watched(size, output.as_bytes());
    for bytes in 0..400 {
        let replay = screen.replay(usize::MAX, bytes);
        assert!(replay.len() <= screen.replay(0, 0).len() + bytes, "{bytes}");
    }
}
