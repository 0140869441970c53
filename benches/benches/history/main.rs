//! Histories of 1 MB and 100 MB, beside SQLite and a file without anything of ours on top.
#![expect(clippy::unwrap_used, reason = "a bench that meets an error must stop")]

#[path = "../stores/backend.rs"]
mod backend;
mod bare;
mod places;

use std::cell::{Cell, LazyCell};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use session_benches::records::{self, LARGE, SMALL};
use session_benches::sessions;
use session_core::search::Expression;
use session_core::{Reading, Search, SessionStore, SessionStoreExt};

use backend::Backend;
use bare::{BareFile, BareSql};
use places::{Place, Templates};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// How many write at once.
const WRITERS: u64 = 8;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(10)
        .configure_from_args();
    let large = if session_benches::is_trial() { LARGE / 20 } else { LARGE };
    for (name, bytes) in [("1MB", SMALL), ("100MB", large)] {
        let templates = Templates::new(bytes);
        append(&mut criterion, name, &templates);
        get(&mut criterion, name, &templates);
        context(&mut criterion, name, &templates);
        load(&mut criterion, name, &templates);
        search(&mut criterion, name, &templates);
    }
    writers(&mut criterion);
    criterion.final_summary();
}

/// One record, on the medium when it returns.
fn append(criterion: &mut Criterion, name: &str, templates: &Templates) {
    let mut group = criterion.benchmark_group(format!("history/append/{name}"));
    let numbers = Cell::new(1 << 40);
    let next = || {
        numbers.set(numbers.get() + 1);
        records::entry(numbers.get()).unwrap()
    };
    for backend in Backend::ALL {
        let place = LazyCell::new(|| templates.copy(backend));
        group.bench_function(backend.as_str(), |b| {
            let place = LazyCell::force(&place);
            append_one(place, &next());
            b.iter_batched(
                next,
                |entry| append_one(place, &entry),
                criterion::BatchSize::SmallInput,
            );
        });
    }
    let bare = LazyCell::new(|| BareSql::new(templates.records()));
    group.bench_function("limit-rusqlite", |b| {
        let bare = LazyCell::force(&bare);
        b.iter_batched(
            || bare.row(&next()),
            |row| bare.append(&row),
            criterion::BatchSize::SmallInput,
        );
    });
    let file = BareFile::new();
    group.bench_function("limit-append-fdatasync", |b| {
        b.iter_batched(
            || BareFile::lines(&next()),
            |lines| file.append(&lines),
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn append_one(place: &Place, entry: &session_core::Entry) {
    let at = sessions::created_at(2_000_000);
    black_box(place.store.append(sessions::id(0), std::slice::from_ref(entry), at).unwrap());
}

/// The session itself, whatever its history holds.
fn get(criterion: &mut Criterion, name: &str, templates: &Templates) {
    let mut group = criterion.benchmark_group(format!("history/get/{name}"));
    stores(&mut group, templates, |store| {
        black_box(store.get(sessions::id(0)).unwrap());
    });
    let bare = LazyCell::new(|| BareSql::new(templates.records()));
    limit(&mut group, "limit-rusqlite-decoded", &bare, |bare| {
        black_box(bare.get());
    });
    group.finish();
}

/// What a model is handed: the checkpoint near the end and what follows it.
fn context(criterion: &mut Criterion, name: &str, templates: &Templates) {
    let mut group = criterion.benchmark_group(format!("history/context/{name}"));
    stores(&mut group, templates, |store| {
        let context = store.context(sessions::id(0)).unwrap();
        assert!(context.checkpoint.is_some() && context.messages.len() > 10);
        black_box(context);
    });
    let bare = LazyCell::new(|| BareSql::new(templates.records()));
    limit(&mut group, "limit-rusqlite-decoded", &bare, |bare| {
        black_box(bare.last(places::TAIL));
    });
    // The same, by whoever opens the store for it.
    for backend in [Backend::Sqlite, Backend::Jsonl] {
        group.bench_function(format!("{}-opened", backend.as_str()), |b| {
            b.iter(|| black_box(templates.open(backend).store.context(sessions::id(0)).unwrap()));
        });
    }
    group.finish();
}

/// All records, one after the other.
fn load(criterion: &mut Criterion, name: &str, templates: &Templates) {
    let mut group = criterion.benchmark_group(format!("history/load/{name}"));
    group.throughput(Throughput::Bytes(templates.bytes));
    stores(&mut group, templates, |store| {
        let mut last = None;
        for record in store.history(sessions::id(0), Reading::ALL) {
            last = Some(black_box(record.unwrap()).seq);
        }
        assert!(last.is_some());
    });
    let path = LazyCell::new(|| templates.session_file());
    limit(&mut group, "limit-serde-json", &path, |path| {
        black_box(bare::parse(path));
    });
    group.finish();
}

/// The newest records that say two words.
fn search(criterion: &mut Criterion, name: &str, templates: &Templates) {
    let mut group = criterion.benchmark_group(format!("history/search/{name}"));
    let mut search = Search::new(Expression::parse("naïve commit").unwrap());
    search.limit = NonZeroU32::new(20);
    stores(&mut group, templates, |store| {
        let hits = store.search(&search).unwrap();
        assert_eq!(hits.hits.len(), 20);
        black_box(hits);
    });
    let bare = LazyCell::new(|| BareSql::with_words(templates.records()));
    limit(&mut group, "limit-fts5", &bare, |bare| {
        assert_eq!(black_box(bare.find("naive commit", 20)).len(), 20);
    });
    let path = LazyCell::new(|| templates.session_file());
    limit(&mut group, "limit-scan", &path, |path| {
        assert!(black_box(bare::scan(path, ["naïve", "commit"])) > 20);
    });
    group.finish();
}

/// Many threads that append to sessions of their own: the time of one append of all.
fn writers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("history/writers");
    for backend in [Backend::Sqlite, Backend::Jsonl] {
        for writers in [1, WRITERS] {
            group.bench_function(format!("{}-{writers}", backend.as_str()), |b| {
                let place = Place::with_sessions(backend, writers);
                b.iter_custom(|appends| write_at_once(&place, writers, appends));
            });
        }
    }
    let bare = BareSql::new(1);
    let numbers = Cell::new(1 << 40);
    group.bench_function("limit-rusqlite", |b| {
        b.iter_batched(
            || {
                numbers.set(numbers.get() + 1);
                bare.row(&records::entry(numbers.get()).unwrap())
            },
            |row| bare.append(&row),
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn write_at_once(place: &Place, writers: u64, appends: u64) -> Duration {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    // At least one each, so that all of them are at it.
    let each = appends.div_ceil(writers);
    let (start, end) = (Barrier::new(usize::try_from(writers).unwrap() + 1), Instant::now());
    let mut took = end.elapsed();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                let start = &start;
                scope.spawn(move || {
                    let first = NUMBER.fetch_add(each, Ordering::Relaxed);
                    let entries: Vec<_> = (first..first + each)
                        .map(|number| records::entry(number).unwrap())
                        .collect();
                    let id = sessions::id(usize::try_from(writer).unwrap());
                    start.wait();
                    for entry in &entries {
                        let at = sessions::created_at(2_000_000);
                        place.store.append(id, std::slice::from_ref(entry), at).unwrap();
                    }
                })
            })
            .collect();
        start.wait();
        let begun = Instant::now();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        took = begun.elapsed();
    });
    // As if exactly so many had been written.
    took.mul_f64(appends as f64 / (each * writers) as f64)
}

/// Measures an operation that only reads, on every backend.
fn stores(group: &mut Group<'_>, templates: &Templates, operation: impl Fn(&dyn SessionStore)) {
    for backend in Backend::ALL {
        let place = LazyCell::new(|| templates.open(backend));
        group.bench_function(backend.as_str(), |b| {
            let place = LazyCell::force(&place);
            operation(&*place.store);
            b.iter(|| operation(&*place.store));
        });
    }
}

/// Measures what bounds the others, on something that is made only when no filter leaves it out.
fn limit<T, F: FnOnce() -> T>(
    group: &mut Group<'_>,
    name: &str,
    place: &LazyCell<T, F>,
    operation: impl Fn(&T),
) {
    group.bench_function(name, |b| {
        let place = LazyCell::force(place);
        b.iter(|| operation(place));
    });
}
