//! The message headers of one batched call, and the two calls that take them.

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use crate::address::Name;
use crate::control::Control;

/// The kernel takes no more messages in one call (`UIO_MAXIOV`).
const MOST_MESSAGES: usize = 1024;

/// One message to send: where its bytes, its address and its control data are.
pub(crate) struct OutgoingSlot<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) name: &'a Name,
    pub(crate) name_size: u32,
    pub(crate) control: &'a [u8],
}

/// One message to receive: where its bytes, its address and its control data go.
pub(crate) struct Slot<'a> {
    pub(crate) bytes: &'a mut [u8],
    pub(crate) name: &'a mut Name,
    pub(crate) control: &'a mut Control,
}

/// What a header points at.
struct Pointers {
    bytes: *mut c_void,
    length: usize,
    name: *mut c_void,
    name_size: u32,
    control: *mut c_void,
    control_size: usize,
}

impl From<OutgoingSlot<'_>> for Pointers {
    /// Of what is sent the kernel writes nothing, though the headers' pointers are those of both ways.
    fn from(slot: OutgoingSlot<'_>) -> Self {
        let name: *const Name = match slot.name_size {
            0 => ptr::null(),
            _ => slot.name,
        };
        let control = match slot.control {
            [] => ptr::null(),
            control => control.as_ptr(),
        };
        Self {
            bytes: slot.bytes.as_ptr().cast_mut().cast(),
            length: slot.bytes.len(),
            name: name.cast_mut().cast(),
            name_size: slot.name_size,
            control: control.cast_mut().cast(),
            control_size: slot.control.len(),
        }
    }
}

impl From<Slot<'_>> for Pointers {
    fn from(slot: Slot<'_>) -> Self {
        Self {
            bytes: slot.bytes.as_mut_ptr().cast(),
            length: slot.bytes.len(),
            name: ptr::from_mut(slot.name).cast(),
            name_size: Name::SIZE as u32,
            control: ptr::from_mut(slot.control).cast(),
            control_size: Control::SIZE,
        }
    }
}

/// What the kernel wrote into a header.
pub(crate) struct Filled {
    /// The true length of the datagram, even where the buffer was shorter.
    pub(crate) length: usize,
    pub(crate) name_size: usize,
    pub(crate) control_size: usize,
    /// Whether the control data did not fit.
    pub(crate) control_truncated: bool,
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
        slots: impl Iterator<Item = OutgoingSlot<'a>>,
    ) -> io::Result<usize> {
        let count = self.point_at(slots.map(Pointers::from));
        repeat_interrupted(|| {
            // SAFETY: the first `count` headers were just pointed at live borrows (`'a` outlives
            // this call), with the sizes of what they point at; the kernel reads them and keeps none.
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
        let count = self.point_at(slots.map(Pointers::from));
        // With MSG_TRUNC the length told is the datagram's, not what fitted. A packet socket refuses
        // MSG_CMSG_CLOEXEC.
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        repeat_interrupted(|| {
            // SAFETY: as in `send`, and the borrows are exclusive; the kernel writes at most the
            // sizes given.
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
            control_truncated: header.msg_hdr.msg_flags & libc::MSG_CTRUNC != 0,
        }
    }

    fn point_at(&mut self, messages: impl Iterator<Item = Pointers>) -> u32 {
        let headers = self.headers.iter_mut().zip(&mut self.vectors).take(MOST_MESSAGES);
        let mut count = 0;
        for ((header, vector), pointers) in headers.zip(messages) {
            vector.iov_base = pointers.bytes;
            vector.iov_len = pointers.length;
            let message = &mut header.msg_hdr;
            message.msg_iov = ptr::from_mut(vector);
            message.msg_iovlen = 1;
            message.msg_name = pointers.name;
            message.msg_namelen = pointers.name_size;
            message.msg_control = pointers.control;
            message.msg_controllen = pointers.control_size as _;
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
