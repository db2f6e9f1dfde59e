//! Both ends of a client's forwarding: how they are closed, and what that loses.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use ports_core::Transport;
use sockets_tcp::{ConnectionWriter, TcpClient};
use stats::{Role, SocketStats};
use tokio::sync::Mutex;

use super::ledger::{Account, Ledger, Loss};
use super::streams::Progress;

/// A client's forwarding, as far as others than its task have to do with it.
#[derive(Debug, Default)]
pub(super) struct Forwarding {
    pub(super) progress: Progress,
    /// Not before it is connected.
    pub(super) target: OnceLock<TcpClient>,
    /// Both streams have ended, as far as the kernel has them.
    pub(super) is_over: AtomicBool,
    /// What is lost on the way to the target is counted, or just about to be.
    is_counted: AtomicBool,
}

/// What the way to the target lost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cut {
    /// What was not sent, and what was and the target has not acknowledged: that is as good as lost.
    pub(super) to_target: Loss,
    /// How many bytes of that were sent; over TLS at most, as those of its records are known.
    pub(super) unacknowledged: u64,
    /// Bytes of the target that nobody took.
    unread: u64,
}

impl Forwarding {
    /// Whether [`cut`](Self::cut) was called: a handler that still runs learns so that it was from
    /// elsewhere.
    pub(super) fn is_cut(&self) -> bool {
        self.is_counted.load(Relaxed)
    }

    /// Ends the connection to the target: by a reset unless its streams are both over, when the
    /// kernel goes on sending the last bytes. Counts, the first time, what did not get there.
    pub(super) fn cut(&self, stats: &SocketStats) -> Cut {
        let Some(target) = self.target.get() else { return Cut::default() };
        let is_over = self.is_over.load(Relaxed);
        // Before the handler can see that the target's connection is gone.
        let was_counted = self.is_counted.swap(true, Relaxed);
        let report = if is_over { target.cut_off() } else { target.abort() };
        if was_counted {
            return Cut { unread: report.unread_bytes, ..Cut::default() };
        }
        // Whatever came for it and was not sent; what was never accepted by its queue, nobody else
        // counts.
        let unsent = self.progress.up().saturating_sub(report.sent_bytes);
        let in_hand = unsent.saturating_sub(report.unsent_bytes as u64);
        let unacknowledged = (report.unacknowledged_bytes as u64).min(report.sent_bytes);
        // What the kernel had counts as one message.
        let more = u64::from(in_hand > 0) + u64::from(unacknowledged > 0);
        stats.dropped(Transport::Tcp, Role::Client, more, in_hand + unacknowledged);
        let messages = report.unsent_messages as u64 + more;
        Cut {
            to_target: Loss { messages, bytes: unsent + unacknowledged },
            unacknowledged,
            unread: report.unread_bytes,
        }
    }
}

/// Both connections of a client. Where their streams are not over, whatever the reason, they end in
/// resets: neither side must take what it got for the whole.
pub(super) struct Ends {
    pub(super) writer: Mutex<ConnectionWriter>,
    pub(super) forwarding: Arc<Forwarding>,
    pub(super) is_over: IsOver,
    /// What failed at the target, and how.
    pub(super) error: Option<(&'static str, String)>,
    client: u64,
    peer: SocketAddr,
    ledger: Arc<Ledger>,
}

/// Who is to be reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsOver {
    /// Both.
    No,
    /// Both, though nothing moved between them.
    Quiet,
    /// The target: the client is gone, or its stream is whole.
    OfClient,
    /// Nobody.
    Yes,
}

impl Ends {
    pub(super) fn open(
        writer: ConnectionWriter,
        (client, peer): (u64, SocketAddr),
        ledger: Arc<Ledger>,
    ) -> Self {
        let forwarding = ledger.open(client);
        let (is_over, error) = (IsOver::No, None);
        Self { writer: writer.into(), forwarding, is_over, error, client, peer, ledger }
    }

    /// What of the target's bytes the client did not get and the server does not tell.
    fn untold(&mut self, unread: u64) -> u64 {
        let info = self.writer.get_mut().info();
        let came = self.forwarding.progress.down() + unread;
        let told = (info.dropped_bytes + info.queued_bytes) as u64;
        came.saturating_sub(info.bytes_out + told)
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        let mut account = Account::new(self.peer, self.is_over == IsOver::Quiet);
        account.error = self.error.take();
        if matches!(self.is_over, IsOver::No | IsOver::Quiet) {
            self.writer.get_mut().abort();
        }
        let stats = self.ledger.stats().clone();
        let cut = self.forwarding.cut(&stats);
        account.give_up(cut);
        if self.is_over != IsOver::Yes {
            let untold = self.untold(cut.unread);
            let one = u64::from(untold > 0);
            stats.dropped(Transport::Tcp, Role::Server, one, untold);
            account.to_client = Loss { messages: one, bytes: untold };
        }
        self.ledger.close(self.client, account);
    }
}
