//! Commands that have to do with running programs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use session_core::{Status, TerminalSize};
use session_pty::Cursor;

use super::value::{LabelPair, Variable, duration, number};
use crate::complete;

/// Attach to a running session, or create it
///
/// Ctrl-\ leaves it again. Without a terminal this is a pipe: output as it comes, and standard input is typed. Whoever
/// stays until the program ends gets its exit code, 128 + the signal when it was killed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  session attach main              your shell in a session called main
  session attach agent -- claude   that program, unless the session runs already
  session attach                   the session that you attached last
  echo ls | session attach main    type a line, see what comes, leave")]
pub(crate) struct AttachArgs {
    /// Name the session; a running one may also be given by its id [default: the one attached last]
    #[arg(add = complete::sessions())]
    pub(crate) name: Option<String>,
    /// Watch without typing
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Fail when it does not run
    #[arg(long)]
    pub(crate) no_create: bool,
    /// Send everybody else away
    #[arg(long)]
    pub(crate) detach_others: bool,
    /// Leave out what has scrolled off the screen; else it goes into this terminal's own history
    #[arg(long)]
    pub(crate) no_scrollback: bool,
    /// Run this program in a new session [default: $SHELL]
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

/// Create a session and start a program in it
///
/// Unless it is left in the background, this ends with the program's exit code, 128 + the signal when it was killed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  session new build -d -- make -j8   in the background; prints name and id
  session new                        your shell under a name that is made up
  echo ls | session new x -- sh      in a pipe: ends with the program's exit code")]
pub(crate) struct NewArgs {
    /// Name the session [default: two words]
    pub(crate) name: Option<String>,
    /// Leave it in the background, and print its name and id
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Record it for players of terminal recordings (asciicast)
    #[arg(long)]
    pub(crate) record: bool,
    /// Start in this directory [default: the present one]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) workdir: Option<PathBuf>,
    /// Record this tool, and run it when no CMD is given
    #[arg(long, value_name = "TOOL", add = complete::tools())]
    pub(crate) tool: Option<String>,
    /// Record this session as the one that started it
    #[arg(long, value_name = "S", add = complete::sessions())]
    pub(crate) parent: Option<String>,
    /// Add a variable to the environment; its value is stored
    #[arg(long, value_name = "K=V")]
    pub(crate) env: Vec<Variable>,
    /// Label the session
    #[arg(long, value_name = "K=V", add = complete::labels())]
    pub(crate) label: Vec<LabelPair>,
    /// Begin with a terminal of this size [default: that of your terminal, else 80x24]
    #[arg(long, value_name = "COLSxROWS")]
    pub(crate) size: Option<TerminalSize>,
    /// Return the parent's running session of this tool, if there is one
    #[arg(long, requires = "parent", requires = "tool")]
    pub(crate) reuse: bool,
    /// Run this program [default: $SHELL]
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

/// Type into a session: text, then keys in order, then Enter
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  session send build 'make test' --enter
  session send editor --key Escape --key C-x --key C-s
  session send shell --stdin < commands.txt
  session send shell --enter -- -n        text that begins with a hyphen

Keys: Enter Tab BTab Escape Space BSpace Up Down Left Right Home End PageUp PageDown Insert Delete
F1 to F12, any character, with C- (Ctrl), M- (Alt) and S- (Shift) before it, as in C-c, M-x, C-M-a,
S-Up; ^c is C-c. Text of several lines is marked as a paste where the program asked for that.")]
pub(crate) struct SendArgs {
    /// Choose the session
    #[arg(value_name = "S", add = complete::sessions())]
    pub(crate) session: String,
    /// Type this; several words are joined by spaces
    pub(crate) text: Vec<String>,
    /// Press Enter at the end
    #[arg(long)]
    pub(crate) enter: bool,
    /// Press this key; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Vec<String>,
    /// Type the bytes of standard input as they are
    #[arg(long, conflicts_with_all = ["text", "enter", "key"])]
    pub(crate) stdin: bool,
}

/// Print what is on the screen of a session
///
/// After the program's end this is the last screen.
#[derive(Debug, Args)]
pub(crate) struct ScreenArgs {
    /// Choose the session [default: the current one]
    #[arg(value_name = "S", add = complete::sessions())]
    pub(crate) session: Option<String>,
    /// Choose how to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: ScreenFormat,
    /// Print so many lines above the screen as well, or all that are kept
    #[arg(long, value_name = "N|all")]
    pub(crate) scrollback: Option<Scrollback>,
}

/// How a screen is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScreenFormat {
    /// Plain text
    Text,
    /// Text with colours and attributes as escape sequences
    Ansi,
    /// An HTML element with inline styles
    Html,
    /// An object with size, cursor and lines
    Json,
}

/// How many lines above the screen are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scrollback(pub(crate) usize);

impl std::str::FromStr for Scrollback {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self(usize::MAX));
        }
        text.parse().map(Self).map_err(|_| "use a number of lines, or all")
    }
}

/// Print what a session has written, as text
#[derive(Debug, Args)]
#[command(
    after_help = "The newest 4 MiB of output are kept. Escape sequences are removed; --raw keeps the bytes."
)]
pub(crate) struct LogsArgs {
    /// Choose the session [default: the current one]
    #[arg(value_name = "S", add = complete::sessions())]
    pub(crate) session: Option<String>,
    /// Go on until the program ends
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Print the bytes as they came
    #[arg(long)]
    pub(crate) raw: bool,
    /// Print the last N lines of what there is
    #[arg(long, short = 'n', value_name = "N", value_parser = number::<usize>)]
    pub(crate) lines: Option<usize>,
}

/// Wait until something happens in a session
///
/// Of several conditions the first that holds ends the wait, and is printed. Ends with the program's own exit code
/// when its end was waited for, with 124 at the time limit, with 5 when the program ended before the text came.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  session wait build                           until it ends
  session wait server --text 'listening on'    until this is on its screen or in its output
  session wait agent --idle 10s --timeout 5m   until there was no output for ten seconds

A status is looked up twice a second; everything else is told by the supervisor.")]
pub(crate) struct WaitArgs {
    /// Choose the session [default: the current one]
    #[arg(value_name = "S", add = complete::sessions())]
    pub(crate) session: Option<String>,
    /// Wait for the end of the program, as without any condition
    #[arg(long)]
    pub(crate) exit: bool,
    /// Wait until there was no output for so long
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) idle: Option<Duration>,
    /// Wait for a line on the screen or in the output; what is there already counts
    #[arg(long, value_name = "REGEX")]
    pub(crate) text: Option<String>,
    /// Wait for a status; may be repeated
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub(crate) status: Vec<Status>,
    /// Give up after so long
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

/// Print what happens to sessions, such as programs that start and end
///
/// The supervisor keeps the newest 4,096 events for as long as it runs. Each has a cursor; given back, it leaves out
/// what was seen. A gap says that something may have been missed in between, as when the supervisor was another.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  session events                                what is kept, of the current session or else of all
  session events build --follow                 until the program of build ends
  session events --all -f --json                of all, one object a line
  session events --json --cursor \"$CURSOR\"      what came after the last one that was seen

Without --follow nothing is waited for, and no supervisor means no events.")]
pub(crate) struct EventsArgs {
    /// Choose the session [default: the current one, or else all]
    #[arg(value_name = "S", add = complete::sessions())]
    pub(crate) session: Option<String>,
    /// Print those of all sessions, also inside one
    #[arg(long, conflicts_with = "session")]
    pub(crate) all: bool,
    /// Go on with what comes, until the program ends
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Leave out everything up to the event with this cursor
    #[arg(long, value_name = "C", value_parser = cursor)]
    pub(crate) cursor: Option<Cursor>,
}

fn cursor(text: &str) -> Result<Cursor, String> {
    let hint = "use the cursor of an event, as `session events --json` prints it";
    text.parse().map_err(|_| hint.to_owned())
}

/// End the programs of sessions, and wait until they have ended
///
/// A program is asked by hanging up, then by SIGTERM, then killed.
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Choose the sessions
    #[arg(value_name = "S", required_unless_present = "all", add = complete::sessions())]
    pub(crate) sessions: Vec<String>,
    /// Stop everything that runs
    #[arg(long, conflicts_with = "sessions")]
    pub(crate) all: bool,
    /// Kill at once
    #[arg(long)]
    pub(crate) force: bool,
    /// Give each step so long
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration, conflicts_with = "force")]
    pub(crate) timeout: Duration,
}

/// Send viewers of a session away: the one that typed last, or all
#[derive(Debug, Args)]
pub(crate) struct DetachArgs {
    /// Choose the session [default: the current one]
    #[arg(value_name = "S", add = complete::sessions())]
    pub(crate) session: Option<String>,
    /// Send all of them away
    #[arg(long)]
    pub(crate) all: bool,
}

/// Change the size of a session's terminal
#[derive(Debug, Args)]
pub(crate) struct ResizeArgs {
    /// Choose the session
    #[arg(value_name = "S", add = complete::sessions())]
    pub(crate) session: String,
    /// Set this size
    #[arg(value_name = "COLSxROWS")]
    pub(crate) size: TerminalSize,
}
