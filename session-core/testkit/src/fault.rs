//! What an adapter on a disk brings to the suite of failing disks, and the macros that turn the list of its cases into
//! tests.

pub mod cases;
mod trial;

use session_core::{SessionStore, StoreError};

use crate::StoreFixture;

/// A place for one store on a disk of which single calls can be made to fail.
///
/// What counts as one call is the adapter's own affair, as long as everything that its store asks of the disk is one,
/// in the threads that it may have too. Locks are no part of it.
pub trait FaultFixture: StoreFixture {
    /// As [`open`](StoreFixture::open), and what went wrong when it cannot be opened.
    ///
    /// # Errors
    /// What opening the store reports.
    fn try_open(&self) -> Result<Box<dyn SessionStore>, StoreError>;

    /// From now on, calls of all handles fail as this says, and as nothing before said.
    fn arm(&self, fault: Fault);

    /// From now on, nothing fails. Returns the calls that failed since the disk was armed, in order.
    fn disarm(&self) -> Vec<Call>;
}

/// Makes a place of its own with each call.
pub type Places<'a> = &'a dyn Fn() -> Box<dyn FaultFixture>;

/// Which calls fail, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The only kind of call that counts; without, all do.
    pub call: Option<Call>,
    /// The first that fails, counted from 1.
    pub nth: u32,
    /// How it fails.
    pub failure: Failure,
    /// Whether others fail after it.
    pub lasting: Lasting,
}

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// One that changes nothing: opening for reading, reading, asking for a length or for what is there.
    Read,
    /// One that changes something: writing bytes, setting a length, creating, renaming and removing a file.
    Write,
    /// One that waits for the medium.
    Sync,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing is done, and an I/O error is reported.
    Io,
    /// Nothing is done, and it is reported that there is no room.
    NoRoom,
    /// Half of the bytes are written, and it is reported that there is no room for the rest. A call that writes no
    /// bytes fails as with `NoRoom`.
    Short,
}

/// For how long calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// One call.
    Once,
    /// Every one after it, of those that count.
    FromThenOn,
}

/// Stamps one `#[test]` per case of the suite of failing disks. The argument is an expression for a [`FaultFixture`];
/// it is evaluated many times in each test.
#[macro_export]
macro_rules! store_fault_conformance {
    ($fixture:expr) => {
        $crate::__fault_cases! { __stamp_fault_tests $fixture }
    };
}

/// The one list of all cases of the suite, handed to the macro that is named first.
#[doc(hidden)]
#[macro_export]
macro_rules! __fault_cases {
    ($emit:ident $($context:tt)*) => {
        $crate::$emit! { [$($context)*]
            create_is_whole
            takeover_is_whole
            update_is_whole
            append_is_whole
            remove_is_whole
            remove_all_is_whole
            restore_is_whole
            purge_is_whole
            sweep_is_whole
            adopt_is_whole
            bury_is_whole
            opening_is_tried_again
            reading_finds_no_damage
            upkeep_takes_nothing_for_damage
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __stamp_fault_tests {
    ([$fixture:expr] $($case:ident)*) => {
        fn faulty_store_under_test() -> Box<dyn $crate::fault::FaultFixture> {
            Box::new($fixture)
        }

        $(#[test]
        fn $case() {
            $crate::fault::cases::$case(&faulty_store_under_test);
        })*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __table_of_fault_cases {
    ([] $($case:ident)*) => {
        &[$((stringify!($case), $case)),*]
    };
}
