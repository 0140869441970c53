//! Words for people: how a program ended, how long ago something was, text that a terminal may be shown.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use session_core::{Exit, ProcessState, Session, Timestamp};

/// The text without anything that a terminal would act upon: control characters, and characters that change the
/// direction of text or cannot be seen, are written as escapes.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if acts(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// As [`shown`], with line breaks and tabs left as they are.
pub(crate) fn shown_lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let lines = text.split('\n').map(|line| {
        let fields: Vec<_> = line.split('\t').map(shown).collect();
        fields.join("\t")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// What people call it: its name, or else the end of its id.
pub(crate) fn called(session: &Session) -> String {
    session.name().map_or_else(|| session.id().short(), ToString::to_string)
}

/// The state of its program, in a word or two.
pub(crate) fn program_state(session: &Session) -> String {
    match session.process.as_ref().map(|process| process.state) {
        None => "-".to_owned(),
        Some(ProcessState::Exited(Exit::Code(code))) => format!("exit {code}"),
        Some(ProcessState::Exited(Exit::Signal(signal))) => format!("signal {signal}"),
        Some(state) => state.as_str().to_owned(),
    }
}

/// How it ended, after the name of a session.
pub(crate) fn ended(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("ended with exit code {code}"),
        Exit::Signal(signal) => format!("was killed by signal {signal}"),
        Exit::Unknown => "ended, and nobody saw how".to_owned(),
    }
}

/// The command line as a person would type it.
pub(crate) fn command_line(argv: &[String]) -> String {
    let mut line = String::new();
    for word in argv {
        if !line.is_empty() {
            line.push(' ');
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
        if !word.is_empty() && word.bytes().all(is_plain) {
            line.push_str(word);
        } else {
            line.push('\'');
            line.push_str(&word.replace('\'', "'\\''"));
            line.push('\'');
        }
    }
    line
}

/// So many of something.
pub(crate) fn number(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// How long before `now` that was, roughly.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    format!("{} ago", roughly(now.since(then)))
}

fn roughly(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (number, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "m"),
        3600..86_400 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    format!("{number}{unit}")
}

/// Lines of a name and a value each, the values under each other.
pub(crate) fn fields<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let fields: Vec<_> = fields.into_iter().collect();
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in fields {
        let value = shown(&value).into_owned();
        // Writing to a string cannot fail.
        let _written = writeln!(text, "{name:width$}  {value}");
    }
    text.truncate(text.trim_end_matches('\n').len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shown_acts_on_a_terminal() {
        assert_eq!(shown("plain é 漢"), "plain é 漢");
        assert_eq!(shown("a\x1b[2Jb\tc\n"), "a\\u{1b}[2Jb\\tc\\n");
        assert_eq!(shown_lines("a\tb\r\n\x1b[2J\rc\n"), "a\tb\n\\u{1b}[2J\\rc\n");
        assert_eq!(shown("a\u{202e}b\u{9b}"), "a\\u{202e}b\\u{9b}");
    }

    #[test]
    fn a_command_line_can_be_typed_again() {
        let argv = ["sh", "-c", "echo it's; exit 7", ""].map(str::to_owned);
        assert_eq!(command_line(&argv), r"sh -c 'echo it'\''s; exit 7' ''");
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!(
            [0, 1, 2].map(|many| number(many, "session")),
            ["0 sessions", "1 session", "2 sessions"]
        );
    }

    #[test]
    fn times_are_told_roughly() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        for (seconds, text) in
            [(0, "0s ago"), (59, "59s ago"), (60, "1m ago"), (7300, "2h ago"), (200_000, "2d ago")]
        {
            assert_eq!(ago(at(0), at(seconds)), text);
        }
        assert_eq!(ago(at(9), at(0)), "0s ago");
    }
}
