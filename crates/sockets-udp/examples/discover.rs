//! Who is there? Services of a multicast group answer with their name.
//!
//! `cargo run --example discover -- serve NAME [INTERFACE]` in some terminals, then `... -- ask [INTERFACE]`
//! in another one. The interface is `lo` unless another is given: nothing leaves this machine.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use sockets_udp::{Datagram, Interface, UdpSocket};
use tokio::time::{Instant, timeout_at};

/// Of the block for use within one site (RFC 2365).
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 255, 77, 1));
/// Of the dynamic range (RFC 6335): nobody has it for good.
const PORT: u16 = 50_077;
const QUESTION: &[u8] = b"who is there?";
const PATIENCE: Duration = Duration::from_secs(1);

/// A member of the group. Several on one machine share the port; each gets every question.
fn member(port: u16, interface: &Interface) -> Result<UdpSocket, Box<dyn Error>> {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let socket = UdpSocket::builder().bind(any).reuse_address(true).open()?;
    socket.join(GROUP, interface)?;
    Ok(socket)
}

/// Answers until the socket is closed. The answer comes from the address of the interface.
async fn serve(socket: &UdpSocket, name: Bytes) -> Result<u64, Box<dyn Error>> {
    let answer = |datagram: Datagram| (datagram.data == QUESTION).then(|| name.clone());
    Ok(socket.serve(answer).await?.answered)
}

/// The names that come within the patience, or as many as are enough.
async fn ask(
    port: u16,
    interface: Interface,
    enough: usize,
    patience: Duration,
) -> Result<Vec<(SocketAddr, String)>, Box<dyn Error>> {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let socket = UdpSocket::builder().bind(any).multicast_interface(interface).open()?;
    socket.send_to(QUESTION, SocketAddr::from((GROUP, port))).await?;
    let deadline = Instant::now() + patience;
    let mut names = Vec::new();
    while names.len() < enough {
        let Ok(datagram) = timeout_at(deadline, socket.recv()).await else { break };
        let datagram = datagram?;
        names.push((datagram.source, String::from_utf8_lossy(&datagram.data).into_owned()));
    }
    Ok(names)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let interface = |place: usize| Interface::from(arguments.get(place).map_or("lo", |name| name));
    match arguments.first().map(String::as_str) {
        Some("serve") => {
            let name = arguments.get(1).ok_or("serve NAME [INTERFACE]")?.clone();
            let socket = member(PORT, &interface(2))?;
            println!("{name} is a member of {GROUP} at port {PORT}");
            serve(&socket, name.into()).await?;
        }
        Some("ask") => {
            for (source, name) in ask(PORT, interface(1), usize::MAX, PATIENCE).await? {
                println!("{name} at {source}");
            }
        }
        _ => return Err("serve NAME [INTERFACE], or ask [INTERFACE]".into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_member_answers() {
        let lo = Interface::from("lo");
        let first = member(0, &lo).unwrap();
        let port = first.local_addr().port();
        let second = member(port, &lo).unwrap();
        let asked = async {
            let patience = Duration::from_mins(1);
            let mut names = ask(port, lo.clone(), 2, patience).await.unwrap();
            first.close();
            second.close();
            names.sort_by(|one, other| one.1.cmp(&other.1));
            names.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        };
        let (names, one, other) =
            tokio::join!(asked, serve(&first, "one".into()), serve(&second, "two".into()));
        assert_eq!(names, ["one", "two"]);
        assert_eq!((one.unwrap(), other.unwrap()), (1, 1));
    }
}
