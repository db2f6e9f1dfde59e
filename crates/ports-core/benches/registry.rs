//! Claim and release in the port registry, by what is asked for and by how full the range is.
//!
//! Every permutation claims one port and releases it at once; the ports named go through the free
//! ports of the range in a scattered order, so that no word of the tables stays in the nearest cache.

#![expect(clippy::expect_used, reason = "a bench that cannot go on has to stop")]

use std::hint::black_box;
use std::net::Ipv4Addr;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ports_core::{ClaimRequest, Port, PortClaim, PortRange, PortRegistry, Transport};

/// Share of the dynamic range that is held, in thousandths.
const FILLS: [(&str, usize); 3] = [("0%", 0), ("50%", 500), ("99.9%", 999)];
/// Coprime to the 16,384 dynamic ports: stepping by it visits each once, far from the one before.
const STRIDE: usize = 6_007;

fn scattered() -> Vec<Port> {
    let ports: Vec<Port> = PortRange::DYNAMIC.iter().collect();
    (0..ports.len()).map(|index| ports[index * STRIDE % ports.len()]).collect()
}

struct Filled {
    registry: PortRegistry,
    free: Vec<Port>,
    taken: Vec<PortClaim>,
}

impl Filled {
    fn new(thousandths: usize) -> Self {
        let registry = PortRegistry::new();
        let mut free = scattered();
        let held = free.split_off(free.len() - free.len() * thousandths / 1000);
        let request = ClaimRequest::new(Transport::Tcp);
        let taken = held
            .into_iter()
            .map(|port| registry.claim(&request.clone().exact(port)).expect("nobody holds it"))
            .collect();
        Self { registry, free, taken }
    }
}

fn claim_and_release(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("claim_and_release");
    for (fill, thousandths) in FILLS {
        let Filled { registry, free, taken } = Filled::new(thousandths);
        let mut named = free.iter().copied().cycle();
        let mut next = || named.next().expect("the range is not full");
        let mut run = |name: &str, request: &mut dyn FnMut() -> ClaimRequest| {
            group.bench_function(BenchmarkId::new(name, fill), |bencher| {
                bencher.iter(|| registry.claim(black_box(&request())).expect("one is free"));
            });
        };
        let new = || ClaimRequest::new(Transport::Tcp);
        run("any", &mut || new());
        run("any_at_one_address", &mut || new().address(Ipv4Addr::LOCALHOST));
        run("any_within", &mut || new().within(PortRange::USER));
        run("exact", &mut || new().exact(next()));
        run("preferred_free", &mut || new().preferred(next()));
        if let Some(claim) = taken.first() {
            run("preferred_taken", &mut || new().preferred(claim.port()));
        }
        let shared = new().owner(String::from("echo server"));
        group.bench_function(BenchmarkId::new("any_with_shared_owner", fill), |bencher| {
            bencher.iter(|| registry.claim(black_box(&shared)).expect("one is free"));
        });
    }
    group.finish();
}

fn questions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("question");
    for (fill, thousandths) in FILLS {
        let Filled { registry, taken: _taken, .. } = Filled::new(thousandths);
        let ports = scattered();
        let mut ports = ports.iter().copied().cycle();
        let mut next = || ports.next().expect("the range has ports");
        group.bench_function(BenchmarkId::new("is_available", fill), |bencher| {
            bencher.iter(|| registry.is_available(Transport::Tcp, Ipv4Addr::LOCALHOST, next()));
        });
        group.bench_function(BenchmarkId::new("status", fill), |bencher| {
            bencher.iter(|| registry.status());
        });
    }
    group.finish();
}

/// What "any" costs where only the linear pass finds a port, and where runs are asked for.
fn linear_cases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("linear");
    let registry = PortRegistry::new();
    let request = ClaimRequest::new(Transport::Tcp);
    let other = request.clone().address(Ipv4Addr::new(127, 0, 0, 2));
    let _others: Vec<_> = PortRange::DYNAMIC
        .iter()
        .map(|_| registry.claim(&other).expect("the range holds as many"))
        .collect();
    let here = request.clone().address(Ipv4Addr::LOCALHOST);
    group.bench_function("any_at_one_address/all_held_at_another", |bencher| {
        bencher.iter(|| registry.claim(black_box(&here)).expect("free here"));
    });
    group.bench_function("any/exhausted_by_wildcard", |bencher| {
        bencher.iter(|| registry.claim(black_box(&request)).expect_err("none is free"));
    });
    let _here: Vec<_> = PortRange::DYNAMIC
        .iter()
        .map(|_| registry.claim(&here).expect("the range holds as many"))
        .collect();
    group.bench_function("any_at_one_address/exhausted", |bencher| {
        bencher.iter(|| registry.claim(black_box(&here)).expect_err("none is free"));
    });
    let empty = PortRegistry::new();
    group.bench_function("run_of_16/empty", |bencher| {
        bencher.iter(|| empty.claim_run(black_box(&request), 16).expect("the range is empty"));
    });
    group.finish();
}

criterion_group!(benches, claim_and_release, questions, linear_cases);
criterion_main!(benches);
