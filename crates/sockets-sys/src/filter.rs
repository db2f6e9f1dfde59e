//! Classic BPF programs on sockets (`linux/filter.h`).

use std::ffi::c_int;
use std::io;
use std::os::fd::AsFd;

use socket2::{SockFilter, SockRef};

use crate::option;

/// One instruction of a classic BPF program, as the kernel lays it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FilterInstruction {
    /// The operation.
    pub code: u16,
    /// How many instructions to skip where a comparison holds.
    pub jump_true: u8,
    /// How many instructions to skip where it does not.
    pub jump_false: u8,
    /// The constant the operation takes.
    pub operand: u32,
}

impl FilterInstruction {
    /// The longest program the kernel takes (`BPF_MAXINSNS`).
    pub const MOST: usize = 4096;

    /// `return 0`: by itself, a program that lets nothing in.
    pub const NOTHING: Self = Self { code: 0x06, jump_true: 0, jump_false: 0, operand: 0 };
}

/// Attaches `program` to a socket (`SO_ATTACH_FILTER`), in place of the one it has. The kernel
/// checks it and runs it on each packet; packets it gives 0 to never reach the socket.
///
/// What is in the receive queue already stays there: attach before the socket is bound.
///
/// # Errors
///
/// `InvalidInput` for a program that is empty or longer than [`FilterInstruction::MOST`]; what the
/// kernel says of any other that it does not take, or of a socket whose filter is locked.
pub fn attach_filter(fd: impl AsFd, program: &[FilterInstruction]) -> io::Result<()> {
    if program.is_empty() || program.len() > FilterInstruction::MOST {
        let reason = format!(
            "a program has 1 to {} instructions, this one {}",
            FilterInstruction::MOST,
            program.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let program: Vec<SockFilter> = program
        .iter()
        .map(|step| SockFilter::new(step.code, step.jump_true, step.jump_false, step.operand))
        .collect();
    SockRef::from(&fd.as_fd()).attach_filter(&program)
}

/// Takes the filter away (`SO_DETACH_FILTER`): all that comes from now on reaches the socket.
///
/// # Errors
///
/// `NotFound` where the socket has none; what the kernel says of one that is locked.
pub fn detach_filter(fd: impl AsFd) -> io::Result<()> {
    SockRef::from(&fd.as_fd()).detach_filter()
}

/// Forbids any change of the socket's filter from now on, for whoever holds it
/// (`SO_LOCK_FILTER`).
///
/// # Errors
///
/// What the kernel says of the descriptor.
pub fn lock_filter(fd: impl AsFd) -> io::Result<()> {
    option::set_int(fd.as_fd(), libc::SOL_SOCKET, libc::SO_LOCK_FILTER, c_int::from(true))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::{Destination, ReceiveBatch, SendBatch};

    /// `return operand`: how much of the packet is kept.
    const fn keep(bytes: u32) -> FilterInstruction {
        FilterInstruction { code: 0x06, jump_true: 0, jump_false: 0, operand: bytes }
    }

    #[test]
    fn a_filter_decides_what_arrives_and_how_much_of_it() {
        let (here, there) = UnixDatagram::pair().unwrap();
        let mut batch = SendBatch::new(1, 8);
        let mut received = ReceiveBatch::new(4, 8);
        for (kept, arrives) in [(0, None), (3, Some(&b"123"[..])), (u32::MAX, Some(b"12345"))] {
            attach_filter(&there, &[keep(kept)]).unwrap();
            batch.push(b"12345", Destination::Connected).unwrap();
            batch.send(&here).unwrap();
            received.receive(&there).unwrap();
            assert_eq!(received.iter().next().map(|packet| packet.bytes), arrives);
        }
        attach_filter(&there, &[FilterInstruction::NOTHING]).unwrap();
        batch.push(b"lost", Destination::Connected).unwrap();
        batch.send(&here).unwrap();
        detach_filter(&there).unwrap();
        assert_eq!(detach_filter(&there).unwrap_err().kind(), io::ErrorKind::NotFound);
        batch.push(b"comes", Destination::Connected).unwrap();
        batch.send(&here).unwrap();
        received.receive(&there).unwrap();
        assert_eq!(received.iter().map(|packet| packet.bytes).collect::<Vec<_>>(), [b"comes"]);
    }

    #[test]
    fn a_locked_filter_stays() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        attach_filter(&socket, &[keep(0)]).unwrap();
        lock_filter(&socket).unwrap();
        let error = attach_filter(&socket, &[keep(1)]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    }

    #[test]
    fn programs_the_kernel_could_not_take_are_refused() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        // 65,537 is 1 in the kernel's 16 bits.
        for length in [0, FilterInstruction::MOST + 1, 65_537] {
            let error = attach_filter(&socket, &vec![keep(0); length]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{length}");
        }
        let endless = FilterInstruction { code: 0xffff, ..keep(0) };
        assert_eq!(
            attach_filter(&socket, &[endless]).unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
    }
}
