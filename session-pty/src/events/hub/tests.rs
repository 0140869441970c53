//! What readers of the ring are told, whatever they ask for and whenever.

use std::time::Instant;

use proptest::prelude::*;
use session_core::Timestamp;

use super::super::Next;
use super::*;

const EPOCH: u64 = 7;

fn hub(room: usize) -> Arc<Hub> {
    Hub::with_room(EPOCH, room, Arc::new(|| Timestamp::from_millis(5)))
}

fn session(number: u128) -> SessionId {
    SessionId::from_parts(Timestamp::from_millis(1), number)
}

fn publish(hub: &Hub, number: u128) {
    hub.publish(session(number), Happening::Detached { viewers: 0 });
}

fn at(number: u64) -> Cursor {
    Cursor { epoch: EPOCH, number }
}

/// Numbers of events; of a gap, how many it left out.
fn told(events: &[Event]) -> Vec<Result<u64, Option<u64>>> {
    let number = |event: &Event| match event.happening {
        Happening::Gap { missed } => Err(missed),
        _ => Ok(event.cursor.number),
    };
    events.iter().map(number).collect()
}

#[test]
fn a_cursor_leaves_out_what_was_seen() {
    let hub = hub(8);
    (0..4).for_each(|_| publish(&hub, 1));
    assert_eq!(told(&hub.since(None, None).unwrap()), [Ok(1), Ok(2), Ok(3), Ok(4)]);
    assert_eq!(told(&hub.since(Some(at(0)), None).unwrap()), [Ok(1), Ok(2), Ok(3), Ok(4)]);
    assert_eq!(told(&hub.since(Some(at(3)), None).unwrap()), [Ok(4)]);
    assert_eq!(hub.since(Some(at(4)), None).unwrap(), []);
    assert_eq!(hub.since(Some(at(5)), None), Err(CursorError::Ahead { cursor: at(5) }));
    assert!(hub.follow(Some(at(5)), None, || true).is_err());
}

#[test]
fn a_cursor_that_fell_out_is_told_how_much_it_missed() {
    let hub = hub(3);
    (0..10).for_each(|number| publish(&hub, number % 2));
    assert_eq!(told(&hub.since(None, None).unwrap()), [Ok(8), Ok(9), Ok(10)]);
    let events = hub.since(Some(at(2)), None).unwrap();
    assert_eq!(told(&events), [Err(Some(5)), Ok(8), Ok(9), Ok(10)]);
    assert_eq!((events[0].session, events[0].cursor), (None, at(7)));
    // Going on from the gap misses nothing more.
    assert_eq!(told(&hub.since(Some(at(7)), None).unwrap()), [Ok(8), Ok(9), Ok(10)]);
    // How many of them were of this one is not known.
    let events = hub.since(Some(at(2)), Some(session(1))).unwrap();
    assert_eq!(told(&events), [Err(None), Ok(8), Ok(10)]);
    assert_eq!(events[0].session, Some(session(1)));
}

#[test]
fn a_cursor_of_another_supervisor_is_told_so_before_anything_else() {
    let hub = hub(3);
    let other = Cursor { epoch: EPOCH + 1, number: 900 };
    let events = hub.since(Some(other), None).unwrap();
    assert_eq!(told(&events), [Err(None)]);
    assert_eq!(events[0].cursor, at(0), "from here on nothing is missed");
    publish(&hub, 1);
    assert_eq!(told(&hub.since(Some(other), None).unwrap()), [Err(None), Ok(1)]);
    assert_eq!(told(&hub.since(Some(events[0].cursor), None).unwrap()), [Ok(1)]);
}

#[test]
fn a_long_ring_is_read_whole() {
    let hub = hub(10 * AT_ONCE);
    (0..9 * AT_ONCE as u128).for_each(|number| publish(&hub, number % 3));
    assert_eq!(hub.since(None, None).unwrap().len(), 9 * AT_ONCE);
    assert_eq!(hub.since(None, Some(session(2))).unwrap().len(), 3 * AT_ONCE);
    assert_eq!(hub.since(None, Some(session(3))).unwrap(), []);
}

#[test]
fn each_supervisor_has_an_epoch_of_its_own() {
    let epoch = || Hub::new(Arc::new(|| Timestamp::from_millis(5))).unwrap().epoch;
    assert_ne!(epoch(), epoch());
}

fn in_a_reactor(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work);
}

#[test]
fn a_follower_is_woken_from_any_thread() {
    in_a_reactor(async {
        let hub = hub(8);
        let mut follower = hub.follow(None, Some(session(1)), || true).unwrap();
        let witness = hub.witness();
        let publisher = std::thread::spawn(move || {
            witness(session(2), Happening::Detached { viewers: 0 });
            witness(session(1), Happening::Detached { viewers: 0 });
        });
        let Next::Events(events) = follower.next().await else { panic!("it is not over") };
        assert_eq!(told(&events), [Ok(2)]);
        assert_eq!(follower.cursor(), at(2));
        publisher.join().unwrap();
    });
}

#[test]
fn a_follower_of_one_that_has_ended_is_told_all_and_let_go() {
    in_a_reactor(async {
        let hub = hub(8);
        publish(&hub, 1);
        let mut follower = hub.follow(None, Some(session(1)), || false).unwrap();
        assert!(matches!(follower.next().await, Next::Events(events) if told(&events) == [Ok(1)]));
        assert_eq!(follower.next().await, Next::Over);
    });
}

#[test]
fn those_who_follow_fetch_the_rest_before_the_end() {
    let hub = hub(8);
    let mut follower = hub.follow(None, None, || true).unwrap();
    publish(&hub, 1);
    let following = std::thread::spawn(move || {
        let mut heard = 0;
        in_a_reactor(async {
            while let Next::Events(events) = follower.next().await {
                heard += events.len();
            }
        });
        heard
    });
    hub.see_off(Duration::from_secs(30));
    assert_eq!(following.join().unwrap(), 1);
    assert_eq!(hub.ring().followers, 0);
}

#[test]
fn one_that_does_not_fetch_keeps_nobody() {
    let hub = hub(8);
    let _asleep = hub.follow(None, None, || true).unwrap();
    let begun = Instant::now();
    hub.see_off(Duration::from_millis(1));
    assert!(begun.elapsed() < Duration::from_secs(30));
}

/// What happens next in the life of a ring with three readers.
#[derive(Clone, Copy, Debug)]
enum Step {
    Publish(u128),
    /// The reader asks for what it has not seen.
    Ask(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_u128).prop_map(Step::Publish),
        1 => (0..3_usize).prop_map(Step::Ask),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn every_event_is_seen_once_or_accounted_for(room in 1_usize..12, steps in steps()) {
        let hub = hub(room);
        // The sessions of all events, in order.
        let mut published = Vec::new();
        // Two listen to all, one to a single session.
        let filters = [None, None, Some(session(1))];
        let mut cursors = [at(0); 3];
        for step in steps.into_iter().chain([Step::Ask(0), Step::Ask(1), Step::Ask(2)]) {
            let reader = match step {
                Step::Publish(number) => {
                    publish(&hub, number);
                    published.push(session(number));
                    continue;
                }
                Step::Ask(reader) => reader,
            };
            let from = usize::try_from(cursors[reader].number).unwrap();
            let events = hub.since(Some(cursors[reader]), filters[reader]).unwrap();
            let kept = published.len().saturating_sub(room).max(from);
            let is_wanted =
                |number: &usize| filters[reader].is_none_or(|only| only == published[number - 1]);
            let mut expected = Vec::new();
            if kept > from {
                expected.push(Err(filters[reader].is_none().then_some((kept - from) as u64)));
            }
            let wanted = (kept + 1..=published.len()).filter(is_wanted);
            expected.extend(wanted.map(|number| Ok(number as u64)));
            prop_assert_eq!(told(&events), expected);
            if let Some(last) = events.last() {
                cursors[reader] = last.cursor;
            }
        }
    }
}
