//! The kitty keyboard protocol's flags: what is in force and what was pushed.

use alacritty_terminal::vte::ansi::{KeyboardModes, KeyboardModesApplyBehavior};

/// Most entries kept; the oldest is dropped, as the protocol asks.
const DEPTH: usize = 32;

/// One screen's flags (kitty keyboard protocol, "Progressive enhancement").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Keyboard {
    base: Option<KeyboardModes>,
    pushed: Vec<KeyboardModes>,
}

impl Keyboard {
    /// The flags in force.
    pub(super) fn flags(&self) -> KeyboardModes {
        self.pushed.last().copied().or(self.base).unwrap_or(KeyboardModes::NO_MODE)
    }

    pub(super) fn push(&mut self, flags: KeyboardModes) {
        if self.pushed.len() == DEPTH {
            self.pushed.remove(0);
        }
        self.pushed.push(flags);
    }

    /// Popping more than there is resets all flags.
    pub(super) fn pop(&mut self, count: u16) {
        if usize::from(count) > self.pushed.len() {
            *self = Self::default();
        } else {
            self.pushed.truncate(self.pushed.len() - usize::from(count));
        }
    }

    /// Changes the flags in force, in the entry on top.
    pub(super) fn set(&mut self, flags: KeyboardModes, how: KeyboardModesApplyBehavior) {
        let old = self.flags();
        let new = match how {
            KeyboardModesApplyBehavior::Replace => flags,
            KeyboardModesApplyBehavior::Union => old | flags,
            KeyboardModesApplyBehavior::Difference => old - flags,
        };
        match self.pushed.last_mut() {
            Some(top) => *top = new,
            None => self.base = Some(new),
        }
    }

    /// Bytes that make any state this one.
    pub(super) fn restore(&self) -> String {
        let base = self.base.unwrap_or(KeyboardModes::NO_MODE);
        let mut text = String::from("\x1b[<99u");
        if base != KeyboardModes::NO_MODE {
            text += &format!("\x1b[={};1u", base.bits());
        }
        for flags in &self.pushed {
            text += &format!("\x1b[>{}u", flags.bits());
        }
        text
    }

    /// Whether nothing was ever set.
    pub(super) fn is_default(&self) -> bool {
        self.pushed.is_empty() && self.base.unwrap_or(KeyboardModes::NO_MODE).is_empty()
    }
}
