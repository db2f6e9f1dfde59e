//! Runtimes that end, and callers on other ones.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{Connection, SlowPolicy, TcpClient, handler_fn};
use tokio::runtime::{Builder, Runtime};

use crate::support::{HANG, connected, server, small_peer, wait};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Polls once.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, future).await.expect("it waits for a runtime that is gone")
}

/// Nobody reads, and patience has no end: who waits is told by the end of the connections' runtime.
#[test]
fn who_waits_on_another_runtime_is_told_when_the_connections_own_is_gone() {
    let (home, elsewhere) = (runtime(), runtime());
    let silent = handler_fn(|connection: Connection| async move {
        connection.closed().await;
        Ok(())
    });
    let builder = server(silent).slow_policy(SlowPolicy::Block(Duration::MAX));
    let (server, client, mut events, _peer, id) = home.block_on(async {
        let server = builder.queue_messages(1).start().await.unwrap();
        let mut events = server.events();
        let peer = small_peer(server.local_addr()).await;
        let id = wait(&mut events, connected).await;
        let builder = TcpClient::builder(server.local_addr()).queue_messages(1);
        let client = builder.connect().await.unwrap();
        wait(&mut events, connected).await;
        (server, client, events, peer, id)
    });
    let message = Bytes::from(vec![7; 64 * 1024]);
    let mut sending = Box::pin(server.send(id, message.clone()));
    let mut asking = Box::pin(client.send(message.clone()));
    elsewhere.block_on(async {
        // The kernel takes some first.
        while poll_once(sending.as_mut()).await.is_ready() {
            sending.set(server.send(id, message.clone()));
        }
        while poll_once(asking.as_mut()).await.is_ready() {
            asking.set(client.send(message.clone()));
        }
    });
    let (mut to_all, mut receiving) = (pin!(server.broadcast(message)), pin!(client.recv()));
    let mut ending = pin!(client.finish());
    elsewhere.block_on(async {
        assert!(poll_once(to_all.as_mut()).await.is_pending());
        assert!(poll_once(receiving.as_mut()).await.is_pending());
        assert!(poll_once(ending.as_mut()).await.is_pending());
    });
    drop(home);
    elsewhere.block_on(async {
        assert!(within(sending).await.is_err());
        assert!(within(asking).await.is_err());
        let report = within(to_all).await;
        // The client's own connection had room.
        assert_eq!((report.queued, report.closed), (1, 1), "{report:?}");
        assert!(within(receiving).await.is_err());
        assert!(within(ending).await.is_err());
        while within(events.recv()).await.is_some() {}
        let report = within(server.shutdown(Duration::MAX)).await;
        assert!(report.cut_off.is_empty(), "{report:?}");
        let report = within(client.close()).await;
        assert!(report.unsent_bytes > 0, "{report:?}");
    });
    let totals = server.stats().snapshot().totals();
    assert_eq!((totals.active, totals.opened), (0, 2));
    assert!(totals.dropped_bytes > 0);
}

/// What is started on a runtime goes on there, whoever calls.
#[test]
fn callers_on_other_runtimes_and_threads_are_served() {
    let home = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (server, client) = home.block_on(async {
        let server = server(sockets_tcp::Echo::new()).start().await.unwrap();
        let mut events = server.events();
        let client = TcpClient::builder(server.local_addr()).connect().await.unwrap();
        wait(&mut events, connected).await;
        (server, client)
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                runtime().block_on(async {
                    within(client.send(Bytes::from_static(b"x"))).await.unwrap();
                    assert_eq!(within(server.broadcast(Bytes::from_static(b"y"))).await.queued, 1);
                });
            });
        }
    });
    let elsewhere = runtime();
    elsewhere.block_on(async {
        let mut received = 0;
        while received < 8 {
            received += within(client.recv()).await.unwrap().unwrap().len();
        }
        assert_eq!(within(client.close()).await.unsent_bytes, 0);
        assert!(within(server.shutdown(HANG)).await.cut_off.is_empty());
    });
}
