//! When the next supervisor is started, and which program it is: decided here, with the time from outside.

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// After so many ends in a row before it was ready, the supervisor is left alone.
const ENOUGH: u32 = 10;

/// After so many, another program than the own one is not tried again.
const ENOUGH_OF_ANOTHER: u32 = 3;

/// Two ends of supervisors that had been ready are one soon after the other within this.
const AGAIN_SO_SOON: Duration = Duration::from_secs(1);

/// So many soon after each other are restarted without a pause.
const PAUSELESS: u32 = 10;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a supervisor is a process of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// The one that the keeper was told, or is itself.
    Own,
    /// The one that a supervisor named.
    Another(PathBuf),
}

/// What to do while no supervisor lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Start this.
    Start(Program),
    /// Wait until then.
    Wait(Instant),
    /// Nothing, unless somebody asks to try again.
    GivenUp,
    /// Nothing any more: the keeper has nothing to keep.
    End,
}

/// What it depends on.
#[derive(Debug)]
pub(super) struct Restarts {
    program: Program,
    /// What the present supervisor wants started after it.
    named: Option<PathBuf>,
    /// What the present supervisor said of itself.
    is_ready: bool,
    leaves: bool,
    /// The very first one has not ended yet: somebody waits for it and is told what ails it.
    is_first: bool,
    /// How many ended in a row before they were ready, and how many of those of another program.
    failures: u32,
    failures_of_another: u32,
    next: Pause,
    /// When the last one ended that had been ready, and how many ended soon after the one before.
    last_ready_end: Option<Instant>,
    hasty: u32,
}

#[derive(Debug)]
enum Pause {
    None,
    Until(Instant),
    ForGood,
    End,
}

impl Restarts {
    /// Nothing has been started yet.
    pub(super) fn new() -> Self {
        Self {
            program: Program::Own,
            named: None,
            is_ready: false,
            leaves: false,
            is_first: true,
            failures: 0,
            failures_of_another: 0,
            next: Pause::None,
            last_ready_end: None,
            hasty: 0,
        }
    }

    /// As [`Self::new`], while nobody waits for the first one in particular.
    pub(super) fn continued() -> Self {
        Self { is_first: false, ..Self::new() }
    }

    /// The supervisor serves.
    pub(super) fn ready(&mut self) {
        self.is_ready = true;
        self.failures = 0;
        self.failures_of_another = 0;
    }

    /// The supervisor named the program to start after it.
    pub(super) fn restart(&mut self, program: PathBuf) {
        self.named = Some(program);
        self.leaves = false;
    }

    /// The supervisor is needed no more.
    pub(super) fn leave(&mut self) {
        self.leaves = true;
    }

    /// The supervisor ended, or could not be started; `holds` says whether there is anything to keep.
    pub(super) fn ended(&mut self, holds: bool, now: Instant) {
        let was_ready = std::mem::take(&mut self.is_ready);
        let left = std::mem::take(&mut self.leaves);
        let was_first = std::mem::take(&mut self.is_first);
        let ended_program = self.program.clone();
        if let Some(program) = self.named.take() {
            self.program = Program::Another(program);
            self.failures_of_another = 0;
        }
        if !holds && (left || was_first && !was_ready) {
            self.next = Pause::End;
            return;
        }
        if was_ready {
            // One that dies again and again as soon as it serves must not keep the machine busy, nor viewers waiting.
            let since = self.last_ready_end.replace(now);
            let soon = since.is_some_and(|since| now.duration_since(since) < AGAIN_SO_SOON);
            self.hasty = if soon { (self.hasty + 1).min(PAUSELESS + 3) } else { 0 };
            self.next = match self.hasty {
                ..=PAUSELESS => Pause::None,
                hasty => Pause::Until(now + FIRST_PAUSE * 2_u32.pow(hasty - PAUSELESS - 1)),
            };
            return;
        }
        self.failures += 1;
        if self.program == ended_program && self.program != Program::Own {
            self.failures_of_another += 1;
            if self.failures_of_another >= ENOUGH_OF_ANOTHER {
                self.program = Program::Own;
            }
        }
        self.next = match self.failures {
            // Whoever asks next can as well start everything anew, and is told then what is wrong.
            ENOUGH.. if !holds => Pause::End,
            ENOUGH.. => Pause::ForGood,
            failures => {
                let pause = FIRST_PAUSE * 2_u32.pow(failures - 1);
                Pause::Until(now + pause.min(LONGEST_PAUSE))
            }
        };
    }

    /// Somebody wants a supervisor: one is started at once, however often that failed before. Those who ask again and
    /// again do not keep it from being given up.
    pub(super) fn try_again(&mut self) {
        if matches!(self.next, Pause::ForGood) {
            self.failures = 0;
        }
        if !matches!(self.next, Pause::End) {
            self.next = Pause::None;
        }
    }

    /// How often the supervisor failed in a row, if it is left alone for that.
    pub(super) fn given_up_after(&self) -> Option<u32> {
        matches!(self.next, Pause::ForGood).then_some(self.failures)
    }

    /// Which program the next supervisor is a process of.
    pub(super) const fn program(&self) -> &Program {
        &self.program
    }

    /// To be asked while no supervisor lives.
    pub(super) fn next(&self, now: Instant) -> Next {
        match self.next {
            Pause::Until(at) if now < at => Next::Wait(at),
            Pause::None | Pause::Until(_) => Next::Start(self.program.clone()),
            Pause::ForGood => Next::GivenUp,
            Pause::End => Next::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Next {
        Next::Start(Program::Own)
    }

    fn another() -> Next {
        Next::Start(Program::Another("/opt/session".into()))
    }

    /// The pause before the next start, after the supervisor ended at `now`.
    fn pause(restarts: &mut Restarts, now: Instant) -> Option<Duration> {
        restarts.ended(true, now);
        let Next::Wait(until) = restarts.next(now) else { return None };
        assert!(matches!(restarts.next(until), Next::Start(_)));
        Some(until - now)
    }

    #[test]
    fn one_that_was_ready_is_started_again_at_once() {
        let (mut restarts, now) = (Restarts::new(), Instant::now());
        for holds in [true, false] {
            assert_eq!(restarts.next(now), own());
            restarts.ready();
            restarts.ended(holds, now);
        }
        assert_eq!(restarts.next(now), own());
    }

    #[test]
    fn one_that_ends_again_and_again_pauses_a_little() {
        let (mut restarts, mut now) = (Restarts::new(), Instant::now());
        let mut pause_after = |later: Duration| {
            now += later;
            restarts.ready();
            pause(&mut restarts, now)
        };
        let soon = Duration::from_millis(900);
        for _ in 0..11 {
            assert_eq!(pause_after(soon), None);
        }
        for millis in [50, 100, 200, 200, 200] {
            assert_eq!(pause_after(soon), Some(Duration::from_millis(millis)));
        }
        assert_eq!(pause_after(Duration::from_secs(1)), None);
    }

    #[test]
    fn pauses_grow_until_it_is_left_alone() {
        let (mut restarts, now) = (Restarts::new(), Instant::now());
        restarts.ready();
        assert_eq!(pause(&mut restarts, now), None);
        for millis in [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            assert_eq!(pause(&mut restarts, now), Some(Duration::from_millis(millis)));
            assert_eq!(restarts.given_up_after(), None);
        }
        restarts.ended(true, now);
        assert_eq!(restarts.next(now + Duration::from_secs(3600)), Next::GivenUp);
        assert_eq!(restarts.given_up_after(), Some(10));

        restarts.try_again();
        assert_eq!((restarts.next(now), restarts.given_up_after()), (own(), None));
        assert_eq!(pause(&mut restarts, now), Some(Duration::from_millis(50)));
        restarts.ready();
        restarts.ended(true, now);
        assert_eq!(pause(&mut restarts, now), Some(Duration::from_millis(50)));
    }

    #[test]
    fn one_that_pauses_is_started_when_somebody_asks() {
        let (mut restarts, now) = (Restarts::continued(), Instant::now());
        for _ in 0..9 {
            assert!(pause(&mut restarts, now).is_some());
            restarts.try_again();
            assert_eq!(restarts.next(now), own());
        }
        restarts.ended(true, now);
        assert_eq!(restarts.next(now), Next::GivenUp);
    }

    #[test]
    fn the_very_first_is_not_tried_twice_with_nothing_to_keep() {
        let now = Instant::now();
        for (mut restarts, holds, ends) in [
            (Restarts::new(), false, true),
            (Restarts::new(), true, false),
            (Restarts::continued(), false, false),
        ] {
            restarts.ended(holds, now);
            assert_eq!(restarts.next(now) == Next::End, ends, "{restarts:?}");
        }
    }

    #[test]
    fn one_that_leaves_does_so_with_nothing_to_keep() {
        let now = Instant::now();
        for (holds, next) in [(true, own()), (false, Next::End)] {
            let mut restarts = Restarts::new();
            restarts.ready();
            restarts.leave();
            restarts.ended(holds, now);
            assert_eq!(restarts.next(now), next);
            restarts.try_again();
            assert_eq!(restarts.next(now), next, "an end is an end");
        }
    }

    #[test]
    fn with_nothing_to_keep_giving_up_is_the_end() {
        let (mut restarts, now) = (Restarts::new(), Instant::now());
        restarts.ready();
        restarts.ended(false, now);
        for _ in 0..10 {
            restarts.ended(false, now);
        }
        assert_eq!(restarts.next(now), Next::End);
    }

    #[test]
    fn another_program_has_three_attempts() {
        let (mut restarts, now) = (Restarts::new(), Instant::now());
        let later = now + LONGEST_PAUSE;
        restarts.ready();
        restarts.restart("/opt/session".into());
        restarts.ended(true, now);
        assert_eq!(restarts.next(now), another());
        for _ in 0..2 {
            restarts.ended(true, now);
            assert_eq!(restarts.next(later), another());
        }
        // Once it was ready it counts from the beginning.
        restarts.ready();
        restarts.ended(true, now);
        for expected in [another(), another(), own(), own()] {
            restarts.ended(true, now);
            assert_eq!(restarts.next(later), expected);
        }
    }

    #[test]
    fn who_wants_to_be_replaced_does_not_leave() {
        let (mut restarts, now) = (Restarts::new(), Instant::now());
        restarts.ready();
        restarts.leave();
        restarts.restart("/opt/session".into());
        restarts.ended(false, now);
        assert_eq!(restarts.next(now), another());
    }
}
