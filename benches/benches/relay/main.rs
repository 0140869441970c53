//! Output through a session and the echo of a key, beside a terminal that the bench reads itself.
#![expect(clippy::unwrap_used, reason = "a bench that meets an error must stop")]

mod terminals;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use session_benches::output::{self, Kind};
use tempfile::TempDir;

use terminals::{Bare, Host, Terminal};

/// What a program writes in one go: so much that starting it is a small part of the time.
const FLOOD: usize = 10 << 20;

/// What a script writes when it is ready to be measured. No echo and no error message of a shell has it.
const READY: u8 = 0x01;

/// Types the keys that it gets, one by one, as soon as they are there.
const ECHO: &str = r"read go; stty raw -echo; printf '\001'; exec cat";

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(10)
        .configure_from_args();
    for kind in [Kind::Plain, Kind::Coloured, Kind::Wide] {
        flood(&mut criterion, kind);
    }
    echo(&mut criterion);
    criterion.final_summary();
}

fn flood(criterion: &mut Criterion, kind: Kind) {
    let directory: TempDir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = directory.path().join("output");
    let written = kind.output(FLOOD);
    fs::write(&file, &written).unwrap();
    let script = script(&file);
    // The line that starts it is echoed.
    let expected = output::through_terminal(&written).len() + b"\r\n".len();

    let mut group = criterion.benchmark_group(format!("relay/{}", kind.as_str()));
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Bytes(expected as u64));
    let mut host = Host::new();
    group.bench_function("session", |b| {
        b.iter_custom(|iters| (0..iters).map(|_| drain(host.run(&script), expected)).sum());
    });
    group.bench_function("limit-pty", |b| {
        b.iter_custom(|iters| (0..iters).map(|_| drain(Bare::run(&script), expected)).sum());
    });
    group.finish();
}

/// Fails on a path that a shell would take for something else, which a build directory hardly has.
fn script(file: &Path) -> String {
    let name = file.to_str().unwrap();
    assert!(!name.contains('\''), "{name}: the build needs a directory without quotes");
    format!(r"read go; printf '\001'; read go; exec cat '{name}'")
}

/// From the line that starts the flood to the program's end.
fn drain(mut terminal: impl Terminal, expected: usize) -> Duration {
    terminal.start(READY);
    let mut received = 0;
    let start = Instant::now();
    terminal.write(b"\n");
    while let Some(output) = terminal.read() {
        received += output.len();
    }
    let taken = start.elapsed();
    assert_eq!(received, expected, "bytes that came through");
    taken
}

fn echo(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("relay/echo");
    let mut host = Host::new();
    let mut live = None;
    group.bench_function("session", |b| {
        let live = live.get_or_insert_with(|| ready(host.run(ECHO)));
        b.iter(|| answer(live));
    });
    drop(live);
    let mut bare = None;
    group.bench_function("limit-pty", |b| {
        let bare = bare.get_or_insert_with(|| ready(Bare::run(ECHO)));
        b.iter(|| answer(bare));
    });
    group.finish();
}

fn ready<T: Terminal>(mut terminal: T) -> T {
    terminal.start(READY);
    terminal
}

/// Types one key and waits until the program has written it.
fn answer(terminal: &mut impl Terminal) {
    terminal.write(b"x");
    assert_eq!(terminal.read(), Some(&b"x"[..]));
}
