//! The progress bar of a scan, on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use scanner::ScanHandle;
use tokio::task::JoinHandle;

/// How often the bar is drawn.
const INTERVAL: Duration = Duration::from_millis(100);

/// A bar on the terminal, out of the way while something is written there.
#[derive(Clone)]
pub(super) struct Bar(Option<ProgressBar>);

impl Bar {
    /// A bar that follows some scans, where one is wanted.
    pub(super) fn new(wanted: bool) -> Self {
        // Nothing is drawn before there is something to show.
        let hidden = || ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        Self(wanted.then(hidden))
    }

    /// Writes to the terminal; the bar comes back below.
    pub(super) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

/// A bar that is being drawn.
pub(super) struct Progress {
    bar: ProgressBar,
    task: JoinHandle<()>,
}

/// Draws the bar until [`Progress::finish`].
pub(super) fn show(bar: &Bar, scans: Vec<ScanHandle>) -> Option<Progress> {
    let bar = bar.0.clone()?;
    let template = "{bar:30} {percent:>3}% {pos}/{len} ports, {msg}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let drawn = bar.clone();
    let task = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(INTERVAL);
        // The first tick comes at once, and a scan that is over before the second shows no bar.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let total = scans.iter().map(ScanHandle::total).sum();
            drawn.set_length(total);
            let open: u64 = scans.iter().map(ScanHandle::open).sum();
            let done: u64 = scans.iter().map(ScanHandle::done).sum();
            let resumed: u64 = scans.iter().map(ScanHandle::resumed).sum();
            let rate = done.saturating_sub(resumed) as f64 / drawn.elapsed().as_secs_f64();
            drawn.set_message(format!("{open} open, {rate:.0}/s"));
            drawn.set_position(done);
            if total > 0 && drawn.is_hidden() {
                drawn.set_draw_target(ProgressDrawTarget::stderr());
            }
        }
    });
    Some(Progress { bar, task })
}

impl Progress {
    /// Wipes the bar away.
    pub(super) async fn finish(self) {
        self.task.abort();
        // An aborted task has no result to speak of.
        let _ = self.task.await;
        self.bar.finish_and_clear();
    }
}
