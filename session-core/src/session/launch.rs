//! How a session's program is started, and started again.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::{Fields, Unknown};

/// What is needed to start the program of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// The tool that the program is, such as `claude`; `None` for a plain command.
    pub tool: Option<String>,
    /// Program and arguments, as they are executed.
    pub argv: Vec<String>,
    /// The absolute directory in which it starts.
    pub workdir: String,
    /// Whether its questions may be answered for it.
    pub mode: Mode,
    /// Variables that were added to the caller's environment. Everything else of that environment is not kept.
    pub env: BTreeMap<String, String>,
    /// What a coding agent may do without asking.
    pub permission_mode: Option<PermissionMode>,
    /// The size of the terminal at the start.
    pub size: Option<TerminalSize>,
    /// Hidden from listings that do not ask for all.
    pub internal: bool,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// Whether a session's questions may be answered without a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A person answers. The default, and it stays until somebody says otherwise.
    #[default]
    Safe,
    /// Rules may answer.
    Yolo,
}

/// What a coding agent may do without asking, in the words of the agents themselves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PermissionMode {
    /// Ask before everything that changes something.
    Default,
    /// Plan only.
    Plan,
    /// The agent decides.
    Auto,
    /// Edits are accepted.
    AcceptEdits,
    /// Do not ask, refuse instead.
    DontAsk,
    /// Everything is permitted.
    BypassPermissions,
    /// A word of a tool that we do not know, kept as it is.
    Foreign(ForeignMode),
}

/// A permission mode of some tool that is none of ours. Made by reading a word.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForeignMode(Box<str>);

/// The size of a terminal in character cells. A closed pair of numbers: other members of its JSON are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

/// A text that is not a terminal size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no terminal size: use COLSxROWS such as 120x40, each from 1 to 9999")]
pub struct SizeError {
    text: String,
}

impl TerminalSize {
    /// The size of a terminal that nobody has looked at yet.
    pub const DEFAULT: Self = Self { cols: 80, rows: 24 };

    /// The largest number of columns or rows that is accepted from a person: memory grows with their product.
    pub const MAX: u16 = 9999;
}

impl fmt::Display for TerminalSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.cols, self.rows)
    }
}

impl FromStr for TerminalSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|number| digits && (1..=Self::MAX).contains(number))
        };
        text.split_once(['x', 'X'])
            .and_then(|(cols, rows)| Some(Self { cols: number(cols)?, rows: number(rows)? }))
            .ok_or_else(|| SizeError { text: text.chars().take(40).collect() })
    }
}

impl PermissionMode {
    /// The word that tools use for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Default => "default",
            Self::Plan => "plan",
            Self::Auto => "auto",
            Self::AcceptEdits => "acceptEdits",
            Self::DontAsk => "dontAsk",
            Self::BypassPermissions => "bypassPermissions",
            Self::Foreign(word) => &word.0,
        }
    }
}

impl From<&str> for PermissionMode {
    fn from(word: &str) -> Self {
        [
            Self::Default,
            Self::Plan,
            Self::Auto,
            Self::AcceptEdits,
            Self::DontAsk,
            Self::BypassPermissions,
        ]
        .into_iter()
        .find(|known| known.as_str() == word)
        .unwrap_or_else(|| Self::Foreign(ForeignMode(word.into())))
    }
}

impl Serialize for PermissionMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for PermissionMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer).map(|word| Self::from(&*word))
    }
}

impl Serialize for Launch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("tool", &self.tool)?;
        map.serialize_entry("argv", &self.argv)?;
        map.serialize_entry("workdir", &self.workdir)?;
        map.serialize_entry("mode", &self.mode)?;
        map.serialize_entry("env", &self.env)?;
        map.serialize_entry("permission_mode", &self.permission_mode)?;
        map.serialize_entry("size", &self.size)?;
        map.serialize_entry("internal", &self.internal)?;
        self.unknown.write(&mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Launch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::deserialize(deserializer)?;
        let launch = Self {
            tool: fields.take("tool")?,
            argv: fields.require("argv")?,
            workdir: fields.require("workdir")?,
            mode: fields.take("mode")?.unwrap_or_default(),
            env: fields.take_map("env")?,
            permission_mode: fields.take("permission_mode")?,
            size: fields.take("size")?,
            internal: fields.take("internal")?.unwrap_or_default(),
            unknown: fields.rest(),
        };
        if launch.argv.is_empty() {
            return Err(D::Error::custom("argv names no program"));
        }
        Ok(launch)
    }
}

#[cfg(test)]
mod tests {
    use super::TerminalSize;

    #[test]
    fn sizes_are_two_numbers() {
        let size = "120x40".parse::<TerminalSize>().unwrap();
        assert_eq!((size.cols, size.rows, size.to_string().as_str()), (120, 40, "120x40"));
        for bad in ["", "x", "120", "0x1", "1x0", "+1x2", "1x2x3", "10000x1", "-1x5", "65536x2"] {
            assert!(bad.parse::<TerminalSize>().is_err(), "{bad}");
        }
    }
}
