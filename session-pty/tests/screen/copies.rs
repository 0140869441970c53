//! Copies made in the middle of a stream, compared with what watched all along.

use proptest::collection::vec;
use proptest::prelude::*;
use session_pty::screen::{Boundary, Screen, Size};

use crate::examine::{assert_equal, examine, examine_with_history};
use crate::pieces::{Output, piece, stream};
use crate::stage::{SIZE, assert_same, cases, copy, copy_with_history, screen};

/// What happens to a screen.
#[derive(Clone, Debug)]
enum Step {
    Output(Output),
    Resized(u16, u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => piece().prop_map(|bytes| Step::Output(Output(bytes))),
        1 => (0u16..26, 0u16..9).prop_map(|(columns, rows)| Step::Resized(columns, rows)),
    ]
}

fn take(screen: &mut Screen, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Output(bytes) => screen.feed(&bytes.0),
            Step::Resized(columns, rows) => screen.resize(Size::nearest(*columns, *rows)),
        }
    }
}

/// A copy made after `before` equals the original, then and after `rest`.
///
/// A character is written to both before they are compared, as the one that REP would repeat is
/// not restored where a full screen lacks it.
pub(crate) fn assert_restores(before: &[u8], rest: &[u8]) {
    let original = screen([before, b"."].concat());
    let mut restored = copy(&screen(before));
    restored.feed(b".");
    assert_same(&original, &restored, "at once");
    let mut original = screen(before);
    let mut restored = copy(&original);
    for screen in [&mut original, &mut restored] {
        screen.feed(b".");
        screen.feed(rest);
        screen.feed(b".");
    }
    assert_same(&original, &restored, "after the rest");

    // Rows that wrapped are known as such: another width wraps them in the same places.
    let mut original = screen(before);
    let mut restored = screen(original.snapshot_with_history(usize::MAX));
    let history = original.history_text(99);
    assert_eq!(history, restored.history_text(99), "history");
    for size in [Size::nearest(13, 6), Size::nearest(33, 6)] {
        original.resize(size);
        restored.resize(size);
        assert_eq!(original.text(Some(99)), restored.text(Some(99)), "as {size:?}");
    }
}

/// A copy, and one with history, are found to be the same as the original, also in other widths.
pub(crate) fn assert_found_the_same(original: impl Fn() -> Screen) {
    assert_equal(&examine(&mut original()), &examine(&mut copy(&original())), "a copy");
    assert_equal(
        &examine_with_history(&mut original()),
        &examine_with_history(&mut copy_with_history(&original())),
        "a copy with history",
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(300), failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_copy_goes_on_as_the_original(before in stream(60), rest in stream(30)) {
        assert_restores(&before.0, &rest.0);
    }

    #[test]
    fn a_copy_is_found_to_be_the_same(before in vec(step(), 0..60), rest in stream(30)) {
        let original = || {
            let mut screen = Screen::new(SIZE, 50);
            take(&mut screen, &before);
            screen
        };
        assert_equal(&examine(&mut original()), &examine(&mut copy(&original())), "at once");
        let (mut original, mut restored) = (original(), copy(&original()));
        for screen in [&mut original, &mut restored] {
            // What REP would repeat is not restored where a full screen lacks it.
            screen.feed(b".");
            screen.feed(&rest.0);
        }
        assert_equal(&examine(&mut original), &examine(&mut restored), "after the rest");
    }

    #[test]
    fn a_copy_with_history_can_be_resized(before in vec(step(), 0..40), rest in vec(step(), 0..20)) {
        let mut original = Screen::new(SIZE, 50);
        take(&mut original, &before);
        let mut restored = copy_with_history(&original);
        original.feed(b".");
        restored.feed(b".");
        take(&mut original, &rest);
        take(&mut restored, &rest);
        assert_equal(
            &examine_with_history(&mut original),
            &examine_with_history(&mut restored),
            "after the rest",
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(60), failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_cut_is_bridged(whole in vec(prop_oneof![
        5 => piece().prop_filter("what it repeats may be lost", |bytes| !bytes.ends_with(b"b")),
        1 => vec(any::<u8>(), 1..4),
        1 => Just(b"\x1b]2;lo\tng \xe2\x82\xac\x1b\\".to_vec()),
        1 => Just(b"\x1bP1$q\"p\x1b\\\x1b_Gx\x1b\\\x1b[3\n1m".to_vec()),
    ], 0..12)) {
        let whole = whole.concat();
        let expected = screen(&whole);
        for cut in 0..=whole.len() {
            let mut boundary = Boundary::new();
            boundary.feed(&whole[..cut / 2]);
            boundary.feed(&whole[cut / 2..cut]);
            let original = screen(&whole[..cut]);
            prop_assert_eq!(boundary.unfinished(), original.unfinished());
            let mut restored = copy(&original);
            restored.feed(&whole[cut..]);
            prop_assert_eq!(expected.ansi(None), restored.ansi(None), "cut at {}", cut);
            prop_assert_eq!(expected.grid(), restored.grid(), "cut at {}", cut);
            if cut % 7 == whole.len() % 7 {
                assert_equal(&examine(&mut screen(&whole)), &examine(&mut restored), &format!("cut at {cut}"));
            }
        }
    }
}
