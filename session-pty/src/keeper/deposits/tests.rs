//! What is kept and what is told of it, without any process.

use std::convert::Infallible;

use super::super::packet::{pid, session_id};
use super::*;

fn descriptors() -> Result<Descriptors, Errno> {
    let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    Ok(Descriptors { master: null(), slave: null(), journal: null() })
}

fn id(number: u128) -> SessionId {
    session_id(number).unwrap()
}

/// A process that cannot be.
fn process(number: u64) -> Pid {
    pid(0x7000_0000 + number).unwrap()
}

fn held(deposits: &mut Deposits) -> Vec<Told> {
    let mut all = Vec::new();
    deposits.tell_all();
    let told: Result<(), Infallible> = deposits.tell_held(|held, fds| {
        assert_eq!(fds.len(), 3);
        all.push(held.clone());
        Ok(())
    });
    told.unwrap();
    all
}

fn news(deposits: &mut Deposits) -> Vec<Told> {
    let mut all = Vec::new();
    let told: Result<(), Infallible> = deposits.tell_news(|news| {
        all.push(news.clone());
        Ok(())
    });
    told.unwrap();
    all
}

fn kept(sessions: u128) -> Deposits {
    let mut deposits = Deposits::new(10);
    for number in 1..=sessions {
        deposits.deposit(id(number), descriptors());
        deposits.started(id(number), process(number as u64));
    }
    news(&mut deposits);
    deposits
}

#[test]
fn what_happened_is_told_once() {
    let mut deposits = Deposits::new(10);
    deposits.deposit(id(1), descriptors());
    assert_eq!(news(&mut deposits), [Told::Deposited { id: id(1), refusal: 0 }]);
    deposits.started(id(1), process(1));
    assert_eq!(deposits.process_ended(process(1), 9), Some(id(1)));
    let ended = Told::Ended { id: id(1), pid: process(1), status: 9 };
    assert_eq!(news(&mut deposits), [ended]);
    assert_eq!(news(&mut deposits), []);
}

#[test]
fn what_could_not_be_told_is_told_later() {
    let mut deposits = kept(3);
    deposits.tell_all();
    let mut room = 2;
    let mut told = 0;
    while room > 0 {
        let _full = deposits.tell_held(|_, _| {
            if told == room {
                return Err(());
            }
            told += 1;
            Ok(())
        });
        room = if told < 3 { 3 } else { 0 };
    }
    assert_eq!(told, 3);
    deposits.process_ended(process(2), 9);
    assert_eq!(deposits.tell_news(|_| Err(())), Err(()));
    assert_eq!(news(&mut deposits).len(), 1);
}

#[test]
fn what_ends_while_nobody_listens_comes_with_the_session() {
    let mut deposits = kept(2);
    deposits.process_ended(process(1), 0x700);
    // The other one is nobody's child, and no process either: its status went to the supervisor.
    deposits.supervisor_ended();
    let expected = [(1, 0x700), (2, UNKNOWN_END)].map(|(number, status)| {
        let (pid, ended) = (Some(process(number)), Some(status));
        Told::Held { id: id(number.into()), pid, ended, skip: false }
    });
    assert_eq!(held(&mut deposits), expected);
    assert_eq!(news(&mut deposits), [], "it was told with the session");
}

#[test]
fn an_end_before_the_number_is_known_is_remembered() {
    let mut deposits = Deposits::new(10);
    deposits.process_ended(process(1), 1);
    deposits.deposit(id(1), descriptors());
    news(&mut deposits);
    deposits.process_ended(process(2), 2);
    deposits.started(id(1), process(1));
    assert_eq!(news(&mut deposits), [], "that one ended before the session began");
    deposits.started(id(1), process(2));
    let ended = Told::Ended { id: id(1), pid: process(2), status: 2 };
    assert_eq!(news(&mut deposits), [ended]);
}

#[test]
fn few_ends_are_remembered() {
    let mut deposits = Deposits::new(10);
    deposits.deposit(id(1), descriptors());
    deposits.deposit(id(2), descriptors());
    for number in 0..=EARLY_ENDS {
        deposits.process_ended(process(number as u64), 1);
    }
    assert_eq!(deposits.early_ends.len(), EARLY_ENDS);
    news(&mut deposits);
    deposits.started(id(1), process(0));
    assert_eq!(news(&mut deposits), []);
    deposits.started(id(2), process(EARLY_ENDS as u64));
    assert_eq!(news(&mut deposits).len(), 1);
}

#[test]
fn a_session_that_kills_twice_has_a_warning() {
    let skips = |deposits: &mut Deposits| {
        let held = held(deposits);
        held.iter().map(|held| matches!(held, Told::Held { skip: true, .. })).collect::<Vec<_>>()
    };
    let mut deposits = kept(2);
    for expected in [[false, false], [true, false], [true, false]] {
        deposits.taking(id(1));
        deposits.taking(id(2));
        deposits.taken(id(2));
        deposits.supervisor_ended();
        assert_eq!(skips(&mut deposits), expected);
    }
    deposits.taking(id(1));
    deposits.taken(id(1));
    deposits.supervisor_ended();
    assert_eq!(skips(&mut deposits), [false, false]);
}

#[test]
fn there_is_an_end_to_what_is_kept() {
    let mut deposits = Deposits::new(1);
    deposits.deposit(id(1), descriptors());
    deposits.deposit(id(2), descriptors());
    deposits.deposit(id(3), Err(Errno::INVAL));
    // Other descriptors for the same session need no more room.
    deposits.deposit(id(1), descriptors());
    let told = news(&mut deposits);
    let refused = |number, refusal| Told::Deposited { id: id(number), refusal };
    assert_eq!(told, [refused(2, 24), refused(3, 22), refused(1, 0)]);
    deposits.release(id(1));
    assert!(deposits.is_empty());
    for number in 0..1000 {
        deposits.deposit(id(number), Err(Errno::INVAL));
    }
    assert_eq!(news(&mut deposits).len(), REFUSALS);
}

#[test]
fn no_stranger_is_signalled() {
    let deposits = kept(1);
    assert!(deposits.any_runs());
    // Neither a child nor held: nothing happens, in particular to the group of that number.
    deposits.signal(Signal::KILL);
}
