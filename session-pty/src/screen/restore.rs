//! Bytes that calm an outer terminal down, whatever a program has done to it.

/// Modes, keyboards and shapes back to what terminals start with; the cursor does not move.
/// Colours are left alone, as the user may have set them.
macro_rules! calm {
    () => {
        concat!(
            // The end of a string or of a synchronised update, if one was cut short.
            "\x1b\\\x1b[?2026l",
            // Mouse: kinds, encodings. Then focus, paste, reports of schemes and sizes.
            "\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l",
            "\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1016l",
            "\x1b[?1004l\x1b[?2004l\x1b[?2031l\x1b[?2048l",
            // Keys: cursor, keypad, win32, modifyOtherKeys.
            "\x1b[?1l\x1b[?66l\x1b>\x1b[?9001l\x1b[>4m",
            // Insert, new line, reverse video, wrap.
            "\x1b[4l\x1b[20l\x1b[?5l\x1b[?7h",
            // Character sets, attributes, link, the cursor's shape.
            "\x1b(B\x1b)B\x1b*B\x1b+B\x0f\x1b[0m\x1b]8;;\x1b\\\x1b[0 q",
        )
    };
}

/// The private modes among [`CARRIED`](super::tracked::CARRIED) that are off in a calm terminal.
pub(super) const OFF: [u16; 8] = [5, 9, 66, 1015, 1016, 2031, 2048, 9001];

/// How a snapshot begins. What moves the cursor needs no care here. The main screen's keyboard flags
/// are set later; the alternate one's can only be dropped while it is shown.
pub(super) const RESET: &str =
    concat!("\x1b[<99u\x1b[?1049l\x1b[?6l\x1b[r\x1b[?69l\x1b[?25l", calm!());

/// Puts an outer terminal back into a sane state after any program: main screen, no mouse, paste,
/// focus or keyboard protocol, no margins, default character set, attributes and cursor, wrapping.
///
/// The cursor stays where it is, except on terminals that know neither DECSTR nor origin mode's
/// place in a saved cursor. The order matters: leaving the alternate screen and DECRC bring back
/// what a cursor was saved with, margins and origin mode move it.
pub const RESTORE: &[u8] = concat!(
    // Keyboard flags of the alternate screen, if it is shown; without a saved cursor some
    // terminals would go home on leaving a screen they do not show.
    "\x1b[<99u\x1b7\x1b[?1049l",
    "\x1b[<99u\x1b[=0;1u",
    // DECRC undoes what setting margins and origin mode did to the cursor; DECSTR switches off
    // the origin mode that DECRC may have brought back.
    "\x1b7\x1b[?6l\x1b[r\x1b[?69l\x1b8\x1b[!p",
    calm!(),
    "\x1b[?25h",
)
.as_bytes();
