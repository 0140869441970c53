//! Completions: what a shell is offered, from the store, without writing anything.

use crate::home::{Home, finished};

/// What bash would be offered for the last word of this line.
pub(crate) fn offered(home: &Home, words: &[&str]) -> Vec<String> {
    let mut command = home.command(["--"]);
    command
        .args(words)
        .env("_SESSION_COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string());
    let ran = finished(command, b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out.lines().map(str::to_owned).collect()
}

#[test]
fn names_labels_and_tools_come_from_the_store() {
    let home = Home::new();
    home.ok("create notes");
    home.ok("label notes team=web");
    let words = ["new", "agent", "-d", "--tool", "claude", "--", "sh", "-c", "exit"];
    assert_eq!(home.run(words).code, 0);
    home.run(["wait", "agent"]);
    home.ok("supervisor stop");
    let before = home.files();
    for line in [
        &["session", "show", ""][..],
        &["session", "attach", ""],
        &["session", "stop", "notes", "a"],
    ] {
        assert!(offered(&home, line).contains(&"agent".to_owned()), "{line:?}");
    }
    assert_eq!(offered(&home, &["session", "show", "no"]), ["notes"]);
    assert_eq!(offered(&home, &["session", "list", "--label", "t"]), ["team=web"]);
    assert_eq!(offered(&home, &["session", "list", "--tool", ""]), ["claude"]);
    assert_eq!(offered(&home, &["session", "att"]), ["attach"]);
    assert_eq!(home.files(), before);
}

#[test]
fn the_script_for_bash_works_in_bash() {
    let home = Home::new();
    home.ok("create notes");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_session")).parent().unwrap().to_owned();
    let script = r#"
        PATH=$BIN:$PATH
        source <(session completions bash)
        COMP_WORDS=(session show no); COMP_CWORD=2; COMP_TYPE=9
        _clap_complete_session session no show
        echo "${COMPREPLY[*]}""#;
    let mut command = std::process::Command::new("bash");
    command.args(["--norc", "-c", script]).env_clear().envs(home.variables()).env("BIN", program);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let ran = finished(command, b"");
    assert_eq!((ran.code, ran.out.trim()), (0, "notes"), "{ran:?}");
}

#[test]
fn nothing_is_offered_and_nothing_made_where_there_is_no_store() {
    let home = Home::new();
    assert!(offered(&home, &["session", "show", "x"]).is_empty());
    assert!(!home.data().exists());
}

#[test]
fn every_shell_has_a_script() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.ok(&format!("completions {shell}"));
        assert!(script.contains("_SESSION_COMPLETE") && script.contains("session"), "{script}");
    }
    assert_eq!(home.run(["completions", "tcsh"]).code, 2);
}
