//! `--metrics ADDR`: statistics over HTTP, for a Prometheus server on this machine.

mod request;
mod waiting;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sockets_tcp::{Connection, Handler, HandlerError, TcpServer};
use stats::{PROMETHEUS_CONTENT_TYPE, SocketStats, prometheus_text};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use self::request::{Answer, HEAD_LIMIT, Reply};
use self::waiting::WaitingRoom;
use crate::output::Terminal;

/// A scraper asks as soon as it has connected; of those that do not, the first beyond these is ended.
const MOST_WAITING: usize = 64;
/// Also those that are being answered, or were and do not end; who comes beyond these waits.
const MOST_CONNECTIONS: usize = 256;
/// How long a request may take to come, and half of how long its answer may stand still.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a client may keep its connection that has all of its answer.
const LINGER: Duration = Duration::from_secs(1);

/// Serves until it is dropped.
#[derive(Debug)]
pub(in crate::commands) struct Metrics {
    server: TcpServer,
}

impl Metrics {
    /// Serves `text`, made anew for each request.
    pub(in crate::commands) async fn serve(
        address: SocketAddr,
        text: impl Fn() -> String + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let server = TcpServer::builder()
            .bind(address)
            .owner("metrics")
            .max_connections(MOST_CONNECTIONS)
            .idle_timeout(2 * PATIENCE)
            .linger(LINGER)
            .handler(Exporter::new(text))
            .start()
            .await
            .context("cannot serve metrics")?;
        Ok(Self { server })
    }

    /// Serves `text`, if an address is asked for, and says where.
    pub(in crate::commands) async fn at(
        address: Option<SocketAddr>,
        text: impl Fn() -> String + Send + Sync + 'static,
        terminal: Terminal,
    ) -> anyhow::Result<Option<Self>> {
        let Some(address) = address else { return Ok(None) };
        let metrics = Self::serve(address, text).await?;
        terminal.warn(&format!("metrics at http://{}/metrics", metrics.server.local_addr()));
        Ok(Some(metrics))
    }

    /// Serves what `stats` counts, if an address is asked for, and says where.
    pub(in crate::commands) async fn of_stats(
        address: Option<SocketAddr>,
        stats: &SocketStats,
        terminal: Terminal,
    ) -> anyhow::Result<Option<Self>> {
        let stats = stats.clone();
        Self::at(address, move || prometheus_text(&stats.snapshot()), terminal).await
    }
}

/// The reply to what comes; `None` where it ends before it is a request.
async fn asked(connection: &mut Connection) -> io::Result<Option<Reply>> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let read = connection.read(&mut buffer).await?;
        if read == 0 {
            return Ok(None);
        }
        head.extend_from_slice(&buffer[..read]);
        if head.len() > HEAD_LIMIT {
            return Ok(Some(Answer::TooLarge.into()));
        }
        if let Some(reply) = request::reply(&head) {
            return Ok(Some(reply));
        }
    }
}

struct Exporter<F> {
    text: Arc<F>,
    waiting: WaitingRoom,
    /// One text is made at a time: to read all of a machine's sockets takes a core.
    turn: Mutex<()>,
}

impl<F: Fn() -> String + Send + Sync + 'static> Exporter<F> {
    fn new(text: F) -> Self {
        let waiting = WaitingRoom::new(MOST_WAITING);
        Self { text: Arc::new(text), waiting, turn: Mutex::new(()) }
    }
}

impl<F: Fn() -> String + Send + Sync + 'static> Handler for Exporter<F> {
    async fn handle(&self, mut connection: Connection) -> Result<(), HandlerError> {
        let place = self.waiting.enter();
        let reply = tokio::select! {
            biased;
            reply = asked(&mut connection) => reply?,
            () = place.lost() => Some(Answer::Timeout.into()),
            () = sleep(PATIENCE) => Some(Answer::Timeout.into()),
        };
        drop(place);
        let Some(reply) = reply else { return Ok(()) };
        let body = if reply.answer == Answer::Metrics {
            let text = Arc::clone(&self.text);
            let _turn = self.turn.lock().await;
            // Nothing else waits for that.
            spawn_blocking(move || text()).await?
        } else {
            reply.answer.reason()
        };
        let mut response = reply.head(PROMETHEUS_CONTENT_TYPE, body.len());
        if !reply.is_head {
            response.push_str(&body);
        }
        connection.write_all(response.as_bytes()).await?;
        Ok(())
    }
}
