//! Creating, attaching and leaving while the supervisor runs: as a whole process, and by a client that runs already.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use session_core::SessionId;
use session_pty::client::{StreamEvent, ViewerStream};

use crate::home::{Home, person};
use crate::outer::{Outer, PATIENCE};
use crate::systems::{Stage, System, attach_dtach, wait_for};
use crate::table::{self, quantile};

/// How often each is done.
const TIMES: usize = 50;

/// Has something on its screen.
const SHOWN: &str = "stty -echo; echo '~'ready-$((1+1)); read go";

/// Ctrl with a backslash, by which both are left.
const DETACH: &[u8] = b"\x1c";

type Samples = Vec<(&'static str, Vec<f64>)>;

pub(crate) fn run(stage: &Stage) {
    let dtach = stage.systems.contains(&System::Dtach);
    let mut samples: Samples = Vec::new();
    let mut add = |name: &'static str, millis: f64| match samples
        .iter_mut()
        .find(|(known, _)| *known == name)
    {
        Some((_, all)) => all.push(millis),
        None => samples.push((name, vec![millis])),
    };
    let home = &stage.home;
    let id = home.start(SHOWN);
    for _ in 0..TIMES {
        add("process that does nothing: true", ended(Command::new("true")));
        add("process that does nothing: session --version", ended(home.command(["--version"])));
        add("create: session new -d -- cat", ended(home.command(["new", "-d", "--", "cat"])));
        add("create: in-process client", create(home));
        if dtach {
            add("create: dtach -n", create_dtach(stage));
        }
        let (attach, detach) = attached(home.command(["attach", &id.to_string()]), "~ready-2");
        add("attach: session attach, to the first screen", attach);
        let (first, last) = attached_in_process(home, id);
        add("attach: in-process client", first);
        add("detach: key to the end of session attach", detach);
        add("detach: in-process client, until it is counted no more", last);
        if dtach {
            let (attach, detach) = attached_dtach(stage);
            add("attach: dtach -a, to its first byte (it has no screen)", attach);
            add("detach: key to the end of dtach -a", detach);
        }
    }
    let mut rows = vec![table::row(["what", "p50 ms", "p90 ms", "max ms"])];
    samples.sort_by_key(|(name, _)| name.split(':').next() != Some("process that does nothing"));
    for (name, millis) in &samples {
        let of = |share| format!("{:.2}", quantile(millis, share));
        rows.push(vec![(*name).to_owned(), of(0.5), of(0.9), of(1.0)]);
    }
    table::print(&format!("calls, {TIMES} of each, the supervisor running"), &rows);
}

fn millis(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// A process from its start to its end.
fn ended(mut command: Command) -> f64 {
    let start = Instant::now();
    assert!(command.status().unwrap().success());
    millis(start)
}

fn create(home: &Home) -> f64 {
    let spawn = home.script("exec cat");
    let start = Instant::now();
    home.client().spawn(spawn).unwrap();
    millis(start)
}

fn create_dtach(stage: &Stage) -> f64 {
    let socket = stage.socket();
    let mut command = Command::new("dtach");
    command.arg("-n").arg(&socket).args(["-r", "none", "/bin/sh", "-c", "read go"]);
    let taken = ended(command);
    leave_no_dtach(&socket);
    taken
}

/// A viewer's process: from its start to what it is to show, and from the key to its end.
fn attached(command: Command, text: &str) -> (f64, f64) {
    let start = Instant::now();
    let mut outer = Outer::run(command);
    outer.until(text);
    let attach = millis(start);
    let start = Instant::now();
    outer.write(DETACH);
    outer.drain();
    outer.wait();
    (attach, millis(start))
}

fn attached_dtach(stage: &Stage) -> (f64, f64) {
    let socket = stage.socket();
    let mut command = Command::new("dtach");
    command.arg("-n").arg(&socket).args(["-r", "none", "/bin/sh", "-c", "read go"]);
    ended(command);
    wait_for(&socket);
    // It clears the screen first of all.
    let taken = attached(attach_dtach(&socket), "\x1b[H\x1b[J");
    leave_no_dtach(&socket);
    taken
}

/// Types the line that the program waits for.
fn leave_no_dtach(socket: &std::path::Path) {
    let mut command = Command::new("dtach");
    let mut typing = command.arg("-p").arg(socket).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut typing.stdin.take().unwrap(), b"\n").unwrap();
    typing.wait().unwrap();
}

fn attached_in_process(home: &Home, id: SessionId) -> (f64, f64) {
    let start = Instant::now();
    let mut stream = home.client().attach(id, person()).unwrap();
    until_screen(&mut stream);
    let attach = millis(start);
    let mut other = home.client();
    let start = Instant::now();
    stream.detach().unwrap();
    while other.live().unwrap().iter().any(|session| session.viewers > 0) {
        assert!(start.elapsed() < PATIENCE, "it is counted for ever");
    }
    (attach, millis(start))
}

fn until_screen(stream: &mut ViewerStream) {
    while !matches!(
        stream.next(Some(Duration::from_secs(60))).unwrap(),
        Some(StreamEvent::Screen(_))
    ) {}
}
