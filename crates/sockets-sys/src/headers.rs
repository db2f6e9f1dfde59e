//! The message headers of one batched call, and the two calls that take them.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use crate::address::Name;
use crate::control::Control;

/// The kernel takes no more messages in one call (`UIO_MAXIOV`).
const MOST_MESSAGES: usize = 1024;

/// One message of a batch: where its bytes, its address and its control data are.
pub(crate) struct Slot<'a> {
    pub(crate) bytes: &'a mut [u8],
    pub(crate) name: &'a mut Name,
    pub(crate) name_size: u32,
    pub(crate) control: Option<&'a mut Control>,
}

/// What the kernel wrote into a header.
pub(crate) struct Filled {
    /// The true length of the datagram, even where the buffer was shorter.
    pub(crate) length: usize,
    pub(crate) name_size: usize,
    pub(crate) control_size: usize,
}

/// Room for the headers of as many messages as a batch has slots; allocated once.
///
/// The pointers in it are written at the start of each call from borrows that last as long as the
/// call does, and are not read after it.
pub(crate) struct Headers {
    headers: Box<[libc::mmsghdr]>,
    vectors: Box<[libc::iovec]>,
}

// SAFETY: between calls the pointers are dead: each call writes those it passes to the kernel.
unsafe impl Send for Headers {}
// SAFETY: as above; and no method with `&self` touches a pointer.
unsafe impl Sync for Headers {}

impl Headers {
    pub(crate) fn new(messages: usize) -> Self {
        let vector = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        // SAFETY: all-zero bytes are a valid `mmsghdr`: null pointers and zero lengths. (It has
        // private padding fields on some systems, so it cannot be written out.)
        let header: libc::mmsghdr = unsafe { std::mem::zeroed() };
        Self { headers: vec![header; messages].into(), vectors: vec![vector; messages].into() }
    }

    /// `sendmmsg` of the slots, without waiting.
    pub(crate) fn send<'a>(
        &mut self,
        fd: BorrowedFd<'_>,
        slots: impl Iterator<Item = Slot<'a>>,
    ) -> io::Result<usize> {
        let count = self.point_at(slots);
        repeat_interrupted(|| {
            // SAFETY: the first `count` headers were just pointed at live, exclusive borrows (`'a`
            // outlives this call), with the sizes of what they point at; the kernel keeps none.
            unsafe {
                libc::sendmmsg(
                    fd.as_raw_fd(),
                    self.headers.as_mut_ptr(),
                    count,
                    libc::MSG_DONTWAIT as _,
                )
            }
        })
    }

    /// `recvmmsg` into the slots, without waiting.
    pub(crate) fn receive<'a>(
        &mut self,
        fd: BorrowedFd<'_>,
        slots: impl Iterator<Item = Slot<'a>>,
    ) -> io::Result<usize> {
        let count = self.point_at(slots);
        // With MSG_TRUNC the length told is the datagram's, not what fitted.
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        repeat_interrupted(|| {
            // SAFETY: as in `send`; the kernel writes at most the sizes given.
            unsafe {
                libc::recvmmsg(
                    fd.as_raw_fd(),
                    self.headers.as_mut_ptr(),
                    count,
                    flags as _,
                    ptr::null_mut(),
                )
            }
        })
    }

    /// What the kernel said of message `index` of the last receive.
    pub(crate) fn filled(&self, index: usize) -> Filled {
        let header = &self.headers[index];
        Filled {
            length: header.msg_len as usize,
            name_size: header.msg_hdr.msg_namelen as usize,
            #[allow(clippy::unnecessary_cast, reason = "musl's field is 32 bits wide")]
            control_size: header.msg_hdr.msg_controllen as usize,
        }
    }

    fn point_at<'a>(&mut self, slots: impl Iterator<Item = Slot<'a>>) -> u32 {
        let headers = self.headers.iter_mut().zip(&mut self.vectors).take(MOST_MESSAGES);
        let mut count = 0;
        for ((header, vector), slot) in headers.zip(slots) {
            vector.iov_len = slot.bytes.len();
            vector.iov_base = slot.bytes.as_mut_ptr().cast();
            let message = &mut header.msg_hdr;
            message.msg_iov = ptr::from_mut(vector);
            message.msg_iovlen = 1;
            message.msg_namelen = slot.name_size;
            message.msg_name = match slot.name_size {
                0 => ptr::null_mut(),
                _ => ptr::from_mut(slot.name).cast(),
            };
            (message.msg_control, message.msg_controllen) = match slot.control {
                Some(control) => (ptr::from_mut(control).cast(), Control::SIZE as _),
                None => (ptr::null_mut(), 0),
            };
            message.msg_flags = 0;
            header.msg_len = 0;
            count += 1;
        }
        count
    }
}

/// Calls again where a signal came before anything was done.
fn repeat_interrupted(mut call: impl FnMut() -> c_int) -> io::Result<usize> {
    loop {
        if let Ok(count) = usize::try_from(call()) {
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
