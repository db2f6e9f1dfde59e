//! A receive ring: packets that the kernel writes into memory shared with this process
//! (`TPACKET_V3`, `Documentation/networking/packet_mmap.rst`).

mod block;

use std::ffi::c_uint;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub use block::{RingBlock, RingBlockIter};

use crate::option;
use crate::packet::PacketFd;

/// Bytes of one block: a multiple of every page size there is, and room for the largest packet
/// (65,535 bytes) with its headers.
const BLOCK_SIZE: usize = 128 * 1024;
/// One block to read while the kernel fills another.
const FEWEST_BLOCKS: usize = 2;
/// Without meaning in this version but that the kernel checks it: it divides a block.
const FRAME_SIZE: usize = 2048;

/// A packet socket whose packets arrive in blocks of shared memory, without a system call for each
/// batch and without a copy: at high rates it takes a fraction of the processor time of
/// [`ReceiveBatch`](crate::ReceiveBatch), and drops later.
///
/// A block is handed over when it is full, or some time after its first packet: packets wait that
/// long, so their [`timestamp`](crate::Received::timestamp), which they always have, tells when they
/// came. The descriptor is readable while a block is there.
#[derive(Debug)]
pub struct PacketRing {
    socket: PacketFd,
    memory: NonNull<u8>,
    blocks: usize,
    /// The block that the kernel hands over next.
    next: usize,
}

// SAFETY: the mapping belongs to this value alone, and to no thread.
unsafe impl Send for PacketRing {}
// SAFETY: with `&self` the memory is only read, by a `RingBlock`, which has the ring for itself while the
// block is not the kernel's; what both sides write is an atomic.
unsafe impl Sync for PacketRing {}

impl PacketRing {
    /// The size of one block, in bytes.
    pub const BLOCK_SIZE: usize = BLOCK_SIZE;

    /// Gives `socket`, which should not be bound yet, a ring of `bytes` bytes, rounded to whole
    /// blocks of [`Self::BLOCK_SIZE`] and at least two. A block that is not full is handed over
    /// `patience` after the kernel began it, in whole milliseconds, at least one.
    ///
    /// # Errors
    ///
    /// What the kernel says: `ENOMEM` for more memory than it has in kernel space.
    pub fn new(socket: PacketFd, bytes: usize, patience: Duration) -> io::Result<Self> {
        let blocks = (bytes / BLOCK_SIZE).max(FEWEST_BLOCKS);
        let size = blocks.checked_mul(BLOCK_SIZE).filter(|size| isize::try_from(*size).is_ok());
        let frames = c_uint::try_from(blocks * (BLOCK_SIZE / FRAME_SIZE));
        let (Some(size), Ok(tp_frame_nr)) = (size, frames) else {
            return Err(io::Error::from_raw_os_error(libc::ENOMEM));
        };
        let fd = socket.as_fd();
        let version = libc::tpacket_versions::TPACKET_V3 as i32;
        option::set_int(fd, libc::SOL_PACKET, libc::PACKET_VERSION, version)?;
        let request = libc::tpacket_req3 {
            tp_block_size: BLOCK_SIZE as c_uint,
            tp_block_nr: blocks as c_uint,
            tp_frame_size: FRAME_SIZE as c_uint,
            tp_frame_nr,
            tp_retire_blk_tov: c_uint::try_from(patience.as_millis()).unwrap_or(c_uint::MAX).max(1),
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        option::set(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours; the
        // kernel checks that the size is the ring's.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { socket, memory, blocks, next: 0 })
    }

    /// The socket: to bind it, to filter, for its statistics. Receiving from it directly gives
    /// nothing.
    pub const fn socket(&self) -> &PacketFd {
        &self.socket
    }

    /// The ring's memory, in bytes.
    pub const fn size(&self) -> usize {
        self.blocks * BLOCK_SIZE
    }

    /// The next block of packets, in the order they came, without waiting; `None` where the kernel
    /// has handed none over. It goes back to the kernel when it is dropped.
    ///
    /// Blocks that are not taken fill the ring; what comes then is dropped, and counted in
    /// [`PacketFd::statistics`].
    pub fn next_block(&mut self) -> Option<RingBlock<'_>> {
        // Acquire: the packets are read after the kernel's word that they are there.
        if self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        Some(RingBlock::new(self))
    }

    /// The word that says whose the next block is. Both sides write it: an atomic.
    fn status(&self) -> &AtomicU32 {
        let word = self.block().wrapping_add(block::STATUS).cast_mut();
        // SAFETY: the block lies in the mapping (`block`) and begins a page, its status at an offset
        // aligned for it (asserted in `block`); while both sides may write it, it is accessed as
        // an atomic only, and the mapping lives as long as `self`.
        unsafe { AtomicU32::from_ptr(word.cast()) }
    }

    /// Where the next block begins.
    const fn block(&self) -> *const u8 {
        // SAFETY: `next < blocks`, and the mapping has `blocks * BLOCK_SIZE` bytes.
        unsafe { self.memory.as_ptr().add(self.next * BLOCK_SIZE) }
    }

    /// The next block but for its header, with the status word in it.
    fn contents(&self) -> &[u8] {
        let length = BLOCK_SIZE - block::HEADER;
        // SAFETY: within the mapping (`block`). Called between `next_block` and `release` only,
        // while the block is ours and the kernel does not write to it.
        unsafe { std::slice::from_raw_parts(self.block().add(block::HEADER), length) }
    }

    /// The fixed header of the next block, copied.
    fn header(&self) -> libc::tpacket_hdr_v1 {
        let header = self.block().wrapping_add(block::STATUS);
        // SAFETY: within the mapping and aligned to 8 (a page begins the block; asserted in
        // `block`); ours, as in `contents`. Nobody writes the status word while it is ours.
        unsafe { ptr::read(header.cast()) }
    }

    /// Gives the next block back and goes on to the one after it.
    fn release(&mut self) {
        // Release: all reading is done before the kernel may write again.
        self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % self.blocks;
    }
}

impl AsFd for PacketRing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for PacketRing {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this size, and no borrow of it outlives `self`. The
        // result tells of wrong arguments only.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.size()) };
    }
}

#[cfg(test)]
mod tests;
