//! Who counts the packets: the kernel of the scanned host, the same way for every scanner.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

/// How often the counter is read: the error of a span is at most twice that.
const INTERVAL: Duration = Duration::from_millis(2);

/// A counter of the scanned host (RFC 4293; `net/ipv4/proc.c`).
#[derive(Clone, Copy, Debug)]
pub(super) enum Counter {
    /// IP packets that came in, before any filter.
    Packets,
    /// SYNs answered by a cookie: where cookies are always sent, the probes of open ports.
    Cookies,
}

impl Counter {
    /// The file below /proc/PID/net, the name of its block, the name of the column.
    const fn place(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Packets => ("snmp", "Ip:", "InReceives"),
            Self::Cookies => ("netstat", "TcpExt:", "SyncookiesSent"),
        }
    }
}

/// What arrived during one run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Arrivals {
    pub(super) packets: u64,
    /// From the first to the last.
    pub(super) span: Duration,
}

/// A thread that reads the counter until asked for the result.
pub(super) struct Witness {
    stop: Sender<()>,
    thread: JoinHandle<Result<Arrivals>>,
}

impl Witness {
    /// Begins to count what arrives in the namespace of this process.
    pub(super) fn start(process: u32, counter: Counter) -> Self {
        let (stop, stopped) = channel();
        let thread = thread::spawn(move || {
            let mut record = Record::new(read(process, counter)?, Instant::now());
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                record.note(read(process, counter)?, Instant::now());
            }
            record.note(read(process, counter)?, Instant::now());
            Ok(record.arrivals())
        });
        Self { stop, thread }
    }

    /// Ends it.
    pub(super) fn finish(self) -> Result<Arrivals> {
        drop(self.stop);
        self.thread.join().map_err(|_| anyhow!("the counting thread panicked"))?
    }
}

/// When the counter grew first and last.
struct Record {
    start: u64,
    value: u64,
    read_at: Instant,
    grown: Option<(Instant, Instant)>,
}

impl Record {
    const fn new(value: u64, now: Instant) -> Self {
        Self { start: value, value, read_at: now, grown: None }
    }

    fn note(&mut self, value: u64, now: Instant) {
        if value > self.value {
            // The first packet came after the reading before this one.
            let first = self.grown.map_or(self.read_at, |(first, _)| first);
            self.grown = Some((first, now));
        }
        (self.value, self.read_at) = (value, now);
    }

    fn arrivals(&self) -> Arrivals {
        let span = self.grown.map_or(Duration::ZERO, |(first, last)| last - first);
        Arrivals { packets: self.value - self.start, span }
    }
}

fn read(process: u32, counter: Counter) -> Result<u64> {
    let (file, block, column) = counter.place();
    let path = PathBuf::from(format!("/proc/{process}/net/{file}"));
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    value(&text, block, column).with_context(|| format!("no {column} in {}", path.display()))
}

/// The value below its name: two lines begin with the block, names and numbers.
fn value(text: &str, block: &str, column: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(block));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let place = names.split_ascii_whitespace().position(|name| name == column)?;
    numbers.split_ascii_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_number_below_its_name() {
        let text = "Ip: Forwarding DefaultTTL InReceives\nIp: 1 64 4711\nIcmp: InMsgs\nIcmp: 3\n";
        assert_eq!(value(text, "Ip:", "InReceives"), Some(4711));
        assert_eq!(value(text, "Icmp:", "InMsgs"), Some(3));
        assert_eq!(value(text, "Ip:", "InMsgs"), None);
        assert_eq!(value("", "Ip:", "InReceives"), None);
    }

    #[test]
    fn the_span_runs_from_the_first_growth_to_the_last() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut record = Record::new(100, start);
        for (value, ms) in [(100, 10), (150, 12), (150, 14), (180, 30), (180, 2000)] {
            record.note(value, at(ms));
        }
        let expected = Arrivals { packets: 80, span: Duration::from_millis(20) };
        assert_eq!(record.arrivals(), expected);
        assert_eq!(Record::new(7, start).arrivals(), Arrivals::default());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_kernel_has_both_counters() {
        for counter in [Counter::Packets, Counter::Cookies] {
            read(std::process::id(), counter).unwrap();
        }
    }
}
