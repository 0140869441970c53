//! Random operations on a runtime, each compared with what a plain model of the contract says.

mod operation;
mod reference;

mod drive;

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::strategy::{BoxedStrategy, Just, Strategy};
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseResult, TestRunner};
use proptest_state_machine::ReferenceStateMachine;

use super::RuntimeFixture;
use super::live::DEADLINE;
use drive::Driver;
use operation::Operation;
use reference::Reference;

/// How many sequences of operations a run tries: each starts real programs. `PROPTEST_CASES` can ask for more.
const CASES: u32 = 12;

/// How many operations one sequence has.
const LENGTHS: std::ops::RangeInclusive<usize> = 1..=24;

/// How long anything may take while a sequence that failed is made shorter, and how long all of that may take in
/// milliseconds: each attempt may be one where something never comes.
const HASTE: Duration = Duration::from_secs(2);
const SHRINKING: u32 = 180_000;

/// Runs random sequences of operations, illegal ones included, on fresh runtimes, and compares every answer, the store
/// and what watchers see after each with a model.
///
/// `source` is the caller's `file!()`: a sequence that failed is kept in a file beside it, and tried first in
/// later runs.
///
/// # Panics
/// When the runtime and the model disagree, with the shortest sequence of operations that was found to show it.
pub fn runtime_model<F: RuntimeFixture>(fixture: impl Fn() -> F, source: &'static str) {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let mut runner = TestRunner::new(Config {
        cases: asked.unwrap_or(0).max(CASES),
        max_shrink_time: SHRINKING,
        source_file: Some(source),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource(
            "proptest-regressions",
        ))),
        ..Config::default()
    });
    // Taken before each sequence and given back after: one that panics leaves haste to those that follow.
    let patience = Cell::new(DEADLINE);
    let sequences = Machine::sequential_strategy(LENGTHS);
    let result = runner.run(&sequences, |(mut model, operations, seen)| -> TestCaseResult {
        let fixture = fixture();
        model.can_be_away = fixture.outage().is_some();
        let mut driver = Driver::new(&fixture, patience.replace(HASTE));
        for operation in operations {
            // Tells the shrinker how far the sequence came.
            if let Some(seen) = &seen {
                seen.fetch_add(1, Ordering::SeqCst);
            }
            let before = model.clone();
            let expected = model.perform(&operation);
            driver.check(&before, &operation, &expected, &model);
        }
        driver.finish(model);
        patience.set(driver.patience());
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
        operation::any(state)
    }

    fn apply(mut state: Reference, operation: &Operation) -> Reference {
        state.perform(operation);
        state
    }
}
