//! What was typed, exactly: one type for each command, nothing decided yet.

mod conversation;
mod live;
mod record;
mod rest;
mod store;
mod value;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::error::CliError;
use crate::plan::StoreKind;

pub(crate) use conversation::{
    ExportArgs, ExportFormat, MessageArgs, MessageCommand, TranscriptArgs,
};
pub(crate) use live::{
    AttachArgs, DetachArgs, EventsArgs, LogsArgs, NewArgs, ResizeArgs, ScreenArgs, ScreenFormat,
    SendArgs, StopArgs, WaitArgs,
};
pub(crate) use record::{
    CreateArgs, EditArgs, LabelArgs, ListArgs, RecordFlags, RenameArgs, RmArgs, ShowArgs,
};
pub(crate) use rest::{CompletionsArgs, ManArgs, ShellName, SupervisorArgs, SupervisorCommand};
pub(crate) use store::{PruneArgs, StoreArgs, StoreCommand, TrashArgs, TrashCommand};
pub(crate) use value::{LabelChange, LabelPair, Ttl, Variable};

/// Keep programs, agents and conversations in sessions that outlive their terminal
///
/// A session is a program on a terminal of its own. Close the window, lose the connection: the program goes on,
/// and any terminal can attach to it again. Each session leaves a record of what ran and how it ended.
#[derive(Debug, Parser)]
#[command(
    name = "session",
    version,
    subcommand_required = false,
    after_help = "Examples:
  session attach main              open the session `main`, or come back to it
  session new build -d -- make     start a program in the background
  session wait build               wait for it, and end with its exit code
  session                          list what there is

Ctrl-\\ leaves a session; it goes on without you. `session tour` shows it all in a throw-away directory."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Flags that every command takes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct GlobalArgs {
    /// Print JSON, with errors as JSON on the last line of stderr
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// Use this kind of store [env: SESSION_STORE] [default: sqlite]
    #[arg(long, global = true, value_name = "KIND", help_heading = "Global options")]
    pub(crate) store: Option<StoreKind>,
    /// Keep sessions in this directory [env: SESSION_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Find the supervisor in this directory [env: SESSION_RUNTIME_DIR]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub(crate) runtime_dir: Option<PathBuf>,
    /// Act on this session, where a command is given none [env: SESSION_ID]
    #[arg(
        id = "current_session",
        short = 'S',
        long = "session",
        global = true,
        value_name = "S",
        help_heading = "Global options",
        add = crate::complete::sessions()
    )]
    pub(crate) session: Option<String>,
    /// Use colours: auto means on a terminal, unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Global options"
    )]
    pub(crate) color: Color,
    /// Print errors and results only
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
    /// Print more about what is being done
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = "Global options")]
    pub(crate) verbose: bool,
}

impl GlobalArgs {
    /// As if none had been typed.
    pub(crate) const fn none() -> Self {
        Self {
            json: false,
            store: None,
            data_dir: None,
            runtime_dir: None,
            session: None,
            color: Color::Auto,
            quiet: false,
            verbose: false,
        }
    }
}

/// When colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(visible_alias = "a")]
    Attach(AttachArgs),
    New(NewArgs),
    #[command(visible_alias = "ls")]
    List(ListArgs),
    Show(ShowArgs),
    Send(SendArgs),
    Screen(ScreenArgs),
    Logs(LogsArgs),
    Wait(WaitArgs),
    Events(EventsArgs),
    Stop(StopArgs),
    Detach(DetachArgs),
    Resize(ResizeArgs),
    Create(CreateArgs),
    Edit(EditArgs),
    Rename(RenameArgs),
    Label(LabelArgs),
    Rm(RmArgs),
    Message(MessageArgs),
    Transcript(TranscriptArgs),
    Export(ExportArgs),
    Prune(PruneArgs),
    Trash(TrashArgs),
    Store(StoreArgs),
    Supervisor(SupervisorArgs),
    /// Check paths, permissions, store and supervisor, with advice for what is wrong
    #[command(after_help = "Ends with 1 when something has failed; warnings alone end with 0.")]
    Doctor,
    /// See what a session is, on real components in a throw-away directory
    Tour,
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// What the words came to.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// A command to be done.
    Command(Box<Cli>),
    /// A text that was asked for.
    Help(String),
}

/// Reads the words, the first of which is the program's name.
///
/// # Errors
/// `usage` when they make no sense.
pub(crate) fn parse(words: &[OsString]) -> Result<Parsed, CliError> {
    let matches = match definition().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => {
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                    Ok(Parsed::Help(error.render().to_string().trim_end().to_owned()))
                }
                _ => Err(refusal(&error, words)),
            };
        }
    };
    let cli = Cli::from_arg_matches(&matches).map_err(|error| refusal(&error, words))?;
    Ok(Parsed::Command(Box::new(cli)))
}

/// The whole command line as data, for parsing, completions and manual pages.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

/// Several lines of explanation as one line and a hint.
fn refusal(error: &clap::Error, words: &[OsString]) -> CliError {
    let command = meant(words);
    let called = command.get_bin_name().unwrap_or("session").to_owned();
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    ) {
        let choices: Vec<_> = command
            .get_subcommands()
            .filter(|choice| !choice.is_hide_set() && choice.get_name() != "help")
            .map(|choice| choice.get_name().to_owned())
            .collect();
        return CliError::usage(format!("{called} does nothing by itself"))
            .hint(format!("give one of its commands: {}", choices.join(", ")));
    }
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n").map(|part| {
        part.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    });
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
    let hints: Vec<_> = paragraphs
        .filter_map(|part| {
            part.strip_prefix("tip: ").or_else(|| part.strip_prefix("Usage: ")).map(str::to_owned)
        })
        .collect();
    let hint = if hints.is_empty() { format!("see `{called} --help`") } else { hints.join("; ") };
    CliError::usage(message).hint(hint)
}

/// The innermost command that the words name.
fn meant(words: &[OsString]) -> clap::Command {
    let mut command = definition();
    command.build();
    for word in words.iter().skip(1).take_while(|word| *word != "--") {
        if let Some(inner) = word.to_str().and_then(|word| command.find_subcommand(word)) {
            command = inner.clone();
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_in_the_imperative() {
        let mut left: Vec<_> = definition().get_subcommands().cloned().collect();
        while let Some(command) = left.pop() {
            left.extend(command.get_subcommands().cloned());
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let is_shown = !command.is_hide_set();
            assert!(!is_shown || !about.is_empty(), "{} says nothing", command.get_name());
            assert!(!about.ends_with('.'), "{}: {about}", command.get_name());
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(
                    !help.is_empty() && !help.ends_with('.'),
                    "{} {}: {help:?}",
                    command.get_name(),
                    argument.get_id()
                );
            }
        }
    }

    #[test]
    fn a_refusal_is_one_line_and_a_hint() {
        let words = ["session", "new", "--nonsense"].map(OsString::from);
        let error = parse(&words).unwrap_err();
        assert!(error.is(session_core::ErrorKind::Usage), "{error:?}");
        assert!(error.message().contains("--nonsense") && !error.message().contains('\n'));
        assert!(error.advice().is_some_and(|hint| hint.contains("session new")), "{error:?}");
    }

    #[test]
    fn a_refusal_points_to_the_command_that_was_meant() {
        for (line, message, hint) in [
            ("session list --limit x", "from 1 on", "`session list --help`"),
            ("session --store jsonl list --limit 0", "from 1 on", "`session list --help`"),
            ("session trash empty --older-than 1x", "30d", "`session trash empty --help`"),
            ("session trash", "session trash does nothing by itself", "list, restore, empty"),
            ("session store --json", "session store does", "info, check, backup, restore, convert"),
            ("session message", "session message does nothing", "its commands: add"),
            ("session --color puce", "puce", "`session --help`"),
        ] {
            let words: Vec<_> = line.split(' ').map(OsString::from).collect();
            let error = parse(&words).unwrap_err();
            assert!(error.is(session_core::ErrorKind::Usage), "{error:?}");
            let advice = error.advice().unwrap_or_default();
            assert!(error.message().contains(message), "{line}: {error:?}");
            assert!(advice.contains(hint), "{line}: {error:?}");
        }
    }
}
