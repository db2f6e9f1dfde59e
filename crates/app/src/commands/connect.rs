//! `ports connect`: the reference's tour.

use crate::args::ConnectArgs;
use crate::exit::Exit;
use crate::output::Terminal;
use crate::signals::Signals;

pub(crate) async fn run(_: ConnectArgs, _: Terminal, _: &Signals) -> anyhow::Result<Exit> {
    anyhow::bail!("not yet")
}
