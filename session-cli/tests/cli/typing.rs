//! Typing into sessions without sitting at them.

use crate::home::Home;

#[test]
fn text_keys_and_enter_come_in_this_order() {
    let home = Home::new();
    home.start("x", "read line; echo \"got <$line>\"; read go");
    home.ok("send x hello world --key BSpace --key D --enter");
    home.ok("wait x --text got.<hello.worlD>");
    assert_eq!(home.json("send x y")["bytes"], 1);
}

#[test]
fn cursor_keys_follow_the_mode_that_the_program_has_set() {
    let home = Home::new();
    home.start("x", r"echo one; read a; printf '\033[?1h'; echo two; read b; printf '%s%s' $a $b | od -c; read go");
    home.ok("wait x --text one");
    home.ok("send x --key Up --enter");
    home.ok("wait x --text two");
    home.ok("send x --key Up --enter");
    home.ok(r"wait x --text 033\s+\[\s+A\s+033\s+O\s+A");
}

#[test]
fn control_keys_reach_the_program() {
    let home = Home::new();
    home.start("x", "trap 'echo caught; exit 4' INT; echo ready; while :; do read go; done");
    home.ok("wait x --text ready");
    home.ok("send x --key C-c");
    assert_eq!(home.run(["wait", "x"]).code, 4);
    assert!(home.ok("logs x").contains("caught"));
}

#[test]
fn lines_are_marked_as_a_paste_only_where_that_was_asked_for() {
    let home = Home::new();
    let script = |begin: &str| {
        format!(
            r"stty -echo; printf '{begin}ready'; read a; read b; printf '%s' $a $b | od -c; read go"
        )
    };
    home.start("plain", &script(""));
    home.start("marked", &script(r"\033[?2004h"));
    for name in ["plain", "marked"] {
        home.ok(&format!("wait {name} --text ready"));
        let ran = home.run(["send", name, "one\ntwo", "--enter"]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    home.ok(r"wait plain --text 0000000\s+o\s+n\s+e\s+t\s+w\s+o$");
    home.ok(r"wait marked --text 033\s+\[\s+2\s+0\s+0\s+~\s+o\s+n\s+e");
}

#[test]
fn bytes_of_standard_input_are_typed_as_they_are() {
    let home = Home::new();
    home.start("x", "read line; echo \"got <$line>\"; read go");
    let ran = home.typed(["send", "x", "--stdin"], b"from a file\n");
    assert_eq!(ran.code, 0, "{ran:?}");
    home.ok("wait x --text got.<from.a.file>");
}

#[test]
fn what_cannot_be_typed_is_refused() {
    let home = Home::new();
    home.start("x", "read go");
    let ran = home.run(["send", "x", "--key", "Entre"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("PageUp"), "the names are listed: {ran:?}");
    assert_eq!(home.run(["send", "x"]).code, 2);
    home.ok("stop x");
    assert_eq!(home.run(["send", "x", "text"]).code, 5);
}
