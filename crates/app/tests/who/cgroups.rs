//! Containers and units, by control groups that are named as runtimes and systemd name theirs.
#![expect(clippy::expect_used, reason = "it says what the test needs")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::driver::{Ports, run};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A control group of version 2 below the root, and those that are made below it; removed when it
/// is dropped.
struct Cgroup {
    root: PathBuf,
    made: Vec<PathBuf>,
}

impl Cgroup {
    fn new() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "));
        let mount = mount.expect("needs control groups of version 2").split(' ').nth(4).unwrap();
        let root = Path::new(mount).join(format!("ports-test-{}", std::process::id()));
        fs::create_dir(&root).expect("needs root, and control groups that can be written");
        Self { made: vec![root.clone()], root }
    }

    /// Every directory on the way to `path`.
    fn make(&mut self, path: &str) -> PathBuf {
        let mut directory = self.root.clone();
        for part in path.split('/') {
            directory.push(part);
            if !directory.exists() {
                fs::create_dir(&directory).unwrap();
                self.made.push(directory.clone());
            }
        }
        directory
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // The innermost first; what is in it has ended.
        for directory in self.made.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

fn first_row(args: &[&str]) -> Value {
    let ended = run(&[args, &["--format", "jsonl"]].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = String::from_utf8(ended.stdout).unwrap();
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

#[test]
#[ignore = "needs root: control groups of its own"]
fn containers_and_units_are_named() {
    let mut cgroup = Cgroup::new();
    let docker = format!("system.slice/docker-{ID}.scope");
    let kubernetes = format!("kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope");
    let podman = format!("machine.slice/libpod-{ID}.scope/container");
    for (path, kind, id, shown, todo) in [
        (
            docker.as_str(),
            "docker",
            ID,
            "docker 0123456789ab",
            "It is of docker 0123456789ab, to be stopped by: docker stop 0123456789ab",
        ),
        (
            &kubernetes,
            "kubernetes",
            ID,
            "kubernetes 0123456789ab",
            "It is of kubernetes 0123456789ab, which may start it again: stop that",
        ),
        (
            &podman,
            "podman",
            ID,
            "podman 0123456789ab",
            "It is of podman 0123456789ab, to be stopped by: podman stop 0123456789ab",
        ),
        (
            "system.slice/web.service",
            "unit",
            "web.service",
            "unit web.service",
            "It is of unit web.service, to be stopped by: systemctl stop web.service",
        ),
    ] {
        let directory = cgroup.make(path);
        // It is there before it opens a socket: a socket stays in the group that it was made in.
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""]).arg(&directory);
        command.args([env!("CARGO_BIN_EXE_ports"), "listen", "tcp://127.0.0.1:0"]);
        let listening = Ports::spawn(command.args(["--service", "discard"]));
        let port = format!("{}", listening.listening(0).port());

        let row = first_row(&["who", &format!("{port}/tcp")]);
        let workload = serde_json::json!({ "kind": kind, "id": id });
        assert_eq!(row["processes"][0]["workload"], workload, "{path}");
        assert_eq!(row["workload"], workload, "{path}");
        let columns = ["--columns", "workload,cgroup", "--listening"];
        let row = first_row(&[&["ls", "--tcp", "--port", &port], &columns[..]].concat());
        assert_eq!(row["workload"], workload, "{path}");
        assert!(row["cgroup"].as_str().unwrap().ends_with(path), "{row}");
        // Whoever ends it by itself has it again where it is started anew: `doctor` names what stops that.
        let doctor = run(&["doctor", &format!("{port}/tcp"), "--format", "jsonl"]);
        let text = String::from_utf8(doctor.stdout).unwrap();
        let finding = text.lines().find(|line| line.contains("\"held\"")).unwrap();
        let finding: Value = serde_json::from_str(finding).unwrap();
        assert_eq!(finding["todo"], todo, "{path}");
        let table = String::from_utf8(run(&["who", &format!("{port}/tcp")]).stdout).unwrap();
        assert!(table.contains(shown), "{table}");
        // It has ended before its group is removed. Nobody takes the port again here, but somebody may.
        let kill = run(&["kill", "--yes", "--settle", "0s", &format!("{port}/tcp")]);
        assert_eq!(kill.code, Some(0), "{}", kill.stderr);
        let later = format!("note: {shown} may take tcp port {port} again later");
        assert!(kill.stderr.contains(&later), "{}", kill.stderr);
        assert_eq!(listening.end().code, Some(143));
    }
}
