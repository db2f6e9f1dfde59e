//! Whether the next byte of a TCP stream is an urgent one (`SIOCATMARK`).

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// The request's number: that of asm-generic/sockios.h, but where a system's own header has another.
const SIOCATMARK: u64 =
    if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 0x4004_7307 } else { 0x8905 };

/// Whether what a TCP socket reads next is the byte that its peer marked as urgent (`MSG_OOB`), be it
/// here already or only announced: `ioctl(SIOCATMARK)`, as sockatmark(3) asks it.
///
/// No read goes over the mark: it gives the bytes before it, however many there are behind it. So where
/// a read that brought less than there was room for may mean that the socket is empty, this says that it
/// does not.
///
/// # Errors
///
/// What the kernel says of the descriptor: that it is no socket.
pub fn is_at_urgent_mark(fd: impl AsFd) -> io::Result<bool> {
    let mut at_mark: c_int = 0;
    // SAFETY: the kernel writes one `int` at `at_mark`, which is one, and does not keep the pointer.
    let status = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), SIOCATMARK as _, &raw mut at_mark) };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(at_mark != 0)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use socket2::SockRef;

    use super::*;

    #[test]
    fn a_read_ends_before_the_mark() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut here = listener.accept().unwrap().0;
        SockRef::from(&here).set_out_of_band_inline(true).unwrap();
        assert!(!is_at_urgent_mark(&here).unwrap());
        there.write_all(b"before").unwrap();
        SockRef::from(&there).send_out_of_band(b"!").unwrap();
        there.write_all(b"behind").unwrap();
        let mut buffer = [0; 64];
        while rustix::io::ioctl_fionread(&here).unwrap() < 13 {
            std::thread::yield_now();
        }
        assert_eq!(here.read(&mut buffer).unwrap(), 6, "all has come, and the mark is in it");
        assert!(is_at_urgent_mark(&here).unwrap());
        assert_eq!(here.read(&mut buffer).unwrap(), 7);
        assert!(!is_at_urgent_mark(&here).unwrap());
    }

    #[test]
    fn what_is_no_socket_is_refused() {
        assert!(is_at_urgent_mark(std::fs::File::open("/").unwrap()).is_err());
    }
}
