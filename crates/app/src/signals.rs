//! Ctrl-C, SIGTERM and SIGHUP: the first stops in order, the second at once.

use std::fmt;
use std::future::pending;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use anyhow::Context;
use tokio::signal::unix::{Signal as Arrivals, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::exit::{Exit, Signal};
use crate::output::{Terminal, flush_standard_error_now};

/// Signals this close together are one wish: timeout(1) signals the process and then its group.
const SAME_WISH: Duration = Duration::from_millis(500);

/// When a wait for the other end of a named pipe is explained.
const HINT_AFTER: Duration = Duration::from_millis(500);

/// What is still to be said before the process ends at once.
type LastWords = Box<dyn FnOnce() + Send>;

/// What the user or the system wants of the running command.
#[derive(Clone)]
pub(crate) struct Signals {
    stop: CancellationToken,
    first: Arc<OnceLock<Signal>>,
    last_words: Arc<Mutex<Option<LastWords>>>,
    /// How many [`Opening`]s there are.
    opening: Arc<AtomicUsize>,
}

impl Signals {
    /// From now on SIGINT, SIGTERM and SIGHUP ask the command to stop instead of ending the process. A
    /// SIGHUP that is ignored stays so: the command was started to outlive its terminal.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup =
            if hangup_is_ignored()? { None } else { Some(signal(SignalKind::hangup())?) };
        let signals = Self {
            stop: CancellationToken::new(),
            first: Arc::default(),
            last_words: Arc::default(),
            opening: Arc::default(),
        };
        let told = signals.clone();
        tokio::spawn(async move {
            let mut told_at = None;
            loop {
                let signal = tokio::select! {
                    Some(()) = interrupt.recv() => Signal::Interrupt,
                    Some(()) = terminate.recv() => Signal::Terminate,
                    Some(()) = next(&mut hangup) => Signal::Hangup,
                    else => return,
                };
                let first = *told_at.get_or_insert_with(Instant::now);
                let is_again = told.first.set(signal).is_err() && first.elapsed() >= SAME_WISH;
                if is_again || told.opening.load(SeqCst) > 0 {
                    told.say_last_words();
                    exit_at_once(signal);
                }
                told.stop.cancel();
            }
        });
        Ok(signals)
    }

    /// Cancelled once the command is to stop.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// For as long as files that the user named are opened: a named pipe is open only once somebody has its
    /// other end (fifo(7)), and nobody can break that off. Until it is dropped, the first signal ends the
    /// process at once: nothing is begun yet. The user is told what is waited for.
    pub(crate) fn opening<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a PathBuf>,
        terminal: Terminal,
    ) -> Opening {
        self.opening.fetch_add(1, SeqCst);
        // One that came before will not come again.
        if let Some(signal) = self.first.get() {
            self.say_last_words();
            exit_at_once(*signal);
        }
        let is_pipe =
            |path: &&PathBuf| std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo());
        let pipes: Vec<String> =
            paths.into_iter().filter(is_pipe).map(|path| format!("`{}`", path.display())).collect();
        let hint = (!pipes.is_empty()).then(|| {
            tokio::spawn(async move {
                tokio::time::sleep(HINT_AFTER).await;
                let pipes = pipes.join(", ");
                terminal.warn(&format!("{pipes}: waiting for the other end; Ctrl-C gives up"));
            })
        });
        Opening { opening: Arc::clone(&self.opening), hint }
    }

    /// What the second signal still says before it ends the process. It must not take long, nor
    /// wait for a task.
    pub(crate) fn at_second(&self, last_words: impl FnOnce() + Send + 'static) {
        let mut slot = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(Box::new(last_words));
    }

    fn say_last_words(&self) {
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(words) = words {
            words();
        }
    }

    /// How the command ends: `exit`, unless a signal stopped it.
    pub(crate) fn or_interrupted(&self, exit: Exit) -> Exit {
        self.first.get().map_or(exit, |signal| Exit::Interrupted(*signal))
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals")
            .field("stop", &self.stop)
            .field("first", &self.first)
            .finish_non_exhaustive()
    }
}

/// See [`Signals::opening`].
#[must_use]
pub(crate) struct Opening {
    opening: Arc<AtomicUsize>,
    hint: Option<JoinHandle<()>>,
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.opening.fetch_sub(1, SeqCst);
        if let Some(hint) = &self.hint {
            hint.abort();
        }
    }
}

#[expect(clippy::exit, reason = "the user asked twice: stopping in order takes too long for them")]
fn exit_at_once(signal: Signal) -> ! {
    flush_standard_error_now();
    std::process::exit(i32::from(Exit::Interrupted(signal).code()))
}

/// The next one; never where none is listened to.
async fn next(arrivals: &mut Option<Arrivals>) -> Option<()> {
    match arrivals {
        Some(arrivals) => arrivals.recv().await,
        None => pending().await,
    }
}

/// From now on a file that grows past the limit of the process is a write error, which says which
/// file, and not the end of the process.
#[cfg(target_os = "linux")]
pub(crate) fn outlive_file_size_limit() -> anyhow::Result<()> {
    sockets_sys::outlive_file_size_limit().context("cannot handle SIGXFSZ")
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn outlive_file_size_limit() -> anyhow::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn hangup_is_ignored() -> io::Result<bool> {
    sockets_sys::hangup_is_ignored()
}

#[cfg(not(target_os = "linux"))]
fn hangup_is_ignored() -> io::Result<bool> {
    Ok(false)
}
