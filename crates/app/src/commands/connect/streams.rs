//! Standard input and standard output, as bytes.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Stdin, Stdout, stdin, stdout};
use tokio_util::sync::CancellationToken;

use crate::output::ReaderGone;

/// How much is read at once for a stream.
pub(in crate::commands) const STREAM_CHUNK: usize = 64 * 1024;

/// How long input may be silent, once the peer has ended its stream, before the conversation is
/// over. A peer that is gone and one that only listens look the same from here, so input that keeps
/// coming is still delivered, and a user who does not type is not waited for.
pub(in crate::commands) const SILENCE_AFTER_PEER: Duration = Duration::from_millis(500);

/// What standard input had.
#[derive(Debug)]
pub(in crate::commands) enum Input {
    /// Some bytes, never none.
    Chunk(Bytes),
    /// Its end.
    End,
    /// The peer has ended its stream, and no input came for [`SILENCE_AFTER_PEER`].
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

    /// The next chunk, unless something ends the waiting for it.
    pub(in crate::commands) async fn next(
        &mut self,
        peer_ended: &CancellationToken,
        stop: &CancellationToken,
    ) -> anyhow::Result<Input> {
        if stop.is_cancelled() {
            return Ok(Input::Stopped);
        }
        let silence = async {
            peer_ended.cancelled().await;
            tokio::time::sleep(SILENCE_AFTER_PEER).await;
        };
        let read = tokio::select! {
            biased;
            // A read that is given up keeps what it got for the next one.
            read = self.stdin.read(&mut self.buffer) => read.context("cannot read standard input")?,
            () = stop.cancelled() => return Ok(Input::Stopped),
            () = silence => return Ok(Input::Silent),
        };
        Ok(match read {
            0 => Input::End,
            read => Input::Chunk(Bytes::copy_from_slice(&self.buffer[..read])),
        })
    }
}

/// Standard output, flushed at once.
pub(in crate::commands) struct Output(Stdout);

impl Output {
    pub(in crate::commands) fn new() -> Self {
        Self(stdout())
    }

    pub(in crate::commands) async fn write(&mut self, data: &[u8]) -> anyhow::Result<()> {
        let cannot = "cannot write to standard output";
        self.0.write_all(data).await.map_err(ReaderGone::mark).context(cannot)?;
        self.0.flush().await.map_err(ReaderGone::mark).context(cannot)
    }
}
