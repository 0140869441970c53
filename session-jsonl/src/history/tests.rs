//! Every stretch of a history is read alike from both ends, and each line that is damaged costs itself.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::Path;

use session_core::record::{Body, Message};
use session_core::{Entry, Record, RecordId, Role, Session, SessionId, Timestamp};

use super::*;
use crate::directory::{Directory, Loaded};
use crate::disk::memory::{Image, MemoryDisk};
use crate::disk::{Access, Disk};
use crate::line;

const PLACE: &str = "/store";

fn id() -> SessionId {
    SessionId::from_parts(Timestamp::from_millis(0), 1)
}

fn record(number: u64, length: usize) -> Record {
    let body = Body::Message(Message::text(Role::User, format!("{number}").repeat(length)));
    let id = RecordId::parse(&format!("r-{number}")).unwrap();
    Entry::new(id, Timestamp::from_millis(0), body).at(Seq::new(number).unwrap())
}

/// The lines of a file with these records, in batches of two and a state, and where its records stand.
fn lines(records: RangeInclusive<u64>, length: usize) -> Vec<String> {
    let mut lines = vec![line::header(id())];
    let numbers: Vec<_> = records.collect();
    for batch in numbers.chunks(2) {
        let of = u32::try_from(batch.len() + 1).unwrap();
        for (at, number) in (1..).zip(batch) {
            let mut line = String::new();
            let Record { seq, entry } = record(*number, length);
            line::push_record(&mut line, (at, of), seq, &entry).unwrap();
            lines.push(line);
        }
        lines.push(state((of, of), *batch.last().unwrap()));
    }
    lines
}

fn state(batch: (u32, u32), records: u64) -> String {
    let mut session = Session::new(id(), Timestamp::from_millis(0));
    session.conversation.get_or_insert_default().totals.records = records;
    let mut line = String::new();
    line::push_session(&mut line, batch, &session).unwrap();
    line
}

struct Fixture {
    disk: Arc<MemoryDisk>,
    directory: Directory,
}

impl Fixture {
    fn new(lines: &[impl AsRef<[u8]>]) -> Self {
        let mut image = Image::empty(Path::new(PLACE));
        let bytes: Vec<u8> = lines.iter().flat_map(|line| line.as_ref().to_vec()).collect();
        image.append(&Path::new(PLACE).join(format!("{}.jsonl", id())), &bytes);
        let disk = MemoryDisk::new(image);
        Self { directory: Directory::new(disk.clone(), PLACE.into()), disk }
    }

    fn loaded(&self) -> Arc<Loaded> {
        self.directory.view().unwrap().load(id()).unwrap().unwrap()
    }

    /// All pages of a stretch: the numbers, and the places of what cannot be read.
    fn read(&self, reading: Reading, with_hints: bool) -> (Vec<u64>, Vec<u64>) {
        let loaded = self.loaded();
        let records = loaded.readable().unwrap().totals().records;
        let file = self.disk.open(&loaded.path, Access::Read).unwrap();
        let stretch = Stretch { file: &*file, loaded: &loaded, records };
        let (mut numbers, mut spots) = (Vec::new(), Vec::new());
        let (mut next, mut hint) = (Some(reading), None);
        while let Some(reading) = next {
            let (page, found, at) = stretch.read_spots(&reading, hint).unwrap();
            assert!(!page.records.is_empty() || !found.is_empty() || page.next.is_none());
            numbers.extend(page.records.iter().map(|record| record.seq.get()));
            spots.extend(found.iter().map(|spot| spot.offset));
            (next, hint) = (page.next, at.filter(|_| with_hints));
        }
        (numbers, spots)
    }

    /// The same, which must not depend on where pages end, nor on the direction.
    fn read_all(&self, from: u64, to: u64) -> (Vec<u64>, Vec<u64>) {
        let (from, to) = (Seq::new(from).unwrap(), Seq::new(to).unwrap());
        let reading = |order, limit| Reading { from, to, order, limit: NonZeroU32::new(limit) };
        let whole = self.read(reading(Order::Forward, 0), false);
        for limit in [0, 1, 2, 3, 50] {
            for with_hints in [false, true] {
                for order in [Order::Forward, Order::Backward] {
                    let (mut numbers, mut spots) = self.read(reading(order, limit), with_hints);
                    if order == Order::Backward {
                        numbers.reverse();
                    }
                    assert_eq!(numbers, whole.0, "{order:?} {limit}");
                    spots.sort_unstable();
                    // A page that ends with the last record of the stretch does not look behind it.
                    spots.dedup();
                    if limit == 0 {
                        assert_eq!(spots, whole.1, "{order:?}");
                    }
                    assert!(spots.iter().all(|spot| whole.1.contains(spot)), "{order:?} {limit}");
                }
            }
        }
        whole
    }
}

fn offset(lines: &[impl AsRef<[u8]>], index: usize) -> u64 {
    lines[..index].iter().map(|line| line.as_ref().len() as u64).sum()
}

#[test]
fn every_stretch_is_exactly_its_records() {
    // Long enough to be divided several times.
    let fixture = Fixture::new(&lines(1..=300, 300));
    for (from, to) in [(1, 300), (1, 1), (300, 300), (2, 2), (150, 151), (7, 290), (299, 1000)] {
        let expected: Vec<_> = (from..=to.min(300)).collect();
        assert_eq!(fixture.read_all(from, to), (expected, vec![]), "{from}..={to}");
    }
    assert_eq!(fixture.read_all(301, 400), (vec![], vec![]));
    assert_eq!(fixture.read_all(5, 4), (vec![], vec![]));
    assert_eq!(
        Fixture::new(&[line::header(id()), state((1, 1), 0)]).read_all(1, 9),
        (vec![], vec![])
    );
}

#[test]
fn pages_end_at_their_size() {
    let fixture = Fixture::new(&lines(1..=20, 100_000));
    let loaded = fixture.loaded();
    let file = fixture.disk.open(&loaded.path, Access::Read).unwrap();
    let stretch = Stretch { file: &*file, loaded: &loaded, records: 20 };
    let (page, hint) = stretch.read(&Reading::ALL, None).unwrap();
    let read = page.records.len() as u64;
    assert!((2..20).contains(&read), "{read}");
    assert_eq!(page.next, Some(Reading::from(Seq::after(read))));
    assert_eq!(hint.unwrap().seq, Seq::after(read));
    assert_eq!(fixture.read_all(1, 20).0.len(), 20);
}

#[test]
fn a_damaged_line_costs_its_record_and_is_reported_in_its_stretch_alone() {
    let sound = lines(1..=60, 700);
    // Record 31 begins a batch, and 32 stands behind it.
    let at = sound.iter().position(|line| line.contains("\"r-31\"")).unwrap();
    let [one, two] = [&sound[at], &sound[at + 1]].map(|line| line.trim_end().to_owned());
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("garbage", b"garbage\n".to_vec()),
        ("nothing", b"\n".to_vec()),
        ("torn", [&one.as_bytes()[..40], b"\n"].concat()),
        ("NUL", [&[0; 900][..], b"\n"].concat()),
        (
            "invalid UTF-8",
            one.replace("31", "\u{fffd}")
                .into_bytes()
                .into_iter()
                .map(|b| if b == 0xbf { 0xff } else { b })
                .chain(*b"\n")
                .collect(),
        ),
        ("foreign JSON", b"{\"kind\":\"of another program\"}\n".to_vec()),
        (
            "a record without an id",
            one.replace("\"id\":\"r-31\",", "").into_bytes().into_iter().chain(*b"\n").collect(),
        ),
        ("too long", vec![b'x'; 17 << 20].into_iter().chain(*b"\n").collect()),
        ("a line of 100 MB", vec![b'x'; 100_000_000].into_iter().chain(*b"\n").collect()),
        ("glued to half a line", format!("{one}{}\n", &two[..50]).into_bytes()),
    ];
    for (what, bytes) in cases {
        let mut damaged: Vec<Vec<u8>> =
            sound.iter().map(|line| line.clone().into_bytes()).collect();
        damaged[at] = bytes;
        let place = offset(&damaged, at);
        let fixture = Fixture::new(&damaged);
        let without: Vec<_> = (1..=60).filter(|number| *number != 31).collect();
        assert_eq!(fixture.read_all(1, 60), (without, vec![place]), "{what}");
        assert_eq!(fixture.read_all(31, 31), (vec![], vec![place]), "{what}");
        assert!(fixture.read_all(33, 60).1.is_empty(), "{what}");
        assert!(fixture.read_all(1, 29).1.is_empty(), "{what}");
    }
}

#[test]
fn two_glued_lines_cost_two_records() {
    let mut glued = lines(1..=60, 700);
    let at = glued.iter().position(|line| line.contains("\"r-31\"")).unwrap();
    let next = glued.remove(at + 1);
    glued[at] = glued[at].trim_end().to_owned() + &next;
    let without: Vec<_> = (1..=60).filter(|number| ![31, 32].contains(number)).collect();
    assert_eq!(Fixture::new(&glued).read_all(1, 60), (without, vec![offset(&glued, at)]));
    // So does a state that stands glued to a record.
    let mut glued = lines(1..=60, 700);
    let next = glued.remove(at + 3);
    glued[at + 2] = glued[at + 2].trim_end().to_owned() + &next;
    let without: Vec<_> = (1..=60).filter(|number| *number != 33).collect();
    assert_eq!(Fixture::new(&glued).read_all(1, 60), (without, vec![offset(&glued, at + 2)]));
}

#[test]
fn a_number_that_does_not_grow_is_damage() {
    let mut twice = lines(1..=40, 10);
    let copy = twice[5].replace("[2,3]", "[1,1]");
    assert!(copy.contains("\"seq\":4"), "{copy}");
    twice.insert(19, copy);
    let place = offset(&twice, 19);
    assert_eq!(Fixture::new(&twice).read(Reading::ALL, false), ((1..=40).collect(), vec![place]));
}

#[test]
fn a_batch_without_its_end_or_its_beginning_is_none() {
    let sound = lines(1..=40, 10);
    let at = sound.iter().position(|line| line.contains("\"r-21\"")).unwrap();
    let mut cut = sound.clone();
    cut.remove(at + 2);
    let without: Vec<_> = (1..=40).filter(|number| ![21, 22].contains(number)).collect();
    let found = Fixture::new(&cut).read(Reading::ALL, false);
    assert_eq!(found, (without.clone(), vec![offset(&cut, at + 1)]));
    let mut backward = Fixture::new(&cut).read(Reading::backward(), false);
    backward.0.reverse();
    assert_eq!(backward, found);
    let mut headless = sound.clone();
    headless.remove(at);
    let without: Vec<_> = (1..=40).filter(|number| ![21, 22].contains(number)).collect();
    let found = Fixture::new(&headless).read(Reading::ALL, false);
    assert_eq!(found, (without, vec![offset(&headless, at)]));
}
