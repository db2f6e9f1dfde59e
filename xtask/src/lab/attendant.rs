//! A process of the lab that serves until its standard input ends.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// This program again, as a hidden subcommand inside a network namespace. It says that it is ready
/// by one line of JSON, and may say more with a second one when it ends.
pub(super) struct Attendant {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Attendant {
    /// Starts it and waits until it is ready.
    pub(super) fn start<T: DeserializeOwned>(host: &str, arguments: &[&str]) -> Result<(Self, T)> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut child = Command::new("ip")
            .args(["netns", "exec", host])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start ip")?;
        let input = child.stdin.take();
        let Some(output) = child.stdout.take() else { bail!("a pipe was asked for") };
        let mut attendant = Self { child, input, lines: BufReader::new(output).lines() };
        let ready = attendant.read().with_context(|| format!("{} is not ready", arguments[0]))?;
        Ok((attendant, ready))
    }

    /// Ends it, and takes its last line.
    pub(super) fn finish<T: DeserializeOwned>(mut self) -> Result<T> {
        drop(self.input.take());
        self.read()
    }

    fn read<T: DeserializeOwned>(&mut self) -> Result<T> {
        let line = self.lines.next().context("it ended without a word")??;
        serde_json::from_str(&line).with_context(|| format!("it said `{line}`"))
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        drop(self.input.take());
        // It ends with its input. Should it not, the lab's own end takes it along.
        let _ = self.child.wait();
    }
}

/// Serves inside an attendant: says that it is ready, then waits for the end of standard input.
pub(super) fn serve(ready: &impl Serialize) -> Result<()> {
    say(ready)?;
    std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()).context("standard input")?;
    Ok(())
}

/// One line of JSON, at once.
pub(super) fn say(line: &impl Serialize) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", serde_json::to_string(line)?)?;
    Ok(output.flush()?)
}
