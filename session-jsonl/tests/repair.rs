//! What a repair makes of a damaged store: nothing that can be read is lost, and nothing else is thrown away.
#![expect(clippy::unwrap_used, reason = "a test that meets an error it did not ask for must panic")]

use std::fs;
use std::path::PathBuf;

use session_core::record::Body;
use session_core::{Reading, RecordStore, SessionStore, StoreUpkeep};
use session_jsonl::JsonlStore;
use session_testkit::samples;

/// A store with one session that has a history of batches of one, three and one records.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let store = JsonlStore::open(place.0.path()).unwrap();
        store.create(samples::bare(1)).unwrap();
        for batch in [1..2, 2..5, 5..6] {
            let said: Vec<_> = batch.map(|n| samples::said(n, &format!("said {n}"))).collect();
            store.append(samples::id(1), &said, samples::at(9)).unwrap();
        }
        place
    }

    fn file(&self) -> PathBuf {
        self.0.path().join(format!("{}.jsonl", samples::id(1)))
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.file()).unwrap().lines().map(str::to_owned).collect()
    }

    fn put(&self, lines: &[String]) {
        fs::write(self.file(), lines.join("\n") + "\n").unwrap();
    }

    /// Repairs the store; returns its history: each number with its kind or what was said.
    fn repaired(&self) -> Vec<String> {
        let store = JsonlStore::open(self.0.path()).unwrap();
        assert_ne!(store.check().unwrap().damaged, [], "nothing is damaged");
        assert_ne!(store.repair(samples::at(20)).unwrap(), []);
        for store in [store, JsonlStore::open_read_only(self.0.path()).unwrap()] {
            assert_eq!(store.check().unwrap().damaged, []);
        }
        let store = JsonlStore::open(self.0.path()).unwrap();
        let shown = shown(&store);
        assert_eq!(store.repair(samples::at(30)).unwrap(), [], "a second time changes nothing");
        let next = store.append(samples::id(1), &[samples::said(9, "next")], samples::at(31));
        assert_eq!(next.unwrap().seqs[0].get(), shown.len() as u64 + 1);
        shown
    }
}

fn shown(store: &JsonlStore) -> Vec<String> {
    let page = store.read(samples::id(1), &Reading::ALL).unwrap();
    assert_eq!(page.damaged, []);
    let records = page.records.iter().map(|record| match &record.entry.body {
        Body::Lost(lost) => format!("{} {}: {}", record.seq, record.entry.id, lost.reason),
        body => format!("{} {}", record.seq, body.kind()),
    });
    records.collect()
}

#[test]
fn a_record_that_cannot_be_read_is_said_to_be_lost() {
    let place = Place::new();
    let mut lines = place.lines();
    // The second record of the batch of three.
    let at = lines.iter().position(|line| line.contains("said 3")).unwrap();
    lines[at] = "garbage".to_owned();
    place.put(&lines);
    let shown = place.repaired();
    assert!(shown[2].starts_with("3 lost-3: expected value"), "{shown:?}");
    let others: Vec<_> = [&shown[..2], &shown[3..]].concat();
    assert_eq!(others, ["1 message", "2 message", "4 message", "5 message"]);
    let after = place.lines();
    let kept = lines.iter().enumerate().skip(1).filter(|(index, _)| *index != at);
    for (_, line) in kept {
        let alone = ["[1,2]", "[2,2]", "[1,4]", "[3,4]", "[4,4]"]
            .iter()
            .fold(line.clone(), |line, batch| line.replacen(batch, "[1,1]", 1));
        assert!(after.contains(&alone), "{line}");
    }
    let copies = fs::read_dir(place.0.path().join("quarantine")).unwrap();
    let mut copies: Vec<_> =
        copies.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    copies.sort();
    assert_eq!(copies[0], "garbage\n");
    assert!(copies[1].starts_with("{\"file\":"), "{copies:?}");
}

#[test]
fn records_that_are_gone_are_said_to_be_lost() {
    let place = Place::new();
    let lines = place.lines();
    for gone in [&["said 1"][..], &["said 5"], &["said 2", "said 3", "said 4"]] {
        // The title is what was said first, so that the states of the session have it too.
        let is_gone = |line: &&String| {
            line.contains("\"type\":\"record\"") && gone.iter().any(|said| line.contains(said))
        };
        let left: Vec<_> = lines.iter().filter(|line| !is_gone(line)).cloned().collect();
        // What is left of batches is whole again, so that nothing but the numbers tells.
        let left: Vec<_> = left
            .iter()
            .map(|line| {
                let end = line.find("],\"").unwrap_or(0);
                match line.find("\"batch\":[") {
                    Some(begin) => format!("{}1,1{}", &line[..begin + 9], &line[end..]),
                    None => line.clone(),
                }
            })
            .collect();
        place.put(&left);
        let shown = place.repaired();
        let lost = shown.iter().filter(|shown| shown.contains(": it is missing")).count();
        assert_eq!((shown.len(), lost), (5, gone.len()), "{shown:?}");
    }
}

#[test]
fn what_begins_in_the_middle_of_a_batch_costs_no_more_than_what_is_unreadable() {
    let place = Place::new();
    let mut lines = place.lines();
    // The first state and the beginning of the first batch are one line of garbage, and the batch after it ends early.
    lines.splice(1..3, ["garbage".to_owned()]);
    place.put(&lines);
    let shown = place.repaired();
    assert!(shown[0].starts_with("1 lost-1: expected value"), "{shown:?}");
    assert_eq!(shown[1..], ["2 message", "3 message", "4 message", "5 message"]);
}

#[test]
fn totals_that_are_wrong_are_put_right_by_a_new_state() {
    let place = Place::new();
    let mut lines = place.lines();
    let last = lines.last_mut().unwrap();
    *last = last.replace("\"records\":5", "\"records\":4");
    place.put(&lines);
    assert_eq!(place.repaired().len(), 5);
    assert_eq!(place.lines()[..lines.len()], lines, "what stands there stays");
}

#[test]
fn lines_that_stand_glued_together_become_lines_of_their_own() {
    let place = Place::new();
    let mut lines = place.lines();
    let next = lines.remove(4);
    lines[3].push_str(&next);
    place.put(&lines);
    assert_eq!(place.repaired().len(), 5);
}
