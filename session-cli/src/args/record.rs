//! Commands that have to do with what is stored.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use session_core::{Cursor, RoleName, Sort, Status};

use super::value::{LabelChange, LabelPair, Ttl, many};
use crate::complete;

/// List sessions, newest first
///
/// Starts nothing and changes nothing.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "On a terminal this is a table. Otherwise each session is one line of six fields separated by tabs:
name, id, status, program (running, exit 7, signal 9, lost or -), time of the last change, command
or title. Control characters are escaped; what is missing is -."
)]
pub(crate) struct ListArgs {
    /// List closed, expired, internal and empty ones as well
    #[arg(long, short)]
    pub(crate) all: bool,
    /// List those with this status; may be repeated
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub(crate) status: Vec<Status>,
    /// List those with this label; may be repeated
    #[arg(long, value_name = "K=V", add = complete::labels())]
    pub(crate) label: Vec<LabelPair>,
    /// List those that started in this directory
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) workdir: Option<PathBuf>,
    /// List the children of this session
    #[arg(long, value_name = "S", add = complete::sessions())]
    pub(crate) parent: Option<String>,
    /// List those of this tool
    #[arg(long, value_name = "TOOL", add = complete::tools())]
    pub(crate) tool: Option<String>,
    /// List those with a lease of this role
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<RoleName>,
    /// List those that are bound to this chat
    #[arg(long, value_name = "CHAT")]
    pub(crate) chat: Option<String>,
    /// List those that are bound to this agent
    #[arg(long, value_name = "AGENT")]
    pub(crate) agent: Option<String>,
    /// List those that are bound to this project
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// Order by this: updated, created or name
    #[arg(long, value_name = "ORDER", default_value = "updated")]
    pub(crate) sort: SortArg,
    /// List at most so many
    #[arg(long, value_name = "N", value_parser = many)]
    pub(crate) limit: Option<NonZeroU32>,
    /// Go on where a page ended
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<Cursor>,
}

/// An order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SortArg(pub(crate) Sort);

impl std::str::FromStr for SortArg {
    type Err = session_core::SortError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Show everything that is known of a session
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Choose the session [default: the current one]
    #[arg(value_name = "S", add = complete::sessions())]
    pub(crate) session: Option<String>,
}

/// What a session without a program is about.
#[derive(Debug, Args)]
pub(crate) struct RecordFlags {
    /// Set the title; an empty one removes it
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    /// Set the directory that the conversation is about; an empty one removes it
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) workspace: Option<PathBuf>,
    /// Set who serves the model; an empty one removes it
    #[arg(long, value_name = "NAME")]
    pub(crate) vendor: Option<String>,
    /// Set the vendor's endpoint; an empty one removes it
    #[arg(long, value_name = "NAME")]
    pub(crate) endpoint: Option<String>,
    /// Set the model; an empty one removes it
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Bind it to this chat; an empty one removes it
    #[arg(long, value_name = "CHAT")]
    pub(crate) chat: Option<String>,
    /// Bind it to this agent; an empty one removes it
    #[arg(long, value_name = "AGENT")]
    pub(crate) agent: Option<String>,
    /// Bind it to this project; an empty one removes it
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// End it when nothing has happened for so long, or never
    #[arg(long, value_name = "DURATION|never")]
    pub(crate) ttl: Option<Ttl>,
}

/// Create a session without a program
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Name the session [default: two words]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) flags: RecordFlags,
}

/// Change what is recorded of a session
#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    /// Choose the session [default: the current one]
    #[arg(value_name = "S", add = complete::sessions())]
    pub(crate) session: Option<String>,
    #[command(flatten)]
    pub(crate) flags: RecordFlags,
}

/// Give a session another name
#[derive(Debug, Args)]
pub(crate) struct RenameArgs {
    /// Choose the session
    #[arg(value_name = "S", add = complete::sessions())]
    pub(crate) session: String,
    /// Set this name
    pub(crate) name: String,
}

/// Set or remove labels of a session
#[derive(Debug, Args)]
#[command(after_help = "Example:
  session label build team=web urgent-     set team, remove urgent")]
pub(crate) struct LabelArgs {
    /// Choose the session
    #[arg(value_name = "S", add = complete::sessions())]
    pub(crate) session: String,
    /// Set K to V with K=V, remove it with K-
    #[arg(value_name = "K=V|K-", required = true, add = complete::labels())]
    pub(crate) changes: Vec<LabelChange>,
}

/// Move sessions to the trash
///
/// They keep everything and give up their names; `session trash restore` brings them back. Running ones are refused:
/// stop them first.
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Choose the sessions
    #[arg(value_name = "S", required_unless_present = "all", conflicts_with = "all", add = complete::sessions())]
    pub(crate) sessions: Vec<String>,
    /// Remove everything that does not run, after a backup
    #[arg(long)]
    pub(crate) all: bool,
    /// With --all: answer the question with yes
    #[arg(long, requires = "all", conflicts_with = "sessions")]
    pub(crate) yes: bool,
    /// With --all: say what would be removed, and remove nothing
    #[arg(long, requires = "all", conflicts_with = "sessions")]
    pub(crate) dry_run: bool,
}
