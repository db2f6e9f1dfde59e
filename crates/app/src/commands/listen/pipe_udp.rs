//! The UDP pipe: datagrams to standard output, standard input to the latest sender.

use sockets_udp::{DRAIN_LIMIT, Datagram, MAX_PAYLOAD_V4, ReturnPath, UdpSocket};
use tokio_util::sync::CancellationToken;

use super::events::tell_udp;
use super::peers::Peers;
use crate::commands::connect::session::Session;
use crate::commands::connect::streams::{Input, InputReader, Output};

/// Runs until the command is stopped; `others` are the further addresses of the same name.
pub(super) async fn run(
    socket: UdpSocket,
    others: Vec<UdpSocket>,
    session: &Session,
) -> anyhow::Result<()> {
    let mut sockets = others;
    sockets.push(socket);
    let telling: Vec<_> = sockets
        .iter()
        .filter(|_| session.tells())
        .map(|socket| {
            tokio::spawn(tell_udp(socket.events(), session.events.clone(), session.terminal))
        })
        .collect();
    let result = tokio::select! {
        result = pipe(&sockets, session) => result,
        () = session.grace_over() => {
            Err(anyhow::anyhow!("standard output takes nothing: datagrams are not all written"))
        }
    };
    for socket in &sockets {
        socket.close();
    }
    for telling in telling {
        telling.await?;
    }
    result
}

async fn pipe(sockets: &[UdpSocket], session: &Session) -> anyhow::Result<()> {
    let (mut input, mut output) = (InputReader::new(MAX_PAYLOAD_V4), Output::new());
    let never = CancellationToken::new();
    let stop = &session.stop;
    // Whom standard input goes to; it is not read before there is somebody, nor after its end.
    let mut latest: Option<(&UdpSocket, ReturnPath)> = None;
    let mut input_ended = false;
    let mut peers = Peers::new(session.terminal);
    loop {
        tokio::select! {
            (socket, datagram) = receive(sockets) => {
                let datagram = datagram?;
                peers.heard(datagram.return_path());
                output.write(&datagram.data).await?;
                latest = Some((socket, datagram.return_path()));
            }
            next = input.next(&never, stop), if latest.is_some() && !input_ended => match next? {
                Input::Chunk(chunk) => if let Some((socket, path)) = latest {
                    socket.send_back(&chunk, &path).await?;
                },
                Input::End => input_ended = true,
                Input::Silent | Input::Stopped => break,
            },
            () = stop.cancelled() => break,
        }
    }
    for socket in sockets {
        for _ in 0..DRAIN_LIMIT {
            let Some(datagram) = socket.try_recv()? else { break };
            output.write(&datagram.data).await?;
        }
    }
    Ok(())
}

/// The next datagram of any socket.
async fn receive(sockets: &[UdpSocket]) -> (&UdpSocket, Result<Datagram, sockets_udp::RecvError>) {
    let receiving =
        sockets.iter().map(|socket| Box::pin(async move { (socket, socket.recv().await) }));
    let mut receiving: Vec<_> = receiving.collect();
    std::future::poll_fn(|context| {
        receiving
            .iter_mut()
            .map(|future| future.as_mut().poll(context))
            .find(std::task::Poll::is_ready)
            .unwrap_or(std::task::Poll::Pending)
    })
    .await
}
