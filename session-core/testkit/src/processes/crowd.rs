//! Many processes that append at once.
#![expect(
    clippy::print_stderr,
    reason = "how long they waited is worth a line where output is shown"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use session_core::{Entry, Reading, Session, SessionStoreExt};

use super::{PATIENCE, ProcessFixture, child, turn};
use crate::samples;

const CROWD: u32 = 16;
const EACH: u32 = 500;

/// Sixteen processes append five hundred times each, to one session or each to its own. Nothing is lost, nothing is
/// there twice, each one's records are in order, and nobody waits for more than half a second.
///
/// # Panics
/// When that is not so.
pub fn crowd<F: ProcessFixture>(fixture: &F, together: bool) {
    let _turn = turn();
    let path = fixture.path();
    let store = F::open(&path);
    for number in 0..=CROWD {
        store.create(Session::new(samples::id(number), samples::at(0))).unwrap();
    }
    let start = Instant::now();
    let role = if together { "together" } else { "apart" };
    let members: Vec<_> = (1..=CROWD)
        .map(|number| child::playing(&format!("{role} {number}"), &path).spawn().unwrap())
        .collect();
    // A member that was refused, as locked or otherwise, has not ended well.
    let longest = members.into_iter().map(|member| {
        let answers = child::answers(&member.wait_with_output().unwrap());
        Duration::from_micros(answers[0].parse().unwrap())
    });
    let longest = longest.max().unwrap();
    let appends = f64::from(CROWD * EACH) / start.elapsed().as_secs_f64();
    eprintln!("{role}: {appends:.0} appends a second, the longest took {longest:?}");

    for number in 0..=CROWD {
        let expected = match (together, number) {
            (true, 0) => u64::from(CROWD * EACH),
            (true, _) | (false, 0) => 0,
            (false, _) => u64::from(EACH),
        };
        let mut history = store.history(samples::id(number), Reading::ALL);
        let records: Vec<_> = history.by_ref().map(Result::unwrap).collect();
        assert_eq!(history.damaged(), []);
        assert!(records.iter().map(|record| record.seq.get()).eq(1..=expected));
        let ids: BTreeSet<_> = records.iter().map(|record| &record.entry.id).collect();
        assert_eq!(ids.len() as u64, expected);
        for member in 1..=CROWD {
            let prefix = format!("{member}-");
            let own =
                records.iter().filter_map(|record| record.entry.id.as_str().strip_prefix(&prefix));
            let own: Vec<u32> = own.map(|step| step.parse().unwrap()).collect();
            assert!(own.is_sorted(), "the order of {member}'s records is another one");
        }
    }
    assert_eq!(store.check().unwrap().damaged, []);
}

/// What a member does: it appends to a session, and says how long the longest append took.
pub(super) fn append_all<F: ProcessFixture>(path: &Path, session: u32, member: u32) {
    let store = F::open_patient(path, PATIENCE);
    let mut longest = Duration::ZERO;
    for step in 0..EACH {
        let entry = Entry {
            id: samples::record_id(&format!("{member}-{step}")),
            ..samples::said(step, "one of a crowd")
        };
        let start = Instant::now();
        store.append(samples::id(session), &[entry], samples::at(1)).unwrap();
        longest = longest.max(start.elapsed());
    }
    child::answer(longest.as_micros());
}
