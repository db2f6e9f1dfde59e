//! Leaving the screen for the shell, and coming back to it.

use std::io;
use std::time::Duration;

use anyhow::Context;
use ratatui::DefaultTerminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, enable_raw_mode};
use rustix::process::{Signal, kill_current_process_group};
use tokio::signal::unix::{SignalKind, signal};

/// A process that was not stopped by then is not going to be: nobody is there who could let it go on (a
/// process group that is orphaned, setpgid(2)), or the signal is ignored.
const STOPPED: Duration = Duration::from_millis(500);

/// Tells when the process goes on after it was stopped, by whomever.
#[derive(Debug)]
pub(super) struct Continuations(tokio::signal::unix::Signal);

impl Continuations {
    pub(super) fn listen() -> anyhow::Result<Self> {
        let continued = SignalKind::from_raw(Signal::CONT.as_raw());
        signal(continued).map(Self).context("cannot listen to SIGCONT")
    }

    /// The next one.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: none is lost.
    pub(super) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Gives the terminal back and stops, as the terminal itself does at Ctrl-Z: with all that the shell runs
/// as one job. Returns when it goes on, and the screen is to be [entered](enter) again.
pub(super) async fn suspend(
    screen: &mut DefaultTerminal,
    continuations: &mut Continuations,
) -> anyhow::Result<()> {
    let restored = screen.show_cursor().and_then(|()| ratatui::try_restore());
    restored.context("cannot give the terminal back")?;
    kill_current_process_group(Signal::TSTP).context("cannot stop")?;
    tokio::select! {
        () = continuations.next() => {}
        () = tokio::time::sleep(STOPPED) => {}
    }
    Ok(())
}

/// Takes the terminal over again, to draw all of it anew. Does no harm where it has it.
pub(super) fn enter(screen: &mut DefaultTerminal) -> anyhow::Result<()> {
    let entered = enable_raw_mode()
        .and_then(|()| execute!(io::stdout(), EnterAlternateScreen, Clear(ClearType::All)))
        // One that has drawn nothing yet: to clear the one there is, it would ask the terminal where the
        // cursor is, and the answer goes to whoever reads the keys.
        .and_then(|()| ratatui::Terminal::new(CrosstermBackend::new(io::stdout())));
    *screen = entered.context("cannot take the terminal over")?;
    Ok(())
}
