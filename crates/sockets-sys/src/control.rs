//! Control messages of received datagrams: the kernel's timestamp. Read byte by byte: total.

use std::mem;
use std::time::{Duration, SystemTime};

/// Room for the control messages of one datagram.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Control([u8; Control::SIZE]);

impl Control {
    /// A timestamp takes 32 bytes; the rest is for options a caller set beside it.
    pub(crate) const SIZE: usize = 64;
    pub(crate) const EMPTY: Self = Self([0; Self::SIZE]);

    /// The kernel's timestamp among the first `size` bytes.
    pub(crate) fn timestamp(&self, size: usize) -> Option<SystemTime> {
        let mut rest = self.0.get(..size)?;
        while let Some(message) = split_message(rest) {
            if (message.level, message.kind) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
                return read_timespec(message.data);
            }
            rest = message.rest;
        }
        None
    }
}

type Word = usize;
const HEADER: usize = mem::size_of::<libc::cmsghdr>();
const LEVEL: usize = mem::offset_of!(libc::cmsghdr, cmsg_level);
const TYPE: usize = mem::offset_of!(libc::cmsghdr, cmsg_type);

/// One control message (cmsg(3)), and what follows it.
struct ControlMessage<'a> {
    level: i32,
    kind: i32,
    data: &'a [u8],
    rest: &'a [u8],
}

fn split_message(bytes: &[u8]) -> Option<ControlMessage<'_>> {
    let header = bytes.get(..HEADER)?;
    // The kernel's length is a word, whatever the C library declares.
    let length = Word::from_ne_bytes(*header.first_chunk()?);
    let level = i32::from_ne_bytes(*header.get(LEVEL..)?.first_chunk()?);
    let kind = i32::from_ne_bytes(*header.get(TYPE..)?.first_chunk()?);
    let data = bytes.get(HEADER..length)?;
    let next = length.checked_next_multiple_of(mem::size_of::<Word>())?;
    Some(ControlMessage { level, kind, data, rest: bytes.get(next..).unwrap_or_default() })
}

/// Seconds and nanoseconds since 1970, of 64 bits or, on old 32-bit systems, 32.
fn read_timespec(data: &[u8]) -> Option<SystemTime> {
    let (seconds, nanoseconds) = match data.len() {
        16 => (
            i64::from_ne_bytes(*data.first_chunk()?),
            i64::from_ne_bytes(*data.get(8..)?.first_chunk()?),
        ),
        8 => (
            i64::from(i32::from_ne_bytes(*data.first_chunk()?)),
            i64::from(i32::from_ne_bytes(*data.get(4..)?.first_chunk()?)),
        ),
        _ => return None,
    };
    let since = Duration::from_secs(u64::try_from(seconds).ok()?)
        .checked_add(Duration::from_nanos(u64::try_from(nanoseconds).ok()?))?;
    SystemTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            bytes in prop::array::uniform32(any::<u8>()), size in 0_usize..100,
        ) {
            let mut control = Control::EMPTY;
            control.0[..32].copy_from_slice(&bytes);
            let _ = control.timestamp(size);
            // A true header, so that the walk goes on to what follows.
            control.0[..mem::size_of::<Word>()].copy_from_slice(&17_usize.to_ne_bytes());
            let _ = control.timestamp(size);
        }
    }
}
