//! A TCP conversation with standard input and output.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use ports_core::{SocketState, Transport};
use sockets_tcp::{
    ClientEvent, ClientSendError, CloseReport, Events, Keepalive, QueuePolicy, Reconnect,
    TcpClient, TcpClientBuilder,
};
use stats::Role;
use tokio::time::{Instant, sleep};

use super::in_hand::{InHand, unacknowledged};
use super::teller::{Teller, Unsaid};
use super::verdict;
use crate::args::ConnectArgs;
use crate::commands::conversation::incoming::Incoming;
use crate::commands::conversation::losses::Lost;
use crate::commands::conversation::session::{GRACE, Session};
use crate::commands::conversation::stillness::Stillness;
use crate::commands::conversation::streams::{
    Input, InputReader, Output, STREAM_CHUNK, has_an_end_to_come,
};
use crate::commands::tls;
use crate::output::EventLine;

/// How long a connection must have stood for the pauses to begin small again: a server that accepts
/// and hangs up is not asked ever faster.
const STABLE_AFTER: Duration = Duration::from_secs(1);

/// How often it is looked whether the peer goes on taking something.
const LOOK: Duration = Duration::from_millis(50);

/// Longer than anything that bounds a close: after a signal that is the command's grace, which is for
/// standard output, too, else a peer that stands still. Of two times that are alike either might come
/// first.
const UNBOUNDED: Duration = Duration::from_hours(24 * 365);

pub(super) async fn run(args: &ConnectArgs, session: &Session) -> anyhow::Result<()> {
    let (endpoint, reconnect) = (&args.endpoint, args.reconnect);
    let builder = builder(args, session)?;
    let client = if reconnect {
        builder.reconnect(policy(args)).across_reconnect(QueuePolicy::Keep).start()
    } else {
        match session.stop.run_until_cancelled(builder.connect()).await {
            Some(Ok(client)) => client,
            Some(Err(error)) => return Err(tls::with_advice(error)),
            None => return Ok(()),
        }
    };
    let client = Arc::new(client);
    // The first subscription sees everything from the beginning.
    let told = client.events();
    let state = client.events();
    let teller = Teller {
        client: Arc::downgrade(&client),
        log: session.events.clone(),
        terminal: session.terminal,
        reconnect,
        unsaid: Unsaid::default(),
    };
    let telling = tokio::spawn(teller.tell(told));
    let talk = Talk {
        client: &client,
        reconnect,
        no_shutdown: args.no_shutdown,
        session,
        incoming: Incoming::begin(),
        in_hand: Arc::default(),
    };
    reset_at_second(&client, &talk.in_hand, args, session);
    let ended = tokio::select! {
        biased;
        ended = talk.to_the_end(state) => Some(ended),
        () = session.grace_over() => None,
    };
    let in_hand = Arc::clone(&talk.in_hand);
    let (result, report) = ended.unwrap_or_else(|| {
        let cut = in_hand.cut(&client);
        (Err(anyhow::anyhow!("not done {} s after the signal", GRACE.as_secs())), cut)
    });
    in_hand.unacknowledged.store(unacknowledged(&report), Relaxed);
    drop(client);
    let told = telling.await?;
    session.unless_cut().await;
    // No connection took it, so none counts it.
    let unsent = in_hand.for_peer.swap(0, Relaxed);
    if unsent > 0 {
        session.stats.dropped(Transport::Tcp, Role::Client, 1, unsent);
        let dropped = EventLine::Dropped { client: None, messages: 1, bytes: Some(unsent) };
        session.events.send(dropped).await;
    }
    let counted = session.stats.snapshot().counters(Transport::Tcp, Role::Client);
    let lost = Lost {
        unsent: counted.dropped_bytes,
        unacknowledged: unacknowledged(&report),
        unwritten: in_hand.of_peer.load(Relaxed),
    };
    verdict::of(result, lost, told, endpoint, session.terminal)
}

/// The second signal resets the connection unless the end of the stream is out, and all that came is
/// written.
fn reset_at_second(
    client: &Arc<TcpClient>,
    in_hand: &Arc<InHand>,
    args: &ConnectArgs,
    session: &Session,
) {
    let (client, in_hand) = (Arc::downgrade(client), Arc::clone(in_hand));
    let (stats, terminal, endpoint) =
        (session.stats.clone(), session.terminal, args.endpoint.clone());
    session.at_second(move || {
        // Without a client all is over but the telling.
        let unacknowledged = match client.upgrade() {
            Some(client) => unacknowledged(&in_hand.cut(&client)),
            None => in_hand.unacknowledged.load(Relaxed),
        };
        let unsent = in_hand.for_peer.swap(0, Relaxed);
        stats.dropped(Transport::Tcp, Role::Client, u64::from(unsent > 0), unsent);
        let unsent = stats.snapshot().counters(Transport::Tcp, Role::Client).dropped_bytes;
        let lost = Lost { unsent, unacknowledged, unwritten: in_hand.of_peer.load(Relaxed) };
        if let Some(text) = lost.in_words(&endpoint) {
            terminal.warn(&text);
        }
    });
}

fn builder(args: &ConnectArgs, session: &Session) -> anyhow::Result<TcpClientBuilder> {
    let mut builder = TcpClient::builder(&args.endpoint)
        .stats(session.stats.clone())
        .close_grace(UNBOUNDED)
        .early_data_events(session.events.is_on());
    let opening = session.opening(&args.tls);
    let tls = tls::client(&args.tls, &args.endpoint, session.terminal)?;
    drop(opening);
    if let Some((config, name)) = tls {
        builder = builder.tls(config, name);
    }
    if let Some(source) = args.source {
        builder = builder.source(source);
    }
    if let Some(timeout) = args.connect_timeout {
        builder = builder.connect_timeout(timeout);
    }
    if let Some(idle) = args.keepalive {
        builder = builder.keepalive(Keepalive::new().idle(idle));
    }
    Ok(builder)
}

fn policy(args: &ConnectArgs) -> Reconnect {
    let mut policy = Reconnect::new().unlimited().stable_after(STABLE_AFTER);
    if let Some(base) = args.reconnect_base {
        policy = policy.base(base);
    }
    if let Some(longest) = args.reconnect_max {
        policy = policy.cap(longest);
    }
    if let Some(tries) = args.reconnect_tries {
        policy = policy.limit(tries);
    }
    policy
}

/// One conversation.
struct Talk<'a> {
    client: &'a TcpClient,
    reconnect: bool,
    no_shutdown: bool,
    session: &'a Session,
    incoming: Incoming,
    in_hand: Arc<InHand>,
}

impl Talk<'_> {
    async fn to_the_end(&self, state: Events<ClientEvent>) -> (anyhow::Result<()>, CloseReport) {
        match tokio::try_join!(self.receive(), self.send(state)) {
            Ok(((), ())) => (Ok(()), self.close().await),
            // Standard input cannot be read, or standard output not be written: the peer is not to
            // take what it sends for delivered, nor what it got for whole.
            Err(error) => (Err(error), self.client.abort()),
        }
    }

    /// Closes in order, and waits for what is sent to be acknowledged: as long as the peer goes on
    /// taking some of it, after a signal within the command's grace.
    async fn close(&self) -> CloseReport {
        tokio::select! {
            biased;
            report = self.client.close() => report,
            () = self.stands_still() => self.client.cut_off(),
        }
    }

    /// Waits until what was accepted is acknowledged, within the command's grace, and resets the
    /// connection: the peer is not to take for whole what has lost its end.
    async fn break_off(&self) {
        while self.client.outstanding_bytes() > 0 {
            sleep(LOOK).await;
        }
        self.client.abort();
    }

    /// Until the peer has taken nothing for [`GRACE`].
    async fn stands_still(&self) {
        let mut stillness = Stillness::begin(0, Instant::now());
        loop {
            let still = stillness.look(self.client.outstanding_bytes(), Instant::now());
            if still >= GRACE && !self.session.stop.is_cancelled() {
                return;
            }
            sleep(LOOK).await;
        }
    }

    async fn receive(&self) -> anyhow::Result<()> {
        let mut output = Output::new();
        loop {
            match self.client.recv().await {
                Ok(Some(bytes)) => self.write(&mut output, &bytes).await?,
                Ok(None) => break,
                Err(error) if error.is_final() => break,
                // The events tell how it ended; where it connects again, more follows.
                Err(error) => tracing::debug!(%error, "a stream ended"),
            }
        }
        self.incoming.end();
        Ok(())
    }

    async fn write(&self, output: &mut Output, bytes: &[u8]) -> anyhow::Result<()> {
        self.in_hand.of_peer.store(bytes.len() as u64, Relaxed);
        let written = output.write(bytes).await;
        // Also where it failed: the error says it then.
        self.in_hand.of_peer.store(0, Relaxed);
        written
    }

    async fn send(&self, mut state: Events<ClientEvent>) -> anyhow::Result<()> {
        let mut input = InputReader::new(STREAM_CHUNK);
        let session = self.session;
        loop {
            // Input waits while there is no connection.
            if !self.connected(&mut state).await {
                break;
            }
            match input.next(self.incoming.over(), &session.stop).await? {
                Input::Chunk(chunk) => {
                    self.in_hand.for_peer.store(chunk.len() as u64, Relaxed);
                    if !self.deliver(chunk, &mut state).await {
                        break;
                    }
                    self.in_hand.for_peer.store(0, Relaxed);
                }
                Input::End => {
                    if !self.no_shutdown {
                        self.finish(&mut state).await?;
                    }
                    tokio::select! {
                        biased;
                        () = self.incoming.ended() => return Ok(()),
                        () = self.incoming.unread() => break,
                        // The rest of the answer is not waited for any more; what there is of it is
                        // written first.
                        () = session.stop.cancelled() => {
                            while self.in_hand.of_peer.load(Relaxed) > 0 {
                                sleep(LOOK).await;
                            }
                            break;
                        }
                    }
                }
                Input::Silent => {
                    // Where there is no connection any more, why not is said at the end.
                    if self.client.info().state() != SocketState::Closed {
                        self.incoming.tell_silence(session.terminal);
                    }
                    break;
                }
                Input::Stopped if has_an_end_to_come() => {
                    self.break_off().await;
                    return Ok(());
                }
                Input::Stopped => break,
            }
        }
        // What is queued goes out; the receiving side ends with it.
        self.close().await;
        Ok(())
    }

    /// Waits for a connection; false where there will be none, or the command is to stop.
    async fn connected(&self, state: &mut Events<ClientEvent>) -> bool {
        loop {
            match self.client.info().state() {
                SocketState::Connected | SocketState::Closing => return true,
                // Without reconnection, what was received may still wait to be written.
                SocketState::Closed => return false,
                _ if !self.reconnect => return false,
                _ => {}
            }
            tokio::select! {
                received = state.recv() => if received.is_none() { return false },
                () = self.session.stop.cancelled() => return false,
            }
        }
    }

    /// One chunk, on this connection or, where the chunk found none, on the next. False where
    /// there will be none.
    async fn deliver(&self, chunk: Bytes, state: &mut Events<ClientEvent>) -> bool {
        loop {
            match self.client.send(chunk.clone()).await {
                Ok(()) => return true,
                Err(ClientSendError::NotConnected { .. })
                    if self.reconnect && self.connected(state).await => {}
                Err(error) => {
                    tracing::debug!(%error, "input was not sent");
                    return false;
                }
            }
        }
    }

    /// The end of input. Where it finds no connection, the next one gets it.
    async fn finish(&self, state: &mut Events<ClientEvent>) -> anyhow::Result<()> {
        if self.reconnect && !self.connected(state).await {
            self.close().await;
            return Ok(());
        }
        while let Err(ClientSendError::NotConnected { .. }) = self.client.finish().await {
            if !self.reconnect || !self.connected(state).await {
                break;
            }
        }
        Ok(())
    }
}
