//! The only way to standard output and standard error.

pub(crate) mod json;
pub(crate) mod table;
pub(crate) mod text;

use std::ffi::OsString;
use std::io::{self, BufWriter, StdoutLock, Write as _};

use serde::Serialize;

use crate::args::Color;
use crate::error::CliError;
use crate::plan::{Caller, Format, Loudness, Plan, wants_color};
use text::shown;

/// Where results, notes and errors go, and how they look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
    /// Whether a person reads standard output.
    pub(crate) is_terminal: bool,
    loudness: Loudness,
    color: bool,
    error_color: bool,
}

/// Standard output for what comes in many pieces.
#[derive(Debug)]
pub(crate) struct Stream {
    out: BufWriter<StdoutLock<'static>>,
}

/// What an answer looks like on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Good,
    Doubtful,
    Bad,
    Strong,
}

impl Output {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            format: plan.format,
            is_terminal: plan.caller.stdout_is_terminal,
            loudness: plan.loudness,
            color: plan.color,
            error_color: plan.color && plan.caller.stderr_is_terminal,
        }
    }

    /// The output of an invocation that nothing is known of yet but what was typed.
    pub(crate) fn before_plan(words: &[OsString], caller: &Caller) -> Self {
        let json = words.iter().take_while(|word| *word != "--").any(|word| word == "--json");
        let color = wants_color(Color::Auto, caller);
        Self {
            format: if json { Format::Json } else { Format::Text },
            is_terminal: caller.stdout_is_terminal,
            loudness: Loudness::Normal,
            color,
            error_color: color && caller.stderr_is_terminal,
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// One object on a line of its own.
    pub(crate) fn object(&self, body: &impl Serialize) -> Result<(), CliError> {
        let mut line = versioned(body)?;
        line.push('\n');
        self.bytes(line.as_bytes())
    }

    /// Text, with a line break at its end.
    pub(crate) fn text(&self, text: &str) -> Result<(), CliError> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(|source| failed(&source))
    }

    /// What comes in many pieces, each of which is printed when there are enough of them.
    pub(crate) fn stream(&self) -> Stream {
        Stream { out: BufWriter::new(io::stdout().lock()) }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.loudness == Loudness::Quiet
    }

    /// Something to know beside the result.
    pub(crate) fn note(&self, text: &str) {
        if self.loudness >= Loudness::Normal {
            tell(&shown(text));
        }
    }

    /// Something to know for who asked for more.
    pub(crate) fn detail(&self, text: &str) {
        if self.loudness >= Loudness::Verbose {
            tell(&shown(text));
        }
    }

    /// An error that does not end the command: the last one is told at the end.
    pub(crate) fn lesser_error(&self, error: &CliError) {
        self.tell_error(error);
    }

    /// The error that ends the command.
    pub(crate) fn error(&self, error: &CliError) {
        if self.is_json() {
            let body = json::ErrorObject::new(error);
            // Its parts are strings and a boolean, which always have a JSON form.
            if let Ok(line) = versioned(&body) {
                tell(&line);
            }
        } else {
            self.tell_error(error);
        }
    }

    fn tell_error(&self, error: &CliError) {
        let paint = |text: &str, style| {
            if self.error_color { painted(text, style) } else { text.to_owned() }
        };
        tell(&format!("{} {}", paint("error:", Style::Bad), shown(error.message())));
        if let Some(hint) = error.advice() {
            tell(&format!("{} {}", paint("hint:", Style::Strong), shown(hint)));
        }
    }

    /// The text in the colours of the style, where there are colours.
    pub(crate) fn paint(&self, text: &str, style: Style) -> String {
        if self.color { painted(text, style) } else { text.to_owned() }
    }
}

impl Stream {
    /// Prints a piece, sooner or later.
    pub(crate) fn put(&mut self, text: &str) -> Result<(), CliError> {
        self.out.write_all(text.as_bytes()).map_err(|source| failed(&source))
    }

    /// Prints all that is left.
    pub(crate) fn finish(mut self) -> Result<(), CliError> {
        self.out.flush().map_err(|source| failed(&source))
    }
}

fn failed(source: &io::Error) -> CliError {
    CliError::io("writing the output", source)
}

fn painted(text: &str, style: Style) -> String {
    let code = match style {
        Style::Good => "32",
        Style::Doubtful => "33",
        Style::Bad => "31",
        Style::Strong => "1",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// A line on standard error. When nobody reads it, there is nobody to tell that.
fn tell(line: &str) {
    let _nobody_reads = writeln!(io::stderr().lock(), "{line}");
}

/// The members of `body` after the version of their schema.
fn versioned(body: &impl Serialize) -> Result<String, CliError> {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        schema_version: u8,
        #[serde(flatten)]
        body: &'a T,
    }
    serde_json::to_string(&Versioned { schema_version: 1, body }).map_err(|error| {
        let message = format!("writing JSON: {error}");
        CliError::new(session_core::ErrorKind::Internal, message)
    })
}
