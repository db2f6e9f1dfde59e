//! Standard output: its end is always told, and its reader is not waited for for ever.

use std::io::{self, BufWriter, Stdout, Write};
use std::time::{Duration, Instant};

use anstream::adapter::StripBytes;
use anstream::{AutoStream, ColorChoice};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::{ReaderGone, Terminal};

/// A pipe that has room has room for this much (`PIPE_BUF`, pipe(7)), so that writing no more than that
/// does not block.
const AT_ONCE: usize = 4096;
/// How long a reader may take nothing once the command is to stop.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether the command is to stop, while the reader takes nothing.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Standard output. Buffered: what is to be seen has to be flushed.
pub(crate) struct StandardOutput {
    descriptor: BufWriter<Descriptor>,
    choice: ColorChoice,
    /// Takes colours out.
    strip: Option<StripBytes>,
}

impl StandardOutput {
    /// Fails where it is closed: what is written would go nowhere.
    pub(super) fn open(terminal: Terminal, choice: ColorChoice) -> anyhow::Result<Self> {
        check_open()?;
        let descriptor = Descriptor { stdout: io::stdout(), terminal, stop: None, is_stuck: false };
        Ok(Self { descriptor: BufWriter::new(descriptor), choice, strip: None })
    }

    /// What is written has colours: they are taken out where they are not wanted.
    pub(crate) fn painted(mut self) -> Self {
        let choice = AutoStream::new(io::stdout(), self.choice).current_choice();
        self.strip = (choice == ColorChoice::Never).then(StripBytes::new);
        self
    }

    /// Once `stop` is cancelled, a reader that takes nothing for two seconds is given up: writing
    /// fails with [`io::ErrorKind::TimedOut`], and the user is told.
    pub(crate) fn until(mut self, stop: &CancellationToken) -> Self {
        self.descriptor.get_mut().stop = Some(stop.clone());
        self
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.strip {
            None => self.descriptor.write_all(bytes)?,
            Some(strip) => {
                strip.strip_next(bytes).try_for_each(|part| self.descriptor.write_all(part))?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.descriptor.flush()
    }
}

/// Fails where standard output was closed: what is written would go nowhere.
pub(crate) fn check_open() -> anyhow::Result<()> {
    anyhow::ensure!(
        !was_closed(),
        "cannot write to standard output: it is closed (>/dev/null where nobody wants it)"
    );
    Ok(())
}

/// Descriptor 1 itself. The standard library's stream takes `EBADF` for success.
struct Descriptor {
    stdout: Stdout,
    terminal: Terminal,
    stop: Option<CancellationToken>,
    is_stuck: bool,
}

impl Descriptor {
    /// Waits until there is room, or it is given up.
    fn wait(&mut self) -> io::Result<()> {
        let mut given_up_at = None;
        loop {
            let mut descriptor = [PollFd::new(&self.stdout, PollFlags::OUT)];
            match poll(&mut descriptor, self.stop.as_ref().map(|_| &LOOK)) {
                // An error counts as room: writing says what it is.
                Ok(1..) => return Ok(()),
                Ok(0) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if self.stop.as_ref().is_some_and(CancellationToken::is_cancelled)
                && Instant::now() >= *given_up_at.get_or_insert_with(|| Instant::now() + PATIENCE)
            {
                self.is_stuck = true;
                let message = "standard output is not read: what comes last is missing there";
                self.terminal.warn(message);
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

impl Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_stuck {
            return Err(io::ErrorKind::TimedOut.into());
        }
        loop {
            self.wait()?;
            match rustix::io::write(&self.stdout, &bytes[..bytes.len().min(AT_ONCE)]) {
                // Not blocking, and somebody else took the room.
                Err(Errno::AGAIN) => {}
                result => return result.map_err(|error| ReaderGone::mark(error.into())),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn was_closed() -> bool {
    sockets_sys::standard_output_was_closed()
}

/// Elsewhere it is not known.
#[cfg(not(target_os = "linux"))]
fn was_closed() -> bool {
    false
}
