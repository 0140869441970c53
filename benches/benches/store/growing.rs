//! Creations, measured in stores that stay as large as the name of the bench says.

use std::time::{Duration, Instant};

use session_benches::sessions;
use session_core::Session;

/// A place that creations are measured in, and that is replaced before it has grown by half.
pub(crate) struct Growing<'a, T, I> {
    size: usize,
    fresh: Box<dyn Fn() -> T + 'a>,
    prepare: fn(Session) -> I,
    create: fn(&T, I),
    place: Option<T>,
    left: usize,
    number: usize,
}

impl<'a, T, I> Growing<'a, T, I> {
    /// Places with `size` sessions, which `fresh` makes. `prepare` is not measured, `create` is.
    pub(crate) fn new(
        size: usize,
        fresh: impl Fn() -> T + 'a,
        prepare: fn(Session) -> I,
        create: fn(&T, I),
    ) -> Self {
        // From here on no number has been given to a session of a template.
        Self { size, fresh: Box::new(fresh), prepare, create, place: None, left: 0, number: size }
    }

    /// The time that so many creations take.
    pub(crate) fn run(&mut self, iterations: u64) -> Duration {
        let mut total = Duration::ZERO;
        for _ in 0..iterations {
            let session = self.next_session();
            let place = match &self.place {
                Some(place) if self.left > 0 => place,
                _ => {
                    // Gone before the next one is made: both at once would take the room of both.
                    self.place = None;
                    self.left = self.size / 2;
                    let place = (self.fresh)();
                    // What the first creation prepares for all others is no part of one.
                    (self.create)(&place, self.next_session());
                    self.place.insert(place)
                }
            };
            let start = Instant::now();
            (self.create)(place, session);
            total += start.elapsed();
            self.left -= 1;
        }
        total
    }

    /// A session that no store holds yet, pending, so that its name has to be free.
    fn next_session(&mut self) -> I {
        self.number += 1;
        (self.prepare)(sessions::session(10 * self.number).unwrap())
    }
}
