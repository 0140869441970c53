//! Names checked, made of any text and made up, beside loops over bytes that decide nothing.
#![expect(clippy::unwrap_used, reason = "a bench that meets an error must stop")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use session_benches::Random;
use session_benches::sessions::{FEW, MANY};
use session_core::{NameRules, SessionName};

const RULES: [(&str, NameRules); 2] = [("slug", NameRules::SLUG), ("label", NameRules::LABEL)];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    validate(&mut criterion);
    sanitise(&mut criterion);
    generate(&mut criterion);
    criterion.final_summary();
}

fn validate(criterion: &mut Criterion) {
    // Both rules take 32 bytes, which is the most that one of them does.
    for name in ["fix", "fix-the-build-of-the-main-branch"] {
        let mut group = criterion.benchmark_group(format!("names/validate/{}", name.len()));
        group.throughput(Throughput::Bytes(name.len() as u64));
        for (word, rules) in RULES {
            group.bench_function(word, |b| b.iter(|| rules.validate(black_box(name)).unwrap()));
        }
        group.bench_function("parse", |b| {
            b.iter(|| SessionName::parse(black_box(name)).unwrap());
        });
        group.bench_function("limit-loop", |b| {
            b.iter(|| {
                let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
                assert!(black_box(name).bytes().all(known));
            });
        });
        group.finish();
    }
}

fn sanitise(criterion: &mut Criterion) {
    for len in [10, 1_000] {
        let text: String = "Fix: the B\u{fc}ild -- of main! ".chars().cycle().take(len).collect();
        let mut group = criterion.benchmark_group(format!("names/sanitise/{len}"));
        for (word, rules) in RULES {
            group.bench_function(word, |b| b.iter(|| rules.sanitise(black_box(&text))));
        }
        // As much of the text as the longer of the two names can have, made into one byte by byte.
        group.bench_function("limit-loop", |b| {
            b.iter(|| {
                let lower = black_box(&text).bytes().map(|byte| byte.to_ascii_lowercase());
                let most = NameRules::LABEL.max_bytes();
                lower.take(most).collect::<Vec<u8>>()
            });
        });
        group.finish();
    }
}

/// In a store of so many names that were made up by the same rules.
fn generate(criterion: &mut Criterion) {
    for size in [FEW, MANY] {
        let mut group = criterion.benchmark_group(format!("names/generate/{size}"));
        for (word, rules) in RULES {
            let mut random = Random::new(1);
            let mut taken = BTreeSet::new();
            while taken.len() < size {
                let name =
                    rules.generate(&mut || random.number(), &mut |name| !taken.contains(name));
                taken.insert(name);
            }
            group.bench_function(word, |b| {
                b.iter(|| {
                    rules.generate(&mut || random.number(), &mut |name| !taken.contains(name))
                });
            });
            if word == "slug" {
                group.bench_function("limit-draw", |b| {
                    b.iter(|| {
                        let name =
                            format!("{}-{:04x}", black_box("cedar"), random.number() & 0xffff);
                        black_box(taken.contains(&name));
                        name
                    });
                });
            }
        }
        group.finish();
    }
}
