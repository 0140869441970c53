//! What became of a session's program.

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Timestamp;
use crate::json::{Unknown, canonical_input, canonical_object};

/// The program of a session as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Whether it runs, and if not, how it ended.
    pub state: ProcessState,
    /// Its process id; kept after the end, when it may belong to another program.
    pub pid: Option<u32>,
    /// When the kernel started that process, in clock ticks since boot: tells a reused pid from the same process.
    pub pid_start: Option<u64>,
    /// When it was started.
    pub started_at: Timestamp,
    /// Which instance holds its terminal.
    pub host: Option<Host>,
    /// The id under which the tool itself keeps this conversation.
    pub tool_session_id: Option<String>,
    /// The tmux session that holds the terminal instead.
    pub tmux_name: Option<String>,
    /// When a viewer last attached.
    pub last_attached_at: Option<Timestamp>,
    /// What a health check last said.
    pub health: Option<Health>,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// Whether a program runs, and if not, how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// About to run: its name is taken, its terminal is being made.
    Starting,
    /// Running.
    Running,
    /// Ended, and somebody saw how.
    Exited(Exit),
    /// Its host is gone, so nobody can say how it ended.
    Lost,
}

/// How a program ended. A closed choice: other members of its JSON are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// Killed by this signal.
    Signal(i32),
    /// Ended, while its status went to nobody.
    Unknown,
}

/// The instance of a supervisor that holds a program's terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its instance id, new with each instance.
    pub instance: String,
    /// The boot of the machine in which it ran.
    pub boot: String,
    /// Members from a newer version.
    pub unknown: Unknown,
}

/// The result of a health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What was found, such as `ok` or `recovered`.
    pub status: String,
    /// When.
    pub at: Timestamp,
    /// Members from a newer version.
    pub unknown: Unknown,
}

impl Process {
    /// A program that is about to be started.
    #[must_use]
    pub fn starting(started_at: Timestamp, host: Option<Host>) -> Self {
        Self {
            state: ProcessState::Starting,
            pid: None,
            pid_start: None,
            started_at,
            host,
            tool_session_id: None,
            tmux_name: None,
            last_attached_at: None,
            health: None,
            unknown: Unknown::default(),
        }
    }
}

impl ProcessState {
    /// Whether the program is starting or running, as far as the record says.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Starting | Self::Running)
    }

    /// The word used in JSON and listings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Exited(_) => "exited",
            Self::Lost => "lost",
        }
    }

    /// How it ended, once it has.
    #[must_use]
    pub const fn exit(self) -> Option<Exit> {
        match self {
            Self::Exited(exit) => Some(exit),
            Self::Starting | Self::Running | Self::Lost => None,
        }
    }

    fn parse(word: &str, exit: Option<Exit>) -> Option<Self> {
        Some(match word {
            "starting" => Self::Starting,
            "running" => Self::Running,
            "exited" => Self::Exited(exit.unwrap_or(Exit::Unknown)),
            "lost" => Self::Lost,
            _ => return None,
        })
    }
}

impl Exit {
    /// Whether the program said that all went well.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// The code that a shell shows for it: the program's own, 128 + the signal, or 1 when nobody knows.
    #[must_use]
    pub fn shell_code(self) -> u8 {
        match self {
            Self::Code(code) => u8::try_from(code & 0xff).unwrap_or(1),
            Self::Signal(signal) => u8::try_from(signal.saturating_add(128)).unwrap_or(u8::MAX),
            Self::Unknown => 1,
        }
    }
}

impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, value) = match self {
            Self::Code(code) => ("code", code),
            Self::Signal(signal) => ("signal", signal),
            Self::Unknown => return serializer.serialize_none(),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(name, value)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Exit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(input) = Option::<ExitInput>::deserialize(deserializer)? else {
            return Ok(Self::Unknown);
        };
        match (input.code, input.signal) {
            (Some(code), None) => Ok(Self::Code(code)),
            (None, Some(signal)) => Ok(Self::Signal(signal)),
            _ => Err(D::Error::custom("an exit has either a code or a signal")),
        }
    }
}

/// The members of an exit as they are read.
struct ExitInput {
    code: Option<i32>,
    signal: Option<i32>,
    #[expect(dead_code, reason = "an exit is closed: other members are dropped")]
    unknown: Unknown,
}

canonical_input! { ExitInput { optional code, optional signal } }

impl Serialize for Process {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("state", self.state.as_str())?;
        map.serialize_entry("pid", &self.pid)?;
        map.serialize_entry("pid_start", &self.pid_start)?;
        map.serialize_entry("started_at", &self.started_at)?;
        map.serialize_entry("exit", &self.state.exit())?;
        map.serialize_entry("host", &self.host)?;
        map.serialize_entry("tool_session_id", &self.tool_session_id)?;
        map.serialize_entry("tmux_name", &self.tmux_name)?;
        map.serialize_entry("last_attached_at", &self.last_attached_at)?;
        map.serialize_entry("health", &self.health)?;
        self.unknown.write(&mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Process {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let input = ProcessInput::deserialize(deserializer)?;
        let word = input.state;
        let state = ProcessState::parse(&word, input.exit)
            .ok_or_else(|| D::Error::custom(format_args!("{word:?} is no state of a process")))?;
        Ok(Self {
            state,
            pid: input.pid,
            pid_start: input.pid_start,
            started_at: input.started_at,
            host: input.host,
            tool_session_id: input.tool_session_id,
            tmux_name: input.tmux_name,
            last_attached_at: input.last_attached_at,
            health: input.health,
            unknown: input.unknown,
        })
    }
}

/// The members of a process as they are read: the state is a word, and the exit stands beside it.
pub(super) struct ProcessInput {
    state: String,
    pid: Option<u32>,
    pid_start: Option<u64>,
    started_at: Timestamp,
    exit: Option<Exit>,
    host: Option<Host>,
    tool_session_id: Option<String>,
    tmux_name: Option<String>,
    last_attached_at: Option<Timestamp>,
    health: Option<Health>,
    unknown: Unknown,
}

canonical_input! {
    ProcessInput {
        required state,
        optional pid,
        optional pid_start,
        required started_at,
        optional exit,
        optional host,
        optional tool_session_id,
        optional tmux_name,
        optional last_attached_at,
        optional health,
    }
}

canonical_object! { Host { required instance, required boot } }

canonical_object! { Health { required status, required at } }
