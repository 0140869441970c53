//! What an adapter brings to the store suite, and the macros that turn the list of cases into its tests.

use std::path::{Path, PathBuf};

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

    /// Opens another store of the same kind in a place of its own, empty: a new one with each call.
    fn other(&self) -> Box<dyn SessionStore>;

    /// A directory of this fixture in which backups are put; `None` for a kind of store without backups.
    fn scratch(&self) -> Option<PathBuf> {
        None
    }

    /// Opens the store that a backup put at `copy`, a path in [`scratch`](Self::scratch). Called only where there is
    /// such a directory.
    fn open_copy(&self, copy: &Path) -> Box<dyn SessionStore> {
        panic!("a fixture with a scratch directory opens copies such as {}", copy.display())
    }
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
                keeps_a_cost_of_null
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
                refuses_stray_members
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
                refuses_stray_members
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
            lease {
                holds_a_name_after_the_work
                holds_no_name_without_standing
                gives_a_name_up_with_the_lease
                gives_a_name_up_at_the_end
                expires_an_overdue_lease
                takes_the_name_with_a_role
                refuses_a_name_that_no_role_may_have
                is_found_by_its_parts
            }
            removal {
                takes_everything
                takes_what_is_seen_in_a_status
                takes_what_was_long_inactive
                takes_what_is_empty
                leaves_what_runs
                removes_as_one_removal_does
                leaves_the_trash
                is_found_done
            }
            trash {
                is_listed_alone
                is_listed_by_filters_and_pages
                is_searched_by_selectors
                gives_everything_back
                gives_back_what_was_recorded
                restores_no_held_name
                restores_an_overdue_name
                restores_history_under_a_held_name
                restores_nothing_else
                leaves_nothing_to_read
                never_brings_back_what_was_destroyed
                keeps_a_tombstone_of_each
                leaves_children_alone
                destroys_only_the_trash
            }
            append {
                numbers_in_the_order_given
                keeps_every_kind
                keeps_what_is_unheard_of
                keeps_null_where_values_are_opaque
                keeps_ids_of_other_tools
                keeps_times_far_away
                keeps_large_and_empty_contents
                takes_an_empty_batch
                leaves_nothing_of_a_refused_batch
                changes_the_session_too
                makes_earlier_readers_conflict
                never_makes_activity_earlier
                moves_an_idle_deadline
                counts_what_was_appended
                makes_a_session_current
                names_an_untitled_session
                keeps_a_title
                refuses_the_absent_and_the_trashed
                refuses_what_has_ended
                refuses_what_could_not_be_read_back
            }
            repeats {
                change_nothing
                let_the_new_pass
                inside_a_batch_count_once
                never_replace
                are_told_by_every_byte
                count_in_one_session_only
                are_found_by_everybody
                are_found_within_the_reach
                are_told_from_what_is_new
            }
            totals {
                begin_at_nothing
                are_kept_by_an_update
                outlive_the_conversation
                appear_by_no_update
            }
            history {
                gives_every_stretch
                gives_an_empty_history
                gives_what_another_appended
                pages_join_to_the_stretch
                pages_of_large_records_join
                pages_end_at_so_many_bytes
                pages_go_on_while_others_append
                is_read_one_by_one
                refuses_an_unknown_id
                is_read_from_the_trash
            }
            context {
                is_every_message
                begins_at_what_a_checkpoint_covers
                hands_on_the_messages_of_a_checkpoint
                follows_the_last_checkpoint
                refuses_to_cover_what_is_not_there
                clamps_what_was_adopted
            }
            search {
                finds_what_is_asked_for
                looks_at_every_part
                looks_at_any_input_of_a_tool
                orders_by_time
                shows_what_was_found
                keeps_to_session_role_and_time
                keeps_to_sessions_as_they_are
                leaves_out_the_trash
                finds_what_was_just_appended
                agrees_with_looking_at_everything
                pages_join_to_the_whole
                pages_go_on_meanwhile
                refuses_the_cursor_of_another_search
                refuses_the_cursor_of_another_generation
            }
            upkeep {
                is_counted
                is_checked
                is_repaired
                is_reindexed
                takes_over_a_tombstone
                keeps_its_own_tombstone
                buries_nothing_that_is_stored
                buries_nothing_stray
            }
            adopt {
                keeps_everything
                keeps_what_is_unheard_of
                keeps_every_state
                goes_on
                keeps_repeated_ids
                keeps_a_long_history
                refuses_an_id_that_was_used
                refuses_a_held_name
                refuses_another_number_of_records
                refuses_numbers_that_cannot_be
                refuses_records_out_of_order
                stops_at_an_error
                refuses_what_could_not_be_read_back
                refuses_stray_entries
                refuses_an_idle_time_between_milliseconds
            }
            bundle {
                has_everything_in_order
                has_no_half_of_what_is_destroyed
                copies_to_another_store
                copies_nothing_twice
                copies_tombstones
            }
            backup {
                is_a_store_of_its_own
                overwrites_nothing
                is_whole_whatever_others_write
                is_put_back_for_everybody
                keeps_what_was_there_before
                is_put_into_another_store
                is_refused_when_damaged
            }
            racing {
                appends_to_one_session_line_up
                appends_to_several_sessions_line_up
                appends_of_the_same_are_one
                appends_and_updates_both_count
                readers_see_each_record_once
                searchers_find_what_was_acknowledged
                removal_of_many_cuts_between_appends
                purge_leaves_no_half
            }
            scale {
                thousands_of_sessions_are_all_there
                thousands_of_tombstones_are_all_there
                thousands_of_entries_are_one_batch
            }
            retold {
                stored_names_are_listed_names
                every_name_means_its_own_session
                removals_take_one_at_a_time
                renamings_change_the_name_alone
                tools_stay_as_they_were_given
                no_creation_of_a_crowd_is_lost
                a_crowd_never_breaks_a_listing
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
