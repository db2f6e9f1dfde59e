//! What the kernel knows of a TCP connection over loopback: `cargo run --example tcp_info`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

#[cfg(target_os = "linux")]
use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
};

#[cfg(target_os = "linux")]
use sockets_sys::{TcpInfo, tcp_info, unacknowledged_bytes};

/// Asks after `bytes` bytes went there and one came back, so that all of them are acknowledged.
#[cfg(target_os = "linux")]
fn after(bytes: usize) -> io::Result<(TcpInfo, usize)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut here = TcpStream::connect(listener.local_addr()?)?;
    let (mut there, _) = listener.accept()?;
    let reading = std::thread::spawn(move || {
        there.read_exact(&mut vec![0; bytes])?;
        there.write_all(b"!")?;
        io::Result::Ok(there)
    });
    here.write_all(&vec![7; bytes])?;
    here.read_exact(&mut [0])?;
    let told = (tcp_info(&here)?, unacknowledged_bytes(&here)?);
    // The other end stays open until then.
    drop(reading.join());
    Ok(told)
}

#[cfg(target_os = "linux")]
fn main() -> io::Result<()> {
    let (info, unacknowledged) = after(1 << 20)?;
    println!("{info:#?}");
    println!("not acknowledged: {unacknowledged} bytes");
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this crate is for Linux only");
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_acknowledged() {
        let (info, unacknowledged) = after(100_000).unwrap();
        assert_eq!((info.bytes_received, unacknowledged), (Some(1), 0));
        // The side that connected counts its SYN.
        assert_eq!(info.bytes_acked, Some(100_001));
    }
}
