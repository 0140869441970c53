//! The operations of the model, most of them on what is there.

use proptest::prelude::*;

use super::reference::{Kind, Reference};

/// What sessions may be called, so that they collide.
pub(super) const NAMES: [&str; 2] = ["ash", "Birch_"];

/// What is typed. Some of it is half a line.
const TEXTS: [&str; 6] = ["one\n", "two words\n", "half", "é\n", "\n", "three\nfour\nfi"];

/// The sizes that there are.
const SIZES: [(u16, u16); 4] = [(80, 24), (132, 43), (20, 5), (1, 1)];

/// A session is the number of its start, a watcher that of its subscription. What was not started is unknown.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Starts a program under this name.
    Spawn(Kind, Option<usize>),
    /// Lets the program print, if that was not done yet.
    Go(u32),
    /// Types text.
    Type(u32, &'static str),
    /// Types the end of the input, at the beginning of a line.
    End(u32),
    Resize(u32, (u16, u16)),
    Subscribe(u32),
    Replay(u32),
    /// Reads all that a watcher should have by now.
    Read(usize),
    /// Drops a watcher, whatever it has not read.
    Leave(usize),
    /// Asks whether it has ended.
    Wait(u32),
    Stop(u32),
    /// The runtime dies and comes back. Meanwhile this program gets TERM, if it is one of those that answer it.
    Outage(Option<u32>),
}

/// Any operation.
pub(super) fn any(state: &Reference) -> BoxedStrategy<Operation> {
    let ids = state.sessions.len() as u32;
    let running: Vec<u32> = state.running().collect();
    // Mostly one that runs, now and then any, of which the last is unknown.
    let id = move || {
        if running.is_empty() {
            return (0..=ids).boxed();
        }
        prop_oneof![6 => proptest::sample::select(running.clone()), 1 => 0..=ids].boxed()
    };
    let watcher = || 0..state.watchers.len().max(1);
    let spawns = if state.running().count() < 2 { 12 } else { 2 };
    prop_oneof![
        spawns => (kind(), proptest::option::of(0..NAMES.len()))
            .prop_map(|(kind, name)| Operation::Spawn(kind, name)),
        6 => id().prop_map(Operation::Go),
        8 => (id(), proptest::sample::select(&TEXTS[..]))
            .prop_map(|(id, text)| Operation::Type(id, text)),
        2 => id().prop_map(Operation::End),
        5 => (id(), proptest::sample::select(&SIZES[..]))
            .prop_map(|(id, size)| Operation::Resize(id, size)),
        3 => id().prop_map(Operation::Subscribe),
        3 => id().prop_map(Operation::Replay),
        2 => watcher().prop_map(Operation::Read),
        2 => watcher().prop_map(Operation::Leave),
        2 => id().prop_map(Operation::Wait),
        2 => id().prop_map(Operation::Stop),
        2 => proptest::option::of(id()).prop_map(Operation::Outage),
    ]
    .boxed()
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        1 => (0..4).prop_map(Kind::Exit),
        1 => Just(Kind::Signalled),
        4 => Just(Kind::Echo),
        2 => (1..60_u32).prop_map(Kind::Numbered),
        2 => (1..200_u32).prop_map(Kind::Burst),
        1 => Just(Kind::Stubborn),
        1 => Just(Kind::Lingering),
        2 => Just(Kind::Polite),
        2 => Just(Kind::Size),
    ]
}
