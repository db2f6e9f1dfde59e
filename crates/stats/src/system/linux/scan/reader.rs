//! The sockets among the descriptors of one process.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use rustix::fd::OwnedFd;
use rustix::fs::{RawDir, SeekFrom};
use rustix::io::Errno;
use rustix::path::DecInt;

use super::{DOTS, Found, LISTED, Search, number};

/// Longer than `socket:[` and the largest inode.
const LINK: usize = 32;
/// So many numbers in a row that are no descriptor: it is cheaper to list the rest.
const MOST_MISSES: u32 = 16;

/// Reads links in the directory of a process's descriptors.
///
/// Listing a directory of `/proc` costs the kernel about as much as reading its links. A process
/// with many descriptors has nearly every number in use, so these are tried one by one, unlisted.
pub(super) struct Reader<'s, 'a> {
    directory: &'s OwnedFd,
    search: &'s Search<'a>,
    /// What the process had before, from the descriptor on that comes next.
    known: &'a [Found],
    pub(super) found: Vec<Found>,
    pub(super) any_wanted: bool,
    /// Whether there was any descriptor, socket or not.
    pub(super) any: bool,
}

/// Where a listing stopped.
pub(super) struct Listed {
    /// The next descriptor to look at; `None` where there is none.
    pub(super) next: Option<u32>,
    /// Whether nearly all numbers were descriptors.
    pub(super) is_dense: bool,
    /// Whether one at the end or behind it was seen.
    pub(super) is_beyond: bool,
}

impl<'s, 'a> Reader<'s, 'a> {
    pub(super) fn new(directory: &'s OwnedFd, search: &'s Search<'a>, pid: u32) -> Self {
        let known = (search.known)(pid);
        Self { directory, search, known, found: Vec::new(), any_wanted: false, any: false }
    }

    /// Reads the next descriptors that there are from `from` on and before `end`: no more than
    /// [`LISTED`].
    pub(super) fn list(
        &mut self,
        from: u32,
        end: u32,
        room: &mut [MaybeUninit<u8>],
    ) -> Result<Listed, Errno> {
        if from > 0 {
            rustix::fs::seek(self.directory, SeekFrom::Start(u64::from(from) + DOTS))?;
        }
        let mut count = 0;
        let mut entries = RawDir::new(self.directory, room);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let Some(descriptor) = number(entry.file_name().to_bytes()) else { continue };
            if descriptor >= end {
                return Ok(Listed { next: None, is_dense: false, is_beyond: true });
            }
            self.read(descriptor, entry.file_name())?;
            count += 1;
            if count == LISTED {
                let next = descriptor.saturating_add(1);
                let is_dense = next - from < LISTED + LISTED / 4;
                return Ok(Listed { next: Some(next), is_dense, is_beyond: false });
            }
        }
        Ok(Listed { next: None, is_dense: false, is_beyond: false })
    }

    /// Tries the numbers from `from` on and before `end`. Returns from where on they are to be
    /// listed, which is `end` where all were tried.
    pub(super) fn probe(&mut self, from: u32, end: u32) -> Result<u32, Errno> {
        let mut misses = 0;
        for descriptor in from..end {
            if self.read(descriptor, DecInt::new(descriptor).as_c_str())? {
                misses = 0;
                continue;
            }
            misses += 1;
            if misses == MOST_MISSES {
                return Ok(descriptor + 1);
            }
        }
        Ok(end)
    }

    /// Takes in a descriptor. Returns whether there is one of this number.
    fn read(&mut self, descriptor: u32, name: &CStr) -> Result<bool, Errno> {
        let mut inode = self.known_inode(descriptor);
        if inode.is_none() {
            let mut link = [0; LINK];
            inode = match rustix::fs::readlinkat_raw(self.directory, name, &mut link) {
                Ok(length) => inode_of_link(&link[..length]),
                // Closed meanwhile, or never there.
                Err(Errno::NOENT) => return Ok(false),
                Err(error) => return Err(error),
            };
        }
        self.any = true;
        if let Some(inode) = inode {
            self.any_wanted = self.any_wanted || (self.search.is_wanted)(inode);
            self.found.push(Found { descriptor, inode });
        }
        Ok(true)
    }

    /// The socket that the descriptor had before, where that is still wanted.
    fn known_inode(&mut self, descriptor: u32) -> Option<u64> {
        while let [first, rest @ ..] = self.known {
            if first.descriptor >= descriptor {
                let is_it = first.descriptor == descriptor && (self.search.is_wanted)(first.inode);
                return is_it.then_some(first.inode);
            }
            self.known = rest;
        }
        None
    }
}

/// `socket:[4711]`
pub(super) fn inode_of_link(link: &[u8]) -> Option<u64> {
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    digits.iter().try_fold(0_u64, |value, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        value.checked_mul(10)?.checked_add(digit.into())
    })
}
