//! Stores at 1,000 and 100,000 sessions, beside SQLite and a file without anything of ours on top.
#![expect(clippy::unwrap_used, reason = "a bench that meets an error must stop")]

#[path = "../stores/backend.rs"]
mod backend;
mod bare;
mod growing;
mod places;

use std::cell::{Cell, LazyCell};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use session_benches::sessions::{self, FEW, MANY, PAGE};
use session_core::{Query, Selector, Session, SessionStore, SessionStoreExt};

use backend::Backend;
use bare::{BareFile, BareSql};
use growing::Growing;
use places::Templates;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(10)
        .configure_from_args();
    let sizes = if session_benches::is_trial() { [FEW / 10, MANY / 100] } else { [FEW, MANY] };
    for size in sizes {
        let templates = Templates::new(size);
        get(&mut criterion, &templates);
        find(&mut criterion, &templates);
        list(&mut criterion, &templates);
        create(&mut criterion, &templates);
    }
    criterion.final_summary();
}

/// Goes through the numbers of all sessions, each far from the one before.
struct Numbers {
    next: Cell<usize>,
    end: usize,
}

impl Numbers {
    const fn below(end: usize) -> Self {
        Self { next: Cell::new(0), end }
    }

    fn next(&self) -> usize {
        // The step is a prime that divides neither size, so that every number has its turn.
        self.next.replace((self.next.get() + 7_919) % self.end)
    }
}

fn get(criterion: &mut Criterion, templates: &Templates) {
    let mut group = criterion.benchmark_group(format!("store/get/{}", templates.size));
    let numbers = Numbers::below(templates.size);
    stores(&mut group, templates, |store| {
        black_box(store.get(sessions::id(numbers.next())).unwrap());
    });
    let bare = LazyCell::new(|| BareSql::open(&templates.bare()));
    measure(&mut group, "limit-rusqlite", &bare, |bare| {
        black_box(bare.get(&sessions::id(numbers.next()).to_string()));
    });
    measure(&mut group, "limit-rusqlite-decoded", &bare, |bare| {
        black_box(decoded(&bare.get(&sessions::id(numbers.next()).to_string())));
    });
    group.finish();
}

fn find(criterion: &mut Criterion, templates: &Templates) {
    let mut group = criterion.benchmark_group(format!("store/find/{}", templates.size));
    let numbers = Numbers::below(templates.size);
    stores(&mut group, templates, |store| {
        let selector = Selector::parse(&sessions::name(numbers.next())).unwrap();
        black_box(store.find(&selector).unwrap());
    });
    let bare = LazyCell::new(|| BareSql::open(&templates.bare()));
    measure(&mut group, "limit-rusqlite", &bare, |bare| {
        black_box(bare.find(&sessions::name(numbers.next())));
    });
    measure(&mut group, "limit-rusqlite-decoded", &bare, |bare| {
        black_box(decoded(&bare.find(&sessions::name(numbers.next()))));
    });
    group.finish();
}

fn list(criterion: &mut Criterion, templates: &Templates) {
    let mut group = criterion.benchmark_group(format!("store/list/{}", templates.size));
    let mut query = Query::new(sessions::observer());
    query.limit = NonZeroU32::new(PAGE);
    stores(&mut group, templates, |store| {
        let page = store.list(&query).unwrap();
        assert_eq!(page.sessions.len(), PAGE as usize);
        black_box(page);
    });
    let bare = LazyCell::new(|| BareSql::open(&templates.bare()));
    // One more than the page, as whoever says where the next one begins has to look.
    measure(&mut group, "limit-rusqlite", &bare, |bare| {
        black_box(bare.list(PAGE + 1));
    });
    measure(&mut group, "limit-rusqlite-decoded", &bare, |bare| {
        let page: Vec<_> = bare.list(PAGE + 1).iter().map(|record| decoded(record)).collect();
        black_box(page);
    });
    group.finish();
}

fn create(criterion: &mut Criterion, templates: &Templates) {
    let size = templates.size;
    let mut group = criterion.benchmark_group(format!("store/create/{size}"));
    for backend in Backend::ALL {
        let mut growing = Growing::new(
            size,
            || {
                let place = templates.copy(backend);
                // Whatever is read at the first use and kept is no part of a creation.
                place.store.list(&Query::new(sessions::observer())).unwrap();
                place
            },
            |session| session,
            |place, session| {
                black_box(place.store.create(session).unwrap());
            },
        );
        group.bench_function(backend.as_str(), |b| b.iter_custom(|iters| growing.run(iters)));
    }
    let mut growing = Growing::new(
        size,
        || templates.copy_bare(),
        |session| BareSql::row(&session),
        |(bare, _directory), row| bare.create(&row),
    );
    group.bench_function("limit-rusqlite", |b| b.iter_custom(|iters| growing.run(iters)));
    let mut growing = Growing::new(
        size,
        BareFile::new,
        |session| serde_json::to_string(&session).unwrap() + "\n",
        |file, line| file.append(&line),
    );
    group.bench_function("limit-append-fdatasync", |b| b.iter_custom(|iters| growing.run(iters)));
    group.finish();
}

/// Measures an operation that only reads, on every backend.
fn stores(group: &mut Group<'_>, templates: &Templates, operation: impl Fn(&dyn SessionStore)) {
    for backend in Backend::ALL {
        let place = LazyCell::new(|| templates.open(backend));
        measure(group, backend.as_str(), &place, |place| operation(&*place.store));
    }
}

/// Measures an operation on something that is made only when no filter leaves this bench out.
fn measure<T, F: FnOnce() -> T>(
    group: &mut Group<'_>,
    name: &str,
    place: &LazyCell<T, F>,
    operation: impl Fn(&T),
) {
    group.bench_function(name, |b| {
        let place = LazyCell::force(place);
        operation(place);
        b.iter(|| operation(place));
    });
}

fn decoded(record: &str) -> Session {
    serde_json::from_str(record).unwrap()
}
