//! Commands about the program itself: its supervisor, completions, manual pages.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// See or end the process that holds the terminals
#[derive(Debug, Args)]
pub(crate) struct SupervisorArgs {
    #[command(subcommand)]
    pub(crate) command: SupervisorCommand,
}

/// What to do with the supervisor.
#[derive(Debug, Subcommand)]
pub(crate) enum SupervisorCommand {
    /// Say whether one is there, and what it holds
    Status,
    /// End it
    Stop {
        /// End the programs that still run as well
        #[arg(long)]
        force: bool,
    },
    /// Go on with the program that is on the disk now; sessions do not notice
    Upgrade,
    /// Be the keeper, which starts the supervisor: for a service manager; other commands start one when they need it
    Run {
        /// Stay when nothing runs
        #[arg(long)]
        stay: bool,
    },
    /// Be the supervisor; started by the keeper
    #[command(hide = true)]
    Serve {
        /// Stay when nothing runs
        #[arg(long)]
        stay: bool,
    },
}

/// Print a script that completes commands, names, labels and tools in your shell
#[derive(Debug, Args)]
#[command(
    after_help = "Put this where your shell starts, so that it always fits the installed version:
  bash  ~/.bashrc                    source <(session completions bash)
  zsh   ~/.zshrc, after compinit     source <(session completions zsh)
  fish  ~/.config/fish/config.fish   session completions fish | source"
)]
pub(crate) struct CompletionsArgs {
    /// Choose the shell
    pub(crate) shell: ShellName,
}

/// A shell that completions are there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShellName {
    /// GNU bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// Print the manual page, or write one for each command
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  session man | man -l -
  session man --dir ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Print the page of this command
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub(crate) command: Option<String>,
    /// Write all pages into this directory
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
}
