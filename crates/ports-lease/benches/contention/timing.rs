//! How long one lease takes while nobody else leases.

use std::time::{Duration, Instant};

use ports_lease::{Lease, Request, lease};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Prints the times with no lease held, and with `held` of them.
pub(crate) fn print(held: usize) {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    println!(
        "{:<28} {:>10} {:>10} {:>10}",
        "one lease, in microseconds", "median", "p99", "slowest"
    );
    let rounds = held.max(100);
    row("none held", rounds, &Request::tcp());
    row("none held, tcp and udp", rounds, &Request::tcp_and_udp());
    row("none held, by name", rounds, &Request::tcp().name("web"));
    // As elsewhere than on Linux. Of the rounds, nearly all are the first at their port.
    let place = tempfile::tempdir().unwrap();
    row("none held, lock files", rounds, &Request::tcp().lock_directory(&place));
    row("the same at one port", rounds, &Request::tcp().name("web").lock_directory(&place));
    let leases: Vec<Lease> = (0..held).map(|_| lease(&Request::tcp()).unwrap()).collect();
    row(&format!("{held} held"), rounds, &Request::tcp());
    drop(leases);
    // The worst: as many in the way, one after the other.
    let leases: Vec<Lease> =
        (0..held).map(|_| lease(&Request::tcp().name("web")).unwrap()).collect();
    row(&format!("{held} held, all in the way"), rounds, &Request::tcp().name("web"));
    drop(leases);
}

fn row(what: &str, rounds: usize, request: &Request) {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            let held = lease(request).unwrap();
            let took = start.elapsed();
            drop(held);
            took
        })
        .collect();
    times.sort_unstable();
    let micros = |time: Duration| time.as_nanos() as f64 / 1000.0;
    let (median, p99) = (times[rounds / 2], times[rounds * 99 / 100]);
    println!(
        "{what:<28} {:>10.1} {:>10.1} {:>10.1}",
        micros(median),
        micros(p99),
        micros(times[rounds - 1])
    );
}
