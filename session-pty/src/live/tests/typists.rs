//! Who has typed, and what of it was taken, under one supervisor after the other.

use std::time::{Duration, Instant};

use session_core::{ErrorKind, TerminalSize};

use super::{DEADLINE, Orphan, adopt, setting, start, until_logged};
use crate::live::journal::Account;
use crate::stream::{StreamEvent, ViewerStream};
use crate::wire::{TypedCall, Typist, ViewerSpec};

/// A person at a terminal, whose typing is counted.
fn person(word: u64, cols: u16) -> ViewerSpec {
    ViewerSpec {
        size: Some(TerminalSize::nearest(cols, 20)),
        terminal: true,
        typist: Typist::from_word(word),
        ..ViewerSpec::default()
    }
}

/// Takes events until one is this.
#[track_caller]
fn until_told(stream: &mut ViewerStream, told: &StreamEvent) {
    let deadline = Instant::now() + DEADLINE;
    while stream.next_before(deadline.into()).unwrap().expect("it is told in time") != *told {}
}

#[test]
fn whoever_typed_last_leads_again_after_a_death() {
    let orphan = Orphan::new("read x");
    let [first, last] = [(1, 30), (2, 50)].map(|(word, cols)| person(word, cols));
    let account = |came, typed| Account { came, typed, ..Account::default() };
    orphan.journal.keep_account(first.typist.unwrap(), &account(1, 3), |_| false);
    orphan.journal.keep_account(last.typist.unwrap(), &account(2, 4), |_| false);
    let (teller, adopted) = orphan.adopted();
    let (handle, beginning, _told) = adopt(adopted, &setting(8));
    beginning.begin(None);
    let resized = |cols| StreamEvent::Resized(TerminalSize::nearest(cols, 20));
    let mut back = handle.watch(first).unwrap();
    until_told(&mut back, &resized(30));
    let mut leader = handle.watch(last).unwrap();
    until_told(&mut leader, &resized(50));
    until_told(&mut back, &resized(50));
    // And a newcomer leads no more than before.
    let mut newcomer = handle.watch(person(3, 70)).unwrap();
    until_told(&mut newcomer, &resized(50));
    assert_eq!(handle.live().size, TerminalSize::nearest(50, 20));
    drop(teller);
}

#[test]
fn of_several_that_never_typed_the_first_to_come_leads_again() {
    let orphan = Orphan::new("read x");
    let [first, second] = [(1, 30), (2, 50)].map(|(word, cols)| person(word, cols));
    let account = |came| Account { came, ..Account::default() };
    orphan.journal.keep_account(first.typist.unwrap(), &account(1), |_| false);
    orphan.journal.keep_account(second.typist.unwrap(), &account(2), |_| false);
    let (teller, adopted) = orphan.adopted();
    let (handle, beginning, _told) = adopt(adopted, &setting(8));
    beginning.begin(None);
    let resized = |cols| StreamEvent::Resized(TerminalSize::nearest(cols, 20));
    let mut back = handle.watch(second).unwrap();
    until_told(&mut back, &resized(50));
    let mut leader = handle.watch(first).unwrap();
    until_told(&mut leader, &resized(30));
    until_told(&mut back, &resized(30));
    drop(teller);
}

#[test]
fn a_key_without_an_echo_is_acknowledged_and_a_reader_s_never() {
    let (handle, _told) = start(1, "stty raw -echo; echo ready; sleep 1000", &setting(8));
    until_logged(&handle, "ready");
    let mut person = handle.watch(person(1, 30)).unwrap();
    person.input(b"key").unwrap();
    person.report(b"\x1b[I").unwrap();
    let deadline = Instant::now() + DEADLINE;
    while !person.outbox.is_settled() {
        assert!(Instant::now() < deadline, "it is never told");
        let _event = person.next(Some(Duration::from_millis(50))).unwrap();
    }
    let typist = Typist::from_word(1).unwrap();
    assert_eq!(handle.shared.journal.account(typist).unwrap().taken, 3);
    let reader = Typist::from_word(2);
    let spec = ViewerSpec { read_only: true, typist: reader, ..ViewerSpec::default() };
    let mut stream = handle.watch(spec).unwrap();
    until_told(&mut stream, &StreamEvent::Resized(TerminalSize::nearest(30, 20)));
    assert_eq!(handle.shared.journal.account(reader.unwrap()), None);
    handle.stop(Duration::from_millis(200)).unwrap();
}

#[test]
fn a_call_whose_count_is_lost_is_refused_rather_than_typed_twice() {
    let (handle, _told) =
        start(1, "stty -echo; echo ready; read x; echo got $x; read y", &setting(8));
    until_logged(&handle, "ready");
    let typed = |again| Some(TypedCall { typist: Typist::from_word(1).unwrap(), number: 1, again });
    handle.shared.journal.note_forgotten();
    let refused = handle.answer_write(b"twice\n", false, typed(true)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    handle.answer_write(b"once\n", false, typed(false)).unwrap();
    until_logged(&handle, "got once");
    handle.stop(Duration::from_millis(200)).unwrap();
}

#[test]
fn what_has_begun_as_a_paste_goes_on_as_one() {
    let (handle, _told) =
        start(1, "stty raw -echo; printf '\\033[?2004hready'; od -An -c -w1 -v", &setting(8));
    until_logged(&handle, "ready");
    let typist = Typist::from_word(1).unwrap();
    let account = Account { taken: 8, call: 1, marked: true, ..Account::default() };
    handle.shared.journal.keep_account(typist, &account, |_| false);
    let typed = Some(TypedCall { typist, number: 1, again: true });
    // Six bytes of marks and two of text were taken before.
    handle.answer_write(b"ab\ncd", false, typed).unwrap();
    until_logged(&handle, "~");
    let log: String = String::from_utf8(handle.log()).unwrap().split_whitespace().collect();
    assert!(log.ends_with("ready\\ncd033[201~"), "{log}");
    handle.stop(Duration::from_millis(200)).unwrap();
}

#[test]
fn however_many_calls_type_what_a_viewer_typed_is_known() {
    let (handle, _told) = start(1, "stty raw -echo; echo ready; exec cat", &setting(8));
    until_logged(&handle, "ready");
    let mut viewer = handle.watch(person(1000, 30)).unwrap();
    viewer.input(b"viewer").unwrap();
    until_logged(&handle, "viewer");
    for number in 1..100 {
        let typist = Typist::from_word(number).unwrap();
        let typed = Some(TypedCall { typist, number, again: false });
        handle.answer_write(b"x", false, typed).unwrap();
    }
    let account = handle.shared.journal.account(Typist::from_word(1000).unwrap()).unwrap();
    assert_eq!(account.taken, 6);
    handle.stop(Duration::from_millis(200)).unwrap();
}
