//! Events as JSON lines, described in docs/json-lines.md: `--events FILE|-`.

mod line;
mod sink;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::Context;
use stats::Snapshot;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;

pub(crate) use self::line::EventLine;
use self::sink::{LogFile, Sink};
use super::haste::{Haste, has_room};
use super::{Marked, standard_output, stop_when_gone};
use crate::args::EventTarget;

/// How many lines wait for a slow reader; past that, whoever has an event waits.
const QUEUED_LINES: usize = 256;
/// How long a reader may take nothing before its lines are no longer waited for, but counted.
const ROOM: Duration = Duration::from_secs(1);
/// How long the reader of the last lines is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes lines; a clone for each source of events.
#[derive(Clone, Debug)]
pub(crate) struct EventSender(Option<Queue>);

#[derive(Clone, Debug)]
struct Queue {
    lines: mpsc::Sender<EventLine>,
    reader: Arc<Reader>,
}

/// What is known of whoever reads the lines.
#[derive(Debug, Default)]
struct Reader {
    /// It took nothing for [`ROOM`], and has taken nothing since.
    is_stuck: AtomicBool,
    /// Lines that found no room, and are not told as [`EventLine::Lagged`] yet.
    missed: AtomicU64,
}

impl EventSender {
    /// Whether anybody asked for events.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Hands a line over; waits for room, but not for a reader that stands still: its lines are
    /// counted, and told once there is room. Once writing has failed, lines go nowhere:
    /// [`EventLog::finish`] has the error.
    pub(crate) async fn send(&self, line: EventLine) {
        let Some(queue @ Queue { lines, reader }) = &self.0 else { return };
        let Some(line) = queue.offer(line) else { return };
        if !reader.is_stuck.load(Relaxed) {
            if let Ok(room) = timeout(ROOM, lines.reserve()).await {
                // Without a writer there is nobody to tell.
                if let Ok(room) = room {
                    room.send(line);
                }
                return;
            }
            reader.is_stuck.store(true, Relaxed);
        }
        let lines = if let EventLine::Lagged { missed } = line { missed } else { 1 };
        reader.missed.fetch_add(lines, Relaxed);
    }
}

impl Queue {
    /// The line again, where there is no room now.
    fn offer(&self, line: EventLine) -> Option<EventLine> {
        if let Ok(room) = self.lines.try_reserve()
            && let Some(missed) = self.reader.take_missed()
        {
            room.send(missed);
        }
        match self.lines.try_send(line) {
            Err(TrySendError::Full(line)) => Some(line),
            Ok(()) | Err(TrySendError::Closed(_)) => None,
        }
    }
}

impl Reader {
    fn take_missed(&self) -> Option<EventLine> {
        if self.missed.load(Relaxed) == 0 {
            return None;
        }
        let missed = self.missed.swap(0, Relaxed);
        // Somebody else may have told them.
        (missed > 0).then_some(EventLine::Lagged { missed })
    }
}

/// The last line, whoever gets to write it: the end in order, or the second signal.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastLine {
    /// Does not keep the writer alive.
    sender: Option<mpsc::WeakSender<EventLine>>,
    said: Arc<AtomicBool>,
    written: Arc<(Mutex<bool>, Condvar)>,
    way: Way,
}

/// What may be in the way of a line.
#[derive(Clone, Copy, Debug, Default)]
enum Way {
    /// A reader, who cannot be looked at.
    #[default]
    Unknown,
    /// The reader of standard output.
    StandardOutput,
    /// Nobody.
    RegularFile,
}

impl Way {
    fn has_room(self) -> bool {
        match self {
            Self::Unknown => false,
            Self::StandardOutput => has_room(io::stdout()),
            Self::RegularFile => true,
        }
    }
}

impl LastLine {
    /// Writes it now, unless it is being written; waits no longer than [`Haste`] says. For a thread
    /// that is about to end the process.
    pub(crate) fn write_now(&self, last: Snapshot) {
        let Some(sender) = self.sender.as_ref().and_then(mpsc::WeakSender::upgrade) else { return };
        let haste = Haste::begin();
        let pause = || haste.pause(|| self.way.has_room());
        if !self.said.swap(true, Relaxed) {
            let mut line = EventLine::Stats(last);
            // A full queue becomes shorter unless its reader stands still.
            while let Err(TrySendError::Full(back)) = sender.try_send(line) {
                let Some(pause) = pause() else { return };
                line = back;
                std::thread::sleep(pause);
            }
        }
        let (written, changed) = &*self.written;
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody is told how it went: the process ends. Nor is a writer waited for that has failed.
        while !*written
            && !sender.is_closed()
            && let Some(pause) = pause()
        {
            let waited = changed.wait_timeout(written, pause);
            written = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn note_written(&self) {
        let (written, changed) = &*self.written;
        *written.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }
}

/// The writing side: a thread of its own, so that a slow reader stops no socket.
#[derive(Debug)]
pub(crate) struct EventLog {
    sender: EventSender,
    writer: Option<JoinHandle<io::Result<()>>>,
    last: LastLine,
    name: String,
}

impl EventLog {
    /// Opens the target, if there is one; `failed` is cancelled when it can no longer be written.
    pub(crate) fn open(
        target: Option<&EventTarget>,
        failed: CancellationToken,
    ) -> anyhow::Result<Self> {
        let (name, sink, way): (_, Box<dyn Sink>, _) = match target {
            None => {
                let (sender, last) = (EventSender(None), LastLine::default());
                return Ok(Self { sender, writer: None, last, name: String::new() });
            }
            Some(EventTarget::StandardOutput) => {
                standard_output::check_open()?;
                stop_when_gone(io::stdout(), &failed);
                let sink = Box::new(Marked(io::stdout()));
                ("standard output".to_owned(), sink, Way::StandardOutput)
            }
            Some(EventTarget::File(path)) => {
                let file = LogFile::open(path)?;
                file.stop_when_unread(&failed);
                let way = if file.is_regular() { Way::RegularFile } else { Way::Unknown };
                (format!("`{}`", path.display()), Box::new(file), way)
            }
        };
        let (sender, lines) = mpsc::channel(QUEUED_LINES);
        let last = LastLine { sender: Some(sender.downgrade()), way, ..LastLine::default() };
        let (told, reader) = (last.clone(), Arc::<Reader>::default());
        let of_writer = Arc::clone(&reader);
        let writer = spawn_blocking(move || {
            let written = write_lines(lines, sink, &told, &of_writer);
            if written.is_err() {
                failed.cancel();
            }
            written
        });
        let sender = EventSender(Some(Queue { lines: sender, reader }));
        Ok(Self { sender, writer: Some(writer), last, name })
    }

    /// Where events go in.
    pub(crate) fn sender(&self) -> EventSender {
        self.sender.clone()
    }

    /// For whoever may have to write the last line in haste.
    pub(crate) fn last_line(&self) -> LastLine {
        self.last.clone()
    }

    /// Writes the last line, and waits until all are written. Every other sender is gone by then.
    pub(crate) async fn finish(self, last: Snapshot) -> anyhow::Result<()> {
        let Self { sender, writer, last: said, name } = self;
        let Some(writer) = writer else { return Ok(()) };
        let written = timeout(PATIENCE, async {
            if let Some(Queue { lines, reader }) = sender.0
                && !said.said.swap(true, Relaxed)
            {
                for line in reader.take_missed().into_iter().chain([EventLine::Stats(last)]) {
                    // Where writing has failed the writer says so.
                    let _ = lines.send(line).await;
                }
            }
            writer.await
        });
        let cannot = || format!("cannot write events to {name}");
        match written.await {
            Ok(ended) => ended.with_context(cannot)?.with_context(cannot),
            Err(_) => anyhow::bail!("{}: nobody reads them", cannot()),
        }
    }
}

/// Each line flushed as it comes.
fn write_lines(
    mut lines: mpsc::Receiver<EventLine>,
    mut sink: Box<dyn Sink>,
    last: &LastLine,
    reader: &Reader,
) -> io::Result<()> {
    while let Some(line) = lines.blocking_recv() {
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        // What a command that could not begin has to tell.
        if !matches!(line, EventLine::Error { .. } | EventLine::Stats(_)) {
            sink.begin()?;
        }
        sink.line(&text)?;
        reader.is_stuck.store(false, Relaxed);
        if matches!(line, EventLine::Stats(_)) {
            // Also where the second signal has it written while others still have something to say.
            last.note_written();
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lines_without_room_count_for_all_that_they_tell_of() {
        let (lines, mut taken) = mpsc::channel(1);
        let sender = EventSender(Some(Queue { lines, reader: Arc::default() }));
        for missed in [5, 7] {
            sender.send(EventLine::Lagged { missed }).await;
        }
        sender.send(EventLine::HalfClosed { client: None }).await;
        let told = |line: Option<EventLine>| match line {
            Some(EventLine::Lagged { missed }) => missed,
            other => panic!("{other:?}"),
        };
        assert_eq!(told(taken.recv().await), 5);
        sender.send(EventLine::HalfClosed { client: None }).await;
        assert_eq!(told(taken.recv().await), 8);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_said_before_anything_else() {
        let target = EventTarget::File("/nowhere/events".into());
        let error = EventLog::open(Some(&target), CancellationToken::new()).unwrap_err();
        assert!(error.to_string().contains("/nowhere/events"), "{error}");
    }

    /// No time passes while the writer has something to do.
    #[tokio::test(start_paused = true)]
    async fn lines_come_in_order_and_the_statistics_last() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let target = EventTarget::File(file.path().into());
        let log = EventLog::open(Some(&target), CancellationToken::new()).unwrap();
        let sender = log.sender();
        for missed in 0..600 {
            sender.send(EventLine::Lagged { missed }).await;
        }
        drop(sender);
        log.finish(stats::SocketStats::new().snapshot()).await.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 601);
        assert!((0..600).all(|n| lines[n]["missed"] == n));
        assert_eq!(lines[600]["type"], "stats");
    }
}
