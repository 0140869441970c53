//! Commands about what was said in a session.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use session_core::{Role, Seq};

use super::value::number;
use crate::complete;

/// Add to the conversation of a session
#[derive(Debug, Args)]
pub(crate) struct MessageArgs {
    #[command(subcommand)]
    pub(crate) command: MessageCommand,
}

/// What to do with messages.
#[derive(Debug, Subcommand)]
pub(crate) enum MessageCommand {
    Add(MessageAddArgs),
}

/// Append a message and print its number, once it is on the disk
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  session message add notes --role user 'What is left to do?'
  session message add --role user 'To the current session'
  make 2>&1 | session message add notes --role tool --stdin
  session message add notes --role assistant --json-blocks < blocks.json")]
pub(crate) struct MessageAddArgs {
    /// Choose the session [default: the current one]; alone, and without --stdin and --json-blocks, it is the text
    #[arg(value_name = "S", add = complete::sessions())]
    pub(crate) first: Option<String>,
    /// Say this
    #[arg(value_name = "TEXT", conflicts_with_all = ["stdin", "json_blocks"])]
    pub(crate) second: Option<String>,
    /// Say who speaks
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: RoleArg,
    /// Add the same in short, for listings
    #[arg(long, value_name = "TEXT")]
    pub(crate) summary: Option<String>,
    /// Read the text from standard input, as it is; at most 8 MiB
    #[arg(long, conflicts_with = "json_blocks")]
    pub(crate) stdin: bool,
    /// Read a JSON list of content blocks from standard input; at most 8 MiB
    #[arg(long)]
    pub(crate) json_blocks: bool,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArg {
    /// A person
    User,
    /// The model
    Assistant,
    /// The rules of the conversation
    System,
    /// A tool
    Tool,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::User => Self::User,
            RoleArg::Assistant => Self::Assistant,
            RoleArg::System => Self::System,
            RoleArg::Tool => Self::Tool,
        }
    }
}

/// Print what was said and done in a session
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  session transcript notes --last 20
  session transcript notes --json | jq -r '.records[].message.content[]?.text'
  session transcript notes --context --json     what a model gets")]
pub(crate) struct TranscriptArgs {
    /// Choose the session [default: the current one]
    #[arg(value_name = "S", add = complete::sessions())]
    pub(crate) session: Option<String>,
    /// Begin with this record
    #[arg(long, value_name = "SEQ", value_parser = seq)]
    pub(crate) from: Option<Seq>,
    /// Print the last so many records
    #[arg(long, value_name = "N", value_parser = number::<u64>)]
    pub(crate) last: Option<u64>,
    /// Print what a model gets: the last checkpoint and the messages that follow
    #[arg(long, conflicts_with_all = ["from", "last"])]
    pub(crate) context: bool,
}

/// Write sessions with everything in them to a file or to standard output
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  session export notes > notes.jsonl
  session export --all -o everything.jsonl

One JSON object a line; nothing is lost. With --all, what is in the trash and what was destroyed is
in it as well. Ends with 6 when something is damaged and therefore missing.")]
pub(crate) struct ExportArgs {
    /// Choose the sessions [default: the current one]
    #[arg(value_name = "S", conflicts_with = "all", add = complete::sessions())]
    pub(crate) sessions: Vec<String>,
    /// Export everything that is stored
    #[arg(long)]
    pub(crate) all: bool,
    /// Write it in this form
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    pub(crate) format: ExportFormat,
    /// Write it to this file
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
}

/// A form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// The lossless bundle
    Jsonl,
}

fn seq(text: &str) -> Result<Seq, &'static str> {
    text.parse().ok().and_then(Seq::new).ok_or("use the number of a record, from 1 on")
}
