//! Points in time as integer milliseconds, and the clock that callers bring along.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, negative before it.
///
/// Its text and JSON form is RFC 3339 in UTC with exactly three decimals, so that texts sort as times do.
///
/// Invariant: lies between the years 1 and 9999, so that it always has a text form of four year digits.
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
        let millis = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis)
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
        text.parse::<jiff::Timestamp>()
            .map(|time| Self::from_millis(time.as_millisecond()))
            .map_err(|_| TimestampError { text: text.chars().take(80).collect() })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
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
    fn since_never_goes_negative() {
        let (early, late) = (Timestamp::from_millis(5), Timestamp::from_millis(9));
        assert_eq!(late.since(early), Duration::from_millis(4));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
