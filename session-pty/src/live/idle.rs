//! Sessions in which nothing happens: one thread waits for all of them.
//!
//! A relay that has nothing to do and no viewers gives up its thread and is kept here. What wakes it, on a thread of its
//! own again, is the first byte, the end of the program, or somebody who wants something of it. The same thread sends
//! screens to sleep while too many are awake; else it waits without a timeout.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::awake::Awake;
use super::relay::Relay;
use super::waker::Waker;
use super::{lock, timespec};
use crate::supervisor::log_line;

/// When the system has refused a thread to a session that has something to do, until the next attempt.
const REFUSED: Duration = Duration::from_millis(500);

/// What wakes the thread beside sessions.
const BELL: u64 = u64::MAX;

/// Events that are taken at once.
const EVENTS: usize = 64;

/// The idle sessions of one runtime. Its thread ends when nobody holds it any more.
#[derive(Debug)]
pub(super) struct Idle {
    awake: Arc<Awake>,
    /// There since the first session.
    room: Mutex<Option<Arc<Room>>>,
}

#[derive(Debug)]
struct Room {
    awake: Arc<Awake>,
    epoll: OwnedFd,
    bell: Waker,
    is_left: AtomicBool,
    parked: Mutex<Parked>,
}

/// Relays without a thread. What each waits for is in the epoll as long as it is here.
#[derive(Debug, Default)]
struct Parked {
    relays: HashMap<u64, Box<Relay>>,
    /// How many there have been, which numbers them.
    number: u64,
}

impl Idle {
    /// No session yet.
    pub(super) fn new(awake: Arc<Awake>) -> Self {
        Self { awake, room: Mutex::default() }
    }

    /// Sees to it that there is a thread that waits.
    ///
    /// # Errors
    /// When the system refuses it.
    pub(super) fn open(&self) -> io::Result<()> {
        let mut open = lock(&self.room);
        if open.is_some() {
            return Ok(());
        }
        let room = Arc::new(Room {
            awake: Arc::clone(&self.awake),
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            bell: Waker::new()?,
            is_left: AtomicBool::new(false),
            parked: Mutex::default(),
        });
        epoll::add(&room.epoll, &room.bell, EventData::new_u64(BELL), EventFlags::IN)?;
        let waiting = Arc::clone(&room);
        std::thread::Builder::new().name("idle".to_owned()).spawn(move || waiting.wait())?;
        self.awake.settled_by(room.bell.clone());
        *open = Some(room);
        Ok(())
    }

    /// Takes a relay that has nothing to do, or had not when it was last looked at.
    ///
    /// # Errors
    /// The relay itself, when it has to go on waiting on its own thread.
    pub(super) fn park(&self, relay: Box<Relay>) -> Result<(), Box<Relay>> {
        let room = lock(&self.room).clone();
        match room {
            Some(room) => room.park(relay),
            None => Err(relay),
        }
    }

    /// How many sessions are here.
    #[cfg(test)]
    pub(super) fn parked(&self) -> usize {
        lock(&self.room).as_ref().map_or(0, |room| lock(&room.parked).relays.len())
    }

    /// Whether its thread waits for nothing but sessions.
    #[cfg(test)]
    pub(super) fn has_no_timer(&self) -> bool {
        self.awake.settle().is_none()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Some(room) = &*lock(&self.room) {
            room.is_left.store(true, Ordering::Release);
            room.bell.wake();
        }
    }
}

impl Room {
    fn park(&self, relay: Box<Relay>) -> Result<(), Box<Relay>> {
        // Held until it is there: what happens from here on finds it.
        let mut parked = lock(&self.parked);
        let number = parked.number;
        let data = EventData::new_u64(number);
        let refused = relay
            .awaited()
            .into_iter()
            .any(|fd| epoll::add(&self.epoll, fd, data, EventFlags::IN).is_err());
        if refused {
            self.wait_no_more(&relay);
            return Err(relay);
        }
        parked.number += 1;
        parked.relays.insert(number, relay);
        Ok(())
    }

    /// To be called while the descriptors are open: others hold copies of some, so closing them removes nothing.
    fn wait_no_more(&self, relay: &Relay) {
        for fd in relay.awaited() {
            let _was_not_there = epoll::delete(&self.epoll, fd);
        }
    }

    fn wait(&self) {
        let mut events = Vec::with_capacity(EVENTS);
        let mut refused = Vec::new();
        let mut look_again = None;
        while !self.is_left.load(Ordering::Acquire) {
            let retry = (!refused.is_empty()).then_some(REFUSED);
            let timeout = [look_again, retry].into_iter().flatten().min().map(timespec);
            events.clear();
            // Interrupted or not, what there is to do is looked at.
            let room = rustix::buffer::spare_capacity(&mut events);
            let _interrupted = epoll::wait(self.epoll.as_fd(), room, timeout.as_ref());
            let mut woken = std::mem::take(&mut refused);
            for event in events.drain(..) {
                match event.data.u64() {
                    BELL => self.bell.notice(),
                    // None where a session has several reasons to wake up.
                    number => woken.extend(self.take_out(number)),
                }
            }
            for relay in woken {
                let id = relay.shared.id;
                if let Err((relay, error)) = relay.start() {
                    log_line(&format!("session {id} waits for a thread: {error}"));
                    refused.push(relay);
                }
            }
            // A screen that fails must not take the thread along that wakes all sessions.
            look_again = catch_unwind(AssertUnwindSafe(|| self.awake.settle())).unwrap_or(None);
        }
    }

    fn take_out(&self, number: u64) -> Option<Box<Relay>> {
        let relay = lock(&self.parked).relays.remove(&number)?;
        self.wait_no_more(&relay);
        Some(relay)
    }
}
