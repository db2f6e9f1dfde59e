//! What becomes of queued messages when a client's connection is lost.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{
    ClientEvent, ClientSendError, Events, QueuePolicy, Reconnect, TcpClient, TcpClientBuilder,
};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{any_port, pair, read_exactly, read_to_end, reserved, reset, rest, wait};

/// Many of them are more than the socket buffers of both ends hold.
const MESSAGE: usize = 64 * 1024;
const MESSAGES: usize = 256;

fn quick() -> Reconnect {
    let ms = Duration::from_millis;
    Reconnect::new().base(ms(1)).cap(ms(2)).stable_after(Duration::ZERO).unlimited().seed(1)
}

fn keeping(builder: TcpClientBuilder) -> TcpClientBuilder {
    builder.reconnect(quick()).across_reconnect(QueuePolicy::Keep).queue_bytes(MESSAGE * MESSAGES)
}

/// A message that says which one it is.
fn message(number: usize) -> Bytes {
    let mut message = vec![number as u8; MESSAGE];
    message[..8].copy_from_slice(&(number as u64).to_be_bytes());
    message.into()
}

async fn all_of(client: &TcpClient) {
    for number in 0..MESSAGES {
        client.send(message(number)).await.unwrap();
    }
}

async fn disconnected(events: &mut Events<ClientEvent>) -> (Vec<ClientEvent>, u64) {
    let mut before = Vec::new();
    let bytes_out = wait(events, |event| match event {
        ClientEvent::Disconnected { bytes_out, .. } => Some(*bytes_out),
        other => {
            before.push(other.clone());
            None
        }
    })
    .await;
    (before, bytes_out)
}

fn dropped(event: &ClientEvent) -> Option<(usize, usize)> {
    match event {
        ClientEvent::Dropped { messages, bytes } => Some((*messages, *bytes)),
        _ => None,
    }
}

fn cut(event: &ClientEvent) -> Option<(usize, usize)> {
    match event {
        ClientEvent::Cut { sent, unsent } => Some((*sent, *unsent)),
        _ => None,
    }
}

fn listener_at(address: std::net::SocketAddr) -> TcpListener {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(8).unwrap()
}

#[tokio::test]
async fn what_is_sent_before_there_is_a_connection_waits_for_it() {
    let (_reserved, address) = reserved();
    let client = keeping(TcpClient::builder(address)).queue_messages(3).start();
    for text in ["one ", "two ", ""] {
        client.send(text.into()).await.unwrap();
    }
    client.send("three ".into()).await.unwrap();
    let mut fourth = pin!(client.send("four".into()));
    let full = poll_fn(|context| Poll::Ready(fourth.as_mut().poll(context).is_pending())).await;
    assert!(full, "three messages are the bound");
    let listener = listener_at(address);
    let (mut peer, _) = listener.accept().await.unwrap();
    fourth.await.unwrap();
    client.finish().await.unwrap();
    assert_eq!(read_to_end(&mut peer).await.unwrap(), b"one two three four");
}

#[tokio::test]
async fn without_keeping_nothing_is_accepted_before_there_is_a_connection() {
    let (_reserved, address) = reserved();
    let client = TcpClient::builder(address).reconnect(quick()).start();
    let error = client.send("x".into()).await.unwrap_err();
    assert!(matches!(error, ClientSendError::NotConnected { .. }), "{error}");
}

#[tokio::test]
async fn whole_messages_are_sent_on_the_next_connection_and_a_cut_one_never() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let (client, peer) = pair(&listener, keeping).await;
    let mut events = client.events();
    all_of(&client).await;
    reset(peer);
    let (mut told, bytes_out) = disconnected(&mut events).await;
    let (mut peer, _) = listener.accept().await.unwrap();
    wait(&mut events, |event| {
        told.push(event.clone());
        matches!(event, ClientEvent::Kept { .. }).then_some(())
    })
    .await;

    // Of the first connection: so many whole messages, and maybe a part of one more.
    let (whole, part) = (bytes_out as usize / MESSAGE, bytes_out as usize % MESSAGE);
    let expected = if part > 0 { vec![(part, MESSAGE - part)] } else { vec![] };
    assert_eq!(told.iter().filter_map(cut).collect::<Vec<_>>(), expected);
    let lost: Vec<_> = expected.iter().map(|(_, unsent)| (1, *unsent)).collect();
    assert_eq!(told.iter().filter_map(dropped).collect::<Vec<_>>(), lost);
    let next = whole + expected.len();
    let kept = MESSAGES - next;
    assert!(kept > 0, "the socket buffers took everything");
    let told_kept = ClientEvent::Kept { messages: kept, bytes: kept * MESSAGE };
    assert_eq!(told.last(), Some(&told_kept));

    // Of the second one: all the others, in order, before newer ones.
    let reading = async {
        for number in next..=MESSAGES {
            assert!(read_exactly(&mut peer, MESSAGE).await == message(number), "{number}");
        }
        assert_eq!(read_to_end(&mut peer).await.unwrap(), b"");
    };
    let sending = async {
        client.send(message(MESSAGES)).await.unwrap();
        client.finish().await.unwrap();
    };
    tokio::join!(reading, sending);
    drop(peer);
    client.close().await;
    let counted = client.stats().snapshot().totals();
    assert_eq!(
        counted.bytes_sent + counted.dropped_bytes,
        ((MESSAGES + 1) * MESSAGE) as u64,
        "every byte accepted was sent or is told"
    );
}

#[tokio::test]
async fn discarding_tells_all_that_was_not_sent() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let (client, peer) =
        pair(&listener, |builder| keeping(builder).across_reconnect(QueuePolicy::Discard)).await;
    let mut events = client.events();
    all_of(&client).await;
    reset(peer);
    let (told, bytes_out) = disconnected(&mut events).await;
    let lost: Vec<_> = told.iter().filter_map(dropped).collect();
    let bytes = MESSAGES * MESSAGE - bytes_out as usize;
    assert_eq!(lost, [(bytes.div_ceil(MESSAGE), bytes)]);
    assert_eq!(told.iter().filter_map(cut).count(), usize::from(!bytes.is_multiple_of(MESSAGE)));
    let (mut peer, _) = listener.accept().await.unwrap();
    wait(&mut events, |event| matches!(event, ClientEvent::Connected { .. }).then_some(())).await;
    client.send("new".into()).await.unwrap();
    client.finish().await.unwrap();
    assert_eq!(read_to_end(&mut peer).await.unwrap(), b"new");
}

#[tokio::test]
async fn who_waits_for_room_goes_over_to_the_next_connection() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let (client, first) = pair(&listener, |builder| keeping(builder).queue_bytes(MESSAGE)).await;
    let sending = async {
        all_of(&client).await;
        client.finish().await.unwrap();
    };
    let serving = async {
        // Nothing reads, so that the sender is somewhere in its middle, and waits now or soon.
        while client.stats().snapshot().totals().bytes_sent < 1 << 20 {
            tokio::task::yield_now().await;
        }
        reset(first);
        let (mut second, _) = listener.accept().await.unwrap();
        read_to_end(&mut second).await.unwrap()
    };
    let ((), received) = tokio::join!(sending, serving);
    assert!(received.len().is_multiple_of(MESSAGE), "whole messages only");
    let first = MESSAGES - received.len() / MESSAGE;
    for (place, piece) in received.chunks(MESSAGE).enumerate() {
        assert!(piece == message(first + place), "message {place} of the second connection");
    }
}

#[tokio::test]
async fn what_waits_when_the_client_is_closed_is_told() {
    let (_reserved, address) = reserved();
    let client = keeping(TcpClient::builder(address)).start();
    let mut events = client.events();
    client.send("12345".into()).await.unwrap();
    client.send("678".into()).await.unwrap();
    assert_eq!(client.close().await.unsent_bytes, 8);
    let told = rest(&mut events).await;
    assert_eq!(told.iter().filter_map(dropped).collect::<Vec<_>>(), [(2, 8)]);
    let error = client.send("late".into()).await.unwrap_err();
    assert!(matches!(error, ClientSendError::Closed { .. }), "{error}");
}

#[tokio::test]
async fn what_waits_when_the_client_gives_up_is_told() {
    let (_reserved, address) = reserved();
    let client = keeping(TcpClient::builder(address)).reconnect(quick().limit(2)).start();
    let mut events = client.events();
    client.send("12345".into()).await.unwrap();
    let told = rest(&mut events).await;
    let [.., gave_up, dropped, closed] = &told[..] else { panic!("{told:?}") };
    assert!(matches!(gave_up, ClientEvent::GaveUp { attempts: 2, .. }), "{gave_up:?}");
    assert_eq!(*dropped, ClientEvent::Dropped { messages: 1, bytes: 5 });
    assert_eq!(*closed, ClientEvent::Closed);
}

#[tokio::test]
async fn finishing_waits_for_the_connection_that_takes_what_was_kept() {
    let (_reserved, address) = reserved();
    let client = keeping(TcpClient::builder(address)).start();
    client.send("kept".into()).await.unwrap();
    let finishing = client.finish();
    let serving = async {
        let listener = listener_at(address);
        let (mut peer, _): (TcpStream, _) = listener.accept().await.unwrap();
        read_to_end(&mut peer).await.unwrap()
    };
    let (finished, received) = tokio::join!(finishing, serving);
    finished.unwrap();
    assert_eq!(received, b"kept");
}
