//! A program that takes part: how it is started, and how what it prints is read.

use std::path::PathBuf;
use std::process::Command;

use super::findings::OutputFormat;

/// Whose program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The scanner of this workspace, whose answer must be right.
    Ours,
    /// What it is measured against.
    Peer,
}

/// A program, how to start it, and how to read what it prints.
#[derive(Clone)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) side: Side,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) output: OutputFormat,
    /// It sits out the rounds after this many.
    pub(super) most_rounds: Option<u32>,
}

impl Contender {
    /// The same in at most this many rounds.
    pub(super) fn at_most(self, rounds: u32) -> Self {
        Self { most_rounds: Some(rounds), ..self }
    }

    /// Whether it runs in this round, counted from 0.
    pub(super) fn takes_part_in(&self, round: u32) -> bool {
        self.most_rounds.is_none_or(|most| round < most)
    }

    /// The command as one would type it.
    pub(super) fn command_line(&self) -> String {
        let program = self.program.file_name().unwrap_or_default().to_string_lossy();
        format!("{program} {}", self.arguments.join(" "))
    }

    /// The first line of `--version`; `None` where there is none.
    pub(super) fn version(&self) -> Option<String> {
        let output = Command::new(&self.program).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }
}

/// Who takes part in a group, and who does not and why.
#[derive(Default)]
pub(super) struct LineUp {
    pub(super) present: Vec<Contender>,
    pub(super) absent: Vec<String>,
}

impl LineUp {
    /// Adds one that is here, or the reason why it is not.
    pub(super) fn add(&mut self, contender: Result<Contender, String>) {
        match contender {
            Ok(contender) => self.present.push(contender),
            Err(absence) => self.absent.push(absence),
        }
    }

    /// Adds one that runs only once, and not at all in a quick run.
    pub(super) fn add_slow(&mut self, quick: bool, contender: Result<Contender, String>) {
        self.add(match contender {
            Ok(slow) if quick => Err(format!("{} (too slow for --quick)", slow.name)),
            Ok(slow) => Ok(slow.at_most(1)),
            absent @ Err(_) => absent,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool() -> Contender {
        Contender {
            name: "tool",
            side: Side::Peer,
            program: "/nowhere/tool".into(),
            arguments: vec!["-x".into(), "1".into()],
            output: OutputFormat::Bare,
            most_rounds: None,
        }
    }

    #[test]
    fn a_slow_one_runs_once_or_is_named_as_absent() {
        let mut full = LineUp::default();
        full.add_slow(false, Ok(tool()));
        assert!(full.present[0].takes_part_in(0) && !full.present[0].takes_part_in(1));
        assert!(tool().takes_part_in(1000));

        let mut quick = LineUp::default();
        quick.add_slow(true, Ok(tool()));
        quick.add(Err("other (not on PATH)".into()));
        assert_eq!(quick.absent, ["tool (too slow for --quick)", "other (not on PATH)"]);
    }

    #[test]
    fn the_command_line_names_the_program_without_its_directory() {
        assert_eq!(tool().command_line(), "tool -x 1");
    }
}
