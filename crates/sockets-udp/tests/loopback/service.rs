//! Services: one datagram in, at most one out.

use std::time::Duration;

use bytes::Bytes;
use sockets_udp::{Datagram, Discard, Echo, Event, MAX_PAYLOAD_V4, UdpSocket};
use stats::SocketStats;
use tokio_util::sync::CancellationToken;

use crate::{V4, V6, arrived, on, open};

/// Before a test is given up; nothing is measured by it.
const PATIENCE: Duration = Duration::from_mins(1);

async fn ask(client: &UdpSocket, server: &UdpSocket, question: &[u8]) -> Bytes {
    client.send_to(question, server.local_addr()).await.unwrap();
    client.recv().await.unwrap().data
}

/// The reference's defect 14: bytes were forced through UTF-8, the prefix put wherever a chunk began.
#[tokio::test]
async fn defect_14_an_echo_puts_its_prefix_before_each_datagram_and_leaves_the_bytes() {
    for address in [V4, V6] {
        let (server, client) = (open(address), open(address));
        let service = server.clone();
        let serving =
            tokio::spawn(async move { service.serve(Echo::new().prefix("Echo: ")).await });
        assert_eq!(ask(&client, &server, b"one").await, "Echo: one");
        assert_eq!(ask(&client, &server, b"two\nlines").await, "Echo: two\nlines");
        assert_eq!(ask(&client, &server, b"").await, "Echo: ");
        assert_eq!(ask(&client, &server, b"\xff\x00\xc3").await, &b"Echo: \xff\x00\xc3"[..]);
        server.close();
        let report = serving.await.unwrap().unwrap();
        assert_eq!((report.received, report.answered, report.failed), (4, 4, 0));
    }
}

/// The reference's defect 4: an echo was counted as the length of its input.
#[tokio::test]
async fn defect_4_an_echo_counts_both_ways_what_went_over() {
    let stats = SocketStats::new();
    let server = on(V4).stats(stats.clone()).open().unwrap();
    let client = open(V4);
    let service = server.clone();
    let serving = tokio::spawn(async move { service.serve(Echo::new().prefix("Echo: ")).await });
    ask(&client, &server, b"18 bytes, counted.").await;
    server.close();
    serving.await.unwrap().unwrap();
    let counted = stats.snapshot().totals();
    assert_eq!((counted.bytes_received, counted.bytes_sent), (18, 24));
    assert_eq!((counted.messages_received, counted.messages_sent), (1, 1));
}

#[tokio::test]
async fn a_function_is_a_service_and_may_keep_silent() {
    let (server, client) = (open(V4), open(V4));
    let service = server.clone();
    let mut count = 0;
    let serving = tokio::spawn(async move {
        let answer = |datagram: Datagram| {
            count += 1;
            (datagram.data != "quiet").then(|| Bytes::from(format!("number {count}")))
        };
        service.serve(answer).await
    });
    client.send_to(b"quiet", server.local_addr()).await.unwrap();
    assert_eq!(ask(&client, &server, b"speak").await, "number 2");
    server.close();
    let report = serving.await.unwrap().unwrap();
    assert_eq!((report.received, report.answered), (2, 1));
}

#[tokio::test]
async fn an_answer_that_cannot_be_sent_does_not_end_the_service() {
    let (server, client) = (open(V4), open(V4));
    let service = server.clone();
    let serving = tokio::spawn(async move {
        let answer = |datagram: Datagram| {
            let length = if datagram.data == "too much" { MAX_PAYLOAD_V4 + 1 } else { 1 };
            Some(Bytes::from(vec![b'x'; length]))
        };
        service.serve(answer).await
    });
    client.send_to(b"too much", server.local_addr()).await.unwrap();
    assert_eq!(ask(&client, &server, b"less").await, "x");
    server.close();
    let report = serving.await.unwrap().unwrap();
    assert_eq!((report.received, report.answered, report.failed), (2, 1, 1));
}

/// Alone and in a batch: 65,500 bytes and ten of prefix are three too many.
#[tokio::test]
async fn an_answer_too_long_is_told_with_its_length_and_the_limit_and_counted_as_dropped() {
    let stats = SocketStats::new();
    let server = on(V4).stats(stats.clone()).datagram_events(false).open().unwrap();
    let mut events = server.events();
    let client = open(V4);
    let target = client.local_addr();
    let long = vec![b'x'; 65_500];
    let stop = CancellationToken::new();
    stop.cancel();
    let mut failed = 0;
    for others in [0, 3] {
        arrived::send_to(&client, &long, server.local_addr()).await;
        for _ in 0..others {
            arrived::send_to(&client, b"short", server.local_addr()).await;
        }
        let report = server.serve_until(Echo::new().prefix("0123456789"), &stop).await.unwrap();
        assert_eq!((report.received, report.answered, report.failed), (others + 1, others, 1));
        failed += report.failed;
        for _ in 0..others {
            assert_eq!(client.recv().await.unwrap().data, "0123456789short");
        }
    }
    server.close();
    assert!(matches!(events.recv().await, Some(Event::Bound { .. })));
    for _ in 0..failed {
        let Some(Event::Error { text, .. }) = events.recv().await else { panic!("no error") };
        let said = "a datagram holds at most 65507";
        assert_eq!(text, format!("cannot send 65510 bytes to udp {target}: {said}"));
        assert_eq!(events.recv().await, Some(Event::AnswerDropped { len: 65_510, target }));
    }
    let counted = stats.snapshot().totals();
    assert_eq!((counted.dropped_messages, counted.dropped_bytes), (failed, failed * 65_510));
    assert_eq!(counted.messages_sent, 3);
}

/// What has come is taken in one go and answered in one go, each to its own, in its order.
#[tokio::test]
async fn a_burst_is_received_and_answered_in_batches() {
    const EACH: u8 = 50;
    let server = on(V4).event_capacity(1024).open().unwrap();
    let clients = [(); 3].map(|()| open(V4));
    for number in 0..EACH {
        for client in &clients {
            arrived::send_to(client, &[number], server.local_addr()).await;
        }
    }
    let mut events = server.events();
    let stop = CancellationToken::new();
    stop.cancel();
    // Every third is not answered.
    let answer =
        |datagram: Datagram| (!datagram.data[0].is_multiple_of(3)).then_some(datagram.data);
    let report = server.serve_until(answer, &stop).await.unwrap();
    let answers = clients.len() as u64 * u64::from(EACH - EACH.div_ceil(3));
    assert_eq!((report.received, report.answered, report.failed), (150, answers, 0));
    for client in &clients {
        for number in (0..EACH).filter(|number| !number.is_multiple_of(3)) {
            assert_eq!(client.recv().await.unwrap().data, [number][..]);
        }
    }
    server.close();
    // How often receiving gave way to sending.
    let (mut turns, mut receiving) = (0, false);
    while let Some(event) = events.recv().await {
        let received = matches!(event, Event::Received { .. });
        turns += u32::from(received && !receiving);
        receiving = received;
    }
    assert_eq!(turns, 3, "150 datagrams, up to 66 at a time");
}

#[tokio::test]
async fn discard_answers_nothing() {
    let stats = SocketStats::new();
    let server = on(V4).stats(stats.clone()).open().unwrap();
    let client = open(V4);
    let mut events = server.events();
    let service = server.clone();
    let serving = tokio::spawn(async move { service.serve(Discard).await });
    client.send_to(b"gone", server.local_addr()).await.unwrap();
    while !matches!(events.recv().await, Some(Event::Received { .. })) {}
    server.close();
    assert_eq!(serving.await.unwrap().unwrap().received, 1);
    assert_eq!(stats.snapshot().totals().messages_sent, 0);
}

#[tokio::test]
async fn a_service_told_to_stop_answers_what_has_arrived_and_leaves_the_socket_open() {
    let (server, client) = (open(V4), open(V4));
    for number in 0..10_u8 {
        arrived::send_to(&client, &[number], server.local_addr()).await;
    }
    let stop = CancellationToken::new();
    stop.cancel();
    let report = server.serve_until(Echo::new(), &stop).await.unwrap();
    assert_eq!((report.received, report.answered), (10, 10));
    for number in 0..10_u8 {
        assert_eq!(client.recv().await.unwrap().data, [number][..]);
    }
    client.send_to(b"for you", server.local_addr()).await.unwrap();
    assert_eq!(server.recv().await.unwrap().data, "for you");
}

/// Polled once with any budget and dropped then: what was taken has been answered.
#[tokio::test]
async fn a_service_dropped_where_the_runtime_wants_its_turn_has_answered_what_it_took() {
    for waiting in [1, 20] {
        // More than tokio's budget of one turn, which it does not name.
        for spent in 0..140 {
            let (server, client) = (open(V4), open(V4));
            for _ in 0..waiting {
                arrived::send_to(&client, b"?", server.local_addr()).await;
            }
            tokio::task::yield_now().await;
            for _ in 0..spent {
                tokio::task::coop::consume_budget().await;
            }
            {
                let mut serving = std::pin::pin!(server.serve(Echo::new()));
                crate::assert_waits(serving.as_mut()).await;
            }
            // A question that is still there, or an answer that is or comes.
            let accounted = async {
                for _ in 0..waiting {
                    tokio::select! {
                        question = server.recv() => question.unwrap(),
                        answer = client.recv() => answer.unwrap(),
                    };
                }
            };
            let accounted = tokio::time::timeout(PATIENCE, accounted).await;
            assert!(accounted.is_ok(), "one is lost after {spent} of the budget");
            assert!(server.try_recv().unwrap().is_none() && client.try_recv().unwrap().is_none());
        }
    }
}
