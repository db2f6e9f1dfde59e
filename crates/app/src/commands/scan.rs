//! `ports scan`: find open ports.

mod method;
mod plan;
mod progress;
mod resume;
mod sinks;

use std::io;

use anyhow::Context;
use scanner::{Reason, Scan, ScanEvent, ScanHandle, ScanSummary};
use tokio::task::spawn_blocking;

use crate::args::ScanArgs;
use crate::exit::Exit;
use crate::output::{Terminal, stop_when_gone};
use crate::signals::Signals;

pub(crate) async fn run(
    args: ScanArgs,
    terminal: Terminal,
    signals: &Signals,
) -> anyhow::Result<Exit> {
    // Files first: a path that cannot be written is known before the first probe. They are emptied
    // once the arguments are known to be good.
    let bar = progress::Bar::new(terminal.shows_progress());
    let file = args.resume.clone();
    let stdout = terminal.stdout()?.until(signals.stop());
    let paths = args.output.output.iter().map(|file| &file.path);
    let opening = signals.opening(paths, terminal);
    let mut sinks = sinks::Sinks::open(&args, stdout, bar.clone())?;
    drop(opening);
    if args.output.output.is_empty() {
        stop_when_gone(io::stdout(), signals.stop());
    }
    // Standard input and the resolver may take their time.
    let plan::Plan { scans, unresolved } = tokio::select! {
        plan = spawn_blocking(move || plan::plan(&args, terminal)) => plan??,
        () = signals.stop().cancelled() => return Ok(signals.or_interrupted(Exit::Done)),
    };
    sinks.begin()?;
    resume::note(file.as_deref(), &scans, terminal);

    let handles: Vec<ScanHandle> = scans.iter().map(Scan::handle).collect();
    let stop = signals.stop().clone();
    let stopped = handles.clone();
    tokio::spawn(async move {
        stop.cancelled().await;
        stopped.iter().for_each(ScanHandle::cancel);
    });
    let progress = progress::show(&bar, handles);
    let outcome = spawn_blocking(move || run_all(&scans, sinks)).await;
    if let Some(progress) = progress {
        progress.finish().await;
    }
    let summaries = outcome.context("the scan did not come to its end")??;
    let exit = signals.or_interrupted(Exit::Done);
    let probes: u64 = summaries.iter().map(|summary| summary.tally.probes).sum();
    let errors: u64 = summaries.iter().map(|summary| summary.tally.errors).sum();
    let reason = summaries.iter().find_map(|summary| summary.first_error);
    match reason {
        Some(reason) if probes == errors && exit == Exit::Done => {
            terminal.error(&anyhow::anyhow!("no port could be asked: {reason}"));
            let denied = reason == Reason::NotPermitted;
            Ok(if denied { Exit::NotPermitted } else { Exit::Failed })
        }
        _ if unresolved > 0 && exit == Exit::Done => {
            let (have, were) =
                if unresolved == 1 { ("target has", "was") } else { ("targets have", "were") };
            let message = format!("{unresolved} {have} no address, and {were} not scanned");
            terminal.error(&anyhow::Error::msg(message));
            Ok(Exit::Failed)
        }
        _ => Ok(exit),
    }
}

fn run_all(scans: &[Scan], mut sinks: sinks::Sinks) -> anyhow::Result<Vec<ScanSummary>> {
    let mut summaries = Vec::new();
    let mut failed = None;
    for scan in scans {
        let handle = scan.handle();
        let result = scan.run(|event: ScanEvent| {
            // The outputs that are left learn how the scan ended.
            if let Err(error) = sinks.event(event) {
                failed.get_or_insert(error);
                handle.cancel();
            }
        });
        match result {
            Ok(summary) => summaries.push(summary),
            Err(error) => {
                failed.get_or_insert(error.into());
            }
        }
        if failed.is_some() || handle.is_cancelled() {
            break;
        }
    }
    let ended = sinks.end();
    match failed {
        Some(error) => Err(error),
        None => ended.map(|()| summaries),
    }
}
