//! Random operations on a store, each compared with what a plain model of the contract says.

mod operation;
mod said;

mod row;

mod histories;
mod reference;

mod drive;
mod reading;

use std::sync::atomic::Ordering;

use proptest::strategy::{BoxedStrategy, Just, Strategy};
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseResult, TestRunner};
use proptest_state_machine::ReferenceStateMachine;

use crate::StoreFixture;
use drive::Handles;
use operation::Operation;
use reference::Reference;
use row::Row;

/// How many sequences of operations a run tries: few enough for a store that waits for its disk at every write.
const CASES: u32 = 32;

/// How many operations one sequence has: enough for something to be there that can go wrong.
const LENGTHS: std::ops::RangeInclusive<usize> = 1..=72;

/// Runs random sequences of operations, illegal ones included, on fresh stores, and compares every answer and all
/// of the store after each with a model.
///
/// `source` is the caller's `file!()`: a sequence that failed is kept in a file beside it, and tried first in
/// later runs.
///
/// # Panics
/// When the store and the model disagree, with the shortest sequence of operations that was found to show it.
pub fn store_model<F: StoreFixture>(fixture: impl Fn() -> F, source: &'static str) {
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        max_shrink_iters: 4096,
        source_file: Some(source),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource(
            "proptest-regressions",
        ))),
        ..Config::default()
    });
    let sequences = Machine::sequential_strategy(LENGTHS);
    let result = runner.run(&sequences, |(mut model, operations, seen)| -> TestCaseResult {
        let fixture = fixture();
        let mut handles = Handles::open(&fixture);
        for operation in operations {
            // Tells the shrinker how far the sequence came.
            if let Some(seen) = &seen {
                seen.fetch_add(1, Ordering::SeqCst);
            }
            let before = model.clone();
            let outcome = model.perform(&operation);
            handles.check(&before, &operation, &outcome);
            handles.compare(&model, &operation);
        }
        handles.compare_everything(&model);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

/// The model as the generator sees it.
struct Machine;

impl ReferenceStateMachine for Machine {
    type State = Reference;
    type Transition = Operation;

    fn init_state() -> BoxedStrategy<Reference> {
        Just(Reference::default()).boxed()
    }

    fn transitions(state: &Reference) -> BoxedStrategy<Operation> {
        let (trashed, present): (Vec<_>, Vec<_>) =
            state.rows.values().partition(|row| row.trashed.is_some());
        let ids = |rows: Vec<&Row>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
        operation::any(&ids(present), &ids(trashed))
    }

    fn apply(mut state: Reference, operation: &Operation) -> Reference {
        state.perform(operation);
        state
    }
}
