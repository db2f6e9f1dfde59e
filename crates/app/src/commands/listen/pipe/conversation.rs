//! The one connection of a pipe, from its first byte to its end.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context;
use ports_core::{FiveTuple, Transport};
use socket2::SockRef;
use sockets_tcp::{CloseReason, TlsError, TlsFault};
use stats::{Inbound, Outbound, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::CLIENT;
use super::in_hand::InHand;
use super::wire::{LastBytes, Wire, read_now, write};
use crate::args::LimitArgs;
use crate::commands::connect::session::{GRACE, Session};
use crate::commands::connect::streams::{Input, InputReader, Output, STREAM_CHUNK};
use crate::commands::connect::verdict::unacknowledged;
use crate::output::EventLine;

/// How much of what has arrived by the wish to stop is still written out: as much as the kernel
/// holds for one connection by default (`net.ipv4.tcp_rmem`). A peer that goes on sending cannot
/// keep the pipe from ending.
const DRAIN_LIMIT: usize = 6 << 20;

/// How long the peer's end is waited for after a signal: closing with input unread would reset the
/// connection (RFC 9293 section 3.6.1), and a reset may overtake what was sent.
const LINGER: Duration = Duration::from_secs(2);

/// See the module's first line. Both directions run in one task, so that cells are enough.
pub(super) struct Conversation<'a> {
    peer: SocketAddr,
    session: &'a Session,
    /// Cancelled once nothing more comes from the peer.
    peer_ended: CancellationToken,
    last_activity: Cell<Instant>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    /// Of these, what the peer had not acknowledged when it was waited for no longer.
    unacknowledged: Cell<u64>,
    in_hand: Arc<InHand>,
    /// The first error of the connection, in either direction.
    broken: RefCell<Option<io::Error>>,
}

/// Why the two directions stopped.
enum Ended {
    Done,
    Idle,
    /// The peer sent no first byte.
    Silent,
    CutOff,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(peer: SocketAddr, session: &'a Session) -> Self {
        Self {
            peer,
            session,
            peer_ended: CancellationToken::new(),
            last_activity: Cell::new(Instant::now()),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            unacknowledged: Cell::new(0),
            in_hand: Arc::default(),
            broken: RefCell::new(None),
        }
    }

    /// Moves the bytes until both sides are done.
    pub(super) async fn hold(self, mut stream: Wire, limits: &LimitArgs) -> anyhow::Result<()> {
        let peer = self.peer;
        let local =
            stream.tcp().local_addr().with_context(|| format!("the connection of {peer}"))?;
        let tuple = FiveTuple::new(Transport::Tcp, local, peer);
        let mut recorder = self.session.stats.open(Transport::Tcp, Role::Server, tuple);
        let (inbound, outbound) = recorder.split();
        // Small messages go out at once; refused only on a connection that is gone, which reading
        // tells.
        let _ = stream.tcp().set_nodelay(true);
        self.in_hand.reset_at_second(stream.tcp(), peer, self.session);

        let (reader, writer) = split(&mut stream);
        let outcome = tokio::select! {
            both = async { tokio::try_join!(self.receive(reader, inbound), self.send(writer, outbound)) } => {
                both.map(|((), ())| Ended::Done)
            }
            () = self.idle(limits.idle_timeout) => Ok(Ended::Idle),
            () = self.silent(limits.first_byte_timeout) => Ok(Ended::Silent),
            () = self.session.grace_over() => Ok(Ended::CutOff),
        };
        if matches!(outcome, Ok(Ended::Done)) && self.broken.borrow().is_none() {
            match stream.last_bytes(self.bytes_out.get(), LINGER).await {
                LastBytes::Taken => {}
                LastBytes::Reset(error) => self.fail("write", error).await,
                LastBytes::Waiting(bytes) => self.unacknowledged.set(bytes),
            }
        }
        let reason = self.reason(&outcome, stream.is_tls());
        if self.unsent() > 0 || matches!(outcome, Ok(Ended::CutOff)) {
            // What lost bytes must not look like a proper end. It fails on a socket that is gone.
            let _ = SockRef::from(stream.tcp()).set_linger(Some(Duration::ZERO));
        } else if self.session.stop.is_cancelled() && reason == CloseReason::Shutdown {
            self.wait_for_end(&mut stream).await;
        }
        self.in_hand.let_go();
        drop(stream);
        if self.unsent() > 0 {
            let lost = self.unsent() as u64;
            recorder.dropped(1, lost);
            let dropped =
                EventLine::Dropped { client: Some(CLIENT), messages: 1, bytes: Some(lost) };
            self.session.events.send(dropped).await;
        }
        recorder.close(counted_as(reason));
        let line = EventLine::Disconnected {
            client: Some(CLIENT),
            peer,
            reason: reason.name(),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
        };
        self.session.events.send(line).await;
        self.verdict(outcome)
    }

    /// Bytes read from standard input that the kernel has not taken.
    fn unsent(&self) -> usize {
        self.in_hand.for_peer.load(Relaxed)
    }

    fn verdict(self, outcome: anyhow::Result<Ended>) -> anyhow::Result<()> {
        let (peer, lost) = (self.peer, self.unsent());
        let ended = outcome?;
        if let Some(error) = self.broken.into_inner() {
            // Not as the source: a broken pipe would pass for that of standard output.
            anyhow::bail!(
                "the connection of {peer} broke ({error}): {lost} bytes of input not sent"
            );
        }
        anyhow::ensure!(lost == 0, "{lost} bytes of input did not get to {peer}");
        unacknowledged(self.unacknowledged.get(), peer)?;
        match ended {
            Ended::Done => Ok(()),
            Ended::Idle => {
                self.session.terminal.warn("nothing moved for the idle timeout: closed");
                Ok(())
            }
            Ended::Silent => {
                self.session.terminal.warn("no first byte came in time: closed");
                Ok(())
            }
            Ended::CutOff => anyhow::bail!(
                "not done {} s after the signal: standard output takes nothing",
                GRACE.as_secs()
            ),
        }
    }

    fn reason(&self, outcome: &anyhow::Result<Ended>, is_tls: bool) -> CloseReason {
        let broken = self.broken.borrow();
        match outcome {
            Ok(Ended::Idle) => CloseReason::IdleTimeout,
            Ok(Ended::CutOff) => CloseReason::Shutdown,
            Ok(Ended::Silent) => CloseReason::FirstByteTimeout,
            _ => match &*broken {
                Some(error) if is_tls => of_tls(error),
                Some(_) => CloseReason::Reset,
                None if self.peer_ended.is_cancelled() => CloseReason::PeerClosed,
                None if self.session.stop.is_cancelled() => CloseReason::Shutdown,
                None => CloseReason::Local,
            },
        }
    }

    /// From the peer to standard output.
    async fn receive(
        &self,
        mut reader: ReadHalf<&mut Wire>,
        mut inbound: Inbound,
    ) -> anyhow::Result<()> {
        let events = &self.session.events;
        let mut output = Output::new();
        let mut buffer = vec![0; STREAM_CHUNK];
        let mut drained = 0;
        loop {
            let read = tokio::select! {
                biased;
                () = self.session.stop.cancelled() => {
                    match read_now(&mut reader, &mut buffer).await {
                        None => return Ok(()),
                        _ if drained >= DRAIN_LIMIT => return Ok(()),
                        Some(result) => result,
                    }
                }
                read = reader.read(&mut buffer) => read,
            };
            match read {
                Ok(0) => {
                    self.peer_ended.cancel();
                    events.send(EventLine::HalfClosed { client: Some(CLIENT) }).await;
                    return Ok(());
                }
                Ok(len) => {
                    if self.session.stop.is_cancelled() {
                        drained += len;
                    }
                    inbound.received(len);
                    self.bytes_in.set(self.bytes_in.get() + len as u64);
                    self.last_activity.set(Instant::now());
                    events.send(EventLine::Data { client: Some(CLIENT), peer: None, len }).await;
                    self.in_hand.of_peer.store(len, Relaxed);
                    output.write(&buffer[..len]).await?;
                    self.in_hand.of_peer.store(0, Relaxed);
                }
                Err(error) => {
                    self.fail("read", error).await;
                    self.peer_ended.cancel();
                    return Ok(());
                }
            }
        }
    }

    /// From standard input to the peer.
    async fn send(
        &self,
        mut writer: WriteHalf<&mut Wire>,
        mut outbound: Outbound,
    ) -> anyhow::Result<()> {
        let mut input = InputReader::new(STREAM_CHUNK);
        loop {
            match input.next(&self.peer_ended, &self.session.stop).await? {
                Input::Chunk(chunk) => {
                    self.in_hand.for_peer.store(chunk.len(), Relaxed);
                    let mut rest = &chunk[..];
                    while !rest.is_empty() {
                        match write(&mut writer, rest).await {
                            Ok(written) => {
                                rest = &rest[written..];
                                outbound.sent(written);
                                self.in_hand.for_peer.store(rest.len(), Relaxed);
                                self.bytes_out.set(self.bytes_out.get() + written as u64);
                                self.last_activity.set(Instant::now());
                            }
                            Err(error) => {
                                // What the peer sent before may still be there to read.
                                self.fail("write", error).await;
                                return Ok(());
                            }
                        }
                    }
                }
                Input::Silent => {
                    let text = "the peer ended its stream, and input is silent: done";
                    self.session.terminal.note(text);
                    break;
                }
                Input::End | Input::Stopped => break,
            }
        }
        // It fails only where the peer is gone, which reading tells.
        let _ = writer.shutdown().await;
        Ok(())
    }

    async fn fail(&self, operation: &'static str, error: io::Error) {
        let text = error.to_string();
        let line = EventLine::Error { client: Some(CLIENT), operation, error: text };
        self.broken.borrow_mut().get_or_insert(error);
        self.session.events.send(line).await;
    }

    async fn idle(&self, timeout: Option<Duration>) {
        let Some(timeout) = timeout else { return std::future::pending().await };
        loop {
            let deadline = self.last_activity.get() + timeout;
            if Instant::now() >= deadline {
                return;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }

    /// Until the peer's first byte is overdue.
    async fn silent(&self, timeout: Option<Duration>) {
        let Some(timeout) = timeout else { return std::future::pending().await };
        tokio::time::sleep(timeout).await;
        if self.bytes_in.get() > 0 {
            std::future::pending::<()>().await;
        }
    }

    /// Reads to the peer's end, within [`LINGER`]; what still comes was not accepted.
    async fn wait_for_end(&self, stream: &mut Wire) {
        let mut scratch = [0; 4096];
        let to_the_end = async { while matches!(stream.read(&mut scratch).await, Ok(1..)) {} };
        let _ = tokio::time::timeout(LINGER, to_the_end).await;
    }
}

/// What an error of a connection with TLS means: the peer refused, or TLS broke (bytes that are none
/// of it, or an end that it did not announce), or the connection below.
fn of_tls(error: &io::Error) -> CloseReason {
    match TlsError::of_io(error).map(TlsError::fault) {
        Some(TlsFault::Alert(alert)) => CloseReason::TlsAlert(alert),
        Some(_) => CloseReason::TlsFailed,
        None if error.kind() == io::ErrorKind::UnexpectedEof => CloseReason::TlsFailed,
        None => CloseReason::Reset,
    }
}

/// The reason as the statistics count it.
const fn counted_as(reason: CloseReason) -> stats::CloseReason {
    match reason {
        CloseReason::PeerClosed => stats::CloseReason::PeerClosed,
        CloseReason::Reset => stats::CloseReason::Reset,
        CloseReason::IdleTimeout | CloseReason::FirstByteTimeout => stats::CloseReason::Timeout,
        CloseReason::TlsFailed | CloseReason::TlsAlert(_) => stats::CloseReason::Error,
        CloseReason::Shutdown => stats::CloseReason::Shutdown,
        _ => stats::CloseReason::Local,
    }
}
