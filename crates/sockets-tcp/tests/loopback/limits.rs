//! What a server refuses, ends or waits for: addresses, silence, the backlog, more sockets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream as StdStream};
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Socket, Type};
use sockets_tcp::{
    CloseReason, Connection, Discard, Echo, Refusal, Relay, ServerEvent, SlowPolicy, handler_fn,
};
use tokio::io::AsyncWriteExt;

use crate::arrival::delivered;
use crate::clock::stop_clock;
use crate::support::{
    HANG, connected, disconnected, peer, read_exactly, read_to_end, server, small_peer, wait,
};

/// A connection from another loopback address than 127.0.0.1.
fn from(address: [u8; 4], server: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    socket
}

#[tokio::test]
async fn one_address_has_no_more_than_its_share() {
    let server = server(Echo::new()).max_connections_per_address(2).start().await.unwrap();
    let mut events = server.events();
    let first = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    let _second = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    let mut third = peer(server.local_addr()).await;
    let (refused, reason) = wait(&mut events, |event| match event {
        ServerEvent::Refused { peer, reason } => Some((*peer, *reason)),
        _ => None,
    })
    .await;
    assert_eq!((refused, reason), (third.local_addr().unwrap(), Refusal::AddressLimit));
    read_to_end(&mut third).await.expect_err("a refusal does not look like an empty answer");
    assert_eq!((server.info().refused, server.info().active), (1, 2));

    let _other = from([127, 0, 0, 2], server.local_addr());
    wait(&mut events, connected).await;
    drop(first);
    wait(&mut events, disconnected).await;
    let mut again = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    again.write_all(b"x").await.unwrap();
    assert_eq!(read_exactly(&mut again, 1).await, b"x");
}

/// As a client does that makes one request for each connection: it comes back as soon as it sees
/// the end, which may be before the server has seen its end.
#[tokio::test]
async fn who_sees_the_end_of_his_connection_has_a_place_for_the_next() {
    let handler = handler_fn(|mut connection: Connection| async move {
        connection.write_all(b"answer").await?;
        Ok(())
    });
    let builder = server(handler).max_connections_per_address(1).linger(HANG);
    let server = builder.start().await.unwrap();
    let mut first = peer(server.local_addr()).await;
    assert_eq!(read_to_end(&mut first).await.unwrap(), b"answer");
    let mut again = peer(server.local_addr()).await;
    assert_eq!(read_to_end(&mut again).await.unwrap(), b"answer");
    assert_eq!(server.info().refused, 0);
    // Who never ends his own side has no more than as many again.
    let mut third = peer(server.local_addr()).await;
    read_to_end(&mut third).await.expect_err("two of his connections are not over");
    drop(first);
}

#[tokio::test]
async fn a_client_that_never_says_a_word_is_ended_and_one_that_did_is_not() {
    const WHILE: Duration = Duration::from_millis(30);
    let server = server(Echo::new()).first_byte_timeout(WHILE).start().await.unwrap();
    let mut events = server.events();
    let mut talker = peer(server.local_addr()).await;
    let talking = wait(&mut events, connected).await;
    talker.write_all(b"x").await.unwrap();
    assert_eq!(read_exactly(&mut talker, 1).await, b"x");
    let mut silent = peer(server.local_addr()).await;
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::FirstByteTimeout);
    read_to_end(&mut silent).await.expect_err("its handler was not done");
    let left: Vec<_> = server.clients().iter().map(|client| client.id).collect();
    assert_eq!(left, [talking], "it is older than the limit by now");
}

#[tokio::test]
async fn a_first_byte_that_the_handler_has_not_read_yet_counts() {
    let handler = handler_fn(|connection: Connection| async move {
        connection.shutdown_token().cancelled().await;
        Ok(())
    });
    let timeout = Duration::from_millis(30);
    let server = server(handler).first_byte_timeout(timeout).start().await.unwrap();
    let mut events = server.events();
    let mut talker = peer(server.local_addr()).await;
    talker.write_all(b"x").await.unwrap();
    let talking = wait(&mut events, connected).await;
    let _silent = peer(server.local_addr()).await;
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::FirstByteTimeout);
    assert_eq!(server.clients().first().map(|client| client.id), Some(talking));
}

fn data(event: &ServerEvent) -> Option<usize> {
    match event {
        ServerEvent::Data { len, .. } => Some(*len),
        _ => None,
    }
}

/// Slow loris: many clients that send a byte now and then, and never a whole request.
#[tokio::test]
async fn clients_that_dribble_cost_the_others_nothing_and_end_by_the_idle_timeout() {
    const TIMEOUT: Duration = Duration::from_secs(10);
    let clock = stop_clock();
    let builder = server(Echo::new().prefix("> ")).idle_timeout(TIMEOUT);
    let server = builder.start().await.unwrap();
    let mut events = server.events();
    let mut dribblers = Vec::new();
    for _ in 0..50 {
        dribblers.push(peer(server.local_addr()).await);
        wait(&mut events, connected).await;
    }
    let mut honest = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    for _ in 0..20 {
        for dribbler in &mut dribblers {
            dribbler.write_all(b"x").await.unwrap();
        }
        honest.write_all(b"whole\n").await.unwrap();
        assert_eq!(read_exactly(&mut honest, 8).await, b"> whole\n");
        let mut heard = 0;
        while heard < dribblers.len() + 6 {
            heard += wait(&mut events, data).await;
        }
        tokio::time::advance(TIMEOUT / 2).await;
    }
    drop(honest);
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::PeerClosed);
    drop(clock);
    for _ in &dribblers {
        assert_eq!(wait(&mut events, disconnected).await, CloseReason::IdleTimeout);
    }
}

#[tokio::test]
async fn who_waits_in_the_backlog_at_shutdown_is_served_or_told() {
    let builder = server(Echo::new()).max_connections(2).linger(Duration::from_millis(20));
    let server = builder.start().await.unwrap();
    // Without an `await`: the one thread there is has accepted none of them.
    let mut peers: Vec<_> = (0..3)
        .map(|_| {
            let mut peer = StdStream::connect(server.local_addr()).unwrap();
            peer.write_all(b"sent before the end").unwrap();
            peer
        })
        .collect();
    peers.iter().for_each(delivered);
    let mut events = server.events();
    let report = server.shutdown(HANG).await;
    assert_eq!((report.drained, report.refused), (2, 1), "{report:?}");
    assert!(report.cut_off.is_empty());
    let mut refused = peers.pop().unwrap();
    for mut peer in peers {
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"sent before the end");
    }
    refused.read_to_end(&mut Vec::new()).expect_err("it is told");
    let told = wait(&mut events, |event| match event {
        ServerEvent::Refused { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(told.await, Refusal::Shutdown);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_kernels_word_on_a_connection_is_in_its_info() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut peer = peer(server.local_addr()).await;
    peer.write_all(&[7; 5000]).await.unwrap();
    assert_eq!(read_exactly(&mut peer, 5000).await, [7; 5000]);
    // Its acknowledgement goes with the next byte at the latest.
    peer.write_all(&[8]).await.unwrap();
    assert_eq!(read_exactly(&mut peer, 1).await, [8]);
    let tcp = server.clients()[0].tcp.unwrap();
    assert_eq!(tcp.bytes_received, Some(5001));
    assert!(tcp.bytes_acked.unwrap() >= 5000, "{tcp:?}");
    assert!(tcp.rtt > Duration::ZERO, "{tcp:?}");
    let sent_again = tcp.bytes_retrans.unwrap();
    assert_eq!(tcp.bytes_sent.unwrap() - sent_again, 5001);
    assert!(sent_again == 0 || tcp.total_retrans > 0, "{tcp:?}");
}

/// A peer whose window is closed for good takes nothing, however much the kernel holds for it.
#[tokio::test]
async fn a_zero_window_is_a_stall() {
    const PATIENCE: Duration = Duration::from_millis(200);
    let builder = server(Discard).queue_bytes(1 << 20).slow_policy(SlowPolicy::Block(PATIENCE));
    let server = builder.start().await.unwrap();
    let mut events = server.events();
    let _shut = small_peer(server.local_addr()).await;
    let shut = wait(&mut events, connected).await;
    while server.send(shut, Bytes::from(vec![1; 100_000])).await.is_ok() {}
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::SlowPeer);
}

/// Which socket a connection comes to is the kernel's choice: all places can be taken by those of
/// one.
#[cfg(unix)]
#[tokio::test]
async fn accepting_tasks_that_wait_hold_no_places() {
    const MOST: usize = 4;
    let builder = server(Echo::new()).accept_sockets(8).max_connections(MOST);
    let server = builder.start().await.unwrap();
    for _ in 0..8 {
        let mut peers = Vec::new();
        for _ in 0..MOST {
            let mut peer = peer(server.local_addr()).await;
            peer.write_all(b"x").await.unwrap();
            assert_eq!(read_exactly(&mut peer, 1).await, b"x");
            peers.push(peer);
        }
        assert_eq!(server.info().active, MOST);
    }
}

/// A handler that never has to wait leaves a turn for the end of its own connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_only_writes_is_ended_all_the_same() {
    let handler = handler_fn(|mut connection: Connection| async move {
        loop {
            connection.write_all(b"").await?;
        }
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let peer = peer(server.local_addr()).await;
    let client = wait(&mut events, connected).await;
    server.disconnect(client).unwrap();
    drop(peer);
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::Local);
}

/// The one that does not read loses, by the policy; nobody else waits for it.
#[tokio::test]
async fn a_relay_waits_for_nobody_under_the_policies_that_drop() {
    const MESSAGE: usize = 8192;
    for policy in [SlowPolicy::DropNewest, SlowPolicy::DropOldest, SlowPolicy::Disconnect] {
        let builder = server(Relay::new()).slow_policy(policy).queue_bytes(16 * MESSAGE);
        let server = builder.event_capacity(1 << 16).start().await.unwrap();
        let mut events = server.events();
        let _stalled = small_peer(server.local_addr()).await;
        let stalled = wait(&mut events, connected).await;
        let mut listeners = Vec::new();
        for _ in 0..9 {
            listeners.push(peer(server.local_addr()).await);
            wait(&mut events, connected).await;
        }
        let mut speaker = peer(server.local_addr()).await;
        wait(&mut events, connected).await;
        // In lockstep, so that only the stalled one can be slow.
        let mut lost = 0;
        while lost < 20 {
            speaker.write_all(&[9; MESSAGE]).await.unwrap();
            for listener in &mut listeners {
                assert_eq!(read_exactly(listener, MESSAGE).await, [9; MESSAGE]);
            }
            while let Ok(received) = events.try_recv() {
                match received {
                    ServerEvent::Lagged { missed } => panic!("{missed} events missed"),
                    ServerEvent::Dropped { client, .. } => {
                        assert_eq!(client, stalled);
                        lost += 1;
                    }
                    ServerEvent::Disconnected { client, reason, .. } => {
                        assert_eq!((client, reason), (stalled, CloseReason::SlowPeer));
                        lost = usize::MAX;
                    }
                    _ => {}
                }
            }
        }
    }
}

#[tokio::test]
async fn a_broadcast_to_many_holds_its_bytes_once() {
    struct Counted(#[expect(dead_code, reason = "it is counted")] std::sync::Arc<()>, Vec<u8>);
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.1
        }
    }
    const LARGE: usize = 16 << 20;
    let server = server(Discard).queue_bytes(LARGE).start().await.unwrap();
    let mut events = server.events();
    let mut stalled = Vec::new();
    for _ in 0..10 {
        stalled.push(small_peer(server.local_addr()).await);
        wait(&mut events, connected).await;
    }
    let alive = std::sync::Arc::new(());
    let message = Bytes::from_owner(Counted(alive.clone(), vec![1; LARGE]));
    assert_eq!(server.broadcast(message).await.queued, 10);
    let queued: usize = server.clients().iter().map(|client| client.queued_bytes).sum();
    assert!(queued > 5 * LARGE, "{queued}");
    // A copy would not keep the owner.
    assert_eq!(std::sync::Arc::strong_count(&alive), 2);
    drop(server);
    while std::sync::Arc::strong_count(&alive) > 1 {
        tokio::task::yield_now().await;
    }
}
