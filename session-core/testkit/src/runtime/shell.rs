//! The programs of the runtime suite as shell scripts on a real terminal.

use super::Program;

/// Arguments that make `sh` behave as the program says.
#[must_use]
pub fn argv(program: &Program) -> Vec<String> {
    let script = match program {
        Program::Exit(code) => format!("exit {code}"),
        Program::Signalled => "kill -9 $$".to_owned(),
        Program::Echo => {
            after_go("echo ready; while read -r line; do printf 'got:%s\\n' \"$line\"; done")
        }
        Program::Numbered(lines) => {
            after_go(&format!("i=1; while [ $i -le {lines} ]; do echo line $i; i=$((i+1)); done"))
        }
        Program::Stubborn => {
            format!("trap '' HUP TERM; {}", after_go("echo ready; while :; do sleep 1000; done"))
        }
        // The read that a signal interrupts fails; the loop goes on.
        Program::ReportSize => after_go(
            "size() { set -- $(stty size); echo size ${2}x$1; }; trap size WINCH; size; while :; do read -r x; done",
        ),
        Program::ReportEnvironment(name) => after_go(&format!(
            "if [ \"${{{name}+set}}\" ]; then echo \"value:${name}\"; else echo unset; fi"
        )),
        Program::ReportDirectory => after_go("echo directory:$(pwd -P)"),
        Program::Missing => return vec!["no-such-program-anywhere".to_owned()],
    };
    vec!["sh".to_owned(), "-c".to_owned(), script]
}

/// Waits for the line that lets a program begin, with the terminal's echo off.
fn after_go(script: &str) -> String {
    format!("stty -echo; read -r go; {script}")
}
