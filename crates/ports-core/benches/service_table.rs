//! Lookups in the service table, one at a time and over the whole table in random order.

#![allow(missing_docs, reason = "criterion's macros write undocumented functions")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ports_core::{Port, PortSet, Service, ServiceTable, Transport};

/// The whole table in an order that is random to caches and branch predictors, and always the same.
fn shuffled() -> Vec<Service> {
    let mut services: Vec<Service> = ServiceTable.iter().collect();
    // Knuth's linear congruential generator (MMIX).
    let mut state = 1_u64;
    for end in (1..services.len()).rev() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        services.swap(end, (state >> 33) as usize % (end + 1));
    }
    services
}

fn one(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("service_table/one");
    for (name, port) in [("port hit", 5432), ("port miss", 65_000)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                ServiceTable.service_by_port(black_box(Port::new(port)), black_box(Transport::Tcp))
            });
        });
    }
    for (label, name) in
        [("name hit", "postgresql"), ("name upper case", "HTTPS"), ("name miss", "no-such-service")]
    {
        group.bench_function(label, |bencher| {
            bencher.iter(|| ServiceTable.by_name(black_box(name)).next());
        });
    }
    group.finish();
}

fn whole_table(criterion: &mut Criterion) {
    let services = shuffled();
    let mut group = criterion.benchmark_group("service_table/random order");
    group.throughput(Throughput::Elements(services.len() as u64));
    group.bench_function("by port", |bencher| {
        bencher.iter(|| {
            for service in &services {
                black_box(ServiceTable.service_by_port(service.port, service.transport));
            }
        });
    });
    group.bench_function("by name", |bencher| {
        bencher.iter(|| {
            for service in &services {
                black_box(ServiceTable.by_name(service.name).next());
            }
        });
    });
    group.finish();
}

fn sets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("port_set");
    let all = PortSet::all();
    group.bench_function("iterate 65,535", |bencher| {
        bencher.iter(|| all.iter().map(|port| u32::from(port.number())).sum::<u32>());
    });
    group.bench_function("nth, the last", |bencher| bencher.iter(|| all.nth(black_box(65_534))));
    group.bench_function("union", |bencher| {
        bencher.iter_batched(|| all.clone(), |set| set | &all, BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, one, whole_table, sets);
criterion_main!(benches);
