//! A chat of lines: what one client says, all others get, with its number before it.
//! `cargo run --example chat -- 127.0.0.1:4000`, then `nc 127.0.0.1 4000` in two terminals; Ctrl-C ends
//! it in order.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{
    BindError, Connection, HandlerError, Lines, ServerEvent, SlowPolicy, TcpServer, handler_fn,
};

/// How long what was said may take to arrive after Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);

async fn talk(connection: Connection) -> Result<(), HandlerError> {
    let id = connection.id();
    // A line may have 64 KiB; a longer one ends the connection with an error.
    let mut lines = connection.framed(Lines::new());
    while let Some(line) = lines.recv_frame().await {
        let said = [format!("{id}: ").as_bytes(), &line?, b"\n"].concat();
        // Shared, not copied. What a slow client loses is an event.
        lines.inner().send_to_others(Bytes::from(said)).await;
    }
    Ok(())
}

async fn start(address: SocketAddr) -> Result<TcpServer, BindError> {
    TcpServer::builder()
        .bind(address)
        .handler(handler_fn(talk))
        .slow_policy(SlowPolicy::DropOldest)
        .max_connections(1000)
        .start()
        .await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let server = start(address.parse()?).await?;
    println!("listening on {}", server.local_addr());
    let mut events = server.events();
    loop {
        let event = tokio::select! {
            Some(event) = events.recv() => event,
            signal = tokio::signal::ctrl_c() => break signal?,
        };
        match event {
            ServerEvent::Connected { client, peer } => println!("{client} came from {peer}"),
            ServerEvent::Disconnected { client, reason, .. } => println!("{client} left: {reason}"),
            ServerEvent::Dropped { client, messages, .. } => {
                println!("{client} does not read: lost {messages} messages");
            }
            ServerEvent::Lagged { missed } => println!("{missed} events were not told"),
            _ => {}
        }
    }
    let report = server.shutdown(GRACE).await;
    println!("{} left in order, {} were cut off", report.drained, report.cut_off.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use sockets_tcp::TcpClient;

    use super::*;

    #[tokio::test]
    async fn what_one_says_the_others_get() {
        let server = start(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let mut events = server.events();
        let mut clients = Vec::new();
        for _ in 0..3 {
            let client = TcpClient::builder(server.local_addr()).connect().await.unwrap();
            clients.push(client.framed(Lines::new()));
            while !matches!(events.recv().await.unwrap(), ServerEvent::Connected { .. }) {}
        }
        clients[0].send_frame(&b"hello"[..]).await.unwrap();
        for listener in &mut clients[1..] {
            assert_eq!(listener.recv_frame().await.unwrap().unwrap(), "1: hello");
        }
        drop(clients);
        assert!(server.shutdown(GRACE).await.cut_off.is_empty());
    }
}
