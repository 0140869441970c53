//! What a screen tells of itself: to the program, and to whoever keeps it.

use proptest::collection::vec;
use proptest::prelude::*;
use session_pty::screen::{Notice, Screen, ScreenModel};

use crate::pieces::piece;
use crate::stage::{SIZE, cases, readable, screen};

#[test]
fn answers_are_collected_and_secrets_are_not() {
    let mut screen = screen("\x1b[c\x1b[6n\x1b[3;5H\x1b[6n\x1b]11;?\x07\x1b[?u\x1b[?2004$p");
    let answers = "\x1b[?6c\x1b[1;1R\x1b[3;5R\x1b]11;rgb:0000/0000/0000\x07\x1b[?0u\x1b[?2004;2$y";
    assert_eq!(readable(&screen.take_answers()), readable(answers.as_bytes()));
    screen.feed(b"\x1b]2;rm -rf\x07\x1b[21t\x1b[20t\x1b]52;c;?\x07\x1b]52;c;aGk=\x07\x1b]52;c;?\x1b\\\x1bP$q q\x1b\\\x1b[14t");
    assert_eq!(readable(&screen.take_answers()), "");
    screen.feed(&b"\x1b[c".repeat(100_000));
    assert!(screen.take_answers().len() <= 64 * 1024);
}

#[test]
fn notices_are_told_once_and_bounded() {
    let mut screen = screen("\x07\x07\x1b]2;t\x07\x1b]2;t\x07\x07\x1b]7;file:///x\x1b\\");
    let told = [
        Notice::Bell,
        Notice::Title(Some("t".to_owned())),
        Notice::Bell,
        Notice::Directory(Some("file:///x".to_owned())),
    ];
    assert_eq!(screen.take_notices(), told);
    screen.feed(&b"\x07\x1b]2;a\x07\x07\x1b]2;b\x07".repeat(1000));
    assert!(screen.take_notices().len() <= 64);
}

#[test]
fn behind_the_seam_it_is_the_same_screen() {
    let mut model: Box<dyn ScreenModel> = Box::new(Screen::new(SIZE, 0));
    model.feed(b"\x1b[?2004hseen\x1b[");
    let mut copy = Screen::new(SIZE, 0);
    copy.feed(&model.snapshot(0));
    copy.feed(model.unfinished());
    copy.feed(b"3D!");
    assert_eq!(copy.rows_text()[0], "s!en");
    assert!(model.bracketed_paste() && copy.bracketed_paste());
}

/// What a terminal may type into a program: numbers in sequences, and nothing that somebody chose.
fn is_harmless(answers: &[u8]) -> bool {
    let mut rest = answers;
    while !rest.is_empty() {
        let Some(len) = answer_len(rest) else { return false };
        rest = &rest[len..];
    }
    true
}

/// The length of an answer that has nothing in it but numbers.
fn answer_len(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0x1b, b'[', rest @ ..] => {
            let end = rest.iter().position(|byte| !b"0123456789;?>$".contains(byte))?;
            b"cRnuytm".contains(&rest[end]).then_some(end + 3)
        }
        [0x1b, b']', rest @ ..] => {
            let end = rest.iter().position(|byte| !b"0123456789abcdef;:/rg".contains(byte))?;
            match rest[end..] {
                [0x07, ..] => Some(end + 3),
                [0x1b, b'\\', ..] => Some(end + 4),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Everything that asks, with text in every place that an answer might repeat.
#[rustfmt::skip]
const QUESTIONS: &[&str] = &[
    "\x1b[c", "\x1b[>c", "\x1b[=c", "\x1b[5n", "\x1b[6n", "\x1b[?6n", "\x1b[?996n", "\x1b[14t", "\x1b[16t", "\x1b[18t",
    "\x1b[19t", "\x1b[11t", "\x1b[13t", "\x1b[20t", "\x1b[21t", "\x1b[?u", "\x1b[?4m", "\x1b[>q", "\x1b[>0q", "\x05",
    "\x1b[?2026$p", "\x1b[65535$p", "\x1b[?65535$p", "\x1b[1;1;1;1;20;20*y", "\x1b[x", "\x1b[1$w", "\x1b[2$w",
    "\x1bP$qm\x1b\\", "\x1bP$q q\x1b\\", "\x1bP$qrm -rf\r\x1b\\", "\x1bP+q544e\x1b\\", "\x1bP+q726d0d\x1b\\", "\x1bZ",
    "\x1b]52;c;?\x07", "\x1b]52;p;?\x1b\\", "\x1b]52;;?\x07", "\x1b]52;c;cm0gLXJmDQ==\x07", "\x1b]4;1;?\x07",
    "\x1b]4;999;?\x07", "\x1b]4;rm\r;?\x07", "\x1b]10;?\x07", "\x1b]11;?;?\x1b\\", "\x1b]12;?\x07", "\x1b]19;?\x07",
    "\x1b]5522;type=read;rm\x07", "\x1b]60\x07", "\x1b]50;?\x07", "\x1b]7;?\x07", "\x1b]9;rm\x07", "\x1b]99;i=1:p=?;\x07",
    "\x1b]21;rm=?\x07", "\x1b]1337;ReportCellSize\x07", "\x1b]1337;ReportVariable=cm0=\x07", "\x1b]777;rm\x07",
    "\x1b_Gi=1,a=q,s=1,v=1;AAAA\x1b\\", "\x1b[?1;3;256S", "\x1b[22t\x1b[23t\x1b[21t", "\x1b]l\x07", "\x1b]L\x07",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(200), failure_persistence: None, ..Default::default() })]

    #[test]
    fn nobody_chooses_what_a_terminal_types(pieces in vec(prop_oneof![
        3 => prop::sample::select(QUESTIONS).prop_map(|question| question.as_bytes().to_vec()),
        1 => piece(),
        1 => Just(b"\x1b]2;\rrm -rf\r\x07rm -rf\r\n".to_vec()),
    ], 0..60)) {
        let mut screen = screen(pieces.concat());
        let answers = screen.take_answers();
        prop_assert!(is_harmless(&answers), "{}", readable(&answers));
    }
}

#[test]
fn each_question_about_text_goes_unanswered() {
    for question in QUESTIONS {
        let mut screen =
            screen(format!("\x1b]2;rm -rf\x07\x1b]7;file:///rm\x07rm -rf\r\n{question}"));
        let answers = screen.take_answers();
        assert!(is_harmless(&answers), "{}: {}", question.escape_debug(), readable(&answers));
        let text = [
            "]52", "]7", "P$q", "P+q", "[20t", "[21t", "*y", "]1337", "]5522", "\x05", "[14t", "_G",
        ];
        if text.iter().any(|of_text| question.contains(of_text)) {
            assert_eq!(readable(&answers), "", "{}", question.escape_debug());
        }
    }
    assert!(
        !is_harmless(b"\x1b]lrm\x1b\\") && !is_harmless(b"\x1b[1;1Rrm\r") && !is_harmless(b"rm")
    );
}
