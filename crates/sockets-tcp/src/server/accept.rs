//! The accepting task: a permit, then a connection, then a task for it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ports_core::{FiveTuple, Transport};
use rustix::io::Errno;
use stats::{ErrorKind, Recorder, Role};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bind::Listener;
use super::clients::Clients;
use super::{ClientId, ServerEvent};
use crate::close_reason::CloseReason;
use crate::connection::Connection;
use crate::drive::{Ended, Patience, drive};
use crate::failure::{Failure, Operation};
use crate::handler::Handler;
use crate::link::Link;
use crate::observer::Observer;
use crate::outbox::QueueLimits;

/// The first pause after `accept` failed for want of resources; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// The longest pause: how late the server may notice that resources are back.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What every connection of a server is set up with.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionSettings {
    pub(super) limits: QueueLimits,
    pub(super) patience: Patience,
    pub(super) no_delay: bool,
}

/// The accepting task's own things.
pub(super) struct Acceptor<H> {
    pub(super) listeners: Vec<Listener>,
    pub(super) handler: Arc<H>,
    pub(super) clients: Arc<Clients>,
    pub(super) settings: ConnectionSettings,
    pub(super) connections: TaskTracker,
    pub(super) released: CancellationToken,
}

impl<H> Acceptor<H> {
    fn release(&mut self) {
        self.listeners.clear();
        self.released.cancel();
        self.connections.close();
    }
}

/// However its task ends, with its runtime too: the ports are released, and the events end.
impl<H> Drop for Acceptor<H> {
    fn drop(&mut self) {
        self.release();
        self.clients.publisher().close(ServerEvent::Closed);
    }
}

impl<H: Handler> Acceptor<H> {
    /// Accepts until the server stops; ends when the last connection has.
    pub(super) async fn run(mut self) {
        let permits = Arc::new(Semaphore::new(self.clients.max_connections()));
        let stopping = self.clients.stopping().clone();
        stopping.run_until_cancelled(self.accept_all(&permits)).await;
        self.release();
        self.connections.wait().await;
    }

    async fn accept_all(&self, permits: &Arc<Semaphore>) {
        let (mut turn, mut pause) = (0, None);
        loop {
            // The permit comes first: a connection that cannot be served stays in the backlog.
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(permits).acquire_owned().await else { return };
            loop {
                turn = (turn + 1) % self.listeners.len();
                match poll_fn(|context| self.poll_accept(turn, context)).await {
                    Ok((stream, peer)) => {
                        pause = None;
                        self.serve(stream, peer, permit);
                        break;
                    }
                    Err(error) => {
                        self.clients.stats().error(Transport::Tcp, Role::Server, ErrorKind::Accept);
                        if concerns_one_connection(&error) {
                            tracing::debug!(%error, "a connection was gone before it was accepted");
                            continue;
                        }
                        if pause.is_none() {
                            tracing::warn!(%error, "accept failed; pausing");
                            let failure = Failure::of_io(Operation::Accept, &error);
                            let event = ServerEvent::Error { client: None, failure };
                            self.clients.publisher().publish(event);
                        }
                        let length = pause.map_or(FIRST_PAUSE, |last: Duration| last * 2);
                        let length = length.min(LONGEST_PAUSE);
                        pause = Some(length);
                        tokio::time::sleep(length).await;
                    }
                }
            }
        }
    }

    /// The listeners in turn, so that none starves another.
    fn poll_accept(
        &self,
        turn: usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (before, after) = self.listeners.split_at(turn);
        after
            .iter()
            .chain(before)
            .map(|listener| listener.poll_accept(context))
            .find(Poll::is_ready)
            .unwrap_or(Poll::Pending)
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) {
        let local = match stream.local_addr() {
            Ok(local) => local,
            Err(error) => {
                tracing::debug!(%peer, %error, "an accepted connection has no address");
                return;
            }
        };
        if self.settings.no_delay
            && let Err(error) = stream.set_nodelay(true)
        {
            // Some systems refuse options on a connection that is already reset; reading tells.
            tracing::debug!(%peer, %error, "TCP_NODELAY was refused");
        }
        let clients = Arc::clone(&self.clients);
        let client = clients.next_id();
        let tuple = FiveTuple::new(Transport::Tcp, local, peer);
        let mut recorder = clients.stats().open(Transport::Tcp, Role::Server, tuple);
        let link = Arc::new(Link::new(
            stream,
            tuple,
            Observer::Server(client, clients.publisher().clone()),
            self.settings.limits,
            recorder.split(),
            self.settings.patience.idle.is_some(),
        ));
        clients.insert(client, &link);
        clients.publisher().publish(ServerEvent::Connected { client, peer });
        let recorder = Some(recorder);
        let served = Served { clients, client, link, recorder, _permit: permit };
        self.connections.spawn(served.run(Arc::clone(&self.handler), self.settings.patience));
    }
}

/// One accepted connection and all that belongs to it.
struct Served {
    clients: Arc<Clients>,
    client: ClientId,
    link: Arc<Link>,
    /// `None` once the end is noted.
    recorder: Option<Recorder>,
    _permit: OwnedSemaphorePermit,
}

impl Served {
    async fn run<H: Handler>(mut self, handler: Arc<H>, patience: Patience) {
        let clients = Arc::clone(&self.clients);
        let connection = Connection::new(Arc::clone(&self.link), self.client, clients);
        // Lazily, so that a panic of `handle` itself happens where it is caught.
        let handling = async { handler.handle(connection).await };
        let ended = drive(&self.link, handling, patience).await;
        self.note_end(&ended);
    }

    fn note_end(&mut self, ended: &Ended) {
        let Some(recorder) = self.recorder.take() else { return };
        let Self { clients, client, link, .. } = &*self;
        clients.remove(*client, link, ended);
        if ended.reason.is_handlers_failure() {
            recorder.error(ErrorKind::Handler);
        }
        recorder.close(ended.reason.counted_as());
        clients.publisher().publish(ServerEvent::Disconnected {
            client: *client,
            peer: link.tuple().remote,
            reason: ended.reason,
            bytes_in: ended.traffic.bytes_in,
            bytes_out: ended.traffic.bytes_out,
        });
    }
}

/// A connection whose task is dropped, with its runtime, ends in the books as well.
impl Drop for Served {
    fn drop(&mut self) {
        if self.recorder.is_some() {
            self.link.bury();
            let traffic = self.link.traffic();
            self.note_end(&Ended { reason: CloseReason::Shutdown, aborted: true, traffic });
        }
    }
}

/// Whether `accept` failed for the one connection it was about to return, so that the next may well
/// succeed: accept(2), "Error handling". Anything else is a lack of resources, and waits.
fn concerns_one_connection(error: &io::Error) -> bool {
    #[cfg(target_os = "linux")]
    const PENDING_ERRORS: &[Errno] = &[Errno::NONET, Errno::PROTO];
    #[cfg(not(target_os = "linux"))]
    const PENDING_ERRORS: &[Errno] = &[];
    let common = [
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::INTR,
        Errno::NETDOWN,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
        Errno::OPNOTSUPP,
        Errno::NETUNREACH,
    ];
    Errno::from_io_error(error)
        .is_some_and(|errno| common.contains(&errno) || PENDING_ERRORS.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_resources_is_not_one_connections_affair() {
        for errno in [Errno::CONNABORTED, Errno::INTR, Errno::HOSTUNREACH] {
            assert!(concerns_one_connection(&errno.into()), "{errno}");
        }
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::INVAL] {
            assert!(!concerns_one_connection(&errno.into()), "{errno}");
        }
    }
}
