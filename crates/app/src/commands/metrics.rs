//! `--metrics ADDR`: statistics over HTTP, for a Prometheus server on this machine.

mod request;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sockets_tcp::{Connection, Handler, HandlerError, TcpServer};
use stats::{PROMETHEUS_CONTENT_TYPE, SocketStats, prometheus_text};
use tokio::task::spawn_blocking;

use crate::output::Terminal;
use request::{Answer, HEAD_LIMIT};

/// A scraper asks once in some seconds; who comes beyond these waits.
const MOST_CONNECTIONS: usize = 16;
/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(5);

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
            .idle_timeout(PATIENCE)
            .handler(Exporter(Arc::new(text)))
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

/// The answer to what comes; `None` where it ends before it is a request.
async fn question(connection: &mut Connection) -> io::Result<Option<Answer>> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let read = connection.read(&mut buffer).await?;
        if read == 0 {
            return Ok(None);
        }
        head.extend_from_slice(&buffer[..read]);
        if head.len() > HEAD_LIMIT {
            return Ok(Some(Answer::TooLarge));
        }
        if let Some(answer) = request::answer(&head) {
            return Ok(Some(answer));
        }
    }
}

struct Exporter<F>(Arc<F>);

impl<F: Fn() -> String + Send + Sync + 'static> Handler for Exporter<F> {
    async fn handle(&self, mut connection: Connection) -> Result<(), HandlerError> {
        let asked = tokio::time::timeout(PATIENCE, question(&mut connection));
        let Some(answer) = asked.await?? else { return Ok(()) };
        let body = if answer.has_metrics() {
            let text = Arc::clone(&self.0);
            // Reading all of a machine's sockets takes its time: nothing else waits for that.
            spawn_blocking(move || text()).await?
        } else {
            answer.reason()
        };
        let mut response = answer.head(PROMETHEUS_CONTENT_TYPE, body.len());
        if answer != Answer::Head {
            response.push_str(&body);
        }
        connection.write_all(response.as_bytes()).await?;
        Ok(())
    }
}
