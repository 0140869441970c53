//! What a runtime does, as plain data.

use session_core::{ErrorKind, Exit, TerminalSize};

use super::operation::Operation;
use crate::runtime::Program;

/// The programs whose every byte is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Exit(i32),
    Signalled,
    Echo,
    Numbered(u32),
    Burst(u32),
    Stubborn,
    Lingering,
    Polite,
    Size,
}

/// All sessions and watchers that there ever were.
#[derive(Clone, Debug, Default)]
pub(super) struct Reference {
    pub(super) sessions: Vec<Played>,
    pub(super) watchers: Vec<Seen>,
    /// Whether the runtime can die without its programs.
    pub(super) can_be_away: bool,
}

/// A session.
#[derive(Clone, Debug)]
pub(super) struct Played {
    pub(super) kind: Kind,
    pub(super) name: Option<usize>,
    /// Whether it was let print.
    pub(super) released: bool,
    /// What was typed of a line.
    typed: String,
    /// All lines that it has printed.
    pub(super) lines: Vec<String>,
    pub(super) size: TerminalSize,
    /// The changes of its size.
    pub(super) sizes: Vec<TerminalSize>,
    pub(super) exit: Option<Exit>,
}

/// A watcher.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) session: u32,
    /// The first line that it gets.
    pub(super) from: usize,
    pub(super) is_there: bool,
}

/// What an operation must give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Exit(Option<Exit>),
    Refused(ErrorKind),
}

impl Kind {
    pub(super) const fn program(self) -> Program {
        match self {
            Self::Exit(code) => Program::Exit(code),
            Self::Signalled => Program::Signalled,
            Self::Echo => Program::Echo,
            Self::Numbered(count) => Program::Numbered(count),
            Self::Burst(count) => Program::Burst(count),
            Self::Stubborn => Program::Stubborn,
            Self::Lingering => Program::Lingering,
            Self::Polite => Program::Polite,
            Self::Size => Program::ReportSize,
        }
    }

    /// Whether it sits signals out, so that each step of a stop takes its whole time.
    pub(super) const fn sits_out(self) -> bool {
        matches!(self, Self::Stubborn | Self::Lingering)
    }
}

impl Reference {
    /// The sessions whose programs run.
    pub(super) fn running(&self) -> impl Iterator<Item = u32> {
        (0_u32..).zip(&self.sessions).filter(|(_, played)| played.exit.is_none()).map(|(id, _)| id)
    }

    pub(super) fn perform(&mut self, operation: &Operation) -> Outcome {
        self.try_to_perform(operation).unwrap_or_else(Outcome::Refused)
    }

    fn try_to_perform(&mut self, operation: &Operation) -> Result<Outcome, ErrorKind> {
        match operation {
            Operation::Spawn(kind, name) => {
                if name.is_some() && self.running().any(|id| self.at(id).name == *name) {
                    return Err(ErrorKind::Exists);
                }
                self.sessions.push(Played::new(*kind, *name));
            }
            Operation::Go(id) => self.program(*id)?.release(),
            Operation::Type(id, text) => self.program(*id)?.read(text),
            Operation::End(id) => self.program(*id)?.end_input(),
            Operation::Resize(id, (cols, rows)) => {
                self.program(*id)?.resize(TerminalSize::nearest(*cols, *rows));
            }
            Operation::Subscribe(id) => self.watch(*id, self.known(*id)?.lines.len()),
            Operation::Replay(id) => {
                self.known(*id)?;
                self.watch(*id, 0);
            }
            Operation::Read(_) => {}
            Operation::Leave(index) => {
                if let Some(watcher) = self.watchers.get_mut(*index) {
                    watcher.is_there = false;
                }
            }
            Operation::Wait(id) => return Ok(Outcome::Exit(self.known(*id)?.exit)),
            Operation::Stop(id) => {
                let program = self.program(*id)?;
                program.stop();
                return Ok(Outcome::Exit(program.exit));
            }
            Operation::Outage(victim) => {
                if let Some(victim) = victim.filter(|victim| self.is_victim(*victim)) {
                    self.program(victim)?.bow_out();
                }
            }
        }
        Ok(Outcome::Done)
    }

    /// Whether an outage ends this program.
    pub(super) fn is_victim(&self, id: u32) -> bool {
        let polite = |played: &&Played| {
            played.kind == Kind::Polite && played.released && played.exit.is_none()
        };
        self.can_be_away && self.sessions.get(id as usize).filter(polite).is_some()
    }

    /// Whether it needs not be let print: it was, or it cannot be.
    pub(super) fn is_released(&self, id: u32) -> bool {
        let played = self.sessions.get(id as usize);
        played.is_none_or(|played| played.released || played.exit.is_some())
    }

    /// What ends the input of this session.
    pub(super) fn last_input(&self, id: u32) -> &'static str {
        self.sessions.get(id as usize).map_or("\u{4}", Played::last_input)
    }

    pub(super) fn at(&self, id: u32) -> &Played {
        &self.sessions[id as usize]
    }

    fn known(&self, id: u32) -> Result<&Played, ErrorKind> {
        self.sessions.get(id as usize).ok_or(ErrorKind::NotFound)
    }

    fn program(&mut self, id: u32) -> Result<&mut Played, ErrorKind> {
        let played = self.sessions.get_mut(id as usize).ok_or(ErrorKind::NotFound)?;
        if played.exit.is_some() { Err(ErrorKind::NotRunning) } else { Ok(played) }
    }

    fn watch(&mut self, session: u32, from: usize) {
        self.watchers.push(Seen { session, from, is_there: true });
    }
}

impl Played {
    fn new(kind: Kind, name: Option<usize>) -> Self {
        let exit = match kind {
            Kind::Exit(code) => Some(Exit::Code(code)),
            Kind::Signalled => Some(Exit::Signal(9)),
            _ => None,
        };
        Self {
            kind,
            name,
            released: false,
            typed: String::new(),
            lines: Vec::new(),
            size: TerminalSize::DEFAULT,
            sizes: Vec::new(),
            exit,
        }
    }

    /// Lets it print.
    fn release(&mut self) {
        if std::mem::replace(&mut self.released, true) {
            return;
        }
        match self.kind {
            Kind::Exit(_) | Kind::Signalled => {}
            Kind::Echo | Kind::Stubborn | Kind::Lingering | Kind::Polite => self.print("ready"),
            Kind::Numbered(count) | Kind::Burst(count) => {
                (1..=count).for_each(|number| self.print(format!("line {number}")));
            }
            Kind::Size => self.print(format!("size {}", self.size)),
        }
        if matches!(self.kind, Kind::Numbered(_)) {
            self.exit = Some(Exit::Code(0));
        }
    }

    /// Reads what is typed. What does not print yet would take any line for its start, so that comes first.
    fn read(&mut self, text: &str) {
        self.release();
        if !self.echoes() {
            return;
        }
        for character in text.chars() {
            if character == '\n' {
                let line = std::mem::take(&mut self.typed);
                self.print(format!("got:{line}"));
            } else {
                self.typed.push(character);
            }
        }
    }

    /// What has to be typed so that the input ends: the line that is not whole is ended first.
    pub(super) fn last_input(&self) -> &'static str {
        if self.typed.is_empty() { "\u{4}" } else { "\n\u{4}" }
    }

    fn end_input(&mut self) {
        self.release();
        if self.echoes() {
            if !self.typed.is_empty() {
                self.read("\n");
            }
            self.exit = Some(Exit::Code(0));
        }
    }

    const fn echoes(&self) -> bool {
        matches!(self.kind, Kind::Echo | Kind::Burst(_))
    }

    fn resize(&mut self, size: TerminalSize) {
        if self.size == size {
            return;
        }
        self.size = size;
        self.sizes.push(size);
        if self.kind == Kind::Size && self.released {
            self.print(format!("size {size}"));
        }
    }

    /// Whether it must be let print before it is stopped: only then is it certain what it does about signals.
    pub(super) const fn is_released_to_stop(&self) -> bool {
        !self.released && matches!(self.kind, Kind::Stubborn | Kind::Lingering | Kind::Polite)
    }

    fn stop(&mut self) {
        if self.is_released_to_stop() {
            self.release();
        }
        match self.kind {
            Kind::Stubborn => self.exit = Some(Exit::Signal(9)),
            Kind::Lingering => self.exit = Some(Exit::Signal(15)),
            Kind::Polite => self.bow_out(),
            _ => self.exit = Some(Exit::Signal(1)),
        }
    }

    fn bow_out(&mut self) {
        self.print("bye");
        self.exit = Some(Exit::Code(5));
    }

    fn print(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }
}
