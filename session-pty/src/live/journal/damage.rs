//! Journals that somebody has written into, or that never were any.

use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use proptest::prelude::*;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::pwrite;

use super::layout::{typist, word};
use super::tests::{SIZE, lines, mark, small, write};
use super::{Account, Journal, OpenError, Stage, Writer};
use crate::wire::Typist;

fn journal() -> Arc<Journal> {
    let (journal, mut writer) = small(100_000);
    write(&mut writer, &lines(0, 10_000));
    journal.note_resize(session_core::TerminalSize::nearest(9, 9));
    mark(&journal, b"first");
    write(&mut writer, &lines(10_000, 20_000));
    journal.note_resize(SIZE);
    mark(&journal, b"second");
    write(&mut writer, &lines(20_000, 21_000));
    let account = Account { taken: 10, came: 1, typed: 2, ..Account::default() };
    journal.keep_account(known(), &account, |_| false);
    journal
}

fn file(journal: &Journal) -> OwnedFd {
    journal.file.try_clone().unwrap()
}

#[track_caller]
fn refused(file: OwnedFd, why: &str) {
    let error = Journal::open(file).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn what_is_no_journal_is_not_opened() {
    let empty = memfd_create("other", MemfdFlags::CLOEXEC).unwrap();
    refused(empty, "not sealed");
    refused(crate::os::shared_memory("other", 100).unwrap(), "too short");
    refused(crate::os::shared_memory("other", 1 << 20).unwrap(), "no journal");
    let (pipe, _) = rustix::pipe::pipe().unwrap();
    refused(pipe, "not sealed");

    let journal = journal();
    let copy = crate::os::shared_memory("copy", journal.layout.file() + 4096).unwrap();
    let mut head = vec![0; 8192];
    journal.read_file(0, &mut head).unwrap();
    pwrite(&copy, &head, 0).unwrap();
    refused(copy, "do not fit");
}

#[test]
fn a_journal_cannot_be_cut_short() {
    let journal = journal();
    assert!(ftruncate(&journal.file, 4096).is_err());
    assert!(ftruncate(&journal.file, journal.layout.file() + 4096).is_err());
}

#[test]
fn another_version_is_refused() {
    let journal = journal();
    journal.words.store(word::VERSION, 2);
    refused(file(&journal), "another version");
}

#[test]
fn an_offset_that_makes_no_sense_means_that_everything_was_taken() {
    let journal = journal();
    for (offset, taken) in [(16_384, 10), (16_390, 16), (16_400, 26), (0, 26), (1 << 40, 26)] {
        journal.words.store(word::TAKEN_BEFORE, 10);
        journal.words.store(word::STAGED, 16);
        journal.words.store(word::STAGED_BY, 1);
        rustix::fs::seek(&journal.file, rustix::fs::SeekFrom::Start(offset)).unwrap();
        let (again, _) = Journal::open(file(&journal)).unwrap();
        assert_eq!(again.account(known()).unwrap().taken, taken, "at {offset}");
        assert_eq!(again.words.load(word::STAGED_BY), 0, "it is counted once");
    }
    // Of nobody who is known, nothing is counted.
    for entry in [0, 2, 17, u64::MAX] {
        journal.words.store(word::STAGED_BY, entry);
        let (again, _) = Journal::open(file(&journal)).unwrap();
        assert_eq!(again.account(known()).unwrap().taken, 26);
    }
}

#[test]
fn counts_that_make_no_sense_are_nobody_s() {
    let journal = journal();
    for field in [typist::TAKEN, typist::CAME, typist::TYPED] {
        journal.words.store(word::TYPISTS + field, u64::MAX);
        let (again, _) = Journal::open(file(&journal)).unwrap();
        assert_eq!((again.account(known()), again.last_turn()), (None, 0));
        journal.words.store(word::TYPISTS + field, 1);
    }
}

#[test]
fn a_lost_snapshot_leaves_the_output() {
    let journal = journal();
    let log = journal.bytes();
    for fields in word::SNAPSHOTS {
        journal.words.store(fields, 0);
    }
    let (again, _) = Journal::open(file(&journal)).unwrap();
    assert_eq!(again.bytes(), log);
    assert_eq!(again.start().unwrap().position, 0);
}

/// A word of the head, and a value that is anything or nearly right.
fn corruption() -> impl Strategy<Value = (usize, u64)> {
    let at = prop_oneof![
        8 => 0..36usize,
        2 => word::TYPISTS..word::TYPISTS + 2 * typist::WORDS,
        1 => word::TABLE..word::TABLE + 8,
    ];
    let number = prop_oneof![
        Just(0),
        Just(u64::MAX),
        any::<u64>(),
        0..3_000_000u64,
        (0..64u32).prop_map(|bit| 1 << bit),
    ];
    (at, number)
}

/// One who has typed.
fn known() -> Typist {
    Typist::from_word(0x5f0c).unwrap()
}

/// Whatever the table says: what is typed arrives, is counted, and is known to the next one.
fn type_into(journal: &Arc<Journal>) {
    let (terminal, mut other_end) = UnixStream::pair().unwrap();
    let (terminal, stage) = (terminal.into(), Stage::new(Arc::clone(journal)));
    for number in 1..40 {
        let typist = Typist::from_word(number).unwrap();
        let came = journal.last_turn() + 1;
        journal.keep_account(typist, &Account { came, ..Account::default() }, |_| false);
        assert_eq!(stage.write(&terminal, typist, 0, b"typed"), Ok(5));
        let mut arrived = [0; 5];
        other_end.read_exact(&mut arrived).unwrap();
        assert_eq!(&arrived, b"typed");
        let account = journal.account(typist).unwrap();
        assert_eq!((account.taken, account.came), (5, came));
    }
    assert_eq!(journal.last_typed(), Some(b'd'));
    assert!(journal.has_forgotten());
    assert_eq!(journal.account(known()), None);
}

fn use_it(journal: &Arc<Journal>, mut writer: Writer) {
    type_into(journal);
    journal.bytes();
    let start = journal.start().unwrap();
    let mut number = start.resized;
    for _ in 0..1000 {
        let Some(resize) = journal.resize(number) else { break };
        assert!(resize.position <= journal.written());
        number = resize.taken_in;
    }
    journal.excess();
    for _ in 0..40 {
        if !writer.has_room() {
            mark(journal, b"screen");
        }
        journal.note_resize(journal.last_size());
        write(&mut writer, &[b'x'; 30_000]);
        journal.trim();
        assert!(journal.bytes().iter().rev().take(30_000).all(|&byte| byte == b'x'));
    }
    mark(journal, b"screen");
    assert_eq!(journal.start().unwrap().screen, b"screen");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_the_head_says_nothing_breaks(
        corruptions in proptest::collection::vec(corruption(), 1..4),
    ) {
        let journal = journal();
        for (at, value) in corruptions {
            pwrite(&journal.file, &value.to_ne_bytes(), at as u64 * 8).unwrap();
        }
        let length = rustix::fs::fstat(journal.as_fd()).unwrap().st_size;
        match Journal::open(file(&journal)) {
            Ok((again, writer)) => {
                assert_eq!(again.layout.file(), u64::try_from(length).unwrap());
                use_it(&again, writer);
            }
            Err(OpenError::Damaged(_)) => {}
            Err(OpenError::Io(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn whatever_bytes_there_are_nothing_breaks(head in proptest::collection::vec(any::<u8>(), 8192)) {
        let journal = journal();
        // The magic and the layout may stay: then the rest is believed as far as it makes sense.
        let from = if head[0].is_multiple_of(2) { 0 } else { 64 };
        pwrite(&journal.file, &head[from..], from as u64).unwrap();
        if let Ok((again, writer)) = Journal::open(file(&journal)) {
            use_it(&again, writer);
        }
    }
}
