//! The echo service (RFC 862), with an optional prefix to each line.

use bytes::Bytes;

use super::{Handler, HandlerError};
use crate::chunk::Chunk;
use crate::connection::Connection;

/// Sends back what it receives, byte for byte (RFC 862).
///
/// With a prefix, it is put before each line, however the stream is cut into reads; a line ends
/// with `\n`. The bytes are not looked at otherwise: they need not be text.
#[derive(Clone, Debug, Default)]
pub struct Echo {
    prefix: Bytes,
}

impl Echo {
    /// The size of a read, and so of a write: 64 KiB.
    pub const BUFFER: usize = Chunk::SIZE;

    /// An echo without a prefix.
    pub const fn new() -> Self {
        Self { prefix: Bytes::new() }
    }

    /// Puts `prefix` before each line.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Bytes>) -> Self {
        self.prefix = prefix.into();
        self
    }
}

impl Handler for Echo {
    async fn handle(&self, mut connection: Connection) -> Result<(), HandlerError> {
        let mut lines = LinePrefix::new(&self.prefix);
        loop {
            let chunk = connection.read_chunk().await?;
            if chunk.is_empty() {
                return Ok(());
            }
            let answer = if self.prefix.is_empty() { &*chunk } else { lines.apply(&chunk) };
            connection.write_all(answer).await?;
        }
    }
}

/// Puts a prefix before each line of a stream that comes in pieces.
#[derive(Debug)]
struct LinePrefix<'a> {
    prefix: &'a [u8],
    at_line_start: bool,
    output: Vec<u8>,
}

impl<'a> LinePrefix<'a> {
    fn new(prefix: &'a [u8]) -> Self {
        Self { prefix, at_line_start: true, output: Vec::new() }
    }

    fn apply(&mut self, piece: &[u8]) -> &[u8] {
        self.output.clear();
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.at_line_start {
                self.output.extend_from_slice(self.prefix);
            }
            self.output.extend_from_slice(line);
            self.at_line_start = line.ends_with(b"\n");
        }
        &self.output
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(prefix: &[u8], input: &[u8]) -> Vec<u8> {
        LinePrefix::new(prefix).apply(input).to_vec()
    }

    #[test]
    fn each_line_has_the_prefix_once() {
        assert_eq!(whole(b"Echo: ", b"one\ntwo"), b"Echo: one\nEcho: two");
        assert_eq!(whole(b"> ", b"\n\n"), b"> \n> \n");
        assert_eq!(whole(b"> ", b"\xff\xfe\n"), b"> \xff\xfe\n", "bytes, not text");
        assert_eq!(whole(b"> ", b""), b"");
    }

    proptest! {
        #[test]
        fn defect_14_the_cut_of_the_stream_does_not_show(
            input in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            cuts in prop::collection::vec(1usize..20, 1..40),
        ) {
            let mut lines = LinePrefix::new(b"Echo: ");
            let (mut output, mut rest, mut cuts) = (Vec::new(), &input[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                output.extend_from_slice(lines.apply(piece));
                rest = after;
            }
            prop_assert_eq!(output, whole(b"Echo: ", &input));
        }
    }
}
