//! Many hosts asked at once, each several times.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{
    EchoAnswer, EchoEvent, EchoReceiveError, EchoSendError, EchoSocket, PingOutcome, PingResult,
};
use crate::wire::IcmpErrorKind;

/// How hosts are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PingConfig {
    attempts: u16,
    timeout: Duration,
    deadline: Duration,
    rate: u32,
    scope: u32,
}

impl PingConfig {
    /// How often a host is asked that does not answer.
    pub const DEFAULT_ATTEMPTS: u16 = 2;
    /// How long the last request of a round is waited for.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);
    /// How long all of it may take.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_mins(10);
    /// Requests a second.
    pub const DEFAULT_RATE: u32 = 5_000;

    /// The defaults.
    pub const fn new() -> Self {
        Self {
            attempts: Self::DEFAULT_ATTEMPTS,
            timeout: Self::DEFAULT_TIMEOUT,
            deadline: Self::DEFAULT_DEADLINE,
            rate: Self::DEFAULT_RATE,
            scope: 0,
        }
    }

    /// How often a host is asked that does not answer; at least once.
    #[must_use]
    pub const fn attempts(mut self, attempts: u16) -> Self {
        self.attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// How long the last request of a round is waited for.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long all of it may take; what is not known by then stays unknown.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The most requests a second; at least one.
    #[must_use]
    pub const fn rate(mut self, rate: u32) -> Self {
        self.rate = if rate == 0 { 1 } else { rate };
        self
    }

    /// The index of the interface that IPv6 link-local hosts are on.
    #[must_use]
    pub const fn scope(mut self, interface: u32) -> Self {
        self.scope = interface;
        self
    }
}

impl Default for PingConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// Asks every host, and gives one result for each, in their order. Blocks until all have answered,
/// or have not, or the deadline is there.
///
/// A host of the other IP version than the socket's is [`PingOutcome::NotSent`].
///
/// ```no_run
/// # use sockets_raw::{EchoSocket, PingConfig, ping};
/// let results = ping(&mut EchoSocket::v4()?, &["192.0.2.1".parse()?], &PingConfig::new())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`EchoReceiveError`]. What could not be sent is a result, not an error.
pub fn ping(
    socket: &mut EchoSocket,
    hosts: &[IpAddr],
    config: &PingConfig,
) -> Result<Vec<PingResult>, EchoReceiveError> {
    ask_all(socket, hosts, config)
}

/// What is asked of a socket: the tests have one of their own.
trait Echo {
    fn send(&mut self, host: IpAddr, scope: u32, sequence: u16) -> Result<(), EchoSendError>;
    fn receive(&mut self, timeout: Duration) -> Result<Option<EchoEvent>, EchoReceiveError>;
}

impl Echo for EchoSocket {
    fn send(&mut self, host: IpAddr, scope: u32, sequence: u16) -> Result<(), EchoSendError> {
        self.send(host, scope, sequence)
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<EchoEvent>, EchoReceiveError> {
        self.receive(timeout)
    }
}

fn ask_all(
    socket: &mut impl Echo,
    hosts: &[IpAddr],
    config: &PingConfig,
) -> Result<Vec<PingResult>, EchoReceiveError> {
    let started = Instant::now();
    let mut round = Round::new(hosts, started.checked_add(config.deadline));
    let pause = Duration::from_secs(1) / config.rate.max(1);
    let mut due = started;
    for attempt in 0..config.attempts.max(1) {
        for place in 0..round.hosts.len() {
            if round.hosts[place].is_settled() {
                continue;
            }
            round.receive_until(socket, due)?;
            if round.is_over() {
                break;
            }
            // What just came in may have been about it.
            if round.hosts[place].is_settled() {
                continue;
            }
            // Late by some is made up for, late by more is not: no bursts.
            due = due.max(Instant::now().checked_sub(pause * 16).unwrap_or(due)) + pause;
            round.send(socket, place, attempt, config.scope)?;
        }
        round.receive_until_settled(socket, Instant::now().checked_add(config.timeout))?;
        if round.is_over() {
            break;
        }
    }
    Ok(round.results(hosts))
}

/// One host, and what is known of it.
#[derive(Debug)]
struct Host {
    address: IpAddr,
    /// When each attempt left; `None`: it did not.
    sent: Vec<Option<Instant>>,
    outcome: PingOutcome,
}

impl Host {
    const fn is_settled(&self) -> bool {
        use PingOutcome::{Answered, Undelivered, Unresolved};
        matches!(self.outcome, Answered { .. } | Undelivered { .. } | Unresolved)
    }

    /// The kernel took a request.
    fn note_sent(&mut self, at: Instant) {
        self.sent.push(Some(at));
        if self.is_unasked() {
            self.outcome = PingOutcome::Silent;
        }
    }

    /// The kernel refused a request. What an earlier one found out stands.
    fn note_refused(&mut self, error: io::ErrorKind) {
        self.sent.push(None);
        if self.is_unasked() {
            self.outcome = PingOutcome::NotSent { error };
        }
    }

    /// Whether no request left so far.
    const fn is_unasked(&self) -> bool {
        matches!(self.outcome, PingOutcome::NotAsked | PingOutcome::NotSent { .. })
    }
}

#[derive(Debug)]
struct Round {
    hosts: Vec<Host>,
    places: HashMap<IpAddr, usize>,
    unsettled: usize,
    deadline: Option<Instant>,
}

impl Round {
    fn new(hosts: &[IpAddr], deadline: Option<Instant>) -> Self {
        let mut round = Self { hosts: Vec::new(), places: HashMap::new(), unsettled: 0, deadline };
        for address in hosts {
            round.places.entry(*address).or_insert_with(|| {
                let outcome = PingOutcome::NotAsked;
                round.hosts.push(Host { address: *address, sent: Vec::new(), outcome });
                round.hosts.len() - 1
            });
        }
        round.unsettled = round.hosts.len();
        round
    }

    fn is_over(&self) -> bool {
        self.unsettled == 0 || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn send(
        &mut self,
        socket: &mut impl Echo,
        place: usize,
        attempt: u16,
        scope: u32,
    ) -> Result<(), EchoReceiveError> {
        /// How long a full queue of this machine is given before it counts as refused, and how often.
        const PATIENCE: (Duration, u32) = (Duration::from_millis(2), 50);
        let address = self.hosts[place].address;
        let scope = match address {
            IpAddr::V6(address) if address.is_unicast_link_local() => scope,
            _ => 0,
        };
        let mut waits = 0;
        loop {
            let at = Instant::now();
            match socket.send(address, scope, attempt) {
                Ok(()) => {
                    self.hosts[place].note_sent(at);
                    return Ok(());
                }
                Err(error) if is_full(&error) && waits < PATIENCE.1 && !self.is_over() => {
                    waits += 1;
                    self.receive_until(socket, at + PATIENCE.0)?;
                    if self.hosts[place].is_settled() {
                        return Ok(());
                    }
                }
                Err(error) => {
                    self.hosts[place].note_refused(kind(&error));
                    return Ok(());
                }
            }
        }
    }

    /// Takes answers in until `until`, or the deadline.
    fn receive_until(
        &mut self,
        socket: &mut impl Echo,
        until: Instant,
    ) -> Result<(), EchoReceiveError> {
        let until = self.deadline.map_or(until, |deadline| deadline.min(until));
        loop {
            let rest = until.saturating_duration_since(Instant::now());
            match socket.receive(rest)? {
                Some(event) => self.settle(&event),
                None => return Ok(()),
            }
            if rest.is_zero() {
                return Ok(());
            }
        }
    }

    /// `None`: until all are settled, or the deadline.
    fn receive_until_settled(
        &mut self,
        socket: &mut impl Echo,
        until: Option<Instant>,
    ) -> Result<(), EchoReceiveError> {
        let until = [until, self.deadline].into_iter().flatten().min();
        while self.unsettled > 0 {
            let now = Instant::now();
            let rest = until.map_or(Duration::MAX, |until| until.saturating_duration_since(now));
            match socket.receive(rest)? {
                Some(event) => self.settle(&event),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn settle(&mut self, event: &EchoEvent) {
        let Some(host) = self.places.get(&event.about).and_then(|place| self.hosts.get_mut(*place))
        else {
            return;
        };
        // An answer to what was never sent is none.
        let Some(Some(sent)) = host.sent.get(usize::from(event.sequence)) else { return };
        let was_settled = host.is_settled();
        match event.answer {
            EchoAnswer::Reply if !matches!(host.outcome, PingOutcome::Answered { .. }) => {
                let round_trip = event.at.saturating_duration_since(*sent);
                host.outcome = PingOutcome::Answered { round_trip };
            }
            EchoAnswer::Unresolved if !was_settled => host.outcome = PingOutcome::Unresolved,
            EchoAnswer::Error(kind) if !was_settled && is_final(kind) => {
                host.outcome = PingOutcome::Undelivered { kind, by: event.from };
            }
            _ => {}
        }
        if !was_settled && host.is_settled() {
            self.unsettled -= 1;
        }
    }

    fn results(&self, hosts: &[IpAddr]) -> Vec<PingResult> {
        let result = |address: &IpAddr| {
            let host = &self.hosts[self.places[address]];
            let sent = host.sent.iter().flatten().count() as u16;
            PingResult { host: *address, sent, outcome: host.outcome }
        };
        hosts.iter().map(result).collect()
    }
}

/// This machine's queue is full: a matter of time.
fn is_full(error: &EchoSendError) -> bool {
    use rustix::io::Errno;
    let EchoSendError::Send { source, .. } = error else { return false };
    matches!(Errno::from_io_error(source), Some(Errno::AGAIN | Errno::NOBUFS | Errno::INTR))
}

fn kind(error: &EchoSendError) -> io::ErrorKind {
    match error {
        EchoSendError::Send { source, .. } => source.kind(),
        EchoSendError::OtherVersion { .. } => io::ErrorKind::InvalidInput,
    }
}

/// Whether asking again is in vain.
const fn is_final(kind: IcmpErrorKind) -> bool {
    !matches!(kind, IcmpErrorKind::SourceQuench | IcmpErrorKind::Redirect | IcmpErrorKind::Other)
}

#[cfg(test)]
mod tests;
