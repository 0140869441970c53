//! The scripted runtime under the runtime suite.

session_testkit::runtime_conformance!(session_testkit::ScriptedFixture::default());
