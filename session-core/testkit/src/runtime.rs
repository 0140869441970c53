//! What a runtime brings to the runtime suite, and the macros that turn the list of cases into its tests.

pub mod cases;
mod live;
mod model;
pub mod shell;

use std::ffi::OsString;
use std::sync::Arc;

use session_core::{MemoryStore, SessionRuntime, SessionStore};

pub use model::runtime_model;

/// A runtime under test, and how it is made to run the few programs that the suite needs.
pub trait RuntimeFixture {
    /// The store that the runtime records into. Called once for each test.
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(MemoryStore::new())
    }

    /// A runtime that records into `store`. Called once for each test.
    fn runtime(&self, store: Arc<dyn SessionStore>) -> Arc<dyn SessionRuntime>;

    /// Program and arguments that behave as `program` says.
    fn argv(&self, program: Program) -> Vec<String>;

    /// What the programs need of the environment in order to run at all. The suite adds to it and takes from it.
    fn environment(&self) -> Vec<(OsString, OsString)> {
        std::env::vars_os().collect()
    }

    /// How many bytes of a program's output the runtime keeps.
    fn kept(&self) -> usize;

    /// How the runtime dies and comes back; `None` for one whose programs end with it.
    fn outage(&self) -> Option<&dyn Outage> {
        None
    }
}

/// The death of a runtime whose programs outlive it. The runtime that the fixture made is used before, while and after.
pub trait Outage {
    /// The runtime stops in the middle of whatever it does.
    fn begin(&self);

    /// Sends TERM to this process, and returns when it has ended. Called while the runtime is gone.
    fn terminate(&self, pid: u32);

    /// The runtime is dead, and another one is on its way.
    fn end(&self);

    /// As [`end`](Self::end), but the runtime finds a store that it cannot read. Returns when it has met it and the store
    /// is as it was; panics when the store was touched meanwhile.
    fn end_without_a_store(&self);
}

/// The programs that the suite runs.
///
/// A program might print before anybody watches. So each that prints is silent until it has read the line `go`,
/// and one on a real terminal turns the terminal's echo off before that, so that everything after is its own.
/// Lines come in ended by `\n`; they go out ended as the terminal likes. Unless it says otherwise, a program dies
/// of a signal that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// Ends at once with this code.
    Exit(i32),
    /// Ends at once by killing itself with signal 9.
    Signalled,
    /// Prints `ready`, and for each further line `got:` and the line. Ends with code 0 at the end of its input,
    /// which on a terminal is Ctrl-D at the beginning of a line.
    Echo,
    /// Prints `line 1`, `line 2` and so on up to this number, and ends with code 0.
    Numbered(u32),
    /// Prints as [`Numbered`](Self::Numbered) does, then goes on as [`Echo`](Self::Echo).
    Burst(u32),
    /// Ignores HUP and TERM from the start. Prints `ready` and runs on.
    Stubborn,
    /// Ignores HUP from the start. Prints `ready` and runs on.
    Lingering,
    /// Prints `ready` and runs on. From then on it answers HUP and TERM by printing `bye` and ending with code 5.
    Polite,
    /// Prints `size ` and the size of its terminal, as in `size 80x24`, now and after each change.
    ReportSize,
    /// Prints `value:` and the value of this environment variable, or `unset`, and ends with code 0.
    ReportEnvironment(String),
    /// Prints `directory:` and the absolute directory in which it runs, and ends with code 0.
    ReportDirectory,
    /// Does not exist: the first word names nothing that can be run.
    Missing,
}

/// Stamps one `#[test]` per case of the runtime suite. The argument is an expression for a [`RuntimeFixture`]; it
/// is evaluated once for each test.
#[macro_export]
macro_rules! runtime_conformance {
    ($fixture:expr) => {
        $crate::__runtime_cases! { __stamp_runtime_tests $fixture }
    };
}

/// The one list of all cases of the runtime suite, handed to the macro that is named first.
#[doc(hidden)]
#[macro_export]
macro_rules! __runtime_cases {
    ($emit:ident $($context:tt)*) => {
        $crate::$emit! { [$($context)*]
            spawn {
                stores_a_running_session
                refuses_a_missing_program
                refuses_a_missing_directory
                refuses_a_held_name
                starts_in_the_directory
                hands_the_environment_over
                adds_to_the_environment
                tells_the_program_who_it_is
                inherits_nothing
            }
            write {
                reaches_the_program
                reaches_the_program_whole
                reaches_the_right_program
                is_the_same_in_many_pieces
                refuses_too_much_at_once
                refuses_an_unknown_session
                refuses_an_ended_program
            }
            resize {
                starts_in_the_size_of_the_launch
                tells_the_program
                takes_any_size
                tells_every_watcher
                tells_nobody_of_the_same_size
                refuses_an_unknown_session
                refuses_an_ended_program
            }
            subscribe {
                gives_all_output_and_the_end
                gives_everything_to_everyone
                begins_at_the_subscription
                ends_at_once_after_the_end
                is_in_nobodys_way_when_dropped
                gives_the_last_words_before_the_end
                counts_what_a_slow_watcher_misses
                shows_a_slow_watcher_where_it_is
                forgets_a_slow_watcher_that_leaves
                refuses_an_unknown_session
            }
            replay {
                gives_what_was_and_what_comes
                meets_the_stream_without_a_seam
                gives_the_same_again
                gives_the_output_of_what_has_ended
                begins_with_a_gap_where_it_begins_late
                is_in_nobodys_way
                refuses_an_unknown_session
            }
            stop {
                ends_a_program
                asks_before_it_kills
                ends_a_stubborn_program
                refuses_an_unknown_session
                refuses_an_ended_program
            }
            wait {
                gives_up_in_time
                returns_at_once_after_the_end
                returns_when_the_program_ends
                refuses_an_unknown_session
                records_success_first
                records_failure_first
                records_a_signal_first
                records_before_watchers_know
                records_beside_what_others_wrote
                gives_the_name_back
            }
            outage {
                ends_no_program
                loses_and_doubles_no_output
                is_waited_through
                keeps_the_last_words
                keeps_the_screen_size
                takes_what_is_typed_meanwhile
                survives_without_a_store
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __stamp_runtime_tests {
    ([$fixture:expr] $($group:ident { $($case:ident)* })*) => {
        fn runtime_under_test() -> impl $crate::RuntimeFixture {
            $fixture
        }

        $(mod $group {
            $(#[test]
            fn $case() {
                $crate::runtime::cases::$group::$case(&super::runtime_under_test());
            })*
        })*

        #[test]
        fn agrees_with_the_model() {
            $crate::runtime::runtime_model(runtime_under_test, file!());
        }
    };
}
