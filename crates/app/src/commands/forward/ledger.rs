//! What each client's forwarding gave up: told before its last event, and when the command ends.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ports_core::Endpoint;
use sockets_tcp::{Events, ServerEvent, ShutdownReport};
use stats::SocketStats;
use tokio_util::sync::CancellationToken;

use super::balance::{Balance, Missing, all_in_words};
use super::ends::{Cut, Forwarding};
use crate::commands::conversation::crowd::What;
use crate::commands::conversation::events::ServerTeller;
use crate::commands::conversation::few::few;
use crate::commands::conversation::session::Session;
use crate::output::{EventLine, EventSender, Terminal, bytes, counted};

/// What was taken over and not passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// A client's forwarding that is over.
#[derive(Debug)]
pub(super) struct Account {
    peer: SocketAddr,
    is_quiet: bool,
    pub(super) error: Option<(&'static str, String)>,
    to_target: Loss,
    /// Bytes of that which were sent, and not acknowledged by the target.
    unacknowledged: u64,
    /// Beyond what the server tells.
    pub(super) to_client: Loss,
}

impl Account {
    /// `is_quiet`: it was reset with nothing moving in it.
    pub(super) fn new(peer: SocketAddr, is_quiet: bool) -> Self {
        let none = Loss::default();
        Self { peer, is_quiet, error: None, to_target: none, unacknowledged: 0, to_client: none }
    }

    /// Notes what the way to the target lost.
    pub(super) fn give_up(&mut self, cut: Cut) {
        (self.to_target, self.unacknowledged) = (cut.to_target, cut.unacknowledged);
    }
}

/// See the module's first line.
pub(super) struct Ledger {
    target: Endpoint,
    stats: SocketStats,
    events: EventSender,
    terminal: Terminal,
    tells: bool,
    stop: CancellationToken,
    books: Mutex<Books>,
}

/// No longer than there are clients at once.
#[derive(Default)]
struct Books {
    live: HashMap<u64, Weak<Forwarding>>,
    /// Over, and their last event is still to come.
    untold: BTreeMap<u64, Account>,
    /// What those lost that ended since the command is to stop.
    at_stop: BTreeMap<u64, Balance>,
}

impl Ledger {
    pub(super) fn new(target: Endpoint, session: &Session) -> Arc<Self> {
        Arc::new(Self {
            target,
            stats: session.stats.clone(),
            events: session.events.clone(),
            terminal: session.terminal,
            tells: session.tells(),
            stop: session.stop.clone(),
            books: Mutex::default(),
        })
    }

    /// One of a command that tells nothing, and is not to stop.
    #[cfg(test)]
    pub(super) fn of(
        target: Endpoint,
        stats: &SocketStats,
        events: EventSender,
        terminal: Terminal,
    ) -> Arc<Self> {
        let (stats, tells) = (stats.clone(), false);
        let (stop, books) = (CancellationToken::new(), Mutex::default());
        Arc::new(Self { target, stats, events, terminal, tells, stop, books })
    }

    pub(super) fn stats(&self) -> &SocketStats {
        &self.stats
    }

    /// A forwarding begins.
    pub(super) fn open(&self, client: u64) -> Arc<Forwarding> {
        let forwarding = Arc::<Forwarding>::default();
        self.books().live.insert(client, Arc::downgrade(&forwarding));
        forwarding
    }

    /// It is over. Its client's last event comes after this.
    pub(super) fn close(&self, client: u64, account: Account) {
        let mut books = self.books();
        books.live.remove(&client);
        if self.stop.is_cancelled() {
            let balance = Balance {
                peer: account.peer,
                reason: None,
                is_quiet: account.is_quiet,
                to_client: Missing::of(account.to_client, 0),
                to_target: Missing::of(account.to_target, account.unacknowledged),
                unread: 0,
            };
            books.at_stop.insert(client, balance);
        }
        if self.tells {
            books.untold.insert(client, account);
        }
    }

    /// Resets all connections at once: those to the target first, as a client's end is that of its
    /// forwarding, which would count them itself. What did not get to the clients and to the target
    /// since the command is to stop, if anything.
    pub(super) fn cut_all(&self, cut_clients: impl FnOnce() -> ShutdownReport) -> Option<String> {
        let live: Vec<_> = self.books().live.values().filter_map(Weak::upgrade).collect();
        let (mut to_clients, mut to_target) = (Missing::default(), Missing::default());
        for forwarding in live {
            let cut = forwarding.cut(&self.stats);
            to_target += Missing::of(cut.to_target, cut.unacknowledged);
        }
        for balance in std::mem::take(&mut self.books().at_stop).values() {
            to_clients += balance.to_client;
            to_target += balance.to_target;
        }
        cut_clients().cut_off.iter().for_each(|cut| to_clients += Missing::from(cut));
        let is_any = (to_clients, to_target) != Default::default();
        is_any.then(|| format!("for clients {to_clients}; for {} {to_target}", self.target))
    }

    /// Tells the server's events until the last one, and in their order what it does not know of.
    pub(super) async fn tell(self: Arc<Self>, mut events: Events<ServerEvent>) {
        let mut teller = ServerTeller::new(self.events.clone(), self.terminal);
        while let Some(event) = teller.next(&mut events).await {
            let due: BTreeMap<_, _> = match &event {
                ServerEvent::Disconnected { client, .. } => {
                    let account = self.books().untold.remove(&client.number());
                    account.map(|account| (client.number(), account)).into_iter().collect()
                }
                // Their last events may be among the missed ones.
                ServerEvent::Lagged { .. } => std::mem::take(&mut self.books().untold),
                _ => BTreeMap::new(),
            };
            self.tell_all(due, &mut teller).await;
            teller.tell(event).await;
        }
        let rest = std::mem::take(&mut self.books().untold);
        self.tell_all(rest, &mut teller).await;
        teller.say_rest();
    }

    async fn tell_all(&self, accounts: BTreeMap<u64, Account>, teller: &mut ServerTeller) {
        for (client, account) in accounts {
            let Account { error, to_target, to_client, .. } = account;
            if let Some((operation, error)) = error {
                let text = format!("client {client}: {operation}: {error}");
                teller.say_of_client(What::Error, &text);
                let client = Some(client);
                self.events.send(EventLine::Error { client, operation, error }).await;
            }
            let Loss { messages, bytes } = to_client;
            if messages > 0 {
                let (lost, size) = in_words(to_client);
                let text = format!("client {client}: {lost} dropped, {size}");
                teller.say_of_client(What::Dropped { messages, bytes }, &text);
                let (client, bytes) = (Some(client), Some(bytes));
                self.events.send(EventLine::Dropped { client, messages, bytes }).await;
            }
            let Loss { messages, bytes } = to_target;
            if messages > 0 {
                let target = &self.target;
                let (lost, size) = in_words(to_target);
                let text = format!("client {client}: {lost} for {target} dropped, {size}");
                teller.say_of_client(What::Dropped { messages, bytes }, &text);
                let client = Some(client);
                let line = EventLine::DroppedForTarget { client, to: "target", messages, bytes };
                self.events.send(line).await;
            }
        }
    }

    /// What the end cut off, in both directions.
    pub(super) fn say(&self, report: &ShutdownReport) {
        let mut balances = std::mem::take(&mut self.books().at_stop);
        for cut in &report.cut_off {
            let balance = balances.entry(cut.client.number()).or_insert(Balance::of(cut.peer));
            balance.unread += cut.discarded_bytes;
            balance.reason = Some(cut.reason.name());
            balance.to_client += Missing::from(cut);
        }
        for unread in &report.unread {
            let balance = balances.entry(unread.client.number());
            balance.or_insert(Balance::of(unread.peer)).unread += unread.bytes;
        }
        balances.retain(|_, balance| balance.is_worth_a_word());
        let balances: Vec<_> = balances.into_iter().collect();
        let one = |(client, balance): &(u64, Balance)| balance.in_words(*client, &self.target);
        for note in few(&balances, one, |all| all_in_words(all, &self.target)) {
            self.terminal.warn(&note);
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many messages, and how many bytes.
fn in_words(loss: Loss) -> (String, String) {
    (counted(loss.messages, "message", "messages"), bytes(loss.bytes))
}
