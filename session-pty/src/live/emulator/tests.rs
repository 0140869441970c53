//! Whatever a program writes and whenever its emulator ends, the next one shows the same.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::journal::Writer;
use super::sleep::whole;
use super::*;
use crate::screen::Screen;

const HISTORY: usize = 50;

fn another(journal: &Arc<Journal>) -> (Arc<Emulator>, Waker) {
    let waker = Waker::new().unwrap();
    let awake = Arc::new(Awake::new(8, Duration::ZERO));
    (Emulator::new(Arc::clone(journal), awake, HISTORY, waker.clone(), "test", news()), waker)
}

/// Told to nobody.
fn news() -> crate::events::News {
    let id = session_core::SessionId::from_parts(session_core::Timestamp::from_millis(1), 1);
    crate::events::News::of(id, &(Arc::new(|_, _| {}) as crate::events::Witness))
}

/// Its thread may be about to find that there is nothing left to do, and is busy until it has.
fn put_to_sleep(emulator: &Emulator) {
    drop(emulator.caught_up());
    let deadline = Instant::now() + Duration::from_secs(30);
    while !emulator.try_to_sleep() {
        assert!(Instant::now() < deadline, "it is busy for ever");
        std::thread::yield_now();
    }
    assert!(!emulator.is_awake());
}

/// What the program did next.
#[derive(Clone, Debug)]
enum Step {
    Output(Vec<u8>),
    Resize(TerminalSize),
    /// A snapshot is left in the journal.
    Keep,
    Sleep,
}

fn step() -> impl Strategy<Value = Step> {
    let sequences = prop::sample::select(vec![
        "\x1b[31;1m",
        "\x1b[0m",
        "\x1b[?1049h",
        "\x1b[?1049l",
        "\x1b[3;8r",
        "\x1b[r",
        "\x1b[H",
        "\x1b[2J",
        "\x1b]2;a title\x07",
        "\x1b[?2004h",
        "\x1b(0",
        "\x1b(B",
        "\r\n",
        "\r\n\r\n",
        "\x1b7",
        "\x1b8",
        "some text ",
        "\u{754c}\u{754c}",
        "\x1b[5n",
        "\x1b[",
        "5;5H",
        "\t",
        "\x1b[4h",
    ]);
    let output = prop::collection::vec(sequences, 1..20)
        .prop_map(|pieces| Step::Output(pieces.concat().into_bytes()));
    prop_oneof![
        8 => output,
        1 => (2..30u16, 1..12u16).prop_map(|(cols, rows)| Step::Resize(TerminalSize::nearest(cols, rows))),
        1 => Just(Step::Keep),
        1 => Just(Step::Sleep),
    ]
}

fn write(writer: &mut Writer, bytes: &[u8]) -> u64 {
    let (mut from, to) = UnixStream::pair().unwrap();
    to.set_nonblocking(true).unwrap();
    from.write_all(bytes).unwrap();
    writer.read(&to).unwrap().end
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whenever the process ends, the next one rebuilds the screen that a terminal would have that saw everything
    /// from the newest snapshot on; and nothing is answered twice.
    #[test]
    fn a_screen_is_rebuilt_as_it_was(steps in prop::collection::vec(step(), 1..25)) {
        let size = TerminalSize::nearest(20, 6);
        let (journal, mut writer) = Journal::create(64 << 10, size).unwrap();
        let (emulator, _woken) = another(&journal);
        // Takes in a snapshot where one is taken, as whoever comes later does.
        let mut reference = Screen::new(size, HISTORY);
        let restart = |reference: &mut Screen| {
            let mut again = Screen::new(reference.size(), HISTORY);
            again.feed(&whole(&*reference, HISTORY));
            *reference = again;
        };
        for step in steps {
            match step {
                Step::Output(bytes) => {
                    reference.feed(&bytes);
                    emulator.push(write(&mut writer, &bytes));
                }
                Step::Resize(size) => {
                    reference.resize(size);
                    emulator.resize(size);
                }
                Step::Keep => emulator.make_room().unwrap(),
                Step::Sleep => {
                    put_to_sleep(&emulator);
                    restart(&mut reference);
                }
            }
        }
        let expected = (reference.size(), reference.snapshot_with_history(HISTORY));
        prop_assert_eq!(&emulator.snapshot(HISTORY), &expected);
        prop_assert_eq!(emulator.title(), reference.title().map(str::to_owned));
        prop_assert_eq!(emulator.wants_paste_marks(), reference.bracketed_paste());
        let answered = emulator.take_answers();
        emulator.close();

        let file = std::os::fd::AsFd::as_fd(&*journal).try_clone_to_owned().unwrap();
        let (left, _writer) = Journal::open(file).unwrap();
        let (next, _woken) = another(&left);
        next.take_over();
        let shown = next.snapshot(HISTORY);
        let mut seen = Screen::new(shown.0, HISTORY);
        seen.feed(&shown.1);
        prop_assert_eq!(seen.size(), reference.size());
        prop_assert_eq!(seen.text(None), reference.text(None));
        prop_assert_eq!(next.title(), reference.title().map(str::to_owned));
        prop_assert_eq!(next.wants_paste_marks(), reference.bracketed_paste());
        prop_assert_eq!(next.take_answers(), b"", "after {:?}", answered);
        next.close();
    }
}

fn text(emulator: &Emulator) -> String {
    let (size, bytes) = emulator.snapshot(HISTORY);
    let mut screen = Screen::new(size, HISTORY);
    screen.feed(&bytes);
    screen.text(None)
}

#[test]
fn a_sequence_that_is_cut_by_a_snapshot_is_finished_behind_it() {
    let (journal, mut writer) = Journal::create(64 << 10, TerminalSize::DEFAULT).unwrap();
    let (emulator, _woken) = another(&journal);
    emulator.push(write(&mut writer, b"ab\x1b]2;a ti"));
    put_to_sleep(&emulator);
    emulator.push(write(&mut writer, b"tle\x07cd\xe7\x95"));
    assert_eq!(text(&emulator), "abcd\n");
    assert_eq!(emulator.title().as_deref(), Some("a title"));
    put_to_sleep(&emulator);
    emulator.push(write(&mut writer, b"\x8cef"));
    assert_eq!(text(&emulator), "abcd\u{754c}ef\n");
    emulator.close();
}

#[test]
fn only_what_nobody_has_answered_is_answered() {
    let (journal, mut writer) = Journal::create(64 << 10, TerminalSize::DEFAULT).unwrap();
    write(&mut writer, b"\x1b[5n\x1b[6n");
    for (answered, expected) in [(0, "\x1b[0n\x1b[1;1R"), (4, "\x1b[1;1R"), (8, ""), (u64::MAX, "")]
    {
        journal.note_answered(answered);
        let (emulator, _woken) = another(&journal);
        drop(emulator.caught_up());
        assert_eq!(emulator.take_answers(), expected.as_bytes(), "{answered}");
        assert_eq!(journal.answered(), 8);
    }
    // While a viewer's terminal answers, everything that was read counts as answered.
    let (emulator, _woken) = another(&journal);
    emulator.set_answering(false);
    assert_eq!(journal.answered(), u64::MAX);
    emulator.push(write(&mut writer, b"\x1b[5n"));
    emulator.set_answering(true);
    assert_eq!((emulator.take_answers(), journal.answered()), (Vec::new(), 12));
    emulator.close();
}

#[test]
fn the_memory_of_a_flood_goes_back_though_nothing_comes_behind_it() {
    let (journal, mut writer) = Journal::create(1 << 20, TerminalSize::DEFAULT).unwrap();
    let memory = || u64::try_from(rustix::fs::fstat(&*journal).unwrap().st_blocks).unwrap() * 512;
    let (emulator, _woken) = another(&journal);
    let piece = b"one line like all others\r\n".repeat(1000);
    for _ in 0..240 {
        emulator.push(write(&mut writer, &piece));
    }
    drop(emulator.caught_up());
    assert!(memory() > 5 << 20, "in a flood it is about to be used again: {} bytes", memory());
    emulator.settle();
    let deadline = Instant::now() + Duration::from_secs(30);
    // What is kept, and the snapshot with its history.
    while memory() > (1 << 20) + (1 << 19) {
        assert!(Instant::now() < deadline, "{} bytes", memory());
        std::thread::yield_now();
    }
    assert!(text(&emulator).ends_with("one line like all others\n"));
    emulator.close();
}
