//! What a journal keeps, in one process: the bound, the ring's end, sizes, snapshots, memory.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use session_core::TerminalSize;

use super::layout::{AHEAD, Layout, RESIZES};
use super::{Account, Journal, Stage, Start, Writer};
use crate::wire::Typist;

pub(in crate::live) const SIZE: TerminalSize = TerminalSize::DEFAULT;

/// The smallest ring there is, so that its end is reached soon.
pub(in crate::live) fn small(kept: usize) -> (Arc<Journal>, Writer) {
    Journal::with_layout(Layout::new(kept, 0, 64 << 10), SIZE).unwrap()
}

/// Writes bytes that come from a socket instead of a terminal; true to life but for their number.
pub(in crate::live) fn write(writer: &mut Writer, bytes: &[u8]) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    for piece in bytes.chunks(32 << 10) {
        theirs.write_all(piece).unwrap();
        let mut read = Vec::new();
        loop {
            let batch = writer.read(&ours).unwrap();
            if batch.is_empty() {
                break;
            }
            read.extend_from_slice(writer.bytes(batch));
        }
        assert!(read == piece, "{} of {} bytes", read.len(), piece.len());
    }
}

/// A snapshot of nothing much, so that the ring may be written over up to here.
pub(in crate::live) fn mark(journal: &Journal, screen: &[u8]) -> Start {
    let (position, resized) = (journal.written(), 0);
    let start = Start { position, resized, size: SIZE, screen: screen.to_vec() };
    journal.keep_snapshot(&start).unwrap();
    start
}

pub(in crate::live) fn lines(from: u32, until: u32) -> Vec<u8> {
    (from..until).flat_map(|line| format!("{line}\n").into_bytes()).collect()
}

fn memory(journal: &Journal) -> u64 {
    u64::try_from(rustix::fs::fstat(journal).unwrap().st_blocks).unwrap() * 512
}

#[test]
fn keeps_the_last_bytes_from_a_line_start() {
    let (journal, mut writer) = small(8);
    write(&mut writer, b"ab\ncd");
    assert_eq!(journal.bytes(), b"ab\ncd");
    write(&mut writer, b"\nef\n");
    assert_eq!((journal.bytes(), journal.written()), (b"cd\nef\n".to_vec(), 9));
    write(&mut writer, b"a very long line\nx");
    assert_eq!(journal.bytes(), b"x");
}

#[test]
fn the_ring_goes_round_and_every_byte_is_read_as_it_came() {
    let kept = 300_000;
    let (journal, mut writer) = small(kept);
    let all = lines(0, 1_000_000);
    let (mut at, mut length) = (0, 1);
    while at < all.len() {
        if !writer.has_room() {
            mark(&journal, b"screen");
        }
        let piece = &all[at..(at + length).min(all.len())];
        write(&mut writer, piece);
        at += piece.len();
        // Of every length, so that the ring's end is met in every way.
        length = (length * 7 + 11) % 90_000 + 1;
        let mut last = vec![0; at.min(kept)];
        journal.read((at - last.len()) as u64, &mut last).unwrap();
        assert!(last == all[at - last.len()..at], "after {at} bytes");
    }
    assert!(at as u64 > 5 * journal.layout.ring);
    let log = journal.bytes();
    assert!(log.len() <= kept && log.len() > kept - 10 && all.ends_with(&log));
}

#[test]
fn what_the_screen_is_rebuilt_from_is_not_written_over() {
    let (journal, mut writer) = small(1000);
    while writer.has_room() {
        write(&mut writer, &[b'x'; 1000]);
    }
    assert!(journal.written() <= journal.layout.ring);
    assert!(journal.written() >= journal.layout.ring - AHEAD - 1000);
    let (mut theirs, ours) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.write_all(&[b'x'; 64 << 10]).unwrap();
    // Even one who does not ask first writes over nothing.
    let mut refused = false;
    for _ in 0..10 {
        theirs.set_nonblocking(true).unwrap();
        let _full = theirs.write(&[b'x'; 64 << 10]);
        refused |= writer.read(&ours).is_err();
    }
    assert!(refused);
    assert!(journal.written() <= journal.layout.ring);
    assert_eq!(journal.floor(), 0);
    mark(&journal, b"screen");
    assert!(writer.has_room());
    assert!(!writer.read(&ours).unwrap().is_empty());
}

#[test]
fn everything_is_there_for_whoever_opens_it_next() {
    let (journal, mut writer) = small(1000);
    write(&mut writer, &lines(0, 100));
    let other = TerminalSize::nearest(7, 3);
    journal.note_resize(other);
    journal.note_answered(17);
    let start = Start { position: 50, resized: 0, size: SIZE, screen: b"\x1bcscreen".to_vec() };
    journal.keep_snapshot(&start).unwrap();
    let file = journal.file.try_clone().unwrap();
    let (before, written) = (journal.bytes(), journal.written());
    drop((journal, writer));

    let (journal, mut writer) = Journal::open(file).unwrap();
    assert_eq!((journal.bytes(), journal.written()), (before, written));
    assert_eq!(journal.start().unwrap(), start);
    assert_eq!((journal.first_size(), journal.last_size()), (SIZE, other));
    assert_eq!(journal.resize(0).map(|resize| resize.position), Some(written));
    assert_eq!(journal.answered(), 17);
    write(&mut writer, &lines(100, 200));
    assert_eq!(journal.bytes(), {
        let all = lines(0, 200);
        assert!(all.len() < 1000);
        all
    });
}

#[test]
fn a_snapshot_counts_once_it_is_whole_and_the_older_one_costs_nothing() {
    let (journal, mut writer) = small(1000);
    assert_eq!(journal.start().unwrap().screen, b"");
    for round in 0..5 {
        write(&mut writer, &lines(round * 10, round * 10 + 10));
        let screen = vec![b'a' + u8::try_from(round).unwrap(); 40_000];
        let start = mark(&journal, &screen);
        assert_eq!(journal.start().unwrap(), start);
        let (again, _) = Journal::open(journal.file.try_clone().unwrap()).unwrap();
        assert_eq!(again.start().unwrap(), start);
    }
    let room = usize::try_from(journal.snapshot_room()).unwrap();
    let start = journal.start().unwrap();
    let too_large = Start { screen: vec![b'x'; room + 1], ..journal.start().unwrap() };
    assert!(journal.keep_snapshot(&too_large).is_err());
    assert_eq!(journal.start().unwrap(), start);
    // The snapshot, a page of the ring or two, two of the head.
    assert!(memory(&journal) <= 40_000 + 6 * 4096, "{} bytes", memory(&journal));
}

#[test]
fn sizes_are_found_again_and_a_full_table_says_so() {
    let (journal, mut writer) = small(1000);
    let size = |number: u64| TerminalSize::nearest(10 + u16::try_from(number).unwrap(), 5);
    for number in 0..RESIZES {
        assert!(journal.has_room_for_resize());
        journal.note_resize(size(number));
        write(&mut writer, b"x");
    }
    assert!(!journal.has_room_for_resize());
    for number in 0..RESIZES {
        let resize = journal.resize(number).unwrap();
        assert_eq!((resize.position, resize.taken_in), (number, number + 1));
        assert_eq!(resize.size, size(number));
    }
    assert_eq!(journal.resize(RESIZES), None);
    let (position, resized) = (journal.written(), RESIZES);
    let start = Start { position, resized, size: SIZE, screen: Vec::new() };
    journal.keep_snapshot(&start).unwrap();
    assert!(journal.has_room_for_resize());
    journal.note_resize(SIZE);
    // Somebody who is too far behind gets the oldest that is left.
    assert_eq!(journal.resize(0).map(|resize| resize.taken_in), Some(2));
}

#[test]
fn memory_that_is_not_needed_goes_back_and_nothing_else() {
    let kept = 200_000;
    let (journal, mut writer) = small(kept);
    let all = lines(0, 600_000);
    write(&mut writer, &all[..800_000]);
    assert!(memory(&journal) >= 800_000);
    journal.trim();
    assert!(memory(&journal) >= 800_000, "needed to rebuild the screen");
    let start = mark(&journal, b"screen");
    assert!(journal.excess() >= 500_000);
    journal.trim();
    assert!(memory(&journal) < 200_000 + AHEAD, "{} bytes", memory(&journal));
    assert!(journal.excess() < 4096);
    assert!(all[..800_000].ends_with(&journal.bytes()));
    assert!(journal.bytes().len() > kept - 10);
    assert_eq!(journal.start().unwrap(), start);
    // Round the ring's end, where what goes back stands in two places, and again.
    let mut at = 800_000;
    while at + 50_000 < all.len() {
        write(&mut writer, &all[at..at + 50_000]);
        at += 50_000;
        mark(&journal, b"screen");
        if at % 3 == 0 {
            journal.trim();
        }
        assert!(all[..at].ends_with(&journal.bytes()) && journal.bytes().len() > kept - 10);
    }
}

#[test]
fn what_is_typed_costs_a_page_and_a_flood_little_more_than_itself() {
    let (journal, mut writer) = Journal::create(4 << 20, SIZE).unwrap();
    assert!(memory(&journal) <= 4096, "{} bytes", memory(&journal));
    write(&mut writer, b"$ ");
    assert!(memory(&journal) <= 2 * 4096, "{} bytes", memory(&journal));
    write(&mut writer, &lines(0, 300_000));
    write(&mut writer, b"$ ");
    let ahead = memory(&journal) - journal.written();
    assert!(ahead <= AHEAD / 2, "{ahead} bytes");
}

#[test]
fn every_word_stands_where_the_document_says() {
    let (journal, mut writer) = Journal::create(4 << 20, TerminalSize::nearest(80, 24)).unwrap();
    write(&mut writer, &lines(0, 100));
    journal.note_resize(TerminalSize::nearest(7, 3));
    let screen = b"\x1bcscreen".to_vec();
    let size = TerminalSize::nearest(7, 3);
    journal
        .keep_snapshot(&Start { position: 100, resized: 0, size: SIZE, screen: Vec::new() })
        .unwrap();
    journal
        .keep_snapshot(&Start { position: 200, resized: 1, size, screen: screen.clone() })
        .unwrap();
    journal.note_answered(17);

    let typist = Typist::from_word(0x5f0c).unwrap();
    let account = Account { taken: 3, came: 4, typed: 5, call: 6, marked: true };
    journal.keep_account(typist, &account, |_| false);
    let (terminal, _other_end) = UnixStream::pair().unwrap();
    Stage::new(Arc::clone(&journal)).write(&terminal.into(), typist, 3, b"typed").unwrap();
    journal.note_forgotten();

    let bytes = |offset, length| {
        let mut bytes = vec![0; length];
        journal.read_file(offset, &mut bytes).unwrap();
        bytes
    };
    let word = |offset| u64::from_ne_bytes(bytes(offset, 8).try_into().unwrap());
    let (ring, room, written) = (word(16), word(32), lines(0, 100).len() as u64);
    assert_eq!(bytes(0, 8), b"SESSJRNL");
    let fixed = [8, 24, 40, 48].map(word);
    assert_eq!(fixed, [1, 4 << 20, 512, 80 + 24 * 65_536]);
    let length = u64::try_from(rustix::fs::fstat(&*journal).unwrap().st_size).unwrap();
    assert_eq!(length, 65_536 + 2 * room + ring);
    assert!(word(24) <= ring - 1_048_576);
    let state = [64, 80, 88, 96].map(word);
    assert_eq!(state, [written, 0, 1, 17]);
    let intent = word(72);
    assert!(intent >= written && intent <= written + 262_144);
    assert_eq!([4096, 4104].map(word), [written, 7 + 3 * 65_536]);
    assert_eq!([56, 256].map(word), [1, 256 + u64::from(b'd')]);
    assert_eq!([104, 112, 120].map(word), [0, 3, 5]);
    assert_eq!([1024, 1032, 1040, 1048, 1056, 1064].map(word), [0x5f0c, 8, 4, 5, 6, 1]);
    assert_eq!(bytes(16_384, 5), b"typed");
    assert_eq!(rustix::fs::tell(&journal.file), Ok(16_389), "the offset says what was taken");
    assert_eq!(word(128), 0, "the older one counts no more");
    let snapshot = [192, 200, 208, 216, 224].map(word);
    assert_eq!(snapshot, [2, 200, screen.len() as u64, 7 + 3 * 65_536, 1]);
    assert_eq!(bytes(65_536 + room, screen.len()), screen);
    let ring_start = 65_536 + 2 * room;
    assert_eq!(bytes(ring_start, written as usize), lines(0, 100));
    let ahead = bytes(ring_start + written, (intent - written) as usize);
    assert!(ahead.iter().all(|&byte| byte == 0xff));
}

/// Whether this page of the process is mapped, as the system says (bit 63 of its entry in `pagemap`).
fn is_mapped(byte: *const u8) -> bool {
    let mut entry = [0; 8];
    let pages = std::fs::File::open("/proc/self/pagemap").unwrap();
    let at = byte.addr() as u64 / 4096 * 8;
    std::os::unix::fs::FileExt::read_exact_at(&pages, &mut entry, at).unwrap();
    u64::from_ne_bytes(entry) >> 63 == 1
}

/// A kill while a read of the terminal has to find a page loses what the terminal has handed out already.
#[test]
fn what_the_terminal_is_read_into_is_mapped_before() {
    let (journal, mut first) = small(1000);
    write(&mut first, &lines(0, 1000));
    drop(first);
    let file = journal.as_fd().try_clone_to_owned().unwrap();
    let (journal, mut writer) = Journal::open(file).unwrap();
    let (_theirs, terminal) = UnixStream::pair().unwrap();
    terminal.set_nonblocking(true).unwrap();
    for _ in 0..2 {
        assert!(writer.read(&terminal).unwrap().is_empty());
        let ahead = writer.ahead();
        assert!(ahead.end > ahead.start && ahead.start == journal.written());
        let bytes = writer.bytes(ahead);
        assert!(bytes.chunks(4096).all(|page| is_mapped(page.as_ptr())));
        writer.rest();
    }
}
