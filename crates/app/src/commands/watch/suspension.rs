//! Leaving the screen for the shell, and coming back to it.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use anyhow::Context;
use ratatui::DefaultTerminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, enable_raw_mode};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// Who is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// All that the shell runs as one job, as the terminal does at Ctrl-Z.
    Job,
    /// This process: whoever asks for it by a signal asks the others by themselves.
    Process,
}

/// Tells what others want: that the process stops, or that it has gone on after it was stopped, by
/// whomever.
#[derive(Debug)]
pub(super) struct JobControl {
    continued: tokio::signal::unix::Signal,
    /// None where it is ignored, which is to stay so.
    stop: Option<tokio::signal::unix::Signal>,
}

/// What others want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Stop,
    /// It was stopped, and has gone on.
    Continued,
}

impl JobControl {
    pub(super) fn listen() -> anyhow::Result<Self> {
        let listen = |to: Signal| {
            signal(SignalKind::from_raw(to.as_raw()))
                .context("cannot listen to SIGTSTP and SIGCONT")
        };
        let is_ignored = sockets_sys::suspension_is_ignored().context("cannot ask for SIGTSTP")?;
        let stop = if is_ignored { None } else { Some(listen(Signal::TSTP)?) };
        Ok(Self { continued: listen(Signal::CONT)?, stop })
    }

    /// The next one.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: none is lost, but a stop that was taken back.
    pub(super) async fn next(&mut self) -> Wish {
        let stop = async {
            match &mut self.stop {
                Some(stop) => stop.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            // Before a stop, and in its place: to stop now would be after the wish to go on.
            Some(()) = self.continued.recv() => {
                if let Some(stop) = &mut self.stop {
                    poll_fn(|context| Poll::Ready(_ = stop.poll_recv(context))).await;
                }
                Wish::Continued
            }
            Some(()) = stop => Wish::Stop,
            else => std::future::pending().await,
        }
    }
}

/// Gives the terminal back and stops. Returns when it goes on, and the screen is to be [entered](enter)
/// again; at once where nobody could let it go on.
pub(super) fn suspend(screen: &mut DefaultTerminal, whom: Whom) -> anyhow::Result<()> {
    let restored = screen.show_cursor().and_then(|()| ratatui::try_restore());
    restored.context("cannot give the terminal back")?;
    let stopped = match whom {
        Whom::Job => sockets_sys::suspend_process_group(),
        Whom::Process => sockets_sys::suspend_process(),
    };
    stopped.context("cannot stop")
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
