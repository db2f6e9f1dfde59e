//! Standard input and standard output, as bytes.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::io::{AsyncReadExt, Stdin, stdin};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::output::ReaderGone;

/// How much is read at once for a stream.
pub(in crate::commands) const STREAM_CHUNK: usize = 64 * 1024;

/// How long input may be silent, once the peer has ended its stream, before the conversation is
/// over. A peer that is gone and one that only listens look the same from here, so input that keeps
/// coming is still delivered, and a user who does not type is not waited for.
pub(in crate::commands) const SILENCE_AFTER_PEER: Duration = Duration::from_millis(500);

/// How long a thread waits at once for input on a non-blocking descriptor: nobody can break it off.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// How soon it is looked again whether input that is there has been read.
const SOON: Duration = Duration::from_millis(10);

/// What standard input had.
#[derive(Debug)]
pub(in crate::commands) enum Input {
    /// Some bytes, never none.
    Chunk(Bytes),
    /// Its end.
    End,
    /// Nothing comes back any more, or nobody reads it, and no input came for [`SILENCE_AFTER_PEER`].
    Silent,
    /// The command is to stop. What is not read yet was never accepted.
    Stopped,
}

/// Standard input. Nothing is read before it is asked for.
pub(in crate::commands) struct InputReader {
    stdin: Stdin,
    buffer: Vec<u8>,
}

impl InputReader {
    /// A reader of chunks of at most so many bytes.
    pub(in crate::commands) fn new(chunk: usize) -> Self {
        Self { stdin: stdin(), buffer: vec![0; chunk] }
    }

    /// The next chunk, unless something ends the waiting for it; `nothing_comes` is ready once input is all
    /// there is to wait for.
    pub(in crate::commands) async fn next(
        &mut self,
        nothing_comes: impl Future<Output = ()>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Input> {
        if stop.is_cancelled() {
            return Ok(Input::Stopped);
        }
        let silence = async {
            nothing_comes.await;
            tokio::time::sleep(SILENCE_AFTER_PEER).await;
            // What is there and not read yet is no silence of its writer: this process was kept from
            // running.
            while has_input() {
                tokio::time::sleep(SOON).await;
            }
        };
        let read = async {
            loop {
                // A read that is given up keeps what it got for the next one.
                match self.stdin.read(&mut self.buffer).await {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        spawn_blocking(|| wait(&io::stdin(), PollFlags::IN, Some(&LOOK))).await??;
                    }
                    read => return read,
                }
            }
        };
        let read = tokio::select! {
            biased;
            read = read => read.context("cannot read standard input")?,
            () = stop.cancelled() => return Ok(Input::Stopped),
            () = silence => return Ok(Input::Silent),
        };
        Ok(match read {
            0 => Input::End,
            read => Input::Chunk(Bytes::copy_from_slice(&self.buffer[..read])),
        })
    }
}

/// Whether input that is given up before its end is not whole: that of a file or of another program.
/// What a user types ends where they end it, be it by Ctrl-C.
pub(in crate::commands) fn has_an_end_to_come() -> bool {
    !io::stdin().is_terminal()
}

/// Standard output, flushed at once.
#[derive(Default)]
pub(in crate::commands) struct Output {
    /// One that was not waited for goes on.
    writing: Option<JoinHandle<io::Result<()>>>,
}

impl Output {
    pub(in crate::commands) fn new() -> Self {
        Self::default()
    }

    pub(in crate::commands) async fn write(&mut self, data: &[u8]) -> anyhow::Result<()> {
        self.settle().await?;
        let data = data.to_vec();
        self.writing = Some(spawn_blocking(move || write_all(&data)));
        self.settle().await
    }

    async fn settle(&mut self) -> anyhow::Result<()> {
        if let Some(writing) = &mut self.writing {
            let written = writing.await;
            self.writing = None;
            written?.map_err(ReaderGone::mark).context("cannot write to standard output")?;
        }
        Ok(())
    }
}

fn write_all(mut data: &[u8]) -> io::Result<()> {
    let stdout = io::stdout();
    while !data.is_empty() {
        match rustix::io::write(&stdout, data) {
            Ok(written) => data = &data[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(&stdout, PollFlags::OUT, None)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Whether standard input has something to read, be it its end.
fn has_input() -> bool {
    let stdin = io::stdin();
    let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
    matches!(poll(&mut ready, Some(&Timespec::default())), Ok(1..))
}

/// Waits for a stream that another process has made non-blocking: it is the same for all that were
/// started from one terminal.
fn wait(stream: &impl AsFd, wanted: PollFlags, most: Option<&Timespec>) -> io::Result<()> {
    match poll(&mut [PollFd::new(stream, wanted)], most) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
