//! A lot of output with one viewer that reads: how long it takes to the viewer's terminal, and what it costs.

use std::fs;
use std::path::Path;
use std::time::Instant;

use session_benches::output::{Kind, through_terminal};
use tempfile::TempDir;

use crate::processes;
use crate::systems::{Stage, System};
use crate::table::{self, median, pairs, spread};

/// Columns that a plain line has: it almost fills the terminal.
const PLAIN_LINE: usize = 118;

/// What came of the rounds of one system.
#[derive(Debug)]
struct Rounds {
    system: System,
    seconds: Vec<f64>,
    processor: Vec<f64>,
    /// The share of the output that came to the viewer as it was written, in per cent.
    received: Vec<f64>,
}

/// A file with output, in memory where that is possible.
pub(crate) struct Payload {
    directory: TempDir,
    /// What a terminal makes of it.
    pub(crate) len: usize,
}

impl Payload {
    /// 50 MB of lines without any attribute.
    pub(crate) fn plain() -> Self {
        let text = Kind::Plain.output(50_000_000);
        let text: Vec<u8> = text.into_iter().filter(|byte| *byte != b'\n').collect();
        let lines = text.chunks(PLAIN_LINE).flat_map(|line| line.iter().chain(b"\n"));
        Self::new(&lines.copied().take(50_000_000).collect::<Vec<_>>())
    }

    /// 20 MB of lines with several colours each.
    fn coloured() -> Self {
        Self::new(&Kind::Coloured.output(20_000_000))
    }

    fn new(output: &[u8]) -> Self {
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
        let directory = tempfile::tempdir_in(directory).unwrap();
        fs::write(directory.path().join("output"), output).unwrap();
        Self { directory, len: through_terminal(output).len() }
    }

    /// A command of the shell that writes it.
    pub(crate) fn cat(&self) -> String {
        format!("cat '{}'", self.directory.path().join("output").display())
    }
}

pub(crate) fn run(stage: &Stage, rounds: usize) {
    flood(stage, rounds, "50 MB plain", &Payload::plain());
    flood(stage, rounds, "20 MB coloured", &Payload::coloured());
}

fn flood(stage: &Stage, rounds: usize, title: &str, payload: &Payload) {
    let cat = payload.cat();
    // Neither text is ever typed, so no echo has it.
    let script = format!(
        "stty -echo; echo '~'ready-$((1+1)); read go; {cat}; echo '~'over-$((1+1)); read go"
    );
    let mut all: Vec<_> = stage.systems.iter().map(|&system| Rounds::new(system)).collect();
    for round in 0..rounds {
        for system in stage.turns(round) {
            let mut seat = stage.sit(system, &script);
            seat.outer.until("~ready-2");
            let before = seat.between.map(processes::processor_time_at_rest);
            let start = Instant::now();
            seat.outer.write(b"\n");
            let received = seat.outer.until("~over-2");
            let seconds = start.elapsed().as_secs_f64();
            let after = seat.between.map(processes::processor_time_at_rest);
            let rounds = all.iter_mut().find(|rounds| rounds.system == system).unwrap();
            rounds.seconds.push(seconds);
            rounds.processor.push(after.unwrap_or(0.0) - before.unwrap_or(0.0));
            #[expect(clippy::cast_precision_loss, reason = "per cent of some MB")]
            rounds.received.push(100.0 * received.min(payload.len) as f64 / payload.len as f64);
        }
    }
    report(&format!("{title}, {rounds} rounds"), &all);
}

fn report(title: &str, all: &[Rounds]) {
    let of = |system| all.iter().find(|rounds: &&Rounds| rounds.system == system);
    let bare = &of(System::Bare).unwrap().seconds;
    let dtach = of(System::Dtach).map(|rounds| &rounds.seconds);
    let mut rows = vec![table::row([
        "system",
        "s",
        "x bare",
        "x bare, pairs",
        "x dtach",
        "x dtach, pairs",
        "supervisor CPU s",
        "received %, least",
    ])];
    for rounds in all {
        let against = |others: Option<&Vec<f64>>| match others {
            Some(others) => [
                format!("{:.2}", median(&rounds.seconds) / median(others)),
                format!("{:.2}", pairs(&rounds.seconds, others)),
            ],
            None => ["-", "-"].map(str::to_owned),
        };
        let received = rounds.received.iter().copied().fold(f64::MAX, f64::min);
        let mut cells = vec![rounds.system.as_str().to_owned(), spread(&rounds.seconds, 2)];
        cells.extend(against(Some(bare)));
        cells.extend(against(dtach));
        cells.push(spread(&rounds.processor, 2));
        cells.push(format!("{received:.1}"));
        rows.push(cells);
    }
    table::print(title, &rows);
}

impl Rounds {
    fn new(system: System) -> Self {
        Self { system, seconds: Vec::new(), processor: Vec::new(), received: Vec::new() }
    }
}
