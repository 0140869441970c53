//! What an adapter brings to the store suite, and the macros that turn the list of cases into its tests.

use session_core::SessionStore;

/// A place for one store, empty when made. A fixture on a disk keeps its temporary directory here, so that the
/// directory goes when the fixture does.
///
/// Every test, and every run of the model, makes a fixture of its own.
pub trait StoreFixture {
    /// Opens a handle on the store of this place, which is made by the first call.
    ///
    /// Later calls give further handles on the same store, also while earlier ones are open, and after all of
    /// them were dropped or closed.
    fn open(&self) -> Box<dyn SessionStore>;
}

/// Stamps one `#[test]` per case of the store suite. The argument is an expression for a [`StoreFixture`]; it is
/// evaluated once for each test, so each has a place of its own.
#[macro_export]
macro_rules! store_conformance {
    ($fixture:expr) => {
        $crate::__store_cases! { __stamp_store_tests $fixture }
    };
}

/// The one list of all cases of the store suite, handed to the macro that is named first.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_cases {
    ($emit:ident $($context:tt)*) => {
        $crate::$emit! { [$($context)*]
            create {
                is_what_get_returns
                sets_revision_and_time_itself
                keeps_the_smallest_session
                refuses_a_stored_id
                refuses_an_id_in_the_trash
                refuses_a_held_name
                holds_a_name_at_its_deadline
                holds_a_name_while_a_program_runs
                refuses_a_held_name_past_its_own_deadline
                refuses_a_session_in_the_trash
                tells_names_apart_by_every_byte
                lets_the_nameless_be
                expires_an_overdue_holder
                expires_an_idle_holder
                expires_nobody_when_it_refuses
                takes_a_released_name
                keeps_history_under_a_held_name
                refuses_what_could_not_be_read_back
                keeps_deadlines_in_milliseconds
            }
            read {
                refuses_an_unknown_id
                gets_from_the_trash
                finds_all_of_a_name
                finds_a_name_by_every_byte
                forgets_a_former_name
                matches_both_ends_of_an_id
                matches_ten_at_most
                matches_nothing_in_the_trash
            }
            update {
                replaces_everything
                takes_parts_away
                counts_every_write
                follows_a_clock_that_goes_back
                refuses_another_revision
                follows_the_table_of_statuses
                refuses_an_unknown_id
                refuses_what_is_in_the_trash
                refuses_another_creation_time
                refuses_to_fill_the_trash
                refuses_a_held_name
                refuses_to_run_under_a_held_name
                refuses_a_held_name_past_its_own_deadline
                expires_an_overdue_holder
                expires_nobody_when_it_refuses
                keeps_its_own_name
                gives_a_name_up
                refuses_what_could_not_be_read_back
                keeps_deadlines_in_milliseconds
            }
            list {
                shows_what_is_current
                shows_everything
                filters_by_status
                filters_by_labels
                filters_by_workdir
                filters_by_parent
                filters_by_tool
                sees_overdue_as_expired
                sees_lost_as_failed
                sorts_by_update
                sorts_by_creation
                sorts_by_name
                pages_join_to_the_whole
                pages_end_without_a_cursor
                pages_go_on_after_a_removed_session
                pages_for_another_observer
                refuses_the_cursor_of_another_query
                refuses_the_cursor_of_another_generation
            }
            remove {
                keeps_everything
                hides_from_every_search
                releases_the_name
                refuses_a_second_removal
                refuses_an_unknown_id
                refuses_a_running_program
                refuses_a_program_of_no_host
                refuses_running_children
                ignores_children_that_run_no_more
                records_a_lost_program
            }
            sweep {
                records_a_deadline
                records_an_idle_deadline
                records_a_lost_program
                records_lost_before_overdue
                leaves_everything_else
                leaves_the_trash
                changes_nothing_twice
            }
            reopen {
                keeps_all_that_was_closed
                keeps_all_that_was_dropped
                keeps_revisions
                keeps_held_names
                keeps_cursors
            }
            handles {
                read_what_another_created
                read_what_another_changed
                read_what_another_removed
                read_what_another_swept
                refuse_by_what_another_wrote
                refuse_all_calls_when_closed
                close_again
                close_alone
            }
            members {
                survive_create
                survive_update
                survive_removal
                survive_sweep
                survive_expiry
                survive_reopening
            }
            contention {
                one_creator_wins_a_name
                one_creator_wins_an_id
                one_creator_wins_an_overdue_name
                one_renamer_wins_a_name
                one_writer_wins_a_revision
                no_update_is_lost
                no_creation_is_lost
                no_reader_sees_half_a_write
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __stamp_store_tests {
    ([$fixture:expr] $($group:ident { $($case:ident)* })*) => {
        fn store_under_test() -> impl $crate::StoreFixture {
            $fixture
        }

        $(mod $group {
            $(#[test]
            fn $case() {
                $crate::cases::$group::$case(&super::store_under_test());
            })*
        })*

        #[test]
        fn agrees_with_the_model() {
            $crate::store_model(store_under_test, file!());
        }

        #[test]
        fn returns_the_nastiest_values() {
            $crate::store_values(store_under_test, file!());
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __table_of_cases {
    ([] $($group:ident { $($case:ident)* })*) => {
        &[$($((concat!(stringify!($group), "::", stringify!($case)), $group::$case)),*),*]
    };
}
