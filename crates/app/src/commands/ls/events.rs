//! `ports ls --watch`: what happens to the sockets, as JSON lines.

mod gaps;
mod line;

use std::io;
use std::time::SystemTime;

use stats::system::{Snapshot, SocketWatch, UserNames};

use self::gaps::Gaps;
use self::line::{Line, millis};
use super::{Filter, tell, text_of};
use crate::args::{Format, LsArgs, OutputArgs};
use crate::commands::metrics::Metrics;
use crate::exit::{Exit, UsageError};
use crate::output::{RowOutputs, Terminal, stop_when_gone};
use crate::signals::Signals;

/// Until the user has seen enough.
pub(crate) async fn watch(
    args: &LsArgs,
    terminal: Terminal,
    signals: &Signals,
) -> anyhow::Result<Exit> {
    only_jsonl(&args.output)?;
    let stdout = terminal.stdout()?.until(signals.stop());
    if args.output.output.is_empty() {
        stop_when_gone(io::stdout(), signals.stop());
    }
    let filter = Filter::new(&args.filter, &UserNames::read())?;
    let _metrics = Metrics::at(args.metrics, text_of(filter.clone()), terminal).await?;
    let paths = args.output.output.iter().map(|file| &file.path);
    let opening = signals.opening(paths, terminal);
    let mut rows = RowOutputs::open::<Line<'_>>(&args.output, stdout)?;
    drop(opening);
    let query = filter.query().processes(filter.needs_processes() || args.process).traffic(true);
    let mut watch = SocketWatch::new(query);
    let endings = hear(&mut watch, terminal);
    if endings && filter.needs_holders() {
        terminal.warn(
            "sockets that come and go between two looks are nobody's any more: --pid, --process-name and \
             --user leave them out, --port does not",
        );
    }
    watch.poll()?;
    let begin = |watch: &SocketWatch| {
        let kept =
            |snapshot: &Snapshot| snapshot.iter().filter(|socket| filter.keeps(socket)).count();
        Line::Watching {
            time_ms: millis(SystemTime::now()),
            sockets: watch.snapshot().map_or(0, kept),
            interrupted: watch.snapshot().is_some_and(is_interrupted),
            endings,
            interval_ms: args.interval.as_millis(),
        }
    };
    let mut gaps = Gaps::default();
    let tell_begin = |watch: &SocketWatch, gaps: &mut Gaps| {
        if let Some(snapshot) = watch.snapshot() {
            tell(snapshot, terminal);
            gaps.begin(is_interrupted(snapshot));
        }
    };
    rows.write(&begin(&watch))?;
    rows.flush()?;
    tell_begin(&watch, &mut gaps);
    let mut ticks = tokio::time::interval(args.interval);
    // A look that took long is not made up for.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            biased;
            () = signals.stop().cancelled() => break,
            _ = ticks.tick() => {}
        }
        let found = watch.poll()?;
        if found.restarted {
            rows.write(&begin(&watch))?;
            tell_begin(&watch, &mut gaps);
        }
        for event in found.events.iter().filter(|event| filter.keeps_record(&event.socket)) {
            rows.write(&Line::of(event))?;
        }
        if let Some(line) = gaps.line(&found, SystemTime::now()) {
            rows.write(&line)?;
        }
        rows.flush()?;
        for text in gaps.notes(&found) {
            terminal.warn(&text);
        }
    }
    rows.finish()?;
    Ok(signals.or_interrupted(Exit::Done))
}

/// Whether it is known not to be whole.
const fn is_interrupted(snapshot: &Snapshot) -> bool {
    snapshot.coverage().interrupted
}

/// Hears the ends of sockets; says so where the kernel does not tell of them.
fn hear(watch: &mut SocketWatch, terminal: Terminal) -> bool {
    match watch.hear_endings() {
        Ok(()) => true,
        Err(error) => {
            let error = anyhow::Error::new(error);
            terminal.warn(&format!(
                "sockets that come and go between two looks are not seen, and bytes are those of the \
                 last look: {error:#}"
            ));
            false
        }
    }
}

/// A stream of events is JSON lines.
fn only_jsonl(args: &OutputArgs) -> anyhow::Result<()> {
    let is_other = |format| format != Format::Jsonl;
    if is_other(args.format) || args.output.iter().any(|file| is_other(file.format(args.format))) {
        let text = "events are JSON lines only: --format jsonl (or `ports watch`, for people)";
        return Err(UsageError(text.to_owned()).into());
    }
    Ok(())
}
