//! What is read can be written and read again, in whatever order its members stood and however often.
#![expect(clippy::unwrap_used, reason = "test code")]

use proptest::prelude::*;
use proptest::test_runner::TestRng;
use session_core::{RawJson, Record, Seq, Session};
use session_testkit::{samples, strategies};

/// How often a member is repeated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeated {
    Never,
    SometimesOnce,
}

/// The same JSON with the members of every object in another order, some of them twice.
fn turned(json: &str, repeated: Repeated, rng: &mut TestRng) -> String {
    let mut below = |limit: usize| usize::try_from(rng.next_u32()).unwrap_or(0) % limit;
    if json.starts_with('[') {
        let values: Vec<RawJson> = serde_json::from_str(json).unwrap();
        let values: Vec<_> =
            values.iter().map(|value| turned(value.as_str(), repeated, rng)).collect();
        return format!("[{}]", values.join(","));
    }
    if !json.starts_with('{') {
        return json.to_owned();
    }
    let members = samples::unknown(json);
    let mut order: Vec<_> = members.iter().collect();
    if repeated == Repeated::SometimesOnce && !order.is_empty() && below(4) == 0 {
        order.push(order[below(order.len())]);
    }
    for last in (1..order.len()).rev() {
        order.swap(last, below(last + 1));
    }
    let texts = order.into_iter().map(|(name, value)| {
        format!("{}:{}", serde_json::to_string(name).unwrap(), turned(value, repeated, rng))
    });
    format!("{{{}}}", texts.collect::<Vec<_>>().join(","))
}

fn record_json() -> impl Strategy<Value = String> {
    strategies::entry().prop_map(|entry| samples::record_json(&entry.at(Seq::FIRST)))
}

fn session_json() -> impl Strategy<Value = String> {
    strategies::session().prop_map(|session| samples::json(&session))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_record_that_is_read_is_written_and_read_again(
        json in record_json().prop_perturb(|it, mut rng| turned(&it, Repeated::SometimesOnce, &mut rng)),
    ) {
        if let Ok(record) = serde_json::from_str::<Record>(&json) {
            let written = samples::record_json(&record);
            let again = serde_json::from_str::<Record>(&written).ok();
            prop_assert_eq!(again.as_ref(), Some(&record), "{} became {}", json, written);
        }
    }

    #[test]
    fn a_session_that_is_read_is_written_and_read_again(
        json in session_json().prop_perturb(|it, mut rng| turned(&it, Repeated::SometimesOnce, &mut rng)),
    ) {
        if let Ok(session) = serde_json::from_str::<Session>(&json) {
            let written = samples::json(&session);
            let again = serde_json::from_str::<Session>(&written).ok();
            prop_assert_eq!(again.as_ref(), Some(&session), "{} became {}", json, written);
        }
    }

    #[test]
    fn every_order_of_members_is_read(
        record in record_json().prop_perturb(|it, mut rng| turned(&it, Repeated::Never, &mut rng)),
        session in session_json().prop_perturb(|it, mut rng| turned(&it, Repeated::Never, &mut rng)),
    ) {
        serde_json::from_str::<Record>(&record).unwrap();
        serde_json::from_str::<Session>(&session).unwrap();
    }
}
