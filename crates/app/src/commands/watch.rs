//! `ports watch`: the live screen.

use crate::args::WatchArgs;
use crate::exit::Exit;
use crate::output::Terminal;
use crate::signals::Signals;

pub(crate) async fn run(
    _args: &WatchArgs,
    _terminal: Terminal,
    _signals: &Signals,
) -> anyhow::Result<Exit> {
    Ok(Exit::Failed)
}
