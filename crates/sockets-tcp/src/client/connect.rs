//! One try to connect: the lookup, the race of the addresses, one address.

use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use ports_core::{FiveTuple, Transport};
use socket2::SockRef;
use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::race::{Race, Step};
#[cfg(feature = "tls")]
use super::secure::Secure;
use super::{ConnectError, Target};
use crate::options::{SocketOptions, keep_urgent_in_line};
use crate::stream::Stream;
use crate::tcp::Tcp;

/// The most addresses of one target that are tried in one try. Each may hold a socket.
pub(super) const MAX_ADDRESSES: usize = 32;

/// How to connect.
#[derive(Clone, Debug)]
pub(super) struct Dialing {
    pub(super) target: Target,
    /// For all of one try.
    pub(super) timeout: Duration,
    /// Between two addresses.
    pub(super) attempt_delay: Duration,
    pub(super) source: Option<IpAddr>,
    pub(super) interface: Option<String>,
    pub(super) options: SocketOptions,
    #[cfg(feature = "tls")]
    pub(super) secure: Option<Secure>,
}

/// A connection, and how long TCP took to make it.
pub(super) struct Dialed {
    pub(super) stream: Stream,
    pub(super) tuple: FiveTuple,
    pub(super) took: Duration,
}

/// One address that is tried.
struct Attempt<'a> {
    address: SocketAddr,
    /// The peer accepted; what follows is TLS.
    accepted: Arc<AtomicBool>,
    outcome: Pin<Box<dyn Future<Output = Result<Dialed, ConnectError>> + Send + 'a>>,
}

impl Dialing {
    /// One try: the first address that connects wins. Where the future is dropped, so are all its
    /// sockets.
    pub(super) async fn dial(&self) -> Result<Dialed, ConnectError> {
        let begun = Instant::now();
        let target = || self.target.clone();
        let mut addresses = timeout(self.timeout, self.target.resolve())
            .await
            .map_err(|_| ConnectError::TimedOut { target: target(), timeout: self.timeout })?
            .map_err(|source| ConnectError::Resolve { target: target(), source })?;
        if addresses.is_empty() {
            return Err(ConnectError::NoAddress { target: target() });
        }
        // A source address has a family, and the others cannot be reached from it.
        let of_family = |address: &SocketAddr| {
            self.source.is_none_or(|source| source.is_ipv4() == address.is_ipv4())
        };
        if addresses.iter().any(of_family) {
            addresses.retain(of_family);
        }
        let surplus = addresses.split_off(addresses.len().min(MAX_ADDRESSES));
        let left = self.timeout.saturating_sub(begun.elapsed());
        let mut race = Race::new(addresses, self.attempt_delay);
        self.run(&mut race, left).await.map_err(|failures| {
            let untried = [race.into_untried(), surplus].concat();
            ConnectError::of_race(&self.target, failures, untried)
        })
    }

    async fn run(&self, race: &mut Race, left: Duration) -> Result<Dialed, Vec<ConnectError>> {
        let begun = Instant::now();
        let mut over = pin!(sleep(left));
        let mut attempts = Vec::new();
        let mut failures = Vec::new();
        loop {
            let next = match race.step(begun.elapsed()) {
                Step::Try(address) => {
                    let accepted = Arc::new(AtomicBool::new(false));
                    let outcome = Box::pin(self.dial_address(address, Arc::clone(&accepted)));
                    attempts.push(Attempt { address, accepted, outcome });
                    continue;
                }
                Step::Lost => return Err(failures),
                // Beyond what the clock can say: only a failure brings the next.
                Step::WaitUntil(at) => begun.checked_add(at),
                Step::Wait => None,
            };
            let next = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                outcome = first_of(&mut attempts) => match outcome {
                    Ok(dialed) => return Ok(dialed),
                    Err(error) => {
                        race.failed();
                        failures.push(error);
                    }
                },
                () = over.as_mut() => {
                    failures.extend(attempts.iter().map(|attempt| {
                        let accepted = attempt.accepted.load(Ordering::Relaxed);
                        ConnectError::of_time(attempt.address, self.timeout, accepted)
                    }));
                    return Err(failures);
                }
                () = next => {}
            }
        }
    }

    async fn dial_address(
        &self,
        address: SocketAddr,
        accepted: Arc<AtomicBool>,
    ) -> Result<Dialed, ConnectError> {
        let socket = self.open(address)?;
        let begun = Instant::now();
        let failed = |source| ConnectError::of_io(address, self.timeout, source);
        // The kernel may connect it without anybody here seeing that: given up, it is no stream that
        // ended.
        SockRef::from(&socket).set_linger(Some(Duration::ZERO)).map_err(failed)?;
        let tcp = socket.connect(address).await.map_err(failed)?;
        let took = begun.elapsed();
        SockRef::from(&tcp).set_linger(None).map_err(failed)?;
        let tuple = FiveTuple::new(
            Transport::Tcp,
            tcp.local_addr().map_err(failed)?,
            tcp.peer_addr().map_err(failed)?,
        );
        if tuple.is_self_connection() {
            return Err(ConnectError::SelfConnection { address });
        }
        self.options.apply(&tcp).map_err(failed)?;
        accepted.store(true, Ordering::Relaxed);
        #[cfg(feature = "tls")]
        if let Some(secure) = &self.secure {
            let stream = secure.handshake(tcp, address, self.timeout).await?;
            return Ok(Dialed { stream, tuple, took });
        }
        let tcp = Tcp::of_tokio(tcp).map_err(failed)?;
        Ok(Dialed { stream: tcp.into(), tuple, took })
    }

    /// A socket that connects from where it was asked to.
    fn open(&self, address: SocketAddr) -> Result<TcpSocket, ConnectError> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }
        .and_then(|socket| keep_urgent_in_line(&SockRef::from(&socket)).map(|()| socket))
        .map_err(|source| ConnectError::Local {
            operation: "open a socket",
            address,
            source,
        })?;
        if let Some(interface) = &self.interface {
            bind_to_interface(&socket, interface).map_err(|source| ConnectError::Interface {
                address,
                interface: interface.clone(),
                source,
            })?;
        }
        if let Some(from) = self.source {
            socket.bind(SocketAddr::new(from, 0)).map_err(|source| ConnectError::Source {
                address,
                from,
                source,
            })?;
        }
        Ok(socket)
    }
}

#[cfg(target_os = "linux")]
fn bind_to_interface(socket: &TcpSocket, name: &str) -> std::io::Result<()> {
    SockRef::from(socket).bind_device(Some(name.as_bytes()))
}

#[cfg(not(target_os = "linux"))]
fn bind_to_interface(_: &TcpSocket, _: &str) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// The first one that has ended; it is taken out. The earlier begun goes first.
async fn first_of(attempts: &mut Vec<Attempt<'_>>) -> Result<Dialed, ConnectError> {
    poll_fn(|context| {
        for place in 0..attempts.len() {
            if let Poll::Ready(outcome) = attempts[place].outcome.as_mut().poll(context) {
                attempts.remove(place);
                return Poll::Ready(outcome);
            }
        }
        Poll::Pending
    })
    .await
}
