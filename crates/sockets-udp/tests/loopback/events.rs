//! What subscribers see, and what the kernel dropped.

use futures_util::{FutureExt as _, StreamExt as _};
use sockets_udp::{Event, NoEvent, Operation, RecvBatch};
use stats::SocketStats;

use crate::{V4, arrived, on, open};

#[tokio::test]
async fn a_life_in_events() {
    let (here, there) = (open(V4), open(V4));
    let (mut sent, mut received) = (here.events(), there.events());
    let (source, target) = (here.local_addr(), there.local_addr());
    here.send_to(b"", target).await.unwrap();
    here.send_to(b"12345", target).await.unwrap();
    here.send_to(b"x", (V4, 0).into()).await.unwrap_err();
    there.recv().await.unwrap();
    there.recv_into(&mut [0; 2]).await.unwrap();
    here.close();
    there.close();

    let kind = std::io::ErrorKind::InvalidInput;
    let text = "cannot send to udp 127.0.0.1:0: 0 is not a port to send to".to_owned();
    for event in [
        Event::Bound { local: source },
        Event::Sent { len: 0, target },
        Event::Sent { len: 5, target },
        Event::Error { operation: Operation::Send, kind, text },
        Event::Closed,
    ] {
        assert_eq!(sent.recv().await, Some(event));
    }
    assert_eq!(sent.recv().await, None);
    for event in [
        Event::Bound { local: target },
        Event::Received { len: 0, source },
        Event::Received { len: 5, source },
        Event::Truncated { lost: 3, source },
        Event::Closed,
    ] {
        assert_eq!(received.recv().await, Some(event));
    }
    assert_eq!(received.recv().await, None);
    assert_eq!((sent.missed(), received.missed()), (0, 0));
}

#[tokio::test]
async fn a_subscription_is_a_stream_and_loses_nothing_where_its_waiting_is_given_up() {
    let socket = open(V4);
    let local = socket.local_addr();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Bound { local }));
    assert_eq!(events.next().now_or_never(), None);
    assert_eq!(events.try_recv(), Err(NoEvent::Now));
    socket.send_to(b"1", local).await.unwrap();
    assert_eq!(events.try_recv(), Ok(Event::Sent { len: 1, target: local }));
    assert_eq!(events.next().now_or_never(), None);
    let rest = tokio::spawn(events.collect::<Vec<_>>());
    socket.send_to(b"22", local).await.unwrap();
    socket.close();
    assert_eq!(rest.await.unwrap(), [Event::Sent { len: 2, target: local }, Event::Closed]);

    let mut closed = socket.events();
    assert_eq!((closed.try_recv(), closed.try_recv()), (Ok(Event::Closed), Err(NoEvent::Ever)));
}

#[tokio::test]
async fn a_slow_subscriber_is_told_how_much_it_missed() {
    let socket = on(V4).event_capacity(4).open().unwrap();
    let mut events = socket.events();
    let target = socket.local_addr();
    for _ in 0..20 {
        socket.send_to(b"x", target).await.unwrap();
        socket.recv().await.unwrap();
    }
    socket.close();
    assert_eq!(events.recv().await, Some(Event::Bound { local: target }));
    // 40 transfers and the end, of which the channel keeps the last 4.
    assert_eq!(events.recv().await, Some(Event::Lagged { missed: 37 }));
    assert_eq!(events.missed(), 37);
    let mut kept = Vec::new();
    while let Some(event) = events.recv().await {
        kept.push(event);
    }
    assert_eq!(kept.len(), 4);
    assert_eq!(kept.last(), Some(&Event::Closed));
}

#[tokio::test]
async fn without_datagrams_what_is_rare_is_told() {
    let socket = on(V4).datagram_events(false).event_capacity(4).open().unwrap();
    let mut events = socket.events();
    let target = socket.local_addr();
    let mut batch = RecvBatch::new(4, 100);
    for _ in 0..20 {
        socket.send_to(b"x", target).await.unwrap();
        socket.recv_into(&mut []).await.unwrap();
        assert_eq!(socket.send_to_each(&[target], b"xy").await.sent, 1);
        socket.recv_many(&mut batch).await.unwrap();
    }
    socket.send_to(b"x", (V4, 0).into()).await.unwrap_err();
    socket.close();
    assert_eq!(events.recv().await, Some(Event::Bound { local: target }));
    assert!(matches!(events.recv().await, Some(Event::Error { .. })));
    assert_eq!((events.recv().await, events.missed()), (Some(Event::Closed), 0));
}

#[tokio::test]
async fn a_subscription_begins_with_the_state_of_the_socket() {
    let socket = open(V4);
    socket.close();
    let mut late = socket.events();
    assert_eq!(late.recv().await, Some(Event::Closed));
    assert_eq!(late.recv().await, None);
}

#[tokio::test]
async fn room_for_any_number_of_events_may_be_asked_for() {
    let socket = on(V4).event_capacity(usize::MAX).open().unwrap();
    let mut events = socket.events();
    assert!(matches!(events.recv().await, Some(Event::Bound { .. })));
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_events() {
    let socket = open(V4);
    let mut events = socket.events();
    drop(socket);
    assert!(matches!(events.recv().await, Some(Event::Bound { .. })));
    assert_eq!(events.recv().await, Some(Event::Closed));
    assert_eq!(events.recv().await, None);
}

/// Every datagram sent is received or counted as dropped; none is lost in silence.
#[tokio::test]
async fn what_the_kernel_drops_is_counted() {
    const FLOOD: u64 = 200;
    // The kernel raises it to its minimum, room for a few datagrams.
    let stats = SocketStats::new();
    let there = on(V4).receive_buffer(1).stats(stats.clone()).open().unwrap();
    let mut events = there.events();
    let here = open(V4);
    for _ in 0..FLOOD {
        arrived::send_to(&here, &[0; 512], there.local_addr()).await;
    }
    let mut received = 0;
    while there.try_recv().unwrap().is_some() {
        received += 1;
    }
    // The count comes with the first datagram that was queued after the drop.
    here.send_to(b"last", there.local_addr()).await.unwrap();
    loop {
        received += 1;
        if there.recv().await.unwrap().data == "last" {
            break;
        }
    }
    assert!(there.kernel_drops() > 0, "the flood fits into the smallest buffer");
    assert_eq!(received + there.kernel_drops(), FLOOD + 1);
    let counted = stats.snapshot().totals();
    assert_eq!(
        (counted.messages_received, counted.dropped_received),
        (received, there.kernel_drops())
    );

    there.close();
    let mut told = 0;
    while let Some(event) = events.recv().await {
        if let Event::Dropped { datagrams } = event {
            told += u64::from(datagrams);
        }
    }
    assert_eq!(told, there.kernel_drops());
}
