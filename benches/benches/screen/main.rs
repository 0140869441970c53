//! The screen: output taken in, and a screen written down, beside the emulator and the parser without ours.

mod bare;

use std::cell::LazyCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use session_benches::output::{COLUMNS, Kind, ROWS, through_terminal};
use session_pty::screen::{Screen, Size};

use bare::{Emulator, Sequences};

/// Lines that are kept above the screen.
const HISTORY: usize = 2_000;

/// Output comes in pieces of at most so much, as a session's relay passes it on.
const CHUNK: usize = 64 << 10;

/// How much output is taken in: one piece, and sixty-four.
const LENGTHS: [(&str, usize); 2] = [("64K", 64 << 10), ("4M", 4 << 20)];

/// Output that fills the screen and the history above it.
const FILLED: usize = 512 << 10;

/// A viewer of another size than the screen.
const VIEW: Size = Size::nearest(100, 30);

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
        .sample_size(10)
        .configure_from_args();
    for kind in Kind::ALL {
        for (word, len) in LENGTHS {
            feed(&mut criterion, kind, word, len);
        }
    }
    let plain = Kind::Plain.output(FILLED);
    let coloured = Kind::Coloured.output(FILLED);
    for (word, output) in [("empty", &Vec::new()), ("plain", &plain), ("coloured", &coloured)] {
        write_down(&mut criterion, word, &through_terminal(output));
    }
    criterion.final_summary();
}

fn feed(criterion: &mut Criterion, kind: Kind, word: &str, len: usize) {
    let mut group = criterion.benchmark_group(format!("screen/feed-{}/{word}", kind.as_str()));
    let output = LazyCell::new(|| through_terminal(&kind.output(len)));
    group.throughput(Throughput::Bytes(output.len() as u64));
    let mut ours = screen();
    group.bench_function("screen", |b| {
        b.iter(|| {
            for chunk in black_box(&*output).chunks(CHUNK) {
                ours.feed(chunk);
            }
        });
    });
    let mut emulator = Emulator::new();
    group.bench_function("limit-alacritty", |b| {
        b.iter(|| emulator.feed(black_box(&output)));
    });
    let mut sequences = Sequences::default();
    group.bench_function("limit-vte", |b| {
        b.iter(|| sequences.feed(black_box(&output)));
    });
    group.finish();
}

fn write_down(criterion: &mut Criterion, word: &str, output: &[u8]) {
    let mut ours = screen();
    let mut emulator = Emulator::new();
    // One byte, which shows nothing: the emulator is made when the first one arrives.
    ours.feed(b"\0");
    ours.feed(output);
    emulator.feed(output);

    let mut group = criterion.benchmark_group(format!("screen/snapshot/{word}"));
    group.bench_function("snapshot", |b| b.iter(|| ours.snapshot()));
    group.bench_function("limit-characters", |b| b.iter(|| emulator.characters(0)));
    group.finish();

    let mut group = criterion.benchmark_group(format!("screen/snapshot-with-history/{word}"));
    group.bench_function("snapshot", |b| b.iter(|| ours.snapshot_with_history(HISTORY)));
    group.bench_function("limit-characters", |b| b.iter(|| emulator.characters(HISTORY)));
    group.finish();

    // What a viewer of another size costs: once everything, then one changed row.
    let mut group = criterion.benchmark_group(format!("screen/frame/{word}"));
    let before = ours.frame(VIEW);
    ours.feed(b"\r\x1b[31mx");
    group.bench_function("first", |b| b.iter(|| ours.frame(VIEW).paint(None)));
    group.bench_function("next", |b| b.iter(|| ours.frame(VIEW).paint(Some(&before))));
    group.bench_function("limit-characters", |b| b.iter(|| emulator.characters(0)));
    group.finish();
}

fn screen() -> Screen {
    Screen::new(Size::nearest(COLUMNS, ROWS), HISTORY)
}
