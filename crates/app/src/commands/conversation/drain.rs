//! What had come by the end.

use sockets_udp::{DRAIN_LIMIT, Datagram, UdpSocket};

/// Hands over the datagrams that the kernel holds, and no more than [`DRAIN_LIMIT`]: whoever goes on
/// sending does not keep the command from its end. Whether there are more.
pub(in crate::commands) async fn drain(
    socket: &UdpSocket,
    mut write: impl AsyncFnMut(Datagram) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    for _ in 0..DRAIN_LIMIT {
        let Some(datagram) = socket.try_recv()? else { return Ok(false) };
        write(datagram).await?;
    }
    // One more that is there is not written, either.
    Ok(socket.try_recv()?.is_some())
}

/// That there were more.
pub(in crate::commands) fn more_came() -> String {
    format!(
        "datagrams go on coming: {DRAIN_LIMIT} were still written, what came after them is lost"
    )
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    async fn with_one() -> UdpSocket {
        let socket = UdpSocket::builder().bind((Ipv4Addr::LOCALHOST, 0).into()).open().unwrap();
        socket.send_to(b"1", socket.local_addr()).await.unwrap();
        socket
    }

    #[tokio::test]
    async fn what_is_there_is_handed_over() {
        let (socket, mut written) = (with_one().await, Vec::new());
        let write = async |datagram: Datagram| {
            written.extend_from_slice(&datagram.data);
            Ok(())
        };
        assert!(!drain(&socket, write).await.unwrap());
        assert_eq!(written, b"1");
    }

    #[tokio::test]
    async fn whoever_goes_on_sending_is_not_waited_for() {
        let (socket, mut written) = (with_one().await, 0);
        let write = async |_| {
            written += 1;
            Ok(socket.send_to(b"more", socket.local_addr()).await?)
        };
        assert!(drain(&socket, write).await.unwrap());
        assert_eq!(written, DRAIN_LIMIT);
    }
}
