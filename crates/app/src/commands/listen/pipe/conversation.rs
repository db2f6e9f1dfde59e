//! The one connection of a pipe, from its first byte to its end.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context;
use ports_core::{FiveTuple, Transport};
use sockets_tcp::CloseReason;
use stats::{ErrorKind, Inbound, Outbound, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::CLIENT;
use super::ending::{Ended, counted_as, of_error, verdict};
use super::idle::{Idle, Look};
use super::in_hand::InHand;
use super::wire::{Wire, late_input, read_now, write};
use crate::args::LimitArgs;
use crate::commands::conversation::incoming::Incoming;
use crate::commands::conversation::session::{GRACE, Session};
use crate::commands::conversation::stillness::Stillness;
use crate::commands::conversation::streams::{
    Input, InputReader, Output, STREAM_CHUNK, has_an_end_to_come,
};
use crate::output::EventLine;

/// How much of what has arrived by the wish to stop is still written out: as much as the kernel
/// holds for one connection by default (`net.ipv4.tcp_rmem`). A peer that goes on sending cannot
/// keep the pipe from ending.
const DRAIN_LIMIT: usize = 6 << 20;

/// How often it is looked whether the peer has acknowledged all.
const LOOK: Duration = Duration::from_millis(10);

/// See the module's first line. Both directions run in one task, so that cells are enough.
pub(super) struct Conversation<'a> {
    peer: SocketAddr,
    session: &'a Session,
    incoming: Incoming,
    /// Cancelled once nothing more goes to the peer.
    all_sent: CancellationToken,
    last_move: Cell<Instant>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    /// Bytes of the peer that came after the wish to stop and were thrown away.
    discarded: Cell<u64>,
    in_hand: Arc<InHand>,
    /// The first error of the connection, in either direction.
    broken: RefCell<Option<io::Error>>,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(peer: SocketAddr, session: &'a Session) -> Self {
        Self {
            peer,
            session,
            incoming: Incoming::begin(),
            all_sent: CancellationToken::new(),
            last_move: Cell::new(Instant::now()),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            discarded: Cell::new(0),
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
        let (mut inbound, outbound) = recorder.split();
        // Small messages go out at once; refused only on a connection that is gone, which reading
        // tells.
        let _ = stream.tcp().set_nodelay(true);
        self.in_hand.reset_at_second(stream.tcp(), peer, self.session);

        let (mut reader, writer) = split(&mut stream);
        let outcome = tokio::select! {
            // What has come goes before the clock.
            biased;
            both = async {
                tokio::try_join!(self.receive(&mut reader, &mut inbound), self.send(writer, outbound))?;
                tokio::join!(self.last_bytes(), self.throw_away(&mut reader));
                Ok(Ended::Done)
            } => both,
            () = self.idle(limits.idle_timeout) => Ok(Ended::Idle),
            () = self.silent(limits.first_byte_timeout) => Ok(Ended::Silent),
            () = unconstrained(self.session.grace_over()) => Ok(Ended::CutOff),
        };
        let lost = self.in_hand.settle();
        let reason = self.reason(&outcome, stream.is_tls());
        let is_cut = matches!(outcome, Ok(Ended::CutOff));
        let is_lossy = lost.unsent + lost.unwritten > 0 || outcome.is_err();
        let is_truncated = !self.in_hand.is_whole();
        if is_lossy || is_truncated || is_cut && !self.in_hand.is_ended.load(Relaxed) {
            // What lost bytes, or its end, must not look like what came to its proper end.
            self.in_hand.socket.make_close_a_reset();
        } else if reason == CloseReason::Shutdown && !is_cut {
            let more = late_input(&mut stream).await;
            if more > 0 {
                self.in_hand.socket.make_close_a_reset();
                self.discarded.set(self.discarded.get() + more as u64);
            }
        }
        // What is left goes with the socket. Of TLS it is not known what of it is data.
        if !stream.is_tls() && !self.incoming.has_ended() {
            self.discarded.set(self.discarded.get() + self.in_hand.socket.unread());
        }
        inbound.discarded(self.discarded.get());
        self.in_hand.socket.let_go();
        drop(stream);
        if lost.unsent > 0 {
            recorder.dropped(1, lost.unsent);
            let dropped =
                EventLine::Dropped { client: Some(CLIENT), messages: 1, bytes: Some(lost.unsent) };
            self.session.events.send(dropped).await;
        }
        recorder.close(counted_as(reason));
        let line = EventLine::Disconnected {
            client: Some(CLIENT),
            peer,
            reason: reason.name(),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            discarded: self.discarded.get(),
        };
        self.session.events.send(line).await;
        if let (Err(_), Some(text)) = (&outcome, lost.in_words(&peer)) {
            self.session.terminal.warn(&text);
        }
        let (ended, broken) = (outcome?, self.broken.into_inner());
        verdict(ended, broken, peer, lost, is_truncated, self.session.terminal)
    }

    fn reason(&self, outcome: &anyhow::Result<Ended>, is_tls: bool) -> CloseReason {
        match outcome {
            Ok(Ended::Idle) => CloseReason::IdleTimeout,
            Ok(Ended::CutOff) => CloseReason::Shutdown,
            Ok(Ended::Silent) => CloseReason::FirstByteTimeout,
            _ => match &*self.broken.borrow() {
                Some(error) => of_error(error, is_tls),
                None if self.incoming.has_ended() => CloseReason::PeerClosed,
                None if self.session.stop.is_cancelled() => CloseReason::Shutdown,
                None => CloseReason::Local,
            },
        }
    }

    /// From the peer to standard output.
    async fn receive(
        &self,
        reader: &mut ReadHalf<&mut Wire>,
        inbound: &mut Inbound,
    ) -> anyhow::Result<()> {
        let events = &self.session.events;
        let mut output = Output::new();
        let mut buffer = vec![0; STREAM_CHUNK];
        let mut drained = 0;
        loop {
            let read = tokio::select! {
                biased;
                () = self.session.stop.cancelled() => {
                    match read_now(reader, &mut buffer).await {
                        None => return Ok(()),
                        _ if drained >= DRAIN_LIMIT => return Ok(()),
                        Some(result) => result,
                    }
                }
                read = reader.read(&mut buffer) => read,
                // What comes later is neither read nor waited for.
                () = self.is_useless() => return Ok(()),
            };
            match read {
                Ok(0) => {
                    self.incoming.end();
                    events.send(EventLine::HalfClosed { client: Some(CLIENT) }).await;
                    return Ok(());
                }
                Ok(len) => {
                    if self.session.stop.is_cancelled() {
                        drained += len;
                    }
                    inbound.received(len);
                    self.bytes_in.set(self.bytes_in.get() + len as u64);
                    // From here on it is for standard output to take.
                    self.in_hand.of_peer.store(len as u64, Relaxed);
                    events.send(EventLine::Data { client: Some(CLIENT), peer: None, len }).await;
                    let written = output.write(&buffer[..len]).await;
                    // Also where it failed: the error says it then.
                    self.in_hand.of_peer.store(0, Relaxed);
                    written?;
                    self.last_move.set(Instant::now());
                }
                Err(error) => {
                    self.fail(ErrorKind::Read, error).await;
                    self.incoming.end();
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
            match input.next(self.incoming.over(), &self.session.stop).await? {
                Input::Chunk(chunk) => {
                    self.in_hand.for_peer.store(chunk.len() as u64, Relaxed);
                    let mut rest = &chunk[..];
                    while !rest.is_empty() {
                        match write(&mut writer, rest).await {
                            Ok(written) => {
                                rest = &rest[written..];
                                outbound.sent(written);
                                self.in_hand.for_peer.store(rest.len() as u64, Relaxed);
                                self.bytes_out.set(self.bytes_out.get() + written as u64);
                                self.last_move.set(Instant::now());
                            }
                            Err(error) => {
                                // What the peer sent before may still be there to read.
                                self.fail(ErrorKind::Write, error).await;
                                return Ok(());
                            }
                        }
                    }
                }
                Input::Silent => {
                    // How it broke is said at the end.
                    if self.broken.borrow().is_none() {
                        self.incoming.tell_silence(self.session.terminal);
                    }
                    break;
                }
                Input::Stopped if has_an_end_to_come() => {
                    // The peer is not to take for whole what has lost its end.
                    self.in_hand.end_data();
                    return Ok(());
                }
                Input::End | Input::Stopped => break,
            }
        }
        self.in_hand.end_data();
        // It fails only where the peer is gone, which reading tells.
        self.in_hand.is_ended.store(writer.shutdown().await.is_ok(), Relaxed);
        self.all_sent.cancel();
        Ok(())
    }

    /// Nothing more goes to the peer, and nobody reads what comes from it.
    async fn is_useless(&self) {
        self.all_sent.cancelled().await;
        self.incoming.unread().await;
    }

    /// Until the peer has acknowledged all data, for as long as it goes on taking some; and after a
    /// signal within the grace. A peer that resets the connection instead had closed its socket
    /// already: no other call would notice.
    async fn last_bytes(&self) {
        let mut stillness = Stillness::begin(0, Instant::now());
        while self.broken.borrow().is_none() {
            let left = self.in_hand.unacknowledged();
            if left == 0 {
                return;
            }
            if let Some(error) = self.in_hand.socket.error() {
                return self.fail(ErrorKind::Write, error).await;
            }
            let still = stillness.look(left, Instant::now());
            if still >= GRACE && !self.session.stop.is_cancelled() {
                return;
            }
            sleep(LOOK).await;
        }
    }

    /// After a signal, what still comes is taken from a peer that would else not take the last bytes;
    /// it is not accepted.
    async fn throw_away(&self, reader: &mut ReadHalf<&mut Wire>) {
        let mut scratch = [0; 4096];
        let awaited = || self.broken.borrow().is_none() && self.in_hand.unacknowledged() > 0;
        while self.session.stop.is_cancelled() && !self.incoming.has_ended() && awaited() {
            match tokio::time::timeout(LOOK, reader.read(&mut scratch)).await {
                Err(_) => {}
                Ok(Ok(read @ 1..)) => self.discarded.set(self.discarded.get() + read as u64),
                Ok(Ok(0)) => return,
                Ok(Err(error)) => return self.fail(ErrorKind::Read, error).await,
            }
        }
    }

    async fn fail(&self, operation: ErrorKind, error: io::Error) {
        self.session.stats.error(Transport::Tcp, Role::Server, operation);
        let (operation, text) = (operation.name(), error.to_string());
        let line = EventLine::Error { client: Some(CLIENT), operation, error: text };
        self.broken.borrow_mut().get_or_insert(error);
        self.session.events.send(line).await;
    }

    async fn idle(&self, timeout: Option<Duration>) {
        let Some(timeout) = timeout else { return std::future::pending().await };
        let mut idle = Idle::begin(timeout, Instant::now());
        while let Some(pause) = idle.look(self.look(), Instant::now()) {
            sleep(pause).await;
        }
    }

    fn look(&self) -> Look {
        Look {
            last_move: self.last_move.get(),
            acknowledged: self.in_hand.socket.acknowledged().unwrap_or(0),
            is_ours_to_move: self.in_hand.of_peer.load(Relaxed) > 0 || self.has_unread(),
        }
    }

    /// Until the peer's first byte is overdue.
    async fn silent(&self, timeout: Option<Duration>) {
        let Some(timeout) = timeout else { return std::future::pending().await };
        sleep(timeout).await;
        if self.bytes_in.get() > 0 || self.has_unread() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether the peer has sent what was not read yet: a process that did not run for a while finds
    /// its clock run down before the poller has told it.
    fn has_unread(&self) -> bool {
        self.in_hand.socket.unread() > 0
    }
}

#[cfg(test)]
mod tests;
