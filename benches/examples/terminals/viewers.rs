//! What viewers cost that do not read, while a session floods: one healthy viewer alone, and beside it another healthy
//! one, a slow one, one that is stopped, one that was killed and one that has closed its connection.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use session_core::SessionId;
use session_pty::client::StreamEvent;

use crate::flood::Payload;
use crate::home::{Home, person};
use crate::outer::{Outer, PATIENCE};
use crate::processes;
use crate::table::{self, median, spread};

/// What came of one flood.
#[derive(Debug, Default)]
struct Flood {
    seconds: f64,
    /// MB over what the supervisor had before anybody watched: at most, and when all is quiet.
    peak: f64,
    after: f64,
    /// Bytes that were left out for healthy viewers.
    missed: f64,
}

pub(crate) fn run(program: &Path, rounds: usize) {
    let payload = Payload::plain();
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        alone.push(flood(program, &payload, false));
        beside.push(flood(program, &payload, true));
    }
    let mut rows = vec![table::row([
        "viewers",
        "program s",
        "supervisor PSS, peak MB",
        "after MB",
        "missed by healthy ones, bytes",
    ])];
    let of =
        |floods: &[Flood], value: fn(&Flood) -> f64| floods.iter().map(value).collect::<Vec<_>>();
    for (name, floods) in [("one healthy", &alone), ("two healthy, four others", &beside)] {
        rows.push(vec![
            name.to_owned(),
            spread(&of(floods, |flood| flood.seconds), 2),
            spread(&of(floods, |flood| flood.peak), 1),
            spread(&of(floods, |flood| flood.after), 1),
            spread(&of(floods, |flood| flood.missed), 0),
        ]);
    }
    let grown = |value: fn(&Flood) -> f64| median(&of(&beside, value)) - median(&of(&alone, value));
    rows.push(vec![
        "difference of the medians".to_owned(),
        format!("{:.2}", grown(|flood| flood.seconds)),
        format!("{:.1}", grown(|flood| flood.peak)),
        format!("{:.1}", grown(|flood| flood.after)),
    ]);
    table::print(&format!("50 MB plain and viewers of all kinds, {rounds} rounds"), &rows);
}

/// A supervisor of its own for each flood: what one has left must not help the next.
fn flood(program: &Path, payload: &Payload, others: bool) -> Flood {
    let home = Home::new(program);
    let pid = home.status().pid;
    let cat = payload.cat();
    let id = home.start(&format!("read go; {cat}; echo '~'over-$((1+1)); read go"));
    let before = processes::memory(pid);
    let over = Arc::new(AtomicBool::new(false));
    let mut healthy = vec![watch(&home, id, Duration::ZERO, &over)];
    let mut slow = None;
    let mut gone = Vec::new();
    if others {
        healthy.push(watch(&home, id, Duration::ZERO, &over));
        slow = Some(watch(&home, id, Duration::from_millis(50), &over));
        let attach = || Outer::run(home.command(["attach", &id.to_string()]));
        let mut outers = [attach(), attach()];
        for outer in &mut outers {
            outer.read().expect("it attaches");
        }
        let [stopped, killed] = outers;
        stopped.signal(Signal::STOP);
        gone.extend([stopped, killed]);
    }
    let mut client = home.client();
    let start = Instant::now();
    client.write(id, b"\n", session_pty::client::Typing::Keys).unwrap();
    if others {
        gone[1].signal(Signal::KILL);
        drop(home.client().attach(id, person()).unwrap());
    }
    let mut peak: f64 = 0.0;
    while !healthy.iter().all(JoinHandle::is_finished) {
        peak = peak.max(processes::memory(pid));
        // Looking takes the locks that the supervisor needs for new memory.
        thread::sleep(Duration::from_millis(2));
        assert!(start.elapsed() < PATIENCE, "the program waits for somebody");
    }
    let results: Vec<_> = healthy.into_iter().map(|viewer| viewer.join().unwrap()).collect();
    let seconds = results.iter().map(|(at, _)| at.duration_since(start).as_secs_f64());
    let missed: u64 = results.iter().map(|(_, missed)| missed).sum();
    over.store(true, Ordering::Relaxed);
    if let Some(slow) = slow {
        slow.join().unwrap();
    }
    processes::processor_time_at_rest(pid);
    #[expect(clippy::cast_precision_loss, reason = "some MB")]
    Flood {
        seconds: seconds.fold(0.0, f64::max),
        peak: peak - before,
        after: processes::memory(pid) - before,
        missed: missed as f64,
    }
}

/// Watches to the end of the flood; with a pause, one read at a time after it.
fn watch(
    home: &Home,
    id: SessionId,
    pause: Duration,
    over: &Arc<AtomicBool>,
) -> JoinHandle<(Instant, u64)> {
    let mut stream = home.client().attach(id, person()).unwrap();
    let over = Arc::clone(over);
    thread::spawn(move || {
        let (mut missed, mut tail) = (0, Vec::new());
        loop {
            let bytes = match stream.next(Some(PATIENCE)).unwrap().expect("something comes") {
                StreamEvent::Output(bytes) | StreamEvent::Screen(bytes) => bytes,
                StreamEvent::Gap { missed: more, screen } => {
                    missed += more;
                    screen
                }
                _ => Vec::new(),
            };
            tail.extend_from_slice(&bytes);
            if String::from_utf8_lossy(&tail).contains("~over-2") {
                return (Instant::now(), missed);
            }
            tail.drain(..tail.len().saturating_sub(16));
            if !over.load(Ordering::Relaxed) {
                thread::sleep(pause);
            }
        }
    })
}
