//! What one read brought, in a buffer that is held only while there is something to read: an idle
//! connection has none.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// How many spare buffers a thread keeps: more are freed. A thread runs one task at a time, but a
/// task that waits for a slow peer takes its buffer along.
const SPARE: usize = 16;

thread_local! {
    static BUFFERS: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// What brought less is copied by [`Chunk::into_bytes`]: a quarter of a buffer, so that what waits to
/// be taken holds at most four times its bytes.
const WORTH_A_BUFFER: usize = Chunk::SIZE / 4;

/// What one read brought; empty at the end of the stream. See
/// [`Connection::read_chunk`](crate::Connection::read_chunk).
///
/// Its buffer is one of a few that each thread keeps, and goes back to them when it is dropped.
pub struct Chunk {
    buffer: Box<[u8]>,
    filled: usize,
}

impl Chunk {
    /// The most that one read brings: 64 KiB.
    pub const SIZE: usize = 64 * 1024;

    /// An empty one.
    pub(crate) fn take() -> Self {
        let spare = BUFFERS.with_borrow_mut(Vec::pop);
        let buffer = spare.unwrap_or_else(|| vec![0; Self::SIZE].into_boxed_slice());
        Self { buffer, filled: 0 }
    }

    /// Where a read goes. What is in it is left from others.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// Notes how much the read brought.
    pub(crate) fn fill(&mut self, read: usize) {
        debug_assert!(read <= Self::SIZE);
        self.filled = read;
    }

    /// The same bytes, for as long as anybody wants them: of a large read with its buffer, which
    /// goes back once they are dropped.
    pub(crate) fn into_bytes(self) -> Bytes {
        if self.filled < WORTH_A_BUFFER {
            Bytes::copy_from_slice(&self)
        } else {
            Bytes::from_owner(self)
        }
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }
}

/// The length alone: what a buffer held before, another connection read.
impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk").field("len", &self.filled).finish_non_exhaustive()
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        // A thread that is ending keeps none.
        let _ = BUFFERS.try_with(|buffers| {
            let mut buffers = buffers.borrow_mut();
            if buffers.len() < SPARE {
                buffers.push(buffer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_given_back_is_the_next_one_and_shows_nothing_of_before() {
        let mut first = Chunk::take();
        first.space()[..6].copy_from_slice(b"secret");
        first.fill(6);
        assert_eq!(&first[..], b"secret");
        let place = first.buffer.as_ptr();
        drop(first);
        let again = Chunk::take();
        assert_eq!(again.buffer.as_ptr(), place);
        assert!(again.is_empty());
        assert_eq!(format!("{again:?}"), "Chunk { len: 0, .. }");
    }

    #[test]
    fn a_large_read_keeps_its_buffer_and_a_small_one_is_copied() {
        for (read, is_copied) in [(WORTH_A_BUFFER - 1, true), (WORTH_A_BUFFER, false)] {
            let mut chunk = Chunk::take();
            chunk.space()[..read].fill(7);
            chunk.fill(read);
            let place = chunk.buffer.as_ptr();
            let bytes = chunk.into_bytes();
            assert_eq!((bytes.len(), bytes[read - 1]), (read, 7));
            assert_eq!(bytes.as_ptr() != place, is_copied);
            drop(bytes);
            assert_eq!(Chunk::take().buffer.as_ptr(), place);
        }
    }

    #[test]
    fn spare_buffers_are_bounded() {
        let many: Vec<_> = (0..SPARE + 5).map(|_| Chunk::take()).collect();
        drop(many);
        assert_eq!(BUFFERS.with_borrow(Vec::len), SPARE);
    }
}
