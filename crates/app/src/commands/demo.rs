//! `ports demo`: the reference's tour.

mod outcome;
mod story;

use ports_core::{Port, PortRange};

use self::outcome::{Outcome, ScanOutcome, ServiceOutcome};
use self::story::Story;
use crate::args::{DemoArgs, Format};
use crate::exit::Exit;
use crate::network_app::NetworkApplication;
use crate::output::Terminal;
use crate::signals::Signals;

/// What the TCP client says; a line, because the echo server's prefix goes before each line.
const TCP_MESSAGE: &[u8] = b"Hello from client!\n";
/// What is said over UDP; no newline is needed, a datagram has its own end.
const UDP_MESSAGE: &[u8] = b"Hello over UDP!";
/// Ports scanned from the echo server's on.
const SCAN_LEN: u16 = 11;
/// Entries of the connection history that are shown.
const HISTORY_SHOWN: usize = 10;

pub(crate) async fn run(
    args: &DemoArgs,
    terminal: Terminal,
    signals: &Signals,
) -> anyhow::Result<Exit> {
    let mut story = Story::new(
        terminal.stdout()?.painted().until(signals.stop()),
        args.format == Format::Table,
    );
    let mut app = NetworkApplication::new();
    let outcome = tokio::select! {
        outcome = tour(args, &mut app, &mut story) => Some(outcome?),
        () = signals.stop().cancelled() => None,
    };
    story.blank()?;
    story.lines(&app.registry().status())?;
    story.title("Shutting down")?;
    let (_, snapshot) = app.shutdown().await?;
    story.lines(&snapshot)?;
    let mut history = String::new();
    app.stats().print_history(HISTORY_SHOWN, &mut history)?;
    story.lines(&history)?;
    story.lines(&app.registry().status())?;
    let Some(outcome) = outcome else { return Ok(signals.or_interrupted(Exit::Done)) };
    let ok = outcome.is_as_expected(&snapshot);
    if args.format == Format::Jsonl {
        story.json(&outcome.to_line(ok, &snapshot))?;
    }
    anyhow::ensure!(ok, "what the statistics counted is not what went over the sockets");
    Ok(Exit::Done)
}

async fn tour(
    args: &DemoArgs,
    app: &mut NetworkApplication,
    story: &mut Story,
) -> anyhow::Result<Outcome> {
    story.title("Ports")?;
    story.port(args.tcp_port)?;
    story.port(args.udp_port)?;

    story.title("Starting the TCP echo server")?;
    let server = app.start_tcp_echo_server(args.tcp_port).await?;
    story.started("tcp", &server)?;

    story.title("Connecting the TCP client")?;
    let exchange = app.ask_tcp(server.address, TCP_MESSAGE).await?;
    if let Some(info) = app.client_info() {
        story.line(format_args!("{info}"))?;
    }
    story.line(format_args!("{exchange}"))?;
    let tcp = ServiceOutcome { started: server, exchange };

    story.title("Starting the UDP service")?;
    let service = app.start_udp_service(args.udp_port)?;
    story.started("udp", &service)?;
    let exchange = app.ask_udp(service.address, UDP_MESSAGE).await?;
    story.line(format_args!("{exchange}"))?;
    let udp = ServiceOutcome { started: service, exchange };

    story.title("Scanning ports")?;
    let first = tcp.started.address.port();
    let last = first.saturating_add(SCAN_LEN - 1);
    let range = PortRange::new(Port::new(first), Port::new(last))?;
    let open = app.scan(range).await?;
    story.scanned(range, &open)?;
    Ok(Outcome { tcp, udp, scan: ScanOutcome { range, open } })
}
