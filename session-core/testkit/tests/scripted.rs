//! The scripted runtime under the runtime suite.

mod scripted_fixture;

use scripted_fixture::Scripted;

session_testkit::runtime_conformance!(Scripted);
