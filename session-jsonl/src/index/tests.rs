//! Whatever becomes of the index, no answer changes.

use session_core::{Observer, Query, Timestamp};
use session_testkit::{samples, strategies};

use proptest::prelude::*;

use session_core::Session;

use super::*;

proptest! {
    /// What listings, removals and sweeps ask of a session is in what the index keeps of it.
    #[test]
    fn what_is_kept_of_a_session_answers_like_the_session(
        session in strategies::session(),
        now in any::<i64>(),
        live in any::<bool>(),
    ) {
        let reduced = group::reduced(&session);
        let observer = Observer {
            now: Timestamp::from_millis(now),
            live_host: live.then(|| samples::HOST.to_owned()),
        };
        prop_assert_eq!(reduced.is_empty(), session.is_empty());
        prop_assert_eq!(reduced.claims_name(), session.claims_name());
        prop_assert_eq!(reduced.is_lost(&observer), session.is_lost(&observer));
        prop_assert_eq!(reduced.is_overdue(observer.now), session.is_overdue(observer.now));
        let mut query = Query::new(observer);
        query.workdir = session.launch.as_ref().map(|launch| launch.workdir.clone());
        prop_assert_eq!(query.matches(&reduced), query.matches(&session));
        let json = serde_json::to_string(&reduced).unwrap();
        prop_assert_eq!(serde_json::from_str::<Session>(&json).unwrap(), reduced);
    }
}
