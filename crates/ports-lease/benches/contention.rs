//! Many processes that take ports at once, by leases and by other ways: how often two had the same,
//! how often the port could not be bound, and how long it took.
//!
//! ```text
//! cargo bench -p ports-lease --bench contention -- [--processes N] [--ports N] [--start-up MS]
//!     [--peer NAME=PROGRAM]... [--leases] [--within A-B] [--killed N]
//! ```
//!
//! Each process takes a port, waits up to `--start-up` milliseconds as a program that starts does,
//! binds it, holds it for 1 to 20 ms, and lets it go. Meanwhile another process opens and closes
//! connections all the time. A PROGRAM writes a port in decimal digits for each line that it reads.
//! With `--leases` kinds of leases are compared, with `--within` in that range; beside them N processes
//! lease and bind, each is killed after a few milliseconds, and another one started.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench fails by panicking, and prints"
)]

mod contention {
    pub(crate) mod churn;
    pub(crate) mod method;
    pub(crate) mod timing;
    pub(crate) mod worker;
}

use std::collections::VecDeque;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use contention::method::{Kind, Method};
use contention::worker::{Log, Use};

struct Settings {
    processes: usize,
    ports: usize,
    start_up_ms: u64,
    methods: Vec<Method>,
    killed: usize,
}

impl Settings {
    fn of(args: &[String]) -> Self {
        // Without `--bench` it is only looked at whether it runs.
        let full = args.iter().any(|arg| arg == "--bench");
        let mut settings = Self {
            processes: if full { 64 } else { 4 },
            ports: if full { 1000 } else { 20 },
            start_up_ms: 5,
            methods: Method::usual(),
            killed: 0,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut number = || args.next().unwrap().parse::<u64>().unwrap();
            match arg.as_str() {
                "--processes" => settings.processes = number() as usize,
                "--ports" => settings.ports = number() as usize,
                "--start-up" => settings.start_up_ms = number(),
                "--killed" => settings.killed = number() as usize,
                "--leases" => {
                    settings.methods = Kind::ALL.map(|kind| Method::Lease(kind, None)).into();
                }
                "--within" => {
                    let range = args.next().unwrap().parse().unwrap();
                    for method in &mut settings.methods {
                        if let Method::Lease(_, within) = method {
                            *within = Some(range);
                        }
                    }
                }
                "--peer" => settings.methods.push(Method::peer(args.next().unwrap())),
                _ => {}
            }
        }
        settings
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("worker") => contention::worker::run(&args[1..]),
        Some("hold") => contention::worker::hold(&args[1..]),
        Some("churn") => contention::churn::run(),
        _ => compare(&Settings::of(&args)),
    }
}

fn compare(settings: &Settings) {
    let Settings { processes, ports, start_up_ms, methods, killed } = settings;
    contention::timing::print(if *ports < 100 { 50 } else { 1000 });
    println!(
        "\n{processes} processes, {ports} ports each, start-up of up to {start_up_ms} ms, held \
         for 1 to 20 ms, beside connections that come and go\n"
    );
    println!(
        "{:<28} {:>8} {:>12} {:>12} {:>8} {:>10} {:>10} {:>8}",
        "way", "ports", "had by two", "bind failed", "none got", "median", "p99", "churn"
    );
    for method in methods {
        let mut churn = start(&["churn".to_owned()]);
        let killer = Killer::start(method, *killed);
        let workers: Vec<Child> = (0..*processes)
            .map(|_| {
                start(&["worker".into(), method.text(), ports.to_string(), start_up_ms.to_string()])
            })
            .collect();
        let logs: Vec<Log> = workers.into_iter().map(|worker| Log::read(worker, *ports)).collect();
        let kills = killer.end();
        if kills > 0 {
            println!("{kills} processes killed meanwhile:");
        }
        drop(churn.stdin.take());
        let connections = String::from_utf8(churn.wait_with_output().unwrap().stdout).unwrap();
        print_row(method, &logs, connections.trim());
    }
}

/// Kills processes that hold leases, one after the other, and starts others.
struct Killer {
    done: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Killer {
    fn start(method: &Method, count: usize) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let (over, method) = (Arc::clone(&done), method.text());
        let thread = std::thread::spawn(move || {
            let new = || start(&["hold".into(), method.clone()]);
            let mut held: VecDeque<Child> = (0..count).map(|_| new()).collect();
            let mut kills = 0;
            while let Some(mut oldest) = held.pop_front() {
                std::thread::sleep(Duration::from_millis(5));
                oldest.kill().unwrap();
                oldest.wait().unwrap();
                kills += 1;
                if !over.load(Ordering::Relaxed) {
                    held.push_back(new());
                }
            }
            kills
        });
        Self { done, thread }
    }

    fn end(self) -> usize {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn start(args: &[String]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn print_row(method: &Method, logs: &[Log], connections: &str) {
    let mut uses: Vec<&Use> = logs.iter().flat_map(|log| &log.uses).collect();
    let none: usize = logs.iter().map(|log| log.none).sum();
    uses.sort_unstable_by_key(|one| (one.port, one.from));
    // Sorted by when they begin: each is compared with whoever has the port longest so far.
    let (mut shared, mut last): (usize, Option<(u16, u128)>) = (0, None);
    for one in &uses {
        let until = match last {
            Some((port, until)) if port == one.port => {
                shared += usize::from(one.from < until);
                until.max(one.until)
            }
            _ => one.until,
        };
        last = Some((one.port, until));
    }
    let failed = uses.iter().filter(|one| !one.bound).count();
    let mut took: Vec<u64> = uses.iter().map(|one| one.took_ns).collect();
    took.sort_unstable();
    let at = |part: f64| took.get((took.len() as f64 * part) as usize).copied().unwrap_or_default();
    println!(
        "{:<28} {:>8} {shared:>12} {failed:>12} {none:>8} {:>7} us {:>7} us {connections:>8}",
        method.name(),
        uses.len(),
        at(0.5) / 1000,
        at(0.99) / 1000,
    );
}
