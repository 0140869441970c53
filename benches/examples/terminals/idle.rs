//! Many sessions that wait at a prompt: memory, threads, and what the supervisor does meanwhile.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use session_pty::client::Typing;

use crate::home::Home;
use crate::outer::PATIENCE;
use crate::processes;
use crate::table;

/// Until what is put away after some seconds of quiet has been put away.
const QUIET: Duration = Duration::from_secs(10);

/// How long they are watched.
const WATCHED: Duration = Duration::from_secs(10);

pub(crate) fn run(program: &Path, counts: &[usize]) {
    let mut rows = vec![table::row([
        "sessions",
        "create ms each",
        "supervisor PSS MB",
        "keeper PSS MB",
        "both MB",
        "threads",
        "CPU %",
        "wake-ups in 10 s",
        "echo ms",
    ])];
    rows.extend(counts.iter().map(|&count| idle(program, count)));
    table::print("sessions that wait at a prompt", &rows);
}

fn idle(program: &Path, count: usize) -> Vec<String> {
    let home = Home::new(program);
    let mut client = home.client();
    let start = Instant::now();
    let script = "printf 'prompt$ '; read go; echo got-$go; read go";
    let ids: Vec<_> = (0..count).map(|_| client.spawn(home.script(script)).unwrap().id()).collect();
    let each = start.elapsed().as_secs_f64() * 1e3 / f64::from(u32::try_from(count).unwrap());
    while client.live().unwrap().iter().filter(|session| session.written > 0).count() < count {
        assert!(start.elapsed() < 2 * PATIENCE, "some have no prompt");
        sleep(Duration::from_millis(50));
    }
    sleep(QUIET);

    let status = client.status().unwrap();
    let (supervisor, keeper) = (status.pid, status.keeper.expect("it has a keeper"));
    let (time, sleeps) = (processes::processor_time(supervisor), processes::sleeps(supervisor));
    sleep(WATCHED);
    let time = processes::processor_time(supervisor) - time;
    let sleeps = processes::sleeps(supervisor) - sleeps;
    let (of_supervisor, of_keeper) = (processes::memory(supervisor), processes::memory(keeper));

    // The last one is as alive as the first.
    let id = *ids.last().unwrap();
    let written = home.live(id).written;
    let start = Instant::now();
    client.write(id, b"there\n", Typing::Keys).unwrap();
    while home.live(id).written < written + 10 {
        assert!(start.elapsed() < PATIENCE, "it does not answer");
    }
    let echo = start.elapsed().as_secs_f64() * 1e3;
    vec![
        count.to_string(),
        format!("{each:.1}"),
        format!("{of_supervisor:.1}"),
        format!("{of_keeper:.1}"),
        format!("{:.1}", of_supervisor + of_keeper),
        format!("{:.0}", processes::threads(supervisor)),
        format!("{:.1}", 100.0 * time / WATCHED.as_secs_f64()),
        format!("{sleeps:.0}"),
        format!("{echo:.1}"),
    ]
}
