//! Leases beside threads that start programs, which have copies of all descriptors for a moment.
#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use ports_lease::{Request, lease};

#[test]
fn a_leased_port_can_be_bound_while_programs_are_started() {
    let done = AtomicBool::new(false);
    let failed: Vec<String> = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert!(Command::new("true").status().unwrap().success());
                }
            });
        }
        let failed = (0..ROUNDS).filter_map(|_| {
            let held = lease(&Request::tcp()).unwrap();
            TcpListener::bind(("0.0.0.0", held.number())).err().map(|error| error.to_string())
        });
        let failed = failed.collect();
        done.store(true, Ordering::Relaxed);
        failed
    });
    assert!(failed.is_empty(), "{} of {ROUNDS}: {}", failed.len(), failed[0]);
}

/// Enough to meet a start of a program some times, without which it would prove nothing.
const ROUNDS: usize = 20_000;
