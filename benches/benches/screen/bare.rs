//! The limits: the emulator without anything of ours around it, and the parser without an emulator.

use alacritty_terminal::event::VoidListener;
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::{Config, Term};
use alacritty_terminal::vte::ansi::Processor;
use alacritty_terminal::vte::{Params, Parser, Perform};
use session_benches::output::{COLUMNS, ROWS};

use crate::{CHUNK, HISTORY};

/// The emulator as it comes.
pub(crate) struct Emulator {
    term: Term<VoidListener>,
    processor: Processor,
}

struct Size;

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.screen_lines()
    }

    fn screen_lines(&self) -> usize {
        ROWS.into()
    }

    fn columns(&self) -> usize {
        COLUMNS.into()
    }
}

impl Emulator {
    /// An empty screen.
    pub(crate) fn new() -> Self {
        let config = Config { scrolling_history: HISTORY, ..Config::default() };
        Self { term: Term::new(config, &Size, VoidListener), processor: Processor::new() }
    }

    /// Takes output.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(CHUNK) {
            self.processor.advance(&mut self.term, chunk);
        }
    }

    /// The characters of the screen and of up to `history` lines above it: what anything that writes a screen
    /// down has to go through at least.
    pub(crate) fn characters(&self, history: usize) -> String {
        let grid = self.term.grid();
        let above = i32::try_from(history.min(grid.history_size())).unwrap_or(i32::MAX);
        let mut text = String::new();
        for line in -above..i32::from(ROWS) {
            let row = &grid[Line(line)];
            text.extend((0..COLUMNS).map(|column| row[Column(column.into())].c));
        }
        text
    }
}

/// The parser alone; counts what it tells, so that nothing of it can be left out.
#[derive(Default)]
pub(crate) struct Sequences {
    parser: Parser,
    counter: Counter,
}

#[derive(Default)]
struct Counter(u64);

impl Sequences {
    /// Takes output, and says how much there was to act on so far.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> u64 {
        for chunk in bytes.chunks(CHUNK) {
            self.parser.advance(&mut self.counter, chunk);
        }
        self.counter.0
    }
}

impl Perform for Counter {
    fn print(&mut self, character: char) {
        self.0 += u64::from(u32::from(character));
    }

    fn execute(&mut self, byte: u8) {
        self.0 += u64::from(byte);
    }

    fn csi_dispatch(&mut self, params: &Params, _: &[u8], _: bool, action: char) {
        self.0 += params.len() as u64 + u64::from(u32::from(action));
    }
}
