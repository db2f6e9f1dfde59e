//! The accepting task: a permit, then a connection, then a task for it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ports_core::Transport;
use rustix::io::Errno;
use stats::{ErrorKind, Role};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bind::Listener;
use super::coming::Coming;
use super::listening::Accepted;
use super::serve::{Arrival, Service, reset};
use super::shortage::{Reserve, Shortage};
use super::state::ServerState;
use super::{Refusal, ServerEvent};
use crate::failure::{Failure, Operation};
use crate::handler::Handler;
use crate::tcp::Tcp;

/// How many clients are refused between two pauses of a shortage: it bounds the work, and who is
/// beyond it waits for the next one.
const REFUSALS: usize = 64;

/// Whether it is known that someone waits before a permit is taken.
const READY_COMES_FIRST: bool = cfg!(unix);

/// The end of a server's accepting, which the last of its accepting tasks comes to: the ports are
/// released. With the last connection, and however the tasks end, the events end.
pub(super) struct Ending {
    pub(super) state: Arc<ServerState>,
    pub(super) connections: TaskTracker,
    pub(super) released: CancellationToken,
}

impl Ending {
    fn release(&self) {
        self.released.cancel();
        self.connections.close();
    }
}

/// However the task ends, with its runtime too.
impl Drop for Ending {
    fn drop(&mut self) {
        self.release();
        self.state.publisher().close(ServerEvent::Closed);
    }
}

/// One accepting task's own things. Its listeners go before its share of the ending.
pub(super) struct Acceptor<H> {
    pub(super) listeners: Vec<Listener>,
    pub(super) reserve: Reserve,
    pub(super) permits: Arc<Semaphore>,
    pub(super) service: Arc<Service<H>>,
    /// As long as this is held, others may still come.
    pub(super) coming: Coming,
    pub(super) ending: Arc<Ending>,
}

impl<H: Handler> Acceptor<H> {
    /// Accepts until the server stops; the last of several ends when the last connection has.
    pub(super) async fn run(mut self) {
        let state = Arc::clone(&self.service.state);
        state.stopping().run_until_cancelled(self.accept_all()).await;
        if state.is_draining() {
            self.accept_the_rest().await;
        }
        self.listeners.clear();
        drop(self.coming);
        if let Some(ending) = Arc::into_inner(self.ending) {
            ending.release();
            ending.connections.wait().await;
        }
    }

    async fn accept_all(&mut self) {
        let (mut turn, mut shortage, mut told_full) = (0, None, false);
        loop {
            self.until_someone_waits(&mut shortage).await;
            // The permit comes next: a connection that cannot be served stays in the backlog.
            let Some(place) = self.place(&mut told_full).await else { return };
            let mut permit = Some(place);
            while let Some(held) = permit.take() {
                turn = (turn + 1) % self.listeners.len();
                let accepted = poll_fn(|context| match self.poll_accept(turn, context) {
                    // Nobody, after all: another task may have use for the permit.
                    Poll::Pending if READY_COMES_FIRST => Poll::Ready(None),
                    accepted => accepted.map(Some),
                })
                .await;
                let Some(accepted) = accepted else { break };
                match accepted {
                    Ok((Ok(stream), peer)) => {
                        self.note_end_of(shortage.take());
                        permit = self.admit(stream, peer, held);
                    }
                    Ok((Err(error), peer)) => {
                        permit = Some(held);
                        self.refuse_unregistered(peer, &error);
                        let shortage = shortage.get_or_insert_with(|| self.begin_shortage(&error));
                        tokio::time::sleep(shortage.next_pause()).await;
                    }
                    Err(error) => {
                        permit = Some(held);
                        self.count_failure();
                        if concerns_one_connection(&error) {
                            tracing::debug!(%error, "a connection was gone before it was accepted");
                            continue;
                        }
                        let shortage = shortage.get_or_insert_with(|| self.begin_shortage(&error));
                        if is_lack_of_descriptors(&error) && shortage.is_long(Instant::now()) {
                            shortage.refused += self.refuse_waiting().await;
                        }
                        tokio::time::sleep(shortage.next_pause()).await;
                    }
                }
            }
        }
    }

    /// A place among the most clients there may be. Who waits for it is told of, once.
    async fn place(&self, told: &mut bool) -> Option<OwnedSemaphorePermit> {
        let mut place = pin!(Arc::clone(&self.permits).acquire_owned());
        let waiting = poll_fn(|context| {
            let mut polled = self.listeners.iter().map(|it| it.poll_waiting(context));
            polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
        });
        // The semaphore is never closed.
        tokio::select! {
            biased;
            place = &mut place => {
                *told = false;
                return place.ok();
            }
            () = waiting => {}
        }
        if !std::mem::replace(told, true) {
            self.service.state.publish_full();
        }
        place.await.ok()
    }

    /// Until someone may wait on any of the listeners. In a shortage it is looked meanwhile whether
    /// that is over: one that ends in quiet ends, too.
    async fn until_someone_waits(&mut self, shortage: &mut Option<Shortage>) {
        while let Some(lasting) = shortage {
            if poll_fn(|context| Poll::Ready(self.poll_ready(context))).await.is_ready() {
                return;
            }
            if self.reserve.is_whole() {
                self.note_end_of(shortage.take());
            } else {
                tokio::time::sleep(lasting.next_pause()).await;
            }
        }
        poll_fn(|context| self.poll_ready(context)).await;
    }

    /// Until someone may wait on any of the listeners.
    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut polled = self.listeners.iter().map(|listener| listener.poll_ready(context));
        polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
    }

    /// The listeners in turn, so that none starves another.
    fn poll_accept(&self, turn: usize, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let (before, after) = self.listeners.split_at(turn);
        after
            .iter()
            .chain(before)
            .map(|listener| listener.poll_accept(context))
            .find(Poll::is_ready)
            .unwrap_or(Poll::Pending)
    }

    /// Gives the connection its task, or closes it and gives the permit back.
    pub(super) fn admit(
        &self,
        stream: Tcp,
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
    ) -> Option<OwnedSemaphorePermit> {
        let Ok(place) = self.service.admission.enter(peer.ip()) else {
            reset(stream);
            self.service.state.refused(peer, Refusal::AddressLimit);
            return Some(permit);
        };
        let local = match stream.local_addr() {
            Ok(local) => local,
            Err(error) => {
                // Some systems say so of a connection that is reset already: there is none to serve.
                tracing::debug!(%peer, %error, "an accepted connection has no address");
                return Some(permit);
            }
        };
        Service::begin(&self.service, Arrival { stream, peer, local, permit, place });
        None
    }

    /// Counts and tells a connection whose socket the runtime does not take.
    pub(super) fn refuse_unregistered(&self, peer: SocketAddr, error: &io::Error) {
        tracing::debug!(%peer, %error, "the runtime does not take an accepted connection");
        self.count_failure();
        self.service.state.refused(peer, Refusal::Resources);
    }

    fn count_failure(&self) {
        self.service.state.stats().error(Transport::Tcp, Role::Server, ErrorKind::Accept);
    }

    fn begin_shortage(&self, error: &io::Error) -> Shortage {
        self.tell_failure("accept failed; pausing", error);
        Shortage::begin(Instant::now())
    }

    pub(super) fn tell_failure(&self, what: &str, error: &io::Error) {
        tracing::warn!(%error, "{what}");
        let failure = Failure::of_io(Operation::Accept, error);
        let event = ServerEvent::Error { client: None, failure };
        self.service.state.publisher().publish(event);
    }

    fn note_end_of(&self, shortage: Option<Shortage>) {
        let Some(shortage) = shortage else { return };
        let (refused, lasted) = (shortage.refused, shortage.lasted(Instant::now()));
        tracing::info!(refused, ?lasted, "accepting again");
        let event = ServerEvent::AcceptResumed { refused, lasted };
        self.service.state.publisher().publish(event);
    }

    /// Gives up the reserve to accept and reset some of those who wait; says how many.
    async fn refuse_waiting(&mut self) -> u64 {
        let mut refused = 0;
        if self.reserve.give_up() {
            for _ in 0..REFUSALS {
                // Others of this process may have taken the descriptor: then there is an error.
                let next = poll_fn(|context| Poll::Ready(self.poll_accept(0, context))).await;
                match next {
                    Poll::Ready(Ok((stream, _))) => {
                        // Without a stream it is closed already.
                        stream.map(reset).ok();
                        refused += 1;
                    }
                    Poll::Ready(Err(error)) if concerns_one_connection(&error) => {}
                    Poll::Ready(Err(_)) | Poll::Pending => break,
                }
            }
        }
        self.reserve.restore();
        self.service.state.count_refused(refused);
        refused
    }
}

/// Whether it is descriptors that `accept` failed for.
pub(super) fn is_lack_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Whether `accept` failed for the one connection it was about to return, so that the next may well
/// succeed: accept(2), "Error handling". Anything else is a lack of resources, and waits.
pub(super) fn concerns_one_connection(error: &io::Error) -> bool {
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
