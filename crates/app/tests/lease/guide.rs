//! The commands of docs/guide/leasing.md, as they stand there; with stand-ins for other programs.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::PoisonError;

use super::{ANY_PORT, any_port};

const GUIDE: &str = include_str!("../../../../docs/guide/leasing.md");

/// The one block of code in this language that has `part` in it.
pub(super) fn block(language: &str, part: &str) -> &'static str {
    let start = format!("```{language}\n");
    let blocks = GUIDE.split(start.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut found = blocks.filter(|block| block.contains(part));
    let block = found.next().unwrap_or_else(|| panic!("the guide has no {part}"));
    assert!(found.next().is_none(), "the guide has {part} twice");
    block
}

/// A directory to run in, with stand-ins for programs.
pub(super) struct Place(tempfile::TempDir);

impl Place {
    /// Each stand-in prints its arguments and its ports.
    pub(super) fn with(programs: &[&str]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for program in programs {
            place.program(program, "#!/bin/sh\necho \"$@\" / $PORT1 $PORT2\n");
        }
        place
    }

    /// By another program: a file that this process had open for writing, a program that a test starts
    /// meanwhile would have open, too, and then it could not be run.
    pub(super) fn program(&self, path: &str, text: &str) {
        let mut copy = Command::new("install");
        copy.args(["-m", "755", "/dev/stdin"]).arg(self.path().join(path)).stdin(Stdio::piped());
        let mut copy = copy.spawn().unwrap();
        copy.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(copy.wait().unwrap().success());
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A shell that finds the stand-ins, `ports` as it was built, then the rest.
    pub(super) fn shell(&self, script: &str) -> Command {
        let binary: PathBuf = env!("CARGO_BIN_EXE_ports").into();
        let here = [self.path().to_owned(), binary.parent().unwrap().to_owned()];
        let path = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(here.into_iter().chain(std::env::split_paths(&path)));
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).current_dir(self.path()).env("PATH", path.unwrap());
        shell
    }

    pub(super) fn run(&self, script: &str) -> String {
        let output = self.shell(script).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {text} {errors}");
        text
    }
}

/// Arguments, and the ports after them.
pub(super) fn split(text: &str) -> (&str, Vec<u16>) {
    let (arguments, ports) = text.trim().split_once(" / ").unwrap();
    (arguments, ports.split(' ').map(|port| port.parse().unwrap()).collect())
}

/// A crate with one test, which binds its first port.
pub(super) fn crate_to_test() -> Place {
    let place = Place::with(&[]);
    let manifest = "[package]\nname = \"leased\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(place.path().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(place.path().join("src")).unwrap();
    let source = "#[test] fn leased() {
        let port = |name: &str| std::env::var(name).unwrap().parse::<u16>().unwrap();
        assert_eq!(port(\"PORT1\") + 1, port(\"PORT2\"));
        std::net::TcpListener::bind((\"127.0.0.1\", port(\"PORT1\"))).unwrap();
    }";
    fs::write(place.path().join("src/lib.rs"), source).unwrap();
    place
}

#[test]
fn cargo_test() {
    let _any = any_port();
    let place = crate_to_test();
    let mut shell = place.shell(block("sh", "cargo test"));
    let output = shell.env("CARGO_TARGET_DIR", place.path().join("target")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("1 passed"), "{text} {errors}");
}

#[test]
fn cargo_nextest_as_shell() {
    let _any = any_port();
    let text = Place::with(&["cargo"]).run(block("sh", "cargo nextest"));
    let (arguments, ports) = split(&text);
    assert_eq!((arguments, ports[0] + 1), ("nextest run", ports[1]));
}

#[test]
fn npm_scripts_as_shell() {
    let _alone = ANY_PORT.write().unwrap_or_else(PoisonError::into_inner);
    let scripts: serde_json::Value = serde_json::from_str(block("json", "scripts")).unwrap();
    let place = Place::with(&["vite", "node"]);
    let run = |name: &str| place.run(scripts["scripts"][name].as_str().unwrap());
    let dev = run("dev");
    let (arguments, ports) = split(&dev);
    assert_eq!(arguments, format!("--port {} --strictPort", ports[0]));
    assert_eq!(run("dev"), dev, "the name keeps its port");
    let test = run("test");
    assert_eq!((split(&test).0, split(&test).1.len()), ("--test", 2));
}

#[test]
fn docker_run_as_shell() {
    let _any = any_port();
    let text = Place::with(&["docker"]).run(block("sh", "docker run"));
    let (arguments, ports) = split(&text);
    assert_eq!(arguments, format!("run --rm -p 127.0.0.1:{}:5432 postgres", ports[0]));
}
