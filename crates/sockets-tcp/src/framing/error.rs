//! Why bytes are no frame, or a frame cannot become bytes.

use std::io;

/// Why a frame was not received, or not sent, with [`Lines`](crate::Lines) and
/// [`LengthPrefixed`](crate::LengthPrefixed).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame is longer than the codec allows; received: so its prefix says.
    #[error("a frame of {len} bytes exceeds the limit of {limit} bytes")]
    TooLong {
        /// The frame's length in bytes.
        len: u64,
        /// The codec's limit in bytes, without the prefix or the line break.
        limit: usize,
    },
    /// More bytes came than a line may have, and no line break. How long the line is, nobody knows
    /// yet.
    #[error("a line of {at_least} bytes or more exceeds the limit of {limit} bytes")]
    LineTooLong {
        /// How long the line is at least, in bytes.
        at_least: usize,
        /// The codec's limit in bytes, without the line break.
        limit: usize,
    },
    /// The stream ended within a frame. What came of it is thrown away.
    #[error("the stream ended within a frame, {len} bytes after the frame's beginning")]
    Incomplete {
        /// How many bytes of the frame came, its prefix among them.
        len: usize,
    },
    /// A line to be sent would be read as something else: it holds a line break, or ends in a
    /// carriage return.
    #[error("a line to be sent has a line break in it, at byte {at}")]
    LineBreak {
        /// Where, in bytes from its beginning.
        at: usize,
    },
    /// The connection failed: what was done with whom, and the cause as its source.
    #[error(transparent)]
    Io(#[from] io::Error),
}
