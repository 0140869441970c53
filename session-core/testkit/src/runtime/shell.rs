//! The programs of the runtime suite as shell scripts on a real terminal.

use super::Program;

/// Arguments that make `sh` behave as the program says.
#[must_use]
pub fn argv(program: &Program) -> Vec<String> {
    let script = match program {
        Program::Exit(code) => format!("exit {code}"),
        Program::Signalled => "kill -9 $$".to_owned(),
        Program::Echo => after_go(&format!("echo ready; {ECHO}")),
        Program::Numbered(lines) => after_go(&numbered(*lines)),
        Program::Burst(lines) => after_go(&format!("{}; {ECHO}", numbered(*lines))),
        Program::Stubborn => {
            format!("trap '' HUP TERM; {}", after_go("echo ready; while :; do sleep 1000; done"))
        }
        Program::Lingering => {
            format!("trap '' HUP; {}", after_go("echo ready; while :; do sleep 1000; done"))
        }
        // Unlike a read, a wait never misses a signal. What is waited for must not get it.
        Program::Polite => after_go(
            "trap '' HUP TERM; sleep 1000 & child=$!; trap 'echo bye; kill -9 $child; exit 5' HUP TERM; echo ready; while :; do wait $child; done",
        ),
        Program::ReportSize => after_go(
            "size() { set -- $(stty size); echo size ${2}x$1; }; trap size WINCH; sleep 1000 & child=$!; size; while :; do wait $child; done",
        ),
        Program::ReportEnvironment(name) => after_go(&format!(
            "if [ \"${{{name}+set}}\" ]; then echo \"value:${name}\"; else echo unset; fi"
        )),
        Program::ReportDirectory => after_go("echo directory:$(pwd -P)"),
        Program::Missing => return vec!["no-such-program-anywhere".to_owned()],
    };
    vec!["sh".to_owned(), "-c".to_owned(), script]
}

const ECHO: &str = "while read -r line; do printf 'got:%s\\n' \"$line\"; done";

fn numbered(lines: u32) -> String {
    format!("seq -f 'line %.0f' {lines}")
}

/// Waits for the line that lets a program begin, with the terminal's echo off.
fn after_go(script: &str) -> String {
    format!("stty -echo; read -r go; {script}")
}
