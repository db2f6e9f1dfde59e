//! Slow loris: clients that send, or take, a little now and then. The clock is the tests' own.
//!
//! - The first-byte timeout ends who never says a word; one byte is enough for it.
//! - The idle timeout ends who stops; a byte within each such time is enough for it, either way.
//! - A whole request within a time is the handler's to ask for: only it knows what a request is.
//!
//! Whoever is ended gives his place back, and the next in the backlog has it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{
    CloseReason, Connection, Discard, Echo, Events, Handler, Lines, ServerEvent, TcpServer,
    TcpServerBuilder, handler_fn,
};

use crate::support::{HANG, server};

/// Each of the server's times.
const TIME: Duration = Duration::from_mins(1);
/// How long the dribblers pause.
const PAUSE: Duration = Duration::from_secs(45);

/// Until `what` says so, without a pause in which the clock would go on by itself.
async fn until<T>(mut what: impl FnMut() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(begun.elapsed() < HANG, "it never comes");
        tokio::task::yield_now().await;
    }
}

async fn next<T>(events: &mut Events<ServerEvent>, pick: impl Fn(&ServerEvent) -> Option<T>) -> T {
    until(|| events.try_recv().ok().and_then(|event| pick(&event))).await
}

fn connected(event: &ServerEvent) -> Option<()> {
    matches!(event, ServerEvent::Connected { .. }).then_some(())
}

fn data(event: &ServerEvent) -> Option<usize> {
    match event {
        ServerEvent::Data { len, .. } => Some(*len),
        _ => None,
    }
}

fn ended(event: &ServerEvent) -> Option<CloseReason> {
    match event {
        ServerEvent::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    }
}

/// A server with one place, the client that has it, and one that waits for it.
struct Scene {
    server: TcpServer,
    events: Events<ServerEvent>,
    dribbler: TcpStream,
    waiting: TcpStream,
}

async fn scene<H: Handler>(builder: TcpServerBuilder<H>) -> Scene {
    let server = builder.max_connections(1).linger(Duration::ZERO).start().await.unwrap();
    let mut events = server.events();
    let dribbler = TcpStream::connect(server.local_addr()).unwrap();
    next(&mut events, connected).await;
    let mut waiting = TcpStream::connect(server.local_addr()).unwrap();
    waiting.write_all(b"let me in\n").unwrap();
    Scene { server, events, dribbler, waiting }
}

impl Scene {
    /// A byte after each pause, for many times as long as the server's time.
    async fn dribble(&mut self) {
        for _ in 0..10 {
            tokio::time::advance(PAUSE).await;
            self.dribbler.write_all(b"x").unwrap();
            assert_eq!(next(&mut self.events, data).await, 1);
        }
        assert_eq!(self.server.info().active, 1, "it has its place still");
        assert_eq!(self.server.info().accepted, 1, "and the other one waits");
    }

    /// The one who waits has the place of the one who left.
    async fn the_other_one_is_served(mut self) {
        next(&mut self.events, connected).await;
        assert_eq!(next(&mut self.events, data).await, 10);
        assert_eq!((self.server.info().active, self.server.info().accepted), (1, 2));
        drop(self.waiting);
    }
}

#[tokio::test(start_paused = true)]
async fn one_byte_is_enough_for_the_first_byte_timeout() {
    let mut scene = scene(server(Discard).first_byte_timeout(TIME)).await;
    scene.dribble().await;
    tokio::time::advance(TIME * 100).await;
    tokio::task::yield_now().await;
    assert_eq!(scene.server.info().active, 1, "it says nothing for hours, and stays");
    drop(scene.dribbler.try_clone().unwrap());
}

#[tokio::test(start_paused = true)]
async fn without_one_byte_the_place_is_given_back() {
    let mut scene = scene(server(Discard).first_byte_timeout(TIME)).await;
    tokio::time::advance(TIME).await;
    assert_eq!(next(&mut scene.events, ended).await, CloseReason::FirstByteTimeout);
    scene.the_other_one_is_served().await;
}

#[tokio::test(start_paused = true)]
async fn a_byte_in_time_holds_the_idle_timeout_off_and_silence_ends_it() {
    let mut scene = scene(server(Discard).idle_timeout(TIME)).await;
    scene.dribble().await;
    tokio::time::advance(TIME).await;
    assert_eq!(next(&mut scene.events, ended).await, CloseReason::IdleTimeout);
    scene.the_other_one_is_served().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_ends_is_the_handlers_to_bound() {
    let handler = handler_fn(|connection: Connection| async move {
        let mut lines = connection.framed(Lines::new());
        while let Some(line) = tokio::time::timeout(TIME, lines.recv_frame()).await? {
            lines.send_frame(line?).await?;
        }
        Ok(())
    });
    let mut scene = scene(server(handler).idle_timeout(TIME)).await;
    tokio::time::advance(PAUSE).await;
    scene.dribbler.write_all(b"x").unwrap();
    assert_eq!(next(&mut scene.events, data).await, 1);
    tokio::time::advance(PAUSE).await;
    assert_eq!(next(&mut scene.events, ended).await, CloseReason::HandlerFailed);
    scene.the_other_one_is_served().await;
}

#[tokio::test(start_paused = true)]
async fn who_takes_a_little_now_and_then_is_not_idle_and_who_stops_is() {
    const MUCH: usize = 16 << 20;
    let handler = handler_fn(|mut connection: Connection| async move {
        Ok(connection.write_all(&vec![7; MUCH]).await?)
    });
    let mut scene = scene(server(handler).idle_timeout(TIME)).await;
    let server = &scene.server;
    let client = || server.clients().into_iter().next().unwrap();
    // Until the kernels hold what they can.
    let mut held = 0;
    until(|| {
        let before = std::mem::replace(&mut held, client().bytes_out);
        (held > 0 && held == before).then_some(())
    })
    .await;
    // So little that the server's kernel takes nothing more for it.
    for _ in 0..5 {
        let before = client().tcp.unwrap().bytes_acked;
        while client().tcp.unwrap().bytes_acked == before {
            scene.dribbler.read_exact(&mut [0; 4096]).unwrap();
            tokio::task::yield_now().await;
        }
        tokio::time::advance(PAUSE).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(server.info().active, 1, "slow, and not idle");
    // What it took last may be found only after one such time.
    for _ in 0..2 {
        tokio::time::advance(TIME).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(next(&mut scene.events, ended).await, CloseReason::IdleTimeout);
    drop(scene.dribbler);
}

#[tokio::test(start_paused = true)]
async fn who_never_reads_an_answer_is_idle() {
    let mut scene = scene(server(Echo::new()).idle_timeout(TIME)).await;
    let id = scene.server.clients()[0].id;
    scene.server.send(id, Bytes::from(vec![7; 900_000])).await.unwrap();
    for _ in 0..3 {
        tokio::time::advance(TIME).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(next(&mut scene.events, ended).await, CloseReason::IdleTimeout);
    scene.the_other_one_is_served().await;
}
