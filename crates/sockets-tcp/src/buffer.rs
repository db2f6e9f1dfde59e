//! Read buffers that are held only while there is something to read: an idle connection has none.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// The size of a buffer: 64 KiB.
pub(crate) const SIZE: usize = 64 * 1024;
/// How many spare buffers a thread keeps: more are freed. A thread runs one task at a time, but a
/// task that waits for a slow peer takes its buffer along.
const SPARE: usize = 16;

thread_local! {
    static BUFFERS: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer, borrowed from its thread's spare ones, and given back to those of the thread that
/// drops it. What is in it is left from others: read only what was written.
#[derive(Debug)]
pub(crate) struct ReadBuffer {
    bytes: Box<[u8]>,
}

impl ReadBuffer {
    pub(crate) fn take() -> Self {
        let spare = BUFFERS.with_borrow_mut(Vec::pop);
        Self { bytes: spare.unwrap_or_else(|| vec![0; SIZE].into_boxed_slice()) }
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        // A thread that is ending keeps none.
        let _ = BUFFERS.try_with(|buffers| {
            let mut buffers = buffers.borrow_mut();
            if buffers.len() < SPARE {
                buffers.push(bytes);
            }
        });
    }
}

impl Deref for ReadBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for ReadBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_given_back_is_the_next_one_and_spare_ones_are_bounded() {
        let first = ReadBuffer::take();
        let place = first.as_ptr();
        drop(first);
        let many: Vec<_> = (0..SPARE + 5).map(|_| ReadBuffer::take()).collect();
        assert_eq!(many[0].as_ptr(), place);
        assert!(many.iter().all(|buffer| buffer.len() == SIZE));
        drop(many);
        assert_eq!(BUFFERS.with_borrow(Vec::len), SPARE);
    }
}
