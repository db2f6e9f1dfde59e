//! Runs `ports` and looks at what it printed and how it ended.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub(crate) fn ports(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ports"));
    command.args(args).stdin(Stdio::null()).env_remove("NO_COLOR").env("COLUMNS", "100");
    command
}

pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub(crate) fn run(args: &[&str]) -> Run {
    ports(args).output().unwrap().into()
}

impl Run {
    /// Each line of standard output as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// The lines of one type.
    pub(crate) fn lines_of(&self, kind: &str) -> Vec<Value> {
        self.json().into_iter().filter(|line| line["type"] == kind).collect()
    }

    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}
