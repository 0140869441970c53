//! What a store on a disk promises to processes that share it and die: the fixture, and the macro that stamps the
//! tests.

pub mod child;
mod crowd;
mod kills;
mod race;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use session_core::SessionStore;

pub use crowd::crowd;
pub use kills::kills;
pub use race::race;

/// How long a writer may have to wait for others, however many there are.
const PATIENCE: Duration = Duration::from_millis(500);

/// The tests of one adapter take turns: what they measure is how processes of one test get on with one another.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an adapter brings to the suite of processes: a place for one store, empty when made.
pub trait ProcessFixture {
    /// Where the store is.
    fn path(&self) -> PathBuf;

    /// Opens the store at `path`, which is made when it is missing.
    fn open(path: &Path) -> Box<dyn SessionStore>;

    /// The same for a writer who is refused when it has to wait for others for longer than `patience`.
    fn open_patient(path: &Path, patience: Duration) -> Box<dyn SessionStore>;

    /// Opens the store at `path`, which is there, for reading only.
    fn open_read_only(path: &Path) -> Box<dyn SessionStore>;
}

/// Stamps the tests of the suite, and one called `child`, which plays the other processes. The arguments are a type
/// that is a [`ProcessFixture`] and `Default`, and how many rounds of kills there are to be.
#[macro_export]
macro_rules! store_process_conformance {
    ($fixture:ty, $rounds:expr) => {
        #[test]
        fn what_was_acknowledged_survives_rounds_of_kills() {
            $crate::processes::kills(&<$fixture>::default(), $rounds);
        }

        #[test]
        fn a_crowd_on_one_session_loses_nothing_and_waits_in_turn() {
            $crate::processes::crowd(&<$fixture>::default(), true);
        }

        #[test]
        fn a_crowd_on_sessions_of_its_own_loses_nothing_and_waits_in_turn() {
            $crate::processes::crowd(&<$fixture>::default(), false);
        }

        #[test]
        fn of_racing_creators_of_a_name_exactly_one_wins() {
            $crate::processes::race(&<$fixture>::default());
        }

        #[test]
        fn child() {
            $crate::processes::play::<$fixture>();
        }
    };
}

/// Plays the role that this process was started for; does nothing in the process that runs the tests.
///
/// # Panics
/// When something goes wrong that must not, which ends the child without its answer.
pub fn play<F: ProcessFixture>() {
    let Some((role, path)) = child::role() else { return };
    match role.split_once(' ').unwrap() {
        ("together", number) => crowd::append_all::<F>(&path, 0, number.parse().unwrap()),
        ("apart", number) => {
            let number = number.parse().unwrap();
            crowd::append_all::<F>(&path, number, number);
        }
        ("race", number) => race::take_names::<F>(&path, number.parse().unwrap()),
        (_, name) => writer::write(&*F::open(&path), name),
    }
}
