//! The colours that indexes stand for where no terminal says otherwise (xterm's defaults).

use alacritty_terminal::term::color::Colors;
use alacritty_terminal::vte::ansi::{Color, NamedColor, Rgb};

const NAMED: [u32; 16] = [
    0x00_0000, 0xcd_0000, 0x00_cd00, 0xcd_cd00, 0x00_00ee, 0xcd_00cd, 0x00_cdcd, 0xe5_e5e5,
    0x7f_7f7f, 0xff_0000, 0x00_ff00, 0xff_ff00, 0x5c_5cff, 0xff_00ff, 0x00_ffff, 0xff_ffff,
];

/// The value of an index of the engine's palette: as the program set it, else xterm's.
pub(super) fn value(colors: &Colors, index: usize) -> Rgb {
    if let Some(rgb) = colors[index.min(268)] {
        return rgb;
    }
    const FOREGROUND: usize = NamedColor::Foreground as usize;
    const CURSOR: usize = NamedColor::Cursor as usize;
    match index {
        0..16 => rgb(NAMED[index]),
        16..232 => {
            let level = |step: usize| if step == 0 { 0 } else { (55 + 40 * step) as u8 };
            let cube = index - 16;
            Rgb { r: level(cube / 36), g: level(cube / 6 % 6), b: level(cube % 6) }
        }
        232..256 => {
            let grey = (8 + 10 * (index - 232)) as u8;
            Rgb { r: grey, g: grey, b: grey }
        }
        FOREGROUND | CURSOR => rgb(NAMED[7]),
        _ => rgb(NAMED[0]),
    }
}

/// What a cell's colour looks like.
pub(super) fn resolve(colors: &Colors, color: Color) -> Rgb {
    match color {
        Color::Spec(rgb) => rgb,
        Color::Indexed(index) => value(colors, usize::from(index)),
        Color::Named(named) => value(colors, named as usize),
    }
}

fn rgb(value: u32) -> Rgb {
    let [_, r, g, b] = value.to_be_bytes();
    Rgb { r, g, b }
}
