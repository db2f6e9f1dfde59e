//! Frames put together from the bytes of one connection after another. No I/O.

use bytes::BytesMut;
use tokio_util::codec::Decoder;

/// See the module's first line.
#[derive(Debug)]
pub(super) struct Assembler<C> {
    codec: C,
    /// The codec at the beginning of a stream.
    fresh: C,
    buffer: BytesMut,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// More bytes of this stream may come.
    Reading,
    /// All bytes of this stream are there.
    Ending,
    /// After an error nobody knows where a frame begins: the rest of this stream is thrown away.
    Spoiled,
}

impl<C: Decoder + Clone> Assembler<C> {
    pub(super) fn new(codec: C) -> Self {
        Self { fresh: codec.clone(), codec, buffer: BytesMut::new(), phase: Phase::Reading }
    }

    /// Where the stream's next bytes go.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The stream is over; another may follow.
    pub(super) fn end(&mut self) {
        match self.phase {
            Phase::Reading => self.phase = Phase::Ending,
            Phase::Ending => {}
            Phase::Spoiled => self.restart(),
        }
    }

    /// Forgets this stream.
    pub(super) fn restart(&mut self) {
        self.codec = self.fresh.clone();
        self.buffer.clear();
        self.phase = Phase::Reading;
    }

    /// The next frame, or error, of what is there.
    pub(super) fn next(&mut self) -> Option<Result<C::Item, C::Error>> {
        let next = match self.phase {
            Phase::Reading => self.codec.decode(&mut self.buffer),
            Phase::Ending => self.codec.decode_eof(&mut self.buffer),
            Phase::Spoiled => {
                self.buffer.clear();
                return None;
            }
        };
        match (next, self.phase) {
            (Err(error), Phase::Ending) => {
                self.restart();
                Some(Err(error))
            }
            (Err(error), _) => {
                self.phase = Phase::Spoiled;
                Some(Err(error))
            }
            (Ok(None), Phase::Ending) => {
                self.restart();
                None
            }
            (Ok(frame), _) => frame.map(Ok),
        }
    }
}
