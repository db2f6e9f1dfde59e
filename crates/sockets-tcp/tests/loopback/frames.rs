//! Frames over real connections: both roles, ends, breaks, and another connection.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use sockets_tcp::{
    Connection, FrameError, Framed, LengthPrefixed, Lines, Prefix, Reconnect, ServerEvent,
    handler_fn,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::support::{
    any_port, pair, pattern, peer, read_exactly, read_to_end, reset, server, wait,
};

async fn received<T: sockets_tcp::FrameSource>(framed: &mut Framed<T, Lines>) -> Bytes {
    framed.recv_frame().await.unwrap().unwrap()
}

#[tokio::test]
async fn a_server_and_a_client_exchange_frames_of_all_lengths() {
    let codec = || LengthPrefixed::new(Prefix::U32BigEndian).max_length(300_000);
    let echo = handler_fn(move |connection: Connection| async move {
        let mut frames = connection.framed(codec());
        while let Some(frame) = frames.recv_frame().await {
            frames.send_frame(frame?).await?;
        }
        Ok(())
    });
    let server = server(echo).start().await.unwrap();
    let builder = sockets_tcp::TcpClient::builder(server.local_addr());
    let client = Arc::new(builder.connect().await.unwrap());
    let data = pattern(300_000);
    let lengths = [0, 1, 255, 256, 16_383, 16_384, 16_385, 65_536, 300_000, 0];
    let sending = async {
        let mut frames = Framed::new(Arc::clone(&client), codec());
        for len in lengths {
            frames.send_frame(&data[..len]).await.unwrap();
        }
        frames.inner().finish().await.unwrap();
    };
    let receiving = async {
        let mut frames = Framed::new(Arc::clone(&client), codec());
        for len in lengths {
            assert!(frames.recv_frame().await.unwrap().unwrap() == data[..len], "{len}");
        }
        assert!(frames.recv_frame().await.is_none());
        assert!(frames.recv_frame().await.is_none());
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn the_halves_of_a_connection_are_framed_apart() {
    let handler = handler_fn(|connection: Connection| async move {
        let (reader, writer) = connection.into_split();
        let mut lines = Framed::new(reader, Lines::new());
        let mut frames = Framed::new(writer, LengthPrefixed::new(Prefix::U8));
        while let Some(line) = lines.recv_frame().await {
            frames.send_frame(line?).await?;
        }
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let mut peer = peer(server.local_addr()).await;
    for byte in b"ab\r\n\n" {
        peer.write_all(&[*byte]).await.unwrap();
    }
    assert_eq!(read_exactly(&mut peer, 4).await, b"\x02ab\0");
    peer.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut peer).await.unwrap(), b"");
}

#[tokio::test]
async fn a_line_that_is_too_long_fails_its_handler_with_both_numbers() {
    let handler = handler_fn(|connection: Connection| async move {
        let mut lines = connection.framed(Lines::new().max_length(10));
        while let Some(line) = lines.recv_frame().await {
            line?;
        }
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    // It never ends, and is refused all the same.
    let mut peer = peer(server.local_addr()).await;
    peer.write_all(b"short\neleven byte").await.unwrap();
    let text = wait(&mut events, |event| match event {
        ServerEvent::Error { failure, .. } => Some(failure.text().to_owned()),
        _ => None,
    })
    .await;
    assert_eq!(text, "a line of 11 bytes or more exceeds the limit of 10 bytes");
}

#[tokio::test]
async fn an_end_within_a_frame_is_an_error_and_an_end_between_two_is_none() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    for (sent, incomplete) in [("one\ntwo\n", None), ("one\ntwo\nthr", Some(3))] {
        let (client, mut peer) = pair(&listener, |builder| builder).await;
        let mut lines = client.framed(Lines::new());
        peer.write_all(sent.as_bytes()).await.unwrap();
        drop(peer);
        assert_eq!(received(&mut lines).await, "one");
        assert_eq!(received(&mut lines).await, "two");
        if let Some(expected) = incomplete {
            let error = lines.recv_frame().await.unwrap().unwrap_err();
            assert!(matches!(error, FrameError::Incomplete { len } if len == expected), "{error}");
        }
        assert!(lines.recv_frame().await.is_none());
    }
}

#[tokio::test]
async fn a_reset_between_two_frames_is_no_end() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let (client, mut peer) = pair(&listener, |builder| builder).await;
    let address = peer.local_addr().unwrap();
    let mut lines = client.framed(Lines::new());
    peer.write_all(b"one\n").await.unwrap();
    assert_eq!(received(&mut lines).await, "one");
    reset(peer);
    let error = lines.recv_frame().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read from {address}"));
    let FrameError::Io(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(lines.recv_frame().await.is_none());
}

#[tokio::test]
async fn no_frame_reaches_over_from_one_connection_into_the_next() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let quick = Reconnect::new().base(Duration::from_millis(1)).unlimited();
    let (client, mut peer) = pair(&listener, |builder| builder.reconnect(quick)).await;
    let mut lines = client.framed(Lines::new().max_length(5));
    peer.write_all(b"one\ntw").await.unwrap();
    drop(peer);
    let (mut peer, _) = listener.accept().await.unwrap();
    peer.write_all(b"three\ntoo long\nlost\n").await.unwrap();
    drop(peer);
    let (mut peer, _) = listener.accept().await.unwrap();
    peer.write_all(b"four\n").await.unwrap();
    assert_eq!(received(&mut lines).await, "one");
    let error = lines.recv_frame().await.unwrap().unwrap_err();
    assert!(matches!(error, FrameError::Incomplete { len: 2 }), "{error}");
    assert_eq!(received(&mut lines).await, "three");
    let error = lines.recv_frame().await.unwrap().unwrap_err();
    assert!(matches!(error, FrameError::LineTooLong { at_least: 6, limit: 5 }), "{error}");
    assert_eq!(received(&mut lines).await, "four");
}

#[tokio::test]
async fn a_frame_to_a_client_that_is_closed_is_an_error() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let (client, _peer) = pair(&listener, |builder| builder.queue_bytes(8)).await;
    let mut lines = client.framed(Lines::new());
    let Err(FrameError::Io(error)) = lines.send_frame("12345678").await else { panic!() };
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    lines.inner().close().await;
    let Err(FrameError::Io(error)) = lines.send_frame("x").await else { panic!() };
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_stream_and_a_sink_carry_frames_of_all_lengths() {
    let codec = || LengthPrefixed::new(Prefix::U32BigEndian).max_length(300_000);
    let echo = handler_fn(move |connection: Connection| async move {
        let (sink, stream) = connection.framed(codec()).split();
        stream.forward(sink).await?;
        Ok(())
    });
    let server = server(echo).start().await.unwrap();
    let data = Bytes::from(pattern(300_000));
    let lengths = [0, 1, 255, 256, 16_383, 16_384, 16_385, 65_536, 300_000, 0];
    let sent = || stream::iter(lengths.map(|len| Ok::<_, FrameError>(data.slice(..len))));
    let expected: Vec<_> = lengths.iter().map(|len| data.slice(..*len)).collect();

    let connect = || sockets_tcp::TcpClient::builder(server.local_addr()).connect();
    let client = connect().await.unwrap();
    let (sink, stream) = client.framed(codec()).split();
    let (sending, received) = tokio::join!(sent().forward(sink), stream.try_collect::<Vec<_>>());
    sending.unwrap();
    assert!(received.unwrap() == expected);

    let client = Arc::new(connect().await.unwrap());
    let (sink, stream) =
        (Framed::new(Arc::clone(&client), codec()), Framed::new(Arc::clone(&client), codec()));
    let (sending, received) = tokio::join!(sent().forward(sink), stream.try_collect::<Vec<_>>());
    sending.unwrap();
    assert!(received.unwrap() == expected);
}

#[tokio::test]
async fn a_frame_that_a_sink_has_begun_goes_before_the_next() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let (client, mut peer) = pair(&listener, |builder| builder.queue_bytes(1 << 20)).await;
    let mut lines = client.framed(Lines::new().max_length(1 << 20));
    let long = "x".repeat((1 << 20) - 1);
    // Until there is no room: the last one waits in the sink.
    let mut sent = 0;
    loop {
        lines.feed(&*long).await.unwrap();
        sent += 1;
        let flushed = SinkExt::<&str>::flush(&mut lines);
        if tokio::time::timeout(std::time::Duration::from_millis(50), flushed).await.is_err() {
            break;
        }
    }
    let (read, ended) = tokio::join!(read_to_end(&mut peer), async {
        lines.send_frame("last").await?;
        SinkExt::<&str>::close(&mut lines).await
    });
    ended.unwrap();
    let read = read.unwrap();
    assert_eq!(read.len(), sent * (1 << 20) + 5, "{sent} long ones");
    assert!(read.ends_with(b"\nlast\n"));
    let error = SinkExt::send(&mut lines, "late").await.unwrap_err();
    let FrameError::Io(error) = error else { panic!("{error}") };
    assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::NotConnected), "{error}");
}

#[tokio::test]
async fn two_streams_of_one_client_take_turns() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let (client, mut peer) = pair(&listener, |builder| builder).await;
    let client = Arc::new(client);
    let mut receiving = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let mut lines = Framed::new(Arc::clone(&client), Lines::new());
        receiving.spawn(async move { lines.next().await.unwrap().unwrap() });
    }
    // Both wait by now, or will.
    for line in ["one", "two"] {
        peer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        assert_eq!(receiving.join_next().await.unwrap().unwrap(), line);
    }
}
