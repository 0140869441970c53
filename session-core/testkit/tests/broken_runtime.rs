//! Whether the runtime suite notices: runtimes that are broken in one way each, and the cases that must say so.
//! Only faults that show at once: what never comes shows by a deadline, which would make these tests slow.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod broken_runtime_faults;

use std::panic::{AssertUnwindSafe, catch_unwind};

use broken_runtime_faults::{Fault, Faulty};
use session_testkit::runtime;

/// Checks that each of these cases fails with a runtime of this fault.
fn assert_noticed(fault: Fault, by: &[&str]) {
    for name in by {
        let case = runtime::cases::ALL.iter().find(|(found, _)| found == name);
        let (_, case) = case.unwrap_or_else(|| panic!("there is no case {name}"));
        let fails = catch_unwind(AssertUnwindSafe(|| case(&Faulty::new(fault)))).is_err();
        assert!(fails, "{fault:?} must fail {name}");
    }
}

/// Checks that the model disagrees with a runtime of this fault in one of some runs, and keeps the sequence of
/// operations that shows it beside the source.
fn assert_model_notices(fault: Fault) {
    let noticed = (0..20).any(|_| {
        let place = tempfile::tempdir().unwrap();
        let source = place.path().join("suite.rs").to_str().unwrap().to_owned();
        let run =
            || runtime::runtime_model(|| Faulty::new(fault), Box::leak(source.into_boxed_str()));
        let noticed = catch_unwind(AssertUnwindSafe(run)).is_err();
        assert_eq!(place.path().join("suite.proptest-regressions").exists(), noticed);
        noticed
    });
    assert!(noticed, "{fault:?} must disagree with the model");
}

/// Makes a test of each line: a fault with the cases that must notice it, and the model if it must.
macro_rules! noticed {
    ($($test:ident: $fault:ident by [$($case:literal),* $(,)?] $(and $model:ident)?;)*) => {
        $(#[test]
        fn $test() {
            assert_noticed(Fault::$fault, &[$($case),*]);
            $($model(Fault::$fault);)?
        })*
    };
}

noticed! {
    missing_records: RecordsElsewhere by [
        "spawn::stores_a_running_session",
        "wait::records_success_first",
        "wait::records_before_watchers_know",
    ] and assert_model_notices;
    lost_output: LosesOutput by ["subscribe::gives_all_output_and_the_end"];
    repeated_output: RepeatsOutput by [
        "subscribe::gives_everything_to_everyone",
        "replay::meets_the_stream_without_a_seam",
        "replay::gives_the_same_again",
        "outage::loses_and_doubles_no_output",
    ] and assert_model_notices;
    hidden_gaps: HidesGaps by [
        "subscribe::counts_what_a_slow_watcher_misses",
        "replay::begins_with_a_gap_where_it_begins_late",
    ];
    gaps_without_a_screen: PaintsNothing by ["subscribe::shows_a_slow_watcher_where_it_is"];
    hidden_last_words: HidesLastWords by [
        "subscribe::gives_the_last_words_before_the_end",
        "outage::keeps_the_last_words",
    ];
    repeated_ends: RepeatsTheEnd by ["subscribe::gives_all_output_and_the_end"]
        and assert_model_notices;
    programs_that_end_with_a_watcher: EndsWithAWatcher by [
        "subscribe::is_in_nobodys_way_when_dropped",
        "subscribe::forgets_a_slow_watcher_that_leaves",
    ] and assert_model_notices;
    replays_of_nothing: ReplaysNothing by [
        "replay::gives_what_was_and_what_comes",
        "replay::gives_the_output_of_what_has_ended",
    ];
    replays_in_the_wrong_order: ReplaysTheEndFirst by ["replay::gives_the_output_of_what_has_ended"]
        and assert_model_notices;
    replays_that_end_the_program: EndsAtReplay by ["replay::is_in_nobodys_way"]
        and assert_model_notices;
    refused_replays_of_the_unknown: InventsReplays by ["replay::refuses_an_unknown_session"]
        and assert_model_notices;
    inherited_environment: InheritsEnvironment by ["spawn::inherits_nothing"];
    wrong_directories: StartsAnywhere by [
        "spawn::starts_in_the_directory",
        "spawn::refuses_a_missing_directory",
    ];
    taken_names: TakesHeldNames by ["spawn::refuses_a_held_name"] and assert_model_notices;
    invented_ends: WaitsForNothing by ["wait::gives_up_in_time"] and assert_model_notices;
    wrong_ends: InventsExits by ["outage::keeps_the_last_words", "wait::records_failure_first"]
        and assert_model_notices;
    swallowed_input: SwallowsTooMuch by ["write::refuses_too_much_at_once"];
    half_refused_input: RefusesTooLate by ["write::refuses_too_much_at_once"];
    input_that_depends_on_pieces: EndsPiecesTwice by ["write::is_the_same_in_many_pieces"];
    input_that_comes_twice: TypesTwice by [
        "write::reaches_the_program",
        "outage::takes_what_is_typed_meanwhile",
    ] and assert_model_notices;
    refused_sizes: RefusesSizes by ["resize::takes_any_size"] and assert_model_notices;
    repeated_sizes: RepeatsSizes by ["resize::tells_nobody_of_the_same_size"]
        and assert_model_notices;
    wrong_sizes: TellsWrongSizes by ["resize::tells_every_watcher"] and assert_model_notices;
    ends_without_asking: KillsAtOnce by ["stop::asks_before_it_kills"] and assert_model_notices;
    programs_that_end_with_the_runtime: EndsWithTheRuntime by [
        "outage::ends_no_program",
        "outage::loses_and_doubles_no_output",
        "outage::takes_what_is_typed_meanwhile",
        "outage::survives_without_a_store",
    ] and assert_model_notices;
    programs_that_end_with_the_store: EndsWithTheStore by ["outage::survives_without_a_store"];
    waiters_that_are_cut_off: ForgetsWaiters by ["outage::is_waited_through"]
        and assert_model_notices;
    watchers_that_are_cut_off: ForgetsWatchers by ["outage::loses_and_doubles_no_output"]
        and assert_model_notices;
    sizes_that_are_forgotten: ForgetsSizes by ["outage::keeps_the_screen_size"]
        and assert_model_notices;
}

#[test]
fn a_sound_runtime_passes() {
    for (_, case) in runtime::cases::ALL {
        case(&Faulty::new(Fault::None));
    }
}
