//! What is told of the UDP clients of one listening socket, in the order in which it happened.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use sockets_udp::UdpSocketBuilder;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::crowd::{Crowd, What};
use crate::output::{EventLine, EventSender, Terminal, bytes};

/// How many lines wait for a slow reader of the events, as those of a socket do.
const KEPT_LINES: usize = UdpSocketBuilder::DEFAULT_EVENT_CAPACITY;

/// Takes what happened: lines for the events, and with `-v` what concerns the clients to standard error
/// as well. Nobody waits here: what a slow reader misses is counted in a `lagged` line.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Teller {
    lines: Option<broadcast::Sender<EventLine>>,
    terminal: Terminal,
    said: Arc<Said>,
}

/// What `-v` says of the clients; the last teller says how many were not said.
#[derive(Debug)]
struct Said {
    crowd: Mutex<Crowd>,
    terminal: Terminal,
}

impl Said {
    fn say(&self, what: What, text: &str) {
        let mut crowd = self.crowd.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, is_said) = crowd.hear(what, Instant::now());
        drop(crowd);
        for note in before.as_deref().into_iter().chain(is_said.then_some(text)) {
            self.terminal.note(note);
        }
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        let crowd = self.crowd.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(note) = crowd.rest() {
            self.terminal.note(&note);
        }
    }
}

impl Teller {
    /// The task that writes ends after the last clone of the teller.
    pub(in crate::commands) fn start(
        events: &EventSender,
        terminal: Terminal,
        telling: &mut JoinSet<()>,
    ) -> Self {
        let lines = events.is_on().then(|| {
            let (lines, waiting) = broadcast::channel(KEPT_LINES);
            telling.spawn(write(waiting, events.clone()));
            lines
        });
        let said = Arc::new(Said { crowd: Mutex::default(), terminal });
        Self { lines, terminal, said }
    }

    /// Whether lines for the events are wanted.
    pub(in crate::commands) const fn writes(&self) -> bool {
        self.lines.is_some()
    }

    /// With `-v` a line that concerns a client is said as well.
    pub(in crate::commands) fn tell(&self, line: EventLine) {
        let said = self.is_verbose().then(|| note(&line)).flatten();
        // First: what is seen on standard error is among the events before whatever follows it.
        self.write(line);
        if let Some((what, text)) = said {
            self.said.say(what, &text);
        }
    }

    pub(in crate::commands) const fn is_verbose(&self) -> bool {
        self.terminal.is_verbose()
    }

    fn write(&self, line: EventLine) {
        if let Some(lines) = &self.lines {
            // Without a receiver the events can no longer be written, which ends the command.
            let _ = lines.send(line);
        }
    }

    /// Says it with `-v`.
    pub(in crate::commands) fn note(&self, text: &str) {
        if self.terminal.is_verbose() {
            self.terminal.note(text);
        }
    }

    /// Says it to everybody.
    pub(in crate::commands) fn warn(&self, text: &str) {
        self.terminal.warn(text);
    }
}

async fn write(mut lines: broadcast::Receiver<EventLine>, events: EventSender) {
    loop {
        match lines.recv().await {
            Ok(line) => events.send(line).await,
            Err(RecvError::Lagged(missed)) => events.send(EventLine::Lagged { missed }).await,
            Err(RecvError::Closed) => return,
        }
    }
}

/// That a client could not be served.
pub(in crate::commands) fn not_served(client: SocketAddr, error: &anyhow::Error) -> EventLine {
    let error = format!("{client} is not served: {error:#}");
    EventLine::Error { client: None, operation: "connect", error }
}

fn note(line: &EventLine) -> Option<(What, String)> {
    Some(match line {
        EventLine::Connected { client: Some(client), peer } => {
            (What::Connected, format!("client {client} is new: {peer}"))
        }
        &EventLine::Disconnected {
            client: Some(client),
            peer,
            reason,
            bytes_in,
            bytes_out,
            discarded: unread,
        } => {
            let bytes = bytes(bytes_in);
            let text =
                format!("client {client} is gone: {peer}, {reason}, {bytes} in, {bytes_out} out");
            (What::Gone { bytes_in, bytes_out, unread }, text)
        }
        EventLine::Error { client: Some(client), error, .. } => {
            (What::Error, format!("client {client}: {error}"))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use tempfile::NamedTempFile;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::args::{ColorWhen, EventTarget};
    use crate::output::EventLog;

    /// More at once than are kept: nobody waited, the last ones are there, the rest is counted. No time
    /// passes while the writer has something to do.
    #[tokio::test(start_paused = true)]
    async fn what_a_slow_reader_misses_is_counted() {
        let file = NamedTempFile::new().unwrap();
        let target = EventTarget::File(file.path().to_owned());
        let log = EventLog::open(Some(&target), CancellationToken::new()).unwrap();
        let mut telling = JoinSet::new();
        let quiet = Terminal::new(ColorWhen::Never, true, 0);
        let teller = Teller::start(&log.sender(), quiet, &mut telling);
        let told = KEPT_LINES + 100;
        for len in 0..told {
            let peer = "127.0.0.1:7".parse().ok();
            teller.tell(EventLine::Data { client: Some(1), peer, len });
        }
        drop(teller);
        while telling.join_next().await.is_some() {}
        log.finish(stats::SocketStats::new().snapshot()).await.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some(r#"{"type":"lagged","missed":100}"#));
        assert_eq!(lines.filter(|line| line.contains(r#""type":"data""#)).count(), KEPT_LINES);
    }
}
