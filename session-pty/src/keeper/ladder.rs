//! Ending what no supervisor ends: hang-up, termination, kill, decided here with the time from outside.

use std::time::{Duration, Instant};

use rustix::process::Signal;

/// How long each rung is given.
const PATIENCE: Duration = Duration::from_secs(1);

const RUNGS: [Signal; 3] = [Signal::HUP, Signal::TERM, Signal::KILL];

/// How far it has come.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    /// How many signals were sent.
    climbed: usize,
    until: Option<Instant>,
}

/// What to do about programs that are still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send them this, and ask again.
    Send(Signal),
    /// Wait until then, or until one has ended.
    Wait(Instant),
    /// All that could be done was done.
    Done,
}

impl Ladder {
    /// The next step; `left` says whether any program is still there.
    pub(super) fn step(&mut self, left: bool, now: Instant) -> Step {
        if !left {
            return Step::Done;
        }
        if let Some(until) = self.until.filter(|&until| now < until) {
            return Step::Wait(until);
        }
        let Some(&signal) = RUNGS.get(self.climbed) else { return Step::Done };
        self.climbed += 1;
        self.until = Some(now + PATIENCE);
        Step::Send(signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rung_has_its_second() {
        let (mut ladder, start) = (Ladder::default(), Instant::now());
        for (second, signal) in (0..).zip(RUNGS) {
            let now = start + PATIENCE * second;
            assert_eq!(ladder.step(true, now), Step::Send(signal));
            assert_eq!(ladder.step(true, now), Step::Wait(now + PATIENCE));
        }
        assert_eq!(ladder.step(true, start + PATIENCE * 3), Step::Done);
    }

    #[test]
    fn it_stops_when_nothing_is_left() {
        let (mut ladder, now) = (Ladder::default(), Instant::now());
        assert_eq!(ladder.step(true, now), Step::Send(Signal::HUP));
        assert_eq!(ladder.step(false, now), Step::Done);
    }
}
