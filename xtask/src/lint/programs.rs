//! The steps that another program decides: rustfmt, clippy, rustdoc, cargo-deny, bash.

use anyhow::{Result, ensure};
use xshell::{Cmd, Shell, cmd};

use super::{Outcome, Project};

/// The scripts in bash, which no compiler sees.
const SCRIPTS: [&str; 1] = [".ci/run"];

/// Lets the tools repair what they can.
pub(super) fn fix(shell: &Shell) -> Result<()> {
    // Clippy's rewrites come out unformatted.
    cmd!(shell, "cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged")
        .run()?;
    cmd!(shell, "cargo fmt --all").run()?;
    Ok(())
}

pub(super) fn fmt(shell: &Shell) -> Result<Outcome> {
    let outcome = judge(cmd!(shell, "cargo fmt --all -- --check -l"))?;
    Ok(match outcome {
        Outcome::Failed(files) => {
            Outcome::Failed([vec!["not formatted; run `cargo fmt --all`:".into()], files].concat())
        }
        other => other,
    })
}

pub(super) fn clippy(shell: &Shell) -> Result<Outcome> {
    judge(cmd!(shell, "cargo clippy --workspace --all-targets --keep-going -- -D warnings"))
}

pub(super) fn rustdoc(shell: &Shell) -> Result<Outcome> {
    judge(
        cmd!(shell, "cargo doc --workspace --no-deps --keep-going")
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// Licences, bans and sources. Not the advisories: they change from day to day, and a commit that
/// passed must pass again.
pub(super) fn deny(shell: &Shell) -> Result<Outcome> {
    if judge(cmd!(shell, "cargo deny --version"))? != Outcome::Passed(Vec::new()) {
        return Ok(Outcome::Skipped("cargo-deny is not installed".into()));
    }
    judge(cmd!(shell, "cargo deny check bans licenses sources"))
}

pub(super) fn shell_syntax(project: &Project) -> Result<Outcome> {
    let mut problems = Vec::new();
    for script in SCRIPTS {
        ensure!(project.shell.path_exists(script), "{script} is missing");
        if let Outcome::Failed(errors) = judge(cmd!(project.shell, "bash -n {script}"))? {
            problems.extend(errors);
        }
    }
    Ok(Outcome::of(problems))
}

/// Runs the command to its end; what it printed is the problem where it failed.
fn judge(command: Cmd<'_>) -> Result<Outcome> {
    let output = command.quiet().ignore_status().output()?;
    if output.status.success() {
        return Ok(Outcome::Passed(Vec::new()));
    }
    let printed = [output.stderr, output.stdout].concat();
    let printed = String::from_utf8_lossy(&printed).trim().to_owned();
    Ok(Outcome::Failed(vec![if printed.is_empty() { output.status.to_string() } else { printed }]))
}
