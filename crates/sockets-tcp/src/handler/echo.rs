//! The echo service (RFC 862), with an optional prefix to each line.

use bytes::Bytes;

use super::{Handler, HandlerError};
use crate::chunk::Chunk;
use crate::connection::Connection;
use crate::framing::FrameError;

/// Sends back what it receives, byte for byte (RFC 862).
///
/// With a prefix, it is put before each line, however the stream is cut into reads; a line ends
/// with `\n`. The bytes are not looked at otherwise: they need not be text. Nothing is held back: a
/// line is sent as it comes. One that has no end within [`longest_line`](Self::longest_line) bytes is
/// an error ([`FrameError::LineTooLong`]): the connection is reset, for
/// [`CloseReason::HandlerFailed`](crate::CloseReason::HandlerFailed), and the event before says why.
///
/// What was read and could not be sent back counts as dropped, with its prefixes.
#[derive(Clone, Debug)]
pub struct Echo {
    prefix: Bytes,
    longest_line: usize,
}

impl Echo {
    /// The size of a read, and so of a write: 64 KiB.
    pub const BUFFER: usize = Chunk::SIZE;
    /// The most bytes of a line behind a prefix, unless set: 1 MiB.
    pub const DEFAULT_LONGEST_LINE: usize = 1024 * 1024;

    /// An echo without a prefix.
    pub const fn new() -> Self {
        Self { prefix: Bytes::new(), longest_line: Self::DEFAULT_LONGEST_LINE }
    }

    /// Puts `prefix` before each line.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Bytes>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The most bytes that a line may have, without its `\n`; of no effect without a prefix.
    /// Default: [`DEFAULT_LONGEST_LINE`](Self::DEFAULT_LONGEST_LINE).
    #[must_use]
    pub const fn longest_line(mut self, bytes: usize) -> Self {
        self.longest_line = bytes;
        self
    }
}

impl Default for Echo {
    fn default() -> Self {
        Self::new()
    }
}

impl Handler for Echo {
    #[expect(clippy::manual_async_fn, reason = "its future would hold the connection twice")]
    fn handle(
        &self,
        mut connection: Connection,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        async move {
            if !self.prefix.is_empty() {
                // In the heap: without a prefix a connection takes the less.
                return Box::pin(self.lines(connection)).await;
            }
            loop {
                let chunk = connection.read_chunk().await?;
                if chunk.is_empty() {
                    return Ok(());
                }
                connection.write_all(&chunk).await?;
            }
        }
    }
}

impl Echo {
    async fn lines(&self, mut connection: Connection) -> Result<(), HandlerError> {
        let mut lines = LinePrefix::new(&self.prefix, self.longest_line);
        let mut unwritten = connection.unwritten();
        loop {
            let chunk = connection.read_chunk().await?;
            if chunk.is_empty() {
                return Ok(());
            }
            let mut rest = &*chunk;
            unwritten.bytes = lines.answer_len(rest);
            while !rest.is_empty() {
                match lines.apply(&mut rest) {
                    Ok(answer) => {
                        // From here on the write counts it.
                        unwritten.bytes -= answer.len();
                        connection.write_all(answer).await?;
                    }
                    Err(error) => return Err(connection.break_off(error.into())),
                }
            }
            lines.release();
        }
    }
}

/// Puts a prefix before each line of a stream that comes in pieces.
#[derive(Debug)]
struct LinePrefix<'a> {
    prefix: &'a [u8],
    longest_line: usize,
    at_line_start: bool,
    /// The length of the present line so far.
    line: usize,
    output: Vec<u8>,
}

impl<'a> LinePrefix<'a> {
    fn new(prefix: &'a [u8], longest_line: usize) -> Self {
        Self { prefix, longest_line, at_line_start: true, line: 0, output: Vec::new() }
    }

    /// Holds no memory until there is something to send again: a client may be idle from here on.
    fn release(&mut self) {
        self.output = Vec::new();
    }

    /// How many bytes the answer to `piece` has, as far as its lines are not too long.
    fn answer_len(&self, piece: &[u8]) -> usize {
        let Some((_, before_last)) = piece.split_last() else { return 0 };
        let begun = before_last.split(|byte| *byte == b'\n').skip(1).count();
        let prefixes = begun + usize::from(self.at_line_start);
        piece.len().saturating_add(prefixes.saturating_mul(self.prefix.len()))
    }

    /// What is to be sent of the beginning of `piece`, which is taken from it: no more than a buffer
    /// and a line of it, however short the lines and long the prefix.
    fn apply(&mut self, piece: &mut &[u8]) -> Result<&[u8], FrameError> {
        self.output.clear();
        while !piece.is_empty() && self.output.len() < Echo::BUFFER {
            let end = piece.iter().position(|byte| *byte == b'\n');
            let (line, rest) = piece.split_at(end.map_or(piece.len(), |end| end + 1));
            self.line += line.len() - usize::from(end.is_some());
            if self.line > self.longest_line {
                let (at_least, limit) = (self.line, self.longest_line);
                return Err(FrameError::LineTooLong { at_least, limit });
            }
            if self.at_line_start {
                self.output.extend_from_slice(self.prefix);
            }
            self.output.extend_from_slice(line);
            self.at_line_start = end.is_some();
            if self.at_line_start {
                self.line = 0;
            }
            *piece = rest;
        }
        Ok(&self.output)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn applied(lines: &mut LinePrefix<'_>, mut piece: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        while !piece.is_empty() {
            output.extend_from_slice(lines.apply(&mut piece).unwrap());
        }
        output
    }

    fn whole(prefix: &[u8], input: &[u8]) -> Vec<u8> {
        applied(&mut LinePrefix::new(prefix, usize::MAX), input)
    }

    #[test]
    fn each_line_has_the_prefix_once() {
        assert_eq!(whole(b"Echo: ", b"one\ntwo"), b"Echo: one\nEcho: two");
        assert_eq!(whole(b"> ", b"\n\n"), b"> \n> \n");
        assert_eq!(whole(b"> ", b"\xff\xfe\n"), b"> \xff\xfe\n", "bytes, not text");
        assert_eq!(whole(b"> ", b""), b"");
    }

    #[test]
    fn a_line_without_an_end_is_an_error_and_one_of_the_longest_is_none() {
        let mut lines = LinePrefix::new(b"> ", 4);
        assert_eq!(applied(&mut lines, b"1234\n12"), b"> 1234\n> 12");
        assert_eq!(applied(&mut lines, b"34"), b"34");
        let error = lines.apply(&mut &b"5"[..]).unwrap_err();
        assert_eq!(error.to_string(), "a line of 5 bytes or more exceeds the limit of 4 bytes");
    }

    #[test]
    fn what_is_sent_at_once_is_bounded_however_long_the_prefix() {
        let prefix = [b'p'; 10_000];
        let mut lines = LinePrefix::new(&prefix, usize::MAX);
        let (input, mut total) = (vec![b'\n'; Echo::BUFFER], 0);
        let mut rest = &input[..];
        while !rest.is_empty() {
            let answer = lines.apply(&mut rest).unwrap().len();
            assert!(answer <= Echo::BUFFER + prefix.len() + 1, "{answer}");
            total += answer;
        }
        assert_eq!(total, Echo::BUFFER * (prefix.len() + 1));
    }

    proptest! {
        #[test]
        fn defect_14_the_cut_of_the_stream_does_not_show(
            input in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            cuts in prop::collection::vec(1usize..20, 1..40),
        ) {
            let mut lines = LinePrefix::new(b"Echo: ", usize::MAX);
            let (mut output, mut rest, mut cuts) = (Vec::new(), &input[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                let told = lines.answer_len(piece);
                let answer = applied(&mut lines, piece);
                prop_assert_eq!(told, answer.len());
                output.extend(answer);
                rest = after;
            }
            prop_assert_eq!(output, whole(b"Echo: ", &input));
        }
    }
}
