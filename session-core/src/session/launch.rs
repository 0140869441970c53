//! How a session's program is started, and started again.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::{Unknown, canonical_object};

/// What is needed to start the program of a session.
///
/// Stores take none that no system could start: whose program is the empty text, whose directory is not absolute, with
/// a variable whose name is empty or has a `=`, or with a NUL character in any of them. Older versions stored such
/// ones, which are still read, adopted, and kept by updates of anything else.
///
/// Its `Debug` form names the variables of `env` and keeps their values to itself: they may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
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

/// The size of a terminal in character cells: columns and rows, each from 1 to [`MAX`](Self::MAX).
///
/// A closed pair of numbers: other members of its JSON are dropped. Numbers outside the range are moved into it when
/// they are read: older versions stored any, and other programs claim any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TerminalSize {
    cols: u16,
    rows: u16,
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

    /// The largest number of columns or rows: memory grows with their product.
    pub const MAX: u16 = 9999;

    /// The size of so many columns and rows; `None` when one of them is 0 or more than [`MAX`](Self::MAX).
    #[must_use]
    pub const fn new(cols: u16, rows: u16) -> Option<Self> {
        let size = Self::nearest(cols, rows);
        if size.cols == cols && size.rows == rows { Some(size) } else { None }
    }

    /// The size that is nearest to so many columns and rows, for what other programs claim.
    #[must_use]
    pub const fn nearest(cols: u16, rows: u16) -> Self {
        const fn within(number: u16) -> u16 {
            match number {
                0 => 1,
                number if number > TerminalSize::MAX => TerminalSize::MAX,
                number => number,
            }
        }
        Self { cols: within(cols), rows: within(rows) }
    }

    /// Columns.
    #[must_use]
    pub const fn cols(self) -> u16 {
        self.cols
    }

    /// Rows.
    #[must_use]
    pub const fn rows(self) -> u16 {
        self.rows
    }
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
            part.parse().ok().filter(|_| digits)
        };
        text.split_once(['x', 'X'])
            .and_then(|(cols, rows)| Self::new(number(cols)?, number(rows)?))
            .ok_or_else(|| SizeError { text: text.chars().take(40).collect() })
    }
}

impl<'de> Deserialize<'de> for TerminalSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Claimed {
            cols: u16,
            rows: u16,
        }

        Claimed::deserialize(deserializer).map(|Claimed { cols, rows }| Self::nearest(cols, rows))
    }
}

impl Launch {
    /// Why no system could start it, in words that begin with the member; `None` when one could.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let has_nul = |text: &String| text.contains('\0');
        if self.argv.first().is_none_or(String::is_empty) {
            return Some("launch.argv names no program");
        }
        if self.argv.iter().any(has_nul) {
            return Some("launch.argv has a NUL character");
        }
        if !self.workdir.starts_with('/') {
            return Some("launch.workdir is not absolute");
        }
        if has_nul(&self.workdir) {
            return Some("launch.workdir has a NUL character");
        }
        if self.env.keys().any(|name| name.is_empty() || name.contains(['=', '\0'])) {
            return Some("launch.env has a name that is empty or has a '=' or a NUL character");
        }
        if self.env.values().any(has_nul) {
            return Some("launch.env has a value with a NUL character");
        }
        None
    }
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tool, argv, workdir, mode, env, permission_mode, size, internal, unknown } =
            self;
        f.debug_struct("Launch")
            .field("tool", tool)
            .field("argv", argv)
            .field("workdir", workdir)
            .field("mode", mode)
            .field("env", &env.keys())
            .field("permission_mode", permission_mode)
            .field("size", size)
            .field("internal", internal)
            .field("unknown", unknown)
            .finish()
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

canonical_object! {
    Launch {
        optional tool,
        required argv,
        required workdir,
        defaulted mode,
        map env,
        optional permission_mode,
        optional size,
        defaulted internal,
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

    #[test]
    fn sizes_keep_their_rule_however_they_are_made() {
        assert_eq!(TerminalSize::new(1, 9999).map(|size| size.to_string()).unwrap(), "1x9999");
        assert_eq!([TerminalSize::new(0, 1), TerminalSize::new(1, 10_000)], [None, None]);
        for (claimed, (cols, rows)) in
            [(r#"{"cols":0,"rows":65535}"#, (1, 9999)), (r#"{"cols":1,"rows":1,"x":2}"#, (1, 1))]
        {
            let size: TerminalSize = serde_json::from_str(claimed).unwrap();
            assert_eq!((size.cols(), size.rows()), (cols, rows));
        }
        assert!(serde_json::from_str::<TerminalSize>(r#"{"cols":65536,"rows":1}"#).is_err());
    }
}
