//! Whether the suite notices: stores that are broken in one way each, and the cases that must say so.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod delegate;

mod records;
mod sessions;
mod trash;
mod whole;

mod backups;
mod bundles;

mod retold;
mod scale;

mod faults;

use std::panic::{AssertUnwindSafe, catch_unwind};

use delegate::{Faulty, Place};
use session_testkit::{cases, store_model};

/// Whether a case fails with a store of this fault.
fn fails<F: Faulty>(fault: F::Fault, case: cases::StoreCase) -> bool {
    catch_unwind(AssertUnwindSafe(|| case(&Place::<F>::new(fault)))).is_err()
}

/// The cases that fail with a store of this fault.
fn failing<F: Faulty>(fault: F::Fault) -> Vec<&'static str> {
    let failing = cases::ALL.iter().filter(|(_, case)| fails::<F>(fault, *case));
    failing.map(|(name, _)| *name).collect()
}

/// Whether the model disagrees with a store of this fault, which it has many runs to find.
fn model_notices<F: Faulty>(fault: F::Fault) -> bool {
    is_noticed_in::<F>(30, fault)
}

/// Whether the model disagrees in one of so many runs, and keeps the sequence of operations that shows it beside the
/// source.
fn is_noticed_in<F: Faulty>(runs: u32, fault: F::Fault) -> bool {
    (0..runs).any(|_| {
        let place = tempfile::tempdir().unwrap();
        let source = place.path().join("suite.rs").to_str().unwrap().to_owned();
        let run = || store_model(|| Place::<F>::new(fault), Box::leak(source.into_boxed_str()));
        let noticed = catch_unwind(AssertUnwindSafe(run)).is_err();
        assert_eq!(place.path().join("suite.proptest-regressions").exists(), noticed);
        noticed
    })
}

/// Checks that each of these cases fails with a store of this fault.
fn assert_noticed<F: Faulty>(fault: F::Fault, by: &[&str]) {
    for wanted in by {
        let case = cases::ALL.iter().find(|(name, _)| name == wanted);
        let (_, case) = case.unwrap_or_else(|| panic!("there is no case {wanted}"));
        assert!(fails::<F>(fault, *case), "{fault:?} must fail {wanted}");
    }
}

/// Makes a test of each line: a fault of the type `Broken` with the cases that must notice it, and the model if it must.
macro_rules! noticed {
    ($($test:ident: $fault:ident by [$($case:literal),* $(,)?] $(and $model:ident)?;)*) => {
        $(#[test]
        fn $test() {
            assert_noticed::<Broken>(Fault::$fault, &[$($case),*]);
            $(assert!($model::<Broken>(Fault::$fault));)?
        })*
    };
}
pub(crate) use noticed;
