//! Values as people write them: durations, labels, variables.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use session_core::{LabelError, LabelKey};

/// A label to set or to look for: `K=V`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LabelPair {
    pub(crate) key: LabelKey,
    pub(crate) value: String,
}

/// A change of a session's labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LabelChange {
    /// `K=V`
    Set(LabelPair),
    /// `K-`
    Remove(LabelKey),
}

/// A variable of an environment: `K=V`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// When a session ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ttl {
    /// Never.
    Never,
    /// When nothing has happened for so long.
    Idle(Duration),
}

/// Reads how many there are to be at most.
///
/// # Errors
/// A sentence for people.
pub(crate) fn many(text: &str) -> Result<NonZeroU32, String> {
    text.parse().map_err(|_| format!("use a number from 1 on, up to {}", u32::MAX))
}

/// Reads a number.
///
/// # Errors
/// A sentence for people.
pub(crate) fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "use a number, such as 20".to_owned())
}

/// Reads a duration: a number and one of `ms`, `s`, `m`, `h`, `d`.
///
/// # Errors
/// A sentence for people.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => 0,
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis)) {
        Some(total) if millis > 0 => Ok(Duration::from_millis(total)),
        _ => Err("use a number and a unit, as in 90s, 15m, 4h, 30d or 500ms".to_owned()),
    }
}

impl FromStr for Ttl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "never" => Ok(Self::Never),
            _ => match duration(text)? {
                Duration::ZERO => Err("nothing can last no time at all".to_owned()),
                idle => Ok(Self::Idle(idle)),
            },
        }
    }
}

impl FromStr for LabelPair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = text.split_once('=').ok_or("use KEY=VALUE")?;
        let key = LabelKey::parse(key).map_err(|error: LabelError| error.to_string())?;
        Ok(Self { key, value: value.to_owned() })
    }
}

impl FromStr for LabelChange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('=') {
            return text.parse().map(Self::Set);
        }
        let key = text.strip_suffix('-').ok_or("use KEY=VALUE to set, KEY- to remove")?;
        LabelKey::parse(key).map(Self::Remove).map_err(|error| error.to_string())
    }
}

impl FromStr for Variable {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !text.contains('\0') => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err("use NAME=VALUE"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        let cases = [
            ("90s", 90_000),
            ("15m", 900_000),
            ("4h", 14_400_000),
            ("30d", 2_592_000_000),
            ("250ms", 250),
            ("0s", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "-1s", "1.5s", "5 s", "5S", "99999999999999999999d", "1w", "1s1"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn labels_are_set_and_removed() {
        let key = |text| LabelKey::parse(text).unwrap();
        let set = |k, v: &str| LabelChange::Set(LabelPair { key: key(k), value: v.to_owned() });
        assert_eq!("team=web".parse(), Ok(set("team", "web")));
        assert_eq!("a=".parse(), Ok(set("a", "")));
        assert_eq!("a=b=c".parse(), Ok(set("a", "b=c")));
        assert_eq!("team-".parse(), Ok(LabelChange::Remove(key("team"))));
        for text in ["team", "", "-", "=v", "a b=c", "a--"] {
            assert!(text.parse::<LabelChange>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_variable_has_a_name() {
        let variable: Variable = "A=b=c".parse().unwrap();
        assert_eq!((variable.name.as_str(), variable.value.as_str()), ("A", "b=c"));
        assert!("=b".parse::<Variable>().is_err() && "A".parse::<Variable>().is_err());
    }

    #[test]
    fn a_time_to_live_is_not_zero() {
        assert_eq!("never".parse(), Ok(Ttl::Never));
        assert_eq!("1h".parse(), Ok(Ttl::Idle(Duration::from_secs(3600))));
        assert!("0s".parse::<Ttl>().is_err());
    }
}
