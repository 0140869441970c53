//! The states of the DEC escape sequence parser, without its parameters.

/// Where in an escape sequence a stream stands (Paul Williams' parser, as vte 0.15 has it).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sequence {
    #[default]
    Ground,
    Escape,
    EscapeIntermediate,
    Csi,
    Osc,
    DcsEntry,
    DcsParameter,
    DcsIntermediate,
    DcsIgnored,
    DcsPassthrough,
    /// SOS, PM and APC.
    Ignored,
}

/// What one byte did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It belongs to the sequence, which goes on.
    Taken,
    /// It has no meaning here.
    Ignored,
    /// It is a control character that takes effect at once; the sequence goes on.
    Control,
    /// CAN or SUB: it ended the sequence.
    Aborted,
    /// It completed the sequence.
    Finished,
    /// ESC: it ended the sequence and began another.
    Restarted,
}

impl Sequence {
    pub(super) fn is_ground(self) -> bool {
        self == Self::Ground
    }

    /// ESC outside any sequence.
    pub(super) fn begin(&mut self) {
        *self = Self::Escape;
    }

    /// An introducer that makes a terminal swallow the rest of an overlong string.
    pub(super) fn swallowing(self) -> &'static [u8] {
        match self {
            // Ended by BEL too, which the others are not; the number is nobody's.
            Self::Osc => b"\x1b]9999;",
            Self::Csi => b"\x1b[??",
            Self::Escape | Self::EscapeIntermediate => b"\x1b ",
            _ => b"\x1bX",
        }
    }

    /// Takes a byte inside a sequence.
    pub(super) fn step(&mut self, byte: u8) -> Step {
        match (*self, byte) {
            (_, 0x18 | 0x1a) => self.go(Self::Ground, Step::Aborted),
            (_, 0x1b) => self.go(Self::Escape, Step::Restarted),
            (Self::Osc, 0x07) => self.go(Self::Ground, Step::Finished),
            (Self::Osc, 0x20..) => Step::Taken,
            (Self::Ignored | Self::DcsIgnored, 0x20..) => Step::Taken,
            (Self::DcsPassthrough, 0x9c) => self.go(Self::Ground, Step::Finished),
            (Self::DcsPassthrough, 0x00..=0x7e) => Step::Taken,
            (Self::Escape | Self::EscapeIntermediate | Self::Csi, 0x00..=0x1f) => Step::Control,
            (_, 0x00..=0x1f | 0x7f..) => Step::Ignored,
            (Self::Escape, b'P') => self.go(Self::DcsEntry, Step::Taken),
            (Self::Escape, b'[') => self.go(Self::Csi, Step::Taken),
            (Self::Escape, b']') => self.go(Self::Osc, Step::Taken),
            (Self::Escape, b'X' | b'^' | b'_') => self.go(Self::Ignored, Step::Taken),
            (Self::Escape, 0x20..=0x2f) => self.go(Self::EscapeIntermediate, Step::Taken),
            (Self::EscapeIntermediate, 0x20..=0x2f) | (Self::Csi, 0x20..=0x3f) => Step::Taken,
            (Self::Escape | Self::EscapeIntermediate | Self::Csi, _) => {
                self.go(Self::Ground, Step::Finished)
            }
            (Self::DcsEntry | Self::DcsParameter | Self::DcsIntermediate, 0x40..) => {
                self.go(Self::DcsPassthrough, Step::Taken)
            }
            (Self::DcsEntry | Self::DcsParameter | Self::DcsIntermediate, 0x20..=0x2f) => {
                self.go(Self::DcsIntermediate, Step::Taken)
            }
            (Self::DcsEntry, _) | (Self::DcsParameter, 0x30..=0x3b) => {
                self.go(Self::DcsParameter, Step::Taken)
            }
            (Self::DcsParameter | Self::DcsIntermediate, _) => {
                self.go(Self::DcsIgnored, Step::Taken)
            }
            // The caller asks only inside a sequence.
            (Self::Ground, _) => Step::Ignored,
        }
    }

    fn go(&mut self, next: Self, step: Step) -> Step {
        *self = next;
        step
    }
}
