//! A real systemd: services that are started again, at once and later, and a socket that it holds itself.

use std::fs;
use std::process::Command;

use super::alone;
use super::driver::Ports;

/// Runs systemd as the first process of namespaces of its own, in a control group of its own, on a root of
/// which nothing is kept but `/place`. It ends when the trial has.
const SCRIPT: &str = r#"set -e
mount -t tmpfs tmpfs root
mkdir root/upper root/work root/root root/cgroups
mount -t cgroup2 cgroup2 root/cgroups
group=$PWD/root/cgroups/ports-test-$(basename "$PWD")
mkdir "$group"
trap 'find "$group" -depth -type d -exec rmdir {} +' EXIT
unshare --fork --kill-child --pid --mount --net --cgroup --uts --ipc sh -c 'set -e
    echo 0 >"$0/cgroup.procs"
    exec unshare --cgroup sh -c "$BOOT"' "$group"
"#;

/// From the outside in; the last line is systemd.
const BOOT: &str = r#"set -e
ip link set lo up
mount -t overlay overlay -o "lowerdir=/,upperdir=$PWD/root/upper,workdir=$PWD/root/work" root/root
place=$PWD
cd root/root
mkdir place old
mount --bind "$place" place
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount --rbind /dev dev
rm -rf etc/systemd/system
cp -r place/units etc/systemd/system
pivot_root . old
umount -l /old
exec env -i container=ports-test PATH="$PATH" /lib/systemd/systemd --system \
    --unit=trial.service --show-status=0 --log-target=null </dev/null
"#;

/// `DefaultDependencies=no`: without all that a machine starts with.
const UNITS: [(&str, &str); 5] = [
    (
        "web.service",
        "[Service]\nExecStart=/place/ports listen 127.0.0.1:8080 --service discard\nRestart=always\n",
    ),
    (
        "slow.service",
        "[Service]\nExecStart=/place/ports listen 127.0.0.1:8081 --service discard\n\
         Restart=always\nRestartSec=1h\n",
    ),
    ("late.socket", "[Socket]\nListenStream=127.0.0.1:8082\n"),
    ("late.service", "[Service]\nExecStart=/bin/sleep infinity\n"),
    (
        "trial.service",
        "[Service]\nType=oneshot\nExecStart=/bin/sh /place/trial\n\
         StandardOutput=file:/place/said\nStandardError=inherit\n\
         ExecStopPost=/bin/systemctl --no-block exit\n",
    ),
];

const TRIAL: &str = r#"
ports=/place/ports
systemctl start web.service slow.service late.socket
for port in 8080 8081 8082; do
    # Nothing tells when a service listens.
    until $ports who $port/tcp --format csv >/place/who 2>/dev/null; do :; done
    echo "who $port: $(tail -n 1 /place/who)"
    echo "doctor $port: $($ports doctor $port/tcp --format csv | grep ,held,)"
done
$ports kill 8080/tcp --yes --settle 60s; echo "killed 8080: $?"
$ports kill 8081/tcp --yes --settle 0s; echo "killed 8081: $?"
$ports kill 8082/tcp --yes; echo "killed 8082: $?"
systemctl stop web.service; systemctl stop late.socket
for port in 8080 8082; do $ports who $port/tcp; echo "stopped $port: $?"; done
"#;

#[test]
#[ignore = "needs root, systemd, overlayfs and control groups of version 2"]
fn what_systemd_starts_again_is_told() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::create_dir(at("units")).unwrap();
    fs::create_dir(at("root")).unwrap();
    for (name, text) in UNITS {
        let text = format!("[Unit]\nDefaultDependencies=no\n{text}");
        fs::write(at("units").join(name), text).unwrap();
    }
    fs::write(at("trial"), TRIAL).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_ports"), at("ports")).unwrap();
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", SCRIPT]).current_dir(place.path()).env("BOOT", BOOT);
    let _turn = alone();
    let mut script = Ports::spawn(&mut unshare);
    script.end_input();
    let ended = script.end();
    let said = fs::read_to_string(at("said")).unwrap_or_default();
    assert!(said.contains("stopped 8082"), "{said} {:?} {}", ended.code, ended.stderr);

    let mut lines = said.lines();
    let mut next = |start: &str| {
        let line = lines.by_ref().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("no `{start}` where it should be: {said}")).to_owned()
    };
    for (port, unit) in [(8080, "web.service"), (8081, "slow.service"), (8082, "late.socket")] {
        let who = next(&format!("who {port}: tcp,127.0.0.1:{port},,LISTEN,0,root,"));
        assert!(who.contains(&format!("unit {unit}")), "{who}");
        let todo = format!("It is of unit {unit}, to be stopped by: systemctl stop {unit}");
        assert!(next(&format!("doctor {port}: ")).contains(&todo), "{said}");
    }
    let again = next("note: tcp port 8080 is held again by ports (process ");
    let by = "of root (started by unit web.service); to stop that: systemctl stop web.service";
    assert!(again.ends_with(by), "{again}");
    next("killed 8080: 1");
    next(
        "note: unit slow.service may take tcp port 8081 again later; to prevent that: \
          systemctl stop slow.service",
    );
    next("killed 8081: 0");
    next(
        "error: systemd (process 1) of root holds tcp port 8082 and is what waits there for unit \
          late.socket: systemctl stop late.socket stops that",
    );
    next("killed 8082: 2");
    // As it was told: these leave nobody at the port.
    next("stopped 8080: 1");
    next("stopped 8082: 1");
}
