//! What `ports listen` and `ports connect` have in common from begin to end: events, statistics,
//! the wish to stop.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sockets_tcp::ClientNumbers;
use stats::{Snapshot, SocketStats};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::kernel_drops::KernelDrops;
use crate::args::{EventTarget, ReportArgs, TlsArgs};
use crate::exit::{Exit, report};
use crate::output::{EventLine, EventLog, EventSender, StandardError, Terminal};
use crate::signals::{Opening, Signals};

/// When a stop that takes time is explained.
const HINT_AFTER: Duration = Duration::from_millis(500);

/// How long the way out may take after Ctrl-C or SIGTERM: what was accepted is drained meanwhile.
pub(in crate::commands) const GRACE: Duration = Duration::from_secs(5);

/// How many connects and disconnects `--stats` prints.
const HISTORY: usize = 10;

/// What the second signal does before anything is said.
type Cut = Box<dyn FnOnce() + Send>;

/// See the module's first lines.
pub(in crate::commands) struct Session {
    pub(in crate::commands) terminal: Terminal,
    pub(in crate::commands) stats: SocketStats,
    pub(in crate::commands) events: EventSender,
    /// One row of numbers for all clients of the command.
    pub(in crate::commands) clients: ClientNumbers,
    /// Cancelled by a signal, or when the events can no longer be written.
    pub(in crate::commands) stop: CancellationToken,
    signals: Signals,
    log: EventLog,
    cuts: Arc<Mutex<Vec<Cut>>>,
    /// The second signal has come.
    is_cut: Arc<AtomicBool>,
    kernel_drops: KernelDrops,
    /// What the command fails with is among the events already.
    failure_was_told: AtomicBool,
    prints_stats: bool,
    /// The statistics are printed, or being printed.
    printed: Arc<AtomicBool>,
}

impl Session {
    /// Opens the events' file, before anything else happens. `None` where the command is to stop
    /// before it is open.
    pub(in crate::commands) async fn open(
        report: &ReportArgs,
        terminal: Terminal,
        signals: &Signals,
    ) -> anyhow::Result<Option<Self>> {
        let stop = signals.stop().child_token();
        let prints_stats = report.stats;
        let Some(log) = open_log(report, terminal, &stop).await? else { return Ok(None) };
        let (events, last_line) = (log.sender(), log.last_line());
        let (stats, printed) = (SocketStats::new(), Arc::<AtomicBool>::default());
        let (counted, already) = (stats.clone(), Arc::clone(&printed));
        let cuts = Arc::<Mutex<Vec<Cut>>>::default();
        let is_cut = Arc::<AtomicBool>::default();
        let (cut, cutting) = (Arc::clone(&cuts), Arc::clone(&is_cut));
        signals.at_second(move || {
            cutting.store(true, Relaxed);
            // First of all, so that what it loses is counted.
            let cuts = std::mem::take(&mut *cut.lock().unwrap_or_else(PoisonError::into_inner));
            for cut in cuts {
                cut();
            }
            // One look for both, which say the same.
            let last = counted.snapshot();
            last_line.write_now(last.clone());
            if prints_stats && !already.swap(true, Relaxed) {
                print(&last, &counted);
            }
        });
        let kernel_drops = KernelDrops::new(terminal);
        Ok(Some(Self {
            terminal,
            stats,
            events,
            clients: ClientNumbers::new(),
            stop,
            signals: signals.clone(),
            log,
            cuts,
            is_cut,
            kernel_drops,
            failure_was_told: AtomicBool::new(false),
            prints_stats,
            printed,
        }))
    }

    /// For as long as files of TLS are read, of which each may be a named pipe.
    pub(in crate::commands) fn opening(&self, args: &TlsArgs) -> Opening {
        self.signals.opening([&args.cert, &args.key, &args.ca].into_iter().flatten(), self.terminal)
    }

    /// For what receives datagrams: the user is told of those that the kernel drops.
    pub(in crate::commands) fn look_for_kernel_drops(&mut self) {
        self.kernel_drops.look(&self.stats);
    }

    /// What the second signal does before it ends the process: it resets connections that are not
    /// done, as their sockets would end like those of one that is. It must not take long, nor wait
    /// for a task.
    pub(in crate::commands) fn at_second(&self, cut: impl FnOnce() + Send + 'static) {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(cut));
    }

    /// To be waited for before anything is said of the end: not over once the second signal has come,
    /// as then that says it, and ends the process.
    pub(in crate::commands) async fn unless_cut(&self) {
        if self.is_cut.load(Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    /// Whether anybody wants to know what happens to connections.
    pub(in crate::commands) fn tells(&self) -> bool {
        self.events.is_on() || self.terminal.is_verbose()
    }

    /// What the command is about to fail with was an event of its own: one failure is told once.
    pub(in crate::commands) fn failure_was_told(&self) {
        self.failure_was_told.store(true, Relaxed);
    }

    /// Until [`GRACE`] after the wish to stop.
    pub(in crate::commands) async fn grace_over(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(HINT_AFTER).await;
        self.terminal.note("sending what was accepted; Ctrl-C once more stops at once");
        tokio::time::sleep(GRACE.saturating_sub(HINT_AFTER)).await;
    }

    /// The end of the command, however it went: the last line of the events, the statistics, and
    /// the exit code. Every task that sends events has ended by now.
    pub(in crate::commands) async fn end(
        self,
        result: anyhow::Result<()>,
        signals: &Signals,
    ) -> anyhow::Result<Exit> {
        self.unless_cut().await;
        let was_told = self.failure_was_told.load(Relaxed);
        let Self { terminal, stats, events, log, kernel_drops, prints_stats, printed, .. } = self;
        if let Err(error) = &result
            && !was_told
        {
            let (operation, error) = ("run", format!("{error:#}"));
            events.send(EventLine::Error { client: None, operation, error }).await;
        }
        drop(events);
        let last = stats.snapshot();
        kernel_drops.end(&last);
        let written = log.finish(last.clone()).await;
        if prints_stats && !printed.swap(true, Relaxed) {
            print(&last, &stats);
        }
        let result = result.and(written);
        if let (Err(error), Exit::Interrupted(_)) = (&result, signals.or_interrupted(Exit::Done)) {
            // The exit code is the signal's; the user learns all the same what went wrong.
            report(error, terminal);
            return Ok(signals.or_interrupted(Exit::Done));
        }
        result.map(|()| signals.or_interrupted(Exit::Done))
    }
}

/// A named pipe is open only once somebody reads it (fifo(7)): the user is told what is waited for.
async fn open_log(
    report: &ReportArgs,
    terminal: Terminal,
    stop: &CancellationToken,
) -> anyhow::Result<Option<EventLog>> {
    let (target, failed) = (report.events.clone(), stop.clone());
    let Some(EventTarget::File(path)) = &target else {
        return EventLog::open(target.as_ref(), failed).map(Some);
    };
    let path = path.display().to_string();
    let opening = spawn_blocking(move || EventLog::open(target.as_ref(), failed));
    let hint = async {
        tokio::time::sleep(HINT_AFTER).await;
        terminal.warn(&format!("`{path}`: waiting for somebody to read it; Ctrl-C gives up"));
        std::future::pending().await
    };
    tokio::select! {
        biased;
        opened = opening => opened?.map(Some),
        // Whoever opens it goes with the process.
        () = stop.cancelled() => Ok(None),
        never = hint => never,
    }
}

/// That datagrams could not all be written within the [`GRACE`].
pub(in crate::commands) fn too_slow() -> anyhow::Error {
    let grace = GRACE.as_secs();
    anyhow::anyhow!(
        "not done {grace} s after the signal: standard output takes too little, and datagrams that \
         had come are not written"
    )
}

fn print(last: &Snapshot, stats: &SocketStats) {
    let mut text = last.to_string();
    // Writing to a string does not fail.
    let _ = stats.print_history(HISTORY, &mut text);
    // It never fails.
    let _ = StandardError.write_all(text.as_bytes());
}
