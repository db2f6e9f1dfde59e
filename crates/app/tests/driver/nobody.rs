//! The real binary as another user than root, which needs root.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use super::driver::{Ended, Ports};

/// A user that has no processes.
const UID: u32 = 65_533;

/// The binary, where everybody can reach it.
pub(crate) struct Nobody {
    directory: tempfile::TempDir,
}

impl Nobody {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        // By another program: a copy that this process had open for writing, a program that a test
        // starts meanwhile would have open, too, and then it could not be run.
        let mut copy = Command::new("cp");
        copy.arg(env!("CARGO_BIN_EXE_ports")).arg(directory.path());
        assert!(copy.status().unwrap().success());
        Self { directory }
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        let mut ports = self.start(args);
        ports.end_input();
        ports.end()
    }

    pub(crate) fn start(&self, args: &[&str]) -> Ports {
        Ports::spawn(Command::new(self.program()).args(args).uid(UID).gid(UID))
    }

    /// The same, where `/proc` shows the processes of other users to root only.
    #[allow(dead_code, reason = "not every test binary has a use for it")]
    pub(crate) fn run_hidden(&self, args: &[&str]) -> Ended {
        let script = "mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid \"$0\" --regid \
                      \"$0\" --clear-groups \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, &UID.to_string()]).arg(self.program());
        let mut ports = Ports::spawn(command.args(args));
        ports.end_input();
        ports.end()
    }

    fn program(&self) -> PathBuf {
        self.directory.path().join("ports")
    }
}
