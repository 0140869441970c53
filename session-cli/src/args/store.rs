//! Commands about all that is stored: the store itself, its trash, what is old in it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use session_core::{Status, Timestamp};

use super::value::duration;
use crate::complete;
use crate::plan::StoreKind;

/// Look after the store: check, repair, back up, restore, convert
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  session store check                     read everything; ends with 6 when something is damaged
  session store backup                    copy it to backups/ in the data directory
  session store restore FILE              put such a copy in its place
  session store convert --to jsonl        make the same store in the other form

Backups are never removed by themselves. `session store info` lists them with size and age;
what you need no more, remove with `rm -r`.")]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    pub(crate) command: StoreCommand,
}

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Say what kind of store it is, where, and how much it holds
    ///
    /// Lists its backups with size and age as well. They stay until you remove them.
    Info,
    /// Read everything and name what is damaged
    ///
    /// Ends with 6 when something is.
    Check {
        /// Put what is damaged into quarantine, byte by byte, and everything else in order
        #[arg(long)]
        repair: bool,
    },
    /// Copy the whole store, also while it is in use
    Backup {
        /// Put the copy there [default: backups/TIME-KIND in the data directory]
        #[arg(value_hint = clap::ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Replace everything by what a backup holds
    ///
    /// What is there now is backed up first. Programs must have ended.
    Restore {
        /// Take this backup
        #[arg(value_hint = clap::ValueHint::AnyPath)]
        file: PathBuf,
        /// Answer the question with yes
        #[arg(long)]
        yes: bool,
    },
    /// Make a store of the other kind with the same content
    ///
    /// The store that there is stays as it is. Programs must have ended.
    Convert {
        /// Make a store of this kind
        #[arg(long, value_name = "KIND")]
        to: StoreKind,
    },
    /// Make indexes and everything else that is derived anew
    Reindex,
}

/// Move sessions to the trash in which nothing has happened for long
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  session prune --older-than 30d --dry-run
  session prune --older-than 7d --status completed,failed
  session prune --older-than 1d --empty --status pending     those in which nothing ever was")]
pub(crate) struct PruneArgs {
    /// Remove those whose last activity was longer ago
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) older_than: Duration,
    /// Remove those with this status; may be repeated [default: closed,expired,completed,failed]
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub(crate) status: Vec<Status>,
    /// Remove only those without a program, a role, a title and records
    #[arg(long)]
    pub(crate) empty: bool,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// See, restore or destroy what was removed
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  session trash restore build
  session trash restore --all --since 2026-01-31T08:15:00Z
  session trash empty --older-than 0s     destroy everything that is in it")]
pub(crate) struct TrashArgs {
    #[command(subcommand)]
    pub(crate) command: TrashCommand,
}

/// What to do with the trash.
#[derive(Debug, Subcommand)]
pub(crate) enum TrashCommand {
    /// List what is in it, the last removed first
    #[command(
        after_help = "Without a terminal, each session is one line of six fields separated by tabs: name, id, status,
when it was removed, until when `trash empty` leaves it alone, command or title."
    )]
    List,
    /// Take sessions out of it
    Restore {
        /// Choose the sessions
        #[arg(value_name = "S", required_unless_present = "all", conflicts_with = "all", add = complete::trashed())]
        sessions: Vec<String>,
        /// Restore everything that is in it
        #[arg(long)]
        all: bool,
        /// With --all: only what was removed at this time or later
        #[arg(long, value_name = "TIME", requires = "all", conflicts_with = "sessions")]
        since: Option<Timestamp>,
    },
    /// Destroy for good what was removed long ago
    Empty {
        /// Destroy what was removed at least so long ago; 0s is everything
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30d")]
        older_than: Duration,
        /// Answer the question with yes
        #[arg(long)]
        yes: bool,
        /// Say what would be destroyed, and destroy nothing
        #[arg(long)]
        dry_run: bool,
    },
}
