//! Which lines count, batch by batch.

use session_core::{Revision, Timestamp};

use super::*;
use crate::line::Lines;

fn id() -> SessionId {
    SessionId::from_parts(Timestamp::from_millis(1_700_000_000_000), 7)
}

/// A session line of revision `revision` as line `at` of `of`.
fn line(revision: u64, at: u32, of: u32) -> String {
    let mut session = Session::new(id(), Timestamp::from_millis(0));
    session.lifecycle.revision = Revision(revision);
    let line = line::session(&session).unwrap();
    line.replace("[1,1]", &format!("[{at},{of}]"))
}

fn replay(lines: &[&str]) -> Replay {
    let text = line::header(id()) + &lines.concat();
    let mut lines = Lines::new(text.as_bytes(), 0);
    let mut replay = Replay::new(id());
    loop {
        let offset = lines.offset();
        let Some((raw, end)) = lines.read().unwrap() else { return replay };
        replay.push(raw, offset, end);
    }
}

/// The revision in which the lines leave the session, and how many of them are damaged.
fn ends(lines: &[&str]) -> (Option<u64>, usize) {
    let replay = replay(lines);
    let revision = replay.session.as_ref().map(|session| session.lifecycle.revision.0);
    (revision, replay.spots.len())
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
fn a_damaged_line_of_a_batch_costs_itself() {
    let (one, a, b) = (line(1, 1, 1), line(2, 1, 2), line(3, 2, 2));
    assert_eq!(ends(&[&one, &a, "garbage\n"]), (Some(2), 1));
    assert_eq!(ends(&[&one, "garbage\n", &b]), (Some(3), 1));
    assert_eq!(ends(&["garbage\n", &one]), (Some(1), 1));
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
    assert_eq!(spots.len(), Replay::MAX_SPOTS);
    assert!(spots.last().unwrap().reason.ends_with("so are 936 later lines"));
}
