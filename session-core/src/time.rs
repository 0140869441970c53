//! Points in time as integer milliseconds, and the clock that callers bring along.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::fmt::temporal::Pieces;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::from_text;

const NANOS_PER_MILLI: u128 = 1_000_000;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, negative before it.
///
/// Its text and JSON form is RFC 3339 in UTC with exactly three decimals, so that texts sort as times do.
///
/// What is read is any date and time with `Z` or an offset, as [`jiff`] reads them:
///
/// - RFC 3339, with a space, `t` or `z` where it allows them; `:60`, a leap second, is read as `:59`;
/// - ISO 8601 without separators, without seconds or minutes, and with a sign and six digits for the year;
/// - an annotation such as `[Europe/Paris]` behind the offset, which changes nothing.
///
/// What is finer than a millisecond is cut off: the result is the last whole millisecond that is not later, before 1970
/// as after it.
///
/// Invariant: lies between 0001-01-01T00:00:00.000Z and 9999-12-30T22:00:00.000Z, so that it always has a text form of
/// four year digits. A time before or after that, also one that is read, is moved to the nearest end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 time.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text:?} is no RFC 3339 time such as 2026-01-31T08:15:00.000Z")]
pub struct TimestampError {
    text: String,
}

/// Where the present comes from.
///
/// The core never reads a clock: whoever composes it passes one in. Any `Fn() -> Timestamp` is a clock:
///
/// ```
/// use session_core::{Clock, Timestamp};
///
/// let system = || Timestamp::from(std::time::SystemTime::now());
/// assert!(system.now() > Timestamp::from_millis(0));
/// ```
pub trait Clock: Send + Sync {
    /// The present, as this clock sees it. It may go backwards: wall clocks do.
    fn now(&self) -> Timestamp;
}

impl<F: Fn() -> Timestamp + Send + Sync> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    const EARLIEST_MILLIS: i64 = -62_135_596_800_000;

    /// 9999-12-30T22:00:00Z, the last full hour that has a date in every time zone.
    const LATEST_MILLIS: i64 = 253_402_207_200_000;

    /// The point `millis` milliseconds after the Unix epoch, moved to the nearest representable one.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(Self::EARLIEST_MILLIS, Self::LATEST_MILLIS))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The point `duration` later, or the latest representable one.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        // Towards the past on both sides of 1970.
        let millis = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => {
                let millis = before.duration().as_nanos().div_ceil(NANOS_PER_MILLI);
                i64::try_from(millis).map_or(i64::MIN, |millis| -millis)
            }
        };
        Self::from_millis(millis)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<jiff::Timestamp>() {
            Ok(time) => Some(Self::from(SystemTime::from(time))),
            Err(_) => beyond(text),
        }
        .ok_or_else(|| TimestampError { text: text.chars().take(80).collect() })
    }
}

/// The end of the range that is nearest to a time of a date that the calendar has and [`jiff::Timestamp`] has not.
fn beyond(text: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(text).ok()?;
    let (offset, time) = (pieces.to_numeric_offset()?, pieces.time()?);
    let date = pieces.date();
    let is_outside = offset.to_timestamp(date.to_datetime(time)).is_err();
    let end = if date.year() > 1970 { i64::MAX } else { i64::MIN };
    is_outside.then(|| Timestamp::from_millis(end))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_rfc_3339_with_milliseconds() {
        let time = Timestamp::from_millis(1_769_847_300_007);
        assert_eq!(time.to_string(), "2026-01-31T08:15:00.007Z");
        assert_eq!("2026-01-31T09:15:00.007+01:00".parse::<Timestamp>().unwrap(), time);
    }

    #[test]
    fn extremes_have_a_text_form_and_come_back() {
        for millis in [i64::MIN, i64::MAX, -1, 0] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }
    }

    #[test]
    fn this_and_no_more_is_read() {
        for (text, read) in [
            ("2026-01-31T08:15:00.007Z", "2026-01-31T08:15:00.007Z"),
            ("2026-01-31t08:15:00z", "2026-01-31T08:15:00.000Z"),
            ("2026-01-31 08:15Z", "2026-01-31T08:15:00.000Z"),
            ("20260131T081500Z", "2026-01-31T08:15:00.000Z"),
            ("2026-01-31T08+01", "2026-01-31T07:00:00.000Z"),
            ("2026-01-31T08:15:60Z", "2026-01-31T08:15:59.000Z"),
            ("2026-01-31T09:15:00+01:00[Europe/Paris]", "2026-01-31T08:15:00.000Z"),
            ("+002026-01-31T08:15:00Z", "2026-01-31T08:15:00.000Z"),
            ("0000-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
            ("-009999-01-01T00:00:00+23:00", "0001-01-01T00:00:00.000Z"),
            ("9999-12-30T22:00:00.001Z", "9999-12-30T22:00:00.000Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-30T22:00:00.000Z"),
        ] {
            let time = text.parse::<Timestamp>().map(|time| time.to_string());
            assert_eq!(time.unwrap(), read, "{text}");
        }
        for text in [
            "",
            "2026-01-31",
            "2026-01-31T08:15:00",
            "2026-02-30T00:00:00Z",
            "9999-12-31T23:59:59",
            "9999-13-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "1769847300007",
            "now",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn fractions_of_a_millisecond_are_cut_on_both_sides_of_1970() {
        for (text, millis) in [
            ("1970-01-01T00:00:00.0009Z", 0),
            ("1970-01-01T00:00:00.0019Z", 1),
            ("1969-12-31T23:59:59.9996Z", -1),
            ("1969-12-31T23:59:59.999Z", -1),
            ("1969-12-31T23:59:59.9981Z", -2),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().as_millis(), millis, "{text}");
        }
        let before = UNIX_EPOCH - Duration::from_nanos(1);
        assert_eq!(Timestamp::from(before).as_millis(), -1);
    }

    #[test]
    fn since_never_goes_negative() {
        let (early, late) = (Timestamp::from_millis(5), Timestamp::from_millis(9));
        assert_eq!(late.since(early), Duration::from_millis(4));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
