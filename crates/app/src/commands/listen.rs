//! `ports listen`: the reference's tour.

use crate::args::ListenArgs;
use crate::exit::Exit;
use crate::output::Terminal;
use crate::signals::Signals;

pub(crate) async fn run(_: ListenArgs, _: Terminal, _: &Signals) -> anyhow::Result<Exit> {
    anyhow::bail!("not yet")
}
