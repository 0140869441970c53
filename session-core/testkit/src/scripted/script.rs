//! The parts that can be played, as plain state machines.

use std::collections::BTreeMap;

use session_core::{Exit, TerminalSize};

/// One part being played.
pub(super) struct Script {
    part: Part,
    surroundings: Surroundings,
    /// Whether the line `go` has been read.
    released: bool,
}

/// What a program finds around it.
pub(super) struct Surroundings {
    pub(super) environment: BTreeMap<String, String>,
    pub(super) directory: String,
}

/// What the program does.
pub(super) enum Action {
    /// Prints a line.
    Print(String),
    /// Ends. Nothing comes after it.
    End(Exit),
}

enum Part {
    Exit(Exit),
    Echo,
    Lines(u32),
    /// Prints so many lines, then echoes.
    Burst(u32),
    Stubborn,
    Lingering,
    Polite,
    Size,
    Environment(String),
    Directory,
}

impl Script {
    /// The part that `argv` asks for, if there is such a part.
    pub(super) fn parse(argv: &[String], surroundings: Surroundings) -> Option<Self> {
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        let part = match words[..] {
            ["script", "exit", code] => Part::Exit(Exit::Code(code.parse().ok()?)),
            ["script", "signal", signal] => Part::Exit(Exit::Signal(signal.parse().ok()?)),
            ["script", "echo"] => Part::Echo,
            ["script", "lines", count] => Part::Lines(count.parse().ok()?),
            ["script", "burst", count] => Part::Burst(count.parse().ok()?),
            ["script", "stubborn"] => Part::Stubborn,
            ["script", "lingering"] => Part::Lingering,
            ["script", "polite"] => Part::Polite,
            ["script", "size"] => Part::Size,
            ["script", "environment", name] => Part::Environment(name.to_owned()),
            ["script", "directory"] => Part::Directory,
            _ => return None,
        };
        Some(Self { part, surroundings, released: false })
    }

    /// What it does before it reads anything.
    pub(super) fn start(&self) -> Vec<Action> {
        match self.part {
            Part::Exit(exit) => vec![Action::End(exit)],
            _ => Vec::new(),
        }
    }

    /// What it does about a line of input.
    pub(super) fn line(&mut self, line: &str, size: TerminalSize) -> Vec<Action> {
        if self.released {
            return match self.part {
                Part::Echo | Part::Burst(_) => vec![Action::Print(format!("got:{line}"))],
                _ => Vec::new(),
            };
        }
        if line != "go" {
            return Vec::new();
        }
        self.released = true;
        self.released_with(size)
    }

    /// What it does at the end of its input.
    pub(super) fn end_of_input(&self) -> Vec<Action> {
        match self.part {
            Part::Echo | Part::Burst(_) => vec![Action::End(Exit::Code(0))],
            _ => Vec::new(),
        }
    }

    /// What it does when its terminal has another size.
    pub(super) fn resized(&self, size: TerminalSize) -> Vec<Action> {
        match self.part {
            Part::Size if self.released => vec![Action::Print(format!("size {size}"))],
            _ => Vec::new(),
        }
    }

    /// How it ends when it is stopped: by the first signal that it does not ignore.
    pub(super) fn stopped(&self) -> Vec<Action> {
        match self.part {
            Part::Stubborn => vec![Action::End(Exit::Signal(9))],
            Part::Lingering => self.terminated(),
            Part::Polite if self.released => self.terminated(),
            _ => vec![Action::End(Exit::Signal(1))],
        }
    }

    /// What it does about the signal TERM.
    pub(super) fn terminated(&self) -> Vec<Action> {
        match self.part {
            Part::Stubborn => Vec::new(),
            Part::Polite if self.released => {
                vec![Action::Print("bye".to_owned()), Action::End(Exit::Code(5))]
            }
            _ => vec![Action::End(Exit::Signal(15))],
        }
    }

    fn released_with(&self, size: TerminalSize) -> Vec<Action> {
        let print = |text: String| vec![Action::Print(text), Action::End(Exit::Code(0))];
        match &self.part {
            Part::Exit(_) => Vec::new(),
            Part::Echo | Part::Stubborn | Part::Lingering | Part::Polite => {
                vec![Action::Print("ready".to_owned())]
            }
            Part::Burst(count) => numbered(*count).collect(),
            Part::Lines(count) => numbered(*count).chain([Action::End(Exit::Code(0))]).collect(),
            Part::Size => vec![Action::Print(format!("size {size}"))],
            Part::Environment(name) => {
                let value = self.surroundings.environment.get(name);
                print(value.map_or_else(|| "unset".to_owned(), |value| format!("value:{value}")))
            }
            Part::Directory => print(format!("directory:{}", self.surroundings.directory)),
        }
    }
}

fn numbered(count: u32) -> impl Iterator<Item = Action> {
    (1..=count).map(|number| Action::Print(format!("line {number}")))
}
