//! `ports connect --wait`: until a service can be reached, and no bytes.

use std::time::Duration;

use sockets_tcp::{TcpClient, TcpClientBuilder};
use tokio::time::{Instant, sleep, timeout_at};

use crate::args::ConnectArgs;
use crate::commands::tls;
use crate::exit::Exit;
use crate::output::Terminal;
use crate::signals::Signals;

/// Between the first two tries.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// A service that comes up is noticed so soon, and a refused connection costs next to nothing.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// How long the peer's own end is waited for, so that it sees an end and no reset.
const GRACE: Duration = Duration::from_millis(250);

pub(super) async fn run(
    args: &ConnectArgs,
    longest: Duration,
    terminal: Terminal,
    signals: &Signals,
) -> anyhow::Result<Exit> {
    let builder = builder(args, terminal)?;
    let begun = Instant::now();
    let up = signals.stop().run_until_cancelled(until_up(&builder, args, longest, terminal)).await;
    let Some(up) = up else { return Ok(signals.or_interrupted(Exit::Done)) };
    let client = up?;
    terminal.note(&format!("{} is up, after {:.1?}", args.endpoint, begun.elapsed()));
    client.close().await;
    Ok(Exit::Done)
}

fn builder(args: &ConnectArgs, terminal: Terminal) -> anyhow::Result<TcpClientBuilder> {
    let mut builder = TcpClient::builder(&args.endpoint).close_grace(GRACE);
    if let Some((config, name)) = tls::client(&args.tls, &args.endpoint, terminal)? {
        builder = builder.tls(config, name);
    }
    if let Some(source) = args.source {
        builder = builder.source(source);
    }
    if let Some(timeout) = args.connect_timeout {
        builder = builder.connect_timeout(timeout);
    }
    Ok(builder)
}

/// Tries until one succeeds, one says that none will, or the time is over; one try where there is no
/// time.
async fn until_up(
    builder: &TcpClientBuilder,
    args: &ConnectArgs,
    longest: Duration,
    terminal: Terminal,
) -> anyhow::Result<TcpClient> {
    if longest.is_zero() {
        return builder.clone().connect().await.map_err(tls::with_advice);
    }
    let deadline = Instant::now() + longest;
    let mut pause = FIRST_PAUSE;
    let mut last = None;
    while let Ok(attempt) = timeout_at(deadline, builder.clone().connect()).await {
        match attempt {
            Ok(client) => return Ok(client),
            Err(error) if error.is_permanent() => return Err(tls::with_advice(error)),
            Err(error) => {
                let error = tls::with_advice(error);
                if last.is_none() {
                    terminal.note(&format!("not up yet: {error:#}"));
                }
                last = Some(error);
            }
        }
        if timeout_at(deadline, sleep(pause)).await.is_err() {
            break;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    let time = humantime::format_duration(longest);
    let last = last.unwrap_or_else(|| anyhow::anyhow!("no answer"));
    Err(last.context(format!("{} was not up within {time}", args.endpoint)))
}
