//! From a key to its echo, on a quiet machine and while another session floods.

use std::io::Read as _;
use std::time::Instant;

use crate::flood::Payload;
use crate::systems::{Seat, Stage, System};
use crate::table::{self, median, quantile};

/// Keys that one system gets before the next has its turn.
const TURN: usize = 100;

/// Turns are longer with a flood, which has to be started for each.
const FLOODED_TURN: usize = 500;

/// Writes what it reads, byte by byte.
const ECHO: &str = "stty raw -echo; echo '~'ready-$((1+1)); exec cat";

pub(crate) fn run(stage: &Stage, keys: usize) {
    let mut seats: Vec<_> = stage.systems.iter().map(|&system| ready(stage, system)).collect();
    let mut all: Vec<Vec<Vec<f64>>> = vec![Vec::new(); seats.len()];
    for turn in 0..keys.div_ceil(TURN) {
        for offset in 0..seats.len() {
            let index = (turn + offset) % seats.len();
            all[index].push(type_keys(&mut seats[index], TURN));
        }
    }
    drop(seats);
    report(&format!("echo of {keys} keys"), &stage.systems, &all);

    let payload = Payload::plain();
    let mut all: Vec<Vec<Vec<f64>>> = vec![Vec::new(); stage.systems.len()];
    for turn in 0..keys.div_ceil(FLOODED_TURN) {
        for system in stage.turns(turn) {
            let index = stage.systems.iter().position(|known| *known == system).unwrap();
            all[index].push(flooded(stage, system, &payload));
        }
    }
    report(&format!("echo of {keys} keys while another session floods"), &stage.systems, &all);
}

fn ready(stage: &Stage, system: System) -> Seat<'_> {
    let mut seat = stage.sit(system, ECHO);
    seat.outer.until("~ready-2");
    seat
}

fn flooded(stage: &Stage, system: System, payload: &Payload) -> Vec<f64> {
    let mut seat = ready(stage, system);
    // No longer than somebody measures it.
    let (cat, process) = (payload.cat(), std::process::id());
    let script = format!("echo '~'ready-$((1+1)); while kill -0 {process}; do {cat}; done");
    let mut flood = stage.sit(system, &script);
    flood.outer.until("~ready-2");
    // Somebody watches it, for ever: the reader ends with the terminal.
    let mut reader = flood.outer.reader();
    let drained = std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        let mut received = 0;
        while let Ok(len @ 1..) = reader.read(&mut buffer) {
            received += len;
        }
        received
    });
    let micros = type_keys(&mut seat, FLOODED_TURN);
    drop(flood);
    assert!(drained.join().unwrap() > 1_000_000, "there was a flood");
    micros
}

/// Types keys, each once the one before has come back, and says how long each took, in microseconds.
fn type_keys(seat: &mut Seat<'_>, count: usize) -> Vec<f64> {
    let key = |number: usize| b'a' + u8::try_from(number % 26).unwrap_or(0);
    let echo = |number| {
        let start = Instant::now();
        seat.outer.write(&[key(number)]);
        while !seat.outer.read().expect("an echo").contains(&key(number)) {}
        start.elapsed().as_secs_f64() * 1e6
    };
    (0..count).map(echo).collect()
}

fn report(title: &str, systems: &[System], all: &[Vec<Vec<f64>>]) {
    let flat: Vec<Vec<f64>> = all.iter().map(|turns| turns.concat()).collect();
    let dtach = systems.iter().position(|system| *system == System::Dtach);
    let mut rows = vec![table::row([
        "system",
        "p50 us",
        "p90 us",
        "p99 us",
        "max ms",
        "p50 x dtach",
        "p99 x dtach",
        "p99 of the turns, median us",
    ])];
    for (index, system) in systems.iter().enumerate() {
        let of = |share| quantile(&flat[index], share);
        let against = |share| {
            dtach.map_or("-".to_owned(), |dtach| {
                format!("{:.2}", of(share) / quantile(&flat[dtach], share))
            })
        };
        let turns: Vec<_> = all[index].iter().map(|turn| quantile(turn, 0.99)).collect();
        rows.push(vec![
            system.as_str().to_owned(),
            format!("{:.0}", of(0.5)),
            format!("{:.0}", of(0.9)),
            format!("{:.0}", of(0.99)),
            format!("{:.1}", of(1.0) / 1000.0),
            against(0.5),
            against(0.99),
            format!("{:.0}", median(&turns)),
        ]);
    }
    table::print(title, &rows);
}
