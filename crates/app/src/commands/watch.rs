//! `ports watch`: the live screen. What happens goes through [`Model::update`], which is pure, and
//! [`view::draw`] shows the model.

mod list;
mod look;
mod meter;
mod model;
mod suspension;
mod view;

use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::Context;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event;
use stats::system::UserNames;
use tokio::sync::mpsc;

#[cfg(test)]
pub(in crate::commands) use self::model::tests::TABLE;
use self::model::{Event, Model};
use self::suspension::{JobControl, Whom, Wish};
use super::ls::{Filter, text_of};
use super::metrics::Metrics;
use crate::args::WatchArgs;
use crate::exit::{Exit, Signal, UsageError};
use crate::output::Terminal;
use crate::signals::Signals;

/// How much later than the end of the terminal the signal of it may come.
const HANGUP: Duration = Duration::from_millis(200);
/// Events on their way to the model; whoever has more waits.
const MOST_EVENTS: usize = 64;

pub(crate) async fn run(
    args: &WatchArgs,
    terminal: Terminal,
    signals: &Signals,
) -> anyhow::Result<Exit> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let hint =
            "the live screen needs a terminal: `ports ls --watch` tells the same as JSON lines";
        return Err(UsageError(hint.to_owned()).into());
    }
    let users = UserNames::read();
    let filter = Filter::new(&args.filter, &users)?;
    let _metrics = Metrics::at(args.metrics, text_of(filter.clone()), terminal).await?;
    let (events, mut happened) = mpsc::channel(MOST_EVENTS);
    let mut job_control = JobControl::listen()?;
    let mut model = Model::new(filter.clone(), users, terminal.paints());
    // Restores the terminal in a panic, too.
    let mut screen = ratatui::try_init().context("cannot take the terminal over")?;
    look::start(&filter, args.interval, events.clone());
    read_keys(events);
    let shown = show(&mut screen, &mut model, &mut happened, &mut job_control, signals).await;
    if screen.show_cursor().is_err() {
        // It would try again as it is dropped, and panic where standard error is gone, too.
        std::mem::forget(screen);
    }
    let restored = ratatui::try_restore().context("cannot give the terminal back");
    if let Err(error) = shown.and(restored) {
        // A terminal that is gone takes nothing any more; then a signal says so, or is about to.
        let _ = tokio::time::timeout(HANGUP, signals.stop().cancelled()).await;
        let exit = signals.or_interrupted(Exit::Done);
        return if exit == Exit::Interrupted(Signal::Hangup) { Ok(exit) } else { Err(error) };
    }
    if let Some(error) = model.into_failure() {
        return Err(error);
    }
    Ok(signals.or_interrupted(Exit::Done))
}

async fn show(
    screen: &mut DefaultTerminal,
    model: &mut Model,
    happened: &mut mpsc::Receiver<Event>,
    job_control: &mut JobControl,
    signals: &Signals,
) -> anyhow::Result<()> {
    loop {
        screen.draw(|frame| view::draw(frame, model)).context("cannot draw")?;
        tokio::select! {
            biased;
            () = signals.stop().cancelled() => return Ok(()),
            wish = job_control.next() => {
                if wish == Wish::Stop {
                    suspension::suspend(screen, Whom::Process)?;
                }
                // Whoever had the terminal meanwhile has left it otherwise.
                suspension::enter(screen)?;
            }
            event = happened.recv() => match event {
                Some(event) => model.update(event),
                // Whoever goes says why before: this does not happen.
                None => return Ok(()),
            }
        }
        // What has come meanwhile is drawn at once.
        while let Ok(event) = happened.try_recv() {
            model.update(event);
        }
        if model.is_over() {
            return Ok(());
        }
        if model.take_suspension() {
            suspension::suspend(screen, Whom::Job)?;
            suspension::enter(screen)?;
        }
    }
}

/// On a thread of its own, which ends with the process: reading keys cannot be broken off.
fn read_keys(events: mpsc::Sender<Event>) {
    std::thread::spawn(move || {
        loop {
            let event = match event::read() {
                Ok(event::Event::Key(key)) => Event::Key(key),
                Ok(event::Event::Resize(..)) => Event::Resized,
                Ok(_) => continue,
                Err(error) => Event::Failed(anyhow::Error::new(error).context("cannot read keys")),
            };
            let is_end = matches!(event, Event::Failed(_));
            if events.blocking_send(event).is_err() || is_end {
                return;
            }
        }
    });
}
