//! The status of a session and the one table that says which change of it is legal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What became of a session's work. Not whether a program runs (see [`crate::ProcessState`]), nor what it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Created, nothing has run yet.
    Pending,
    /// At work.
    Running,
    /// Ended well; may run again.
    Completed,
    /// Ended badly or lost; may run again.
    Failed,
    /// Ended by decision, for good.
    Closed,
    /// Ended by its deadline, for good.
    Expired,
}

/// A change of status that the table does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session that is {from} cannot become {to}")]
pub struct TransitionError {
    /// The present status.
    pub from: Status,
    /// The status that was asked for.
    pub to: Status,
}

/// A text that names no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no status: use pending, running, completed, failed, closed or expired")]
pub struct StatusError {
    text: String,
}

impl Status {
    /// Every status, in the order of a session's life.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Closed, Self::Expired];

    /// The lower-case word used in JSON, in columns and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Closed => "closed",
            Self::Expired => "expired",
        }
    }

    /// Whether this status ends a session for good.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Closed | Self::Expired)
    }

    /// Whether a session of this status is open work and therefore holds its name.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }

    /// The status after a change to `to`; to the present one is always legal.
    ///
    /// # Errors
    /// [`TransitionError`] for every pair that the table does not list.
    pub const fn to(self, to: Self) -> Result<Self, TransitionError> {
        use Status::{Closed, Completed, Expired, Failed, Pending, Running};
        match (self, to) {
            (Pending, Running | Completed | Failed | Closed | Expired)
            | (Running, Completed | Failed | Closed | Expired)
            | (Completed | Failed, Running | Closed | Expired)
            | (Pending, Pending)
            | (Running, Running)
            | (Completed, Completed)
            | (Failed, Failed)
            | (Closed, Closed)
            | (Expired, Expired) => Ok(to),
            (from, to) => Err(TransitionError { from, to }),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| StatusError { text: text.chars().take(40).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table, row by row: `x` is legal.
    #[test]
    fn every_pair_is_decided() {
        let rows = [
            (Status::Pending, "xxxxxx"),
            (Status::Running, ".xxxxx"),
            (Status::Completed, ".xx.xx"),
            (Status::Failed, ".x.xxx"),
            (Status::Closed, "....x."),
            (Status::Expired, ".....x"),
        ];
        for (from, row) in rows {
            for (to, mark) in Status::ALL.into_iter().zip(row.chars()) {
                let expected = if mark == 'x' { Ok(to) } else { Err(TransitionError { from, to }) };
                assert_eq!(from.to(to), expected, "{from} -> {to}");
            }
        }
    }

    #[test]
    fn words_come_back() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{status}\""));
        }
        assert!("Running".parse::<Status>().is_err());
    }
}
