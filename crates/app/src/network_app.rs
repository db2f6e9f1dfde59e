//! The application of the reference: server, client, UDP service, scanner and statistics, composed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use ports_core::{Port, PortRange, PortRegistry};
use scanner::{PortReport, scan_range};
use sockets_tcp::{ShutdownReport, TcpClient, TcpServer};
use sockets_udp::{ServeError, ServeReport, UdpSocket};
use stats::{Snapshot, SocketStats};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

/// Everything happens on this address: the tour leaves the machine alone.
pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// What the echo services put before what they send back.
pub(crate) const PREFIX: &str = "Echo: ";

/// How long an answer on loopback may take before something is wrong.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may take to deliver what it accepted.
const GRACE: Duration = Duration::from_secs(5);

/// All the parts, sharing one registry and one set of statistics.
pub(crate) struct NetworkApplication {
    registry: PortRegistry,
    stats: SocketStats,
    server: Option<TcpServer>,
    client: Option<TcpClient>,
    service: Option<UdpService>,
}

struct UdpService {
    socket: UdpSocket,
    task: JoinHandle<Result<ServeReport, ServeError>>,
}

/// A service that is up, perhaps not where it was wanted.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) requested: Port,
    pub(crate) address: SocketAddr,
    /// Why the port asked for could not be had.
    pub(crate) refused: Option<String>,
}

/// What was sent, and what came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) sent: Bytes,
    pub(crate) received: Bytes,
}

impl Exchange {
    /// Whether the answer is the echo of the question.
    pub(crate) fn is_echo(&self) -> bool {
        self.received.strip_prefix(PREFIX.as_bytes()) == Some(&self.sent)
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).trim_end().to_owned();
        write!(f, "sent `{}`, received `{}`", text(&self.sent), text(&self.received))
    }
}

impl NetworkApplication {
    pub(crate) fn new() -> Self {
        // The kernel decides on privilege; the registry only keeps our own parts apart.
        let registry = PortRegistry::builder().privileged(true).build();
        let stats = SocketStats::new();
        Self { registry, stats, server: None, client: None, service: None }
    }

    pub(crate) const fn registry(&self) -> &PortRegistry {
        &self.registry
    }

    pub(crate) const fn stats(&self) -> &SocketStats {
        &self.stats
    }

    /// Starts the TCP echo server on `port`, or on another one where that is refused.
    pub(crate) async fn start_tcp_echo_server(&mut self, port: Port) -> anyhow::Result<Started> {
        let (server, refused) = match self.open_server(port).await {
            Err(error) if port != Port::ANY => {
                let reason = format!("{:#}", anyhow::Error::from(error));
                (self.open_server(Port::ANY).await?, Some(reason))
            }
            result => (result?, None),
        };
        let address = server.local_addr();
        self.server = Some(server);
        Ok(Started { requested: port, address, refused })
    }

    async fn open_server(&self, port: Port) -> Result<TcpServer, sockets_tcp::BindError> {
        TcpServer::builder()
            .bind(SocketAddr::new(ADDRESS, port.number()))
            .handler(sockets_tcp::Echo::new().prefix(PREFIX))
            .registry(self.registry.clone())
            .owner("tcp echo server")
            .stats(self.stats.clone())
            .start()
            .await
    }

    /// Connects the TCP client, sends `line`, which ends in a newline, and reads one line back.
    pub(crate) async fn ask_tcp(
        &mut self,
        server: SocketAddr,
        line: &'static [u8],
    ) -> anyhow::Result<Exchange> {
        let client = TcpClient::builder(server).stats(self.stats.clone()).connect().await?;
        let client = self.client.insert(client);
        let sent = Bytes::from_static(line);
        client.send(sent.clone()).await?;
        let mut received = Vec::new();
        while !received.ends_with(b"\n") {
            let Some(chunk) = timeout(ANSWER_TIMEOUT, client.recv())
                .await
                .with_context(|| format!("tcp {server} does not answer"))??
            else {
                bail!("tcp {server} ended the connection in the middle of a line");
            };
            received.extend_from_slice(&chunk);
        }
        Ok(Exchange { sent, received: received.into() })
    }

    /// The TCP client's own address, while it is connected.
    pub(crate) fn client_info(&self) -> Option<ports_core::SocketInfo> {
        self.client.as_ref().map(TcpClient::info)
    }

    /// Starts the UDP echo service on `port`, or on another one where that is refused.
    pub(crate) fn start_udp_service(&mut self, port: Port) -> anyhow::Result<Started> {
        let (socket, refused) = match self.open_udp(port) {
            Err(error) if port != Port::ANY => {
                let reason = format!("{:#}", anyhow::Error::from(error));
                (self.open_udp(Port::ANY)?, Some(reason))
            }
            result => (result?, None),
        };
        let address = socket.local_addr();
        let serving = socket.clone();
        let echo = sockets_udp::Echo::new().prefix(PREFIX);
        let task = tokio::spawn(async move { serving.serve(echo).await });
        self.service = Some(UdpService { socket, task });
        Ok(Started { requested: port, address, refused })
    }

    fn open_udp(&self, port: Port) -> Result<UdpSocket, sockets_udp::BindError> {
        UdpSocket::builder()
            .bind(SocketAddr::new(ADDRESS, port.number()))
            .registry(self.registry.clone())
            .owner("udp echo service")
            .stats(self.stats.clone())
            .open()
    }

    /// Sends one datagram from a socket of its own and waits for the answer.
    pub(crate) async fn ask_udp(
        &self,
        service: SocketAddr,
        message: &'static [u8],
    ) -> anyhow::Result<Exchange> {
        let socket = self.open_udp(Port::ANY)?;
        socket.send_to(message, service).await?;
        let answer = timeout(ANSWER_TIMEOUT, socket.recv())
            .await
            .with_context(|| format!("udp {service} does not answer"))??;
        socket.close();
        Ok(Exchange { sent: Bytes::from_static(message), received: answer.data })
    }

    /// Scans the ports of `range` on [`ADDRESS`]; returns the open ones.
    pub(crate) async fn scan(&self, range: PortRange) -> anyhow::Result<Vec<PortReport>> {
        let scan = move || scan_range(ADDRESS, range, ANSWER_TIMEOUT);
        Ok(spawn_blocking(scan).await.context("the scan did not come to its end")??)
    }

    /// Ends everything in order, the client first; nothing reconnects. Returns what the server had to
    /// cut off and the final statistics.
    pub(crate) async fn shutdown(&mut self) -> anyhow::Result<(ShutdownReport, Snapshot)> {
        if let Some(client) = self.client.take() {
            client.close().await;
        }
        let report = match self.server.take() {
            Some(server) => server.shutdown(GRACE).await,
            None => ShutdownReport::default(),
        };
        if let Some(service) = self.service.take() {
            service.socket.close();
            service.task.await.context("the UDP service did not come to its end")??;
        }
        Ok((report, self.stats.snapshot()))
    }
}
