//! Which lines count, batch by batch.

use session_core::Timestamp;

use super::*;
use crate::lines::Lines;
use session_core::Revision;

fn id() -> SessionId {
    SessionId::from_parts(Timestamp::from_millis(1_700_000_000_000), 7)
}

/// A session line of revision `revision` as line `at` of `of`.
fn line(revision: u64, at: u32, of: u32) -> String {
    let mut session = Session::new(id(), Timestamp::from_millis(0));
    session.lifecycle.revision = Revision(revision);
    let mut line = String::new();
    line::push_session(&mut line, (at, of), &session).unwrap();
    line
}

fn replay(lines: &[&str]) -> Replay {
    replay_bytes((line::header(id()) + &lines.concat()).as_bytes())
}

fn replay_bytes(bytes: &[u8]) -> Replay {
    let mut lines = Lines::new(bytes, 0..bytes.len() as u64);
    let mut replay = Replay::new(id());
    while let Some((raw, place)) = lines.next().unwrap() {
        replay.push(raw, place);
    }
    replay
}

/// The revision in which the lines leave the session, and how many of them are damaged.
fn ends(lines: &[&str]) -> (Option<u64>, usize) {
    let replay = replay(lines);
    let revision = replay.session.as_ref().map(|session| session.lifecycle.revision.0);
    (revision, replay.spots().len())
}

#[test]
fn the_last_whole_batch_counts() {
    let (one, a, b) = (line(1, 1, 1), line(2, 1, 2), line(3, 2, 2));
    assert_eq!(ends(&[&one, &a, &b]), (Some(3), 0));
    assert_eq!(ends(&[&one, &a]), (Some(1), 0));
    assert_eq!(ends(&[&one, &a, &b[..b.len() - 1]]), (Some(1), 0));
    let half = replay(&[&one, &a]);
    assert_eq!(half.whole() as usize, line::header(id()).len() + one.len());
}

#[test]
fn half_a_batch_in_the_middle_is_damage() {
    let (one, a, b) = (line(1, 1, 1), line(2, 1, 2), line(3, 2, 2));
    let four = line(4, 1, 1);
    assert_eq!(ends(&[&one, &a, &four]), (Some(4), 1));
    assert_eq!(ends(&[&one, &b]), (Some(1), 1));
    assert_eq!(ends(&[&one, &b, &four]), (Some(4), 1));
}

#[test]
fn a_damaged_line_costs_its_batch_when_that_is_the_last_and_itself_when_not() {
    let (one, a, b, c) = (line(1, 1, 1), line(2, 1, 3), line(3, 2, 3), line(4, 3, 3));
    let next = line(5, 1, 1);
    let cases: [(&[&str], u64); 7] = [
        (&["garbage\n", &b, &c], 4),
        (&[&a, "garbage\n", &c], 4),
        (&[&a, &b, "garbage\n"], 3),
        (&["two in one\n", &c], 4),
        (&[&a, "two in one\n"], 2),
        (&["three in one\n"], 1),
        (&["garbage\n", "garbage\n", &c], 4),
    ];
    for (batch, earlier) in cases {
        let damaged = batch.iter().filter(|line| !line.starts_with('{')).count();
        let last = [&[one.as_str()], batch].concat();
        assert_eq!(ends(&last), (Some(1), damaged), "{batch:?}");
        assert_eq!(replay(&last).whole() as usize, line::header(id()).len() + one.len());
        // The batch that stands behind it says nothing about the session, and so shows what the one before does.
        let unknown = "{\"type\":\"message\",\"batch\":[1,1]}\n";
        let followed = [&last, &[unknown][..]].concat();
        assert_eq!(ends(&followed), (Some(earlier), damaged), "{batch:?}");
        assert_eq!(ends(&[&last, &[next.as_str()][..]].concat()), (Some(5), damaged), "{batch:?}");
    }
    assert_eq!(ends(&[&one, &a, "two in one\n", &line(6, 1, 1)]), (Some(6), 1));
}

#[test]
fn a_batch_with_a_hole_is_no_record_and_no_damage() {
    let one = line(1, 1, 1);
    let batch = [line(2, 1, 3), line(3, 2, 3), line(4, 3, 3)].concat();
    for begin in 0..batch.len() {
        for end in [begin + 1, begin + 100, begin + 700, batch.len()] {
            let end = end.min(batch.len());
            let mut holed = batch.clone().into_bytes();
            holed[begin..end].fill(0);
            let holed = String::from_utf8(holed).unwrap();
            let found = replay(&[&one, &holed]);
            assert_eq!(ends(&[&one, &holed]), (Some(1), 0), "{begin}..{end}");
            assert_eq!(found.has_strange_tail(), end < batch.len(), "{begin}..{end}");
            // Nothing of it counts as long as nothing else stands behind it.
            let one = line::header(id()).len() + one.len();
            assert_eq!(found.whole() as usize, one, "{begin}..{end}");
        }
        assert!(!replay(&[&one, &batch[..begin]]).has_strange_tail(), "{begin}");
    }
}

#[test]
fn a_creation_with_a_hole_never_happened() {
    let whole = line::header(id()) + &line(1, 1, 1);
    for begin in 0..whole.len() {
        for end in [begin + 1, whole.len()] {
            let mut holed = whole.clone().into_bytes();
            holed[begin..end].fill(0);
            let found = replay_bytes(&holed);
            assert!(matches!(found.outcome(), Outcome::Nothing), "{begin}..{end}");
            assert_eq!((found.whole(), found.spots()), (0, vec![]), "{begin}..{end}");
        }
    }
    assert!(matches!(replay_bytes(b"another program's\0").outcome(), Outcome::Damaged(_)));
    assert!(matches!(replay_bytes(b"another program's\0\n").outcome(), Outcome::Damaged(_)));
}

#[test]
fn unknown_lines_are_skipped() {
    let one = line(1, 1, 1);
    let unknown = "{\"type\":\"message\",\"batch\":[1,1],\"seq\":1,\"deep\":{\"x\":[1e999]}}\n";
    assert_eq!(ends(&[&one, unknown]), (Some(1), 0));
    assert!(matches!(replay(&[unknown]).outcome(), Outcome::Damaged(_)));
    assert!(matches!(replay(&[]).outcome(), Outcome::Nothing));
}

#[test]
fn a_report_does_not_grow_without_bound() {
    let garbage = "x\n".repeat(1000);
    let spots = replay(&[&garbage]).spots();
    assert_eq!(spots.len(), Spots::MAX);
    assert!(spots.last().unwrap().reason.ends_with("so are 936 later lines"));
}
