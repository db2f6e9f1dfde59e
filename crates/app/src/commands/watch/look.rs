//! Looks at the sockets again and again, on a thread of its own: a look may take longer than a key
//! may wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stats::system::{Snapshot, SocketEventKind, SocketWatch};
use tokio::sync::mpsc::Sender;

use super::meter::Meter;
use super::model::Event;
use crate::commands::interfaces::Interfaces;
use crate::commands::ls::Filter;

/// What one look saw.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) snapshot: Arc<Snapshot>,
    /// Those that its sockets are bound to.
    pub(super) interfaces: Interfaces,
    /// Since the look before; `None` of the first.
    pub(super) rates: Option<Rates>,
}

/// What happened in a second, on average since the look before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) opened: f64,
    pub(super) closed: f64,
    /// Bytes that TCP sockets received.
    pub(super) received: f64,
    /// Bytes that the peers of TCP sockets acknowledged.
    pub(super) acknowledged: f64,
}

/// Until nobody takes what it sees any more.
pub(super) fn start(filter: &Filter, interval: Duration, events: Sender<Event>) {
    let mut watch = SocketWatch::new(filter.query().processes(true).traffic(true));
    // Without the right to it, what comes and goes between two looks is not counted.
    let _ = watch.hear_endings();
    let filter = filter.clone();
    std::thread::spawn(move || {
        let events = TellsPanic(events);
        loop {
            let started = Instant::now();
            let event = match look(&mut watch, &filter) {
                Ok(look) => Event::Looked(Box::new(look)),
                Err(error) => Event::Failed(error),
            };
            let failed = matches!(event, Event::Failed(_));
            if events.0.blocking_send(event).is_err() || failed {
                return;
            }
            std::thread::sleep(interval.saturating_sub(started.elapsed()));
        }
    });
}

/// The screen does not outlive a panic here: the panic has given the terminal back.
struct TellsPanic(Sender<Event>);

impl Drop for TellsPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = anyhow::anyhow!("looking at the sockets has panicked");
            // Where nobody listens any more, it is over already.
            let _ = self.0.blocking_send(Event::Failed(error));
        }
    }
}

fn look(watch: &mut SocketWatch, filter: &Filter) -> anyhow::Result<Look> {
    let earlier = watch.shared_snapshot();
    let mut meter = Meter::new(filter);
    let found = watch.poll_beside(|socket, before| meter.read(socket, before))?;
    let snapshot = watch.shared_snapshot();
    let snapshot =
        snapshot.ok_or_else(|| anyhow::anyhow!("the sockets were read and are not there"))?;
    let (mut opened, mut closed) = (0_u32, 0_u32);
    for event in found.events.iter().filter(|event| filter.keeps_record(&event.socket)) {
        match event.kind {
            SocketEventKind::Opened => opened += 1,
            SocketEventKind::Closed { .. } => {
                closed += 1;
                // One that no look saw alive was opened since the last one, too.
                opened += u32::from(event.socket.state.is_none());
            }
            _ => {}
        }
    }
    let rates = earlier.map(|earlier| {
        let elapsed = snapshot.taken_at() - earlier.taken_at();
        let seconds = elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        // What cannot be compared with the look before has moved nothing that is known.
        let traffic = meter.moved();
        Rates {
            opened: f64::from(opened) / seconds,
            closed: f64::from(closed) / seconds,
            received: traffic.received as f64 / seconds,
            acknowledged: traffic.acknowledged as f64 / seconds,
        }
    });
    let interfaces = Interfaces::of(&*snapshot);
    Ok(Look { snapshot, interfaces, rates })
}
