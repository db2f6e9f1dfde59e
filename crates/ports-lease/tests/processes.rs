//! Leases between processes: copies of this program hold them, are killed, and start others.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod processes {
    pub(crate) mod copy;
}

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use ports_lease::{LeaseError, Request, lease, leases};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, test_kill_process};

use crate::processes::copy::{self, Copy, lease_alone};

/// What a copy of this program does; by itself it is no test.
#[test]
fn act() {
    copy::act();
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn another_process_is_kept_out_and_told_who_holds_it() {
    let holder = Copy::start("hold", "2200-2219");
    let error = lease_alone(&Request::tcp().exact(holder.port)).unwrap_err();
    let text = error.to_string();
    let LeaseError::Leased { holder: Some(record), .. } = error else { panic!("{error}") };
    let process = &record.processes[0];
    assert_eq!(process.pid, holder.pid());
    assert_eq!(record.lease.as_ref().unwrap().name.as_deref(), Some("hold"));
    assert_eq!(text, format!("tcp port {} is leased by `hold`, held by {process}", holder.port));
    let port = holder.port;
    assert!(holder.end().success());
    assert_eq!(lease_alone(&Request::tcp().exact(port)).unwrap().number(), port);
}

#[test]
fn a_killed_holder_leaves_its_port_at_once() {
    let mut holder = Copy::start("hold", "2220-2239");
    holder.child.kill().unwrap();
    holder.child.wait().unwrap();
    let nobody_starts = copy::starting();
    assert_eq!(lease(&Request::tcp().exact(holder.port)).unwrap().number(), holder.port);
    assert!(leases().unwrap().iter().all(|record| record.port.number() != holder.port));
    drop(nobody_starts);
}

#[test]
fn a_lease_outlives_the_parent_of_its_holder() {
    // A shell between: it is killed, its child goes on.
    let mut parent = Copy::under_a_shell("hold", "2240-2259");
    let holder = parent.holder();
    assert_ne!(holder, parent.pid());
    // Kept: waiting would close it, and with it the input of the holder.
    let input = parent.child.stdin.take();
    kill(parent.pid());
    parent.child.wait().unwrap();
    let error = lease_alone(&Request::tcp().exact(parent.port)).unwrap_err();
    assert!(matches!(error, LeaseError::Leased { .. }), "{error}");
    let port = parent.port;
    let process = pidfd_open(Pid::from_raw(holder.cast_signed()).unwrap(), PidfdFlags::empty());
    drop(input);
    // It has no descriptor left once it has ended.
    poll(&mut [PollFd::new(&process.unwrap(), PollFlags::IN)], None).unwrap();
    assert_eq!(lease_alone(&Request::tcp().exact(port)).unwrap().number(), port);
}

#[test]
fn a_started_program_keeps_what_is_passed_to_it_and_others_do_not() {
    let request = Request::tcp().within("2260-2279".parse().unwrap()).count(2).name("passed");
    let nobody_starts = copy::starting();
    let passed = lease(&request).unwrap();
    let kept = lease(&request.clone().name("kept")).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "echo $PORT $PORT1 $PORT2; exec cat"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    passed.pass_to(&mut command).unwrap();
    let mut child = command.spawn().unwrap();
    drop(command);
    let (first, second) = (passed.number(), passed.number() + 1);
    drop(passed);
    drop(nobody_starts);
    let listed = leases().unwrap();
    let holders = |port: u16| {
        let record = listed.iter().find(|record| record.port.number() == port).unwrap();
        record.processes.iter().map(|process| process.pid).collect::<Vec<_>>()
    };
    assert_eq!((holders(first), holders(second)), (vec![child.id()], vec![child.id()]));
    assert!(holders(kept.number()).contains(&std::process::id()));
    assert!(!holders(kept.number()).contains(&child.id()));

    drop(child.stdin.take());
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(said, format!("{first} {first} {second}\n"));
    assert_eq!(lease_alone(&Request::tcp().exact(first).count(2)).unwrap().number(), first);
}

#[test]
fn a_program_that_the_process_becomes_holds_the_lease() {
    let mut holder = Copy::start("exec", "2280-2299");
    holder.child.stdin.as_mut().unwrap().write_all(b"is it cat?\n").unwrap();
    holder.line_with("is it cat?");
    let error = lease_alone(&Request::tcp().exact(holder.port)).unwrap_err();
    let LeaseError::Leased { holder: Some(record), .. } = error else { panic!("{error}") };
    assert_eq!((record.processes[0].pid, &*record.processes[0].name), (holder.pid(), "cat"));
    let port = holder.port;
    assert!(holder.end().success());
    assert_eq!(lease_alone(&Request::tcp().exact(port)).unwrap().number(), port);
}

#[test]
fn sockets_are_passed_as_systemd_does() {
    let mut holder = Copy::start("exec-bound", "2300-2319");
    drop(holder.child.stdin.take());
    let said = holder.rest();
    let environment = format!("2 {} web-tcp-1:web-udp-1", holder.pid());
    assert!(said.contains(&environment), "{said}");
    assert_eq!(said.matches("socket:[").count(), 2, "{said}");
}

#[test]
fn many_processes_at_once_never_get_the_same() {
    let holders: Vec<Copy> = (0..8).map(|_| Copy::start("hold", "2320-2349")).collect();
    let mut ports: Vec<u16> = holders.iter().map(|holder| holder.port).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), holders.len());
    for holder in holders {
        assert!(holder.end().success());
    }
}

#[test]
#[ignore = "needs root: setresuid(2)"]
fn users_exclude_each_other() {
    for (role, range) in [("hold-as-nobody", "2350-2359"), ("hold", "2360-2369")] {
        let holder = Copy::start(role, range);
        let uid = if role == "hold" { 0 } else { copy::NOBODY };
        let output = Copy::output("refused-as-nobody", &holder.port.to_string());
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}");
        assert!(said.contains(&format!("is leased by `{role}`")), "{said}");
        let listed = leases().unwrap();
        let record = listed.iter().find(|record| record.port.number() == holder.port).unwrap();
        assert_eq!(record.uid, Some(uid));
        let user = record.user.clone().unwrap_or_else(|| format!("user {uid}"));
        let who = format!("held by a process (taken by process {}) of {user},", holder.pid());
        assert!(said.contains(&who), "{said}");
        assert!(holder.end().success());
    }
}

#[test]
#[ignore = "needs root: unshare(2) of the network"]
fn network_namespaces_do_not_exclude_each_other() {
    let holder = Copy::start("hold", "2370-2379");
    let inside = Copy::start("hold-in-a-namespace", &holder.port.to_string());
    assert_eq!(inside.port, holder.port);
    // Neither sees the other.
    let listed = leases().unwrap();
    let records = listed.iter().filter(|record| record.port.number() == holder.port);
    let pids: Vec<u32> = records.flat_map(|record| &record.processes).map(|p| p.pid).collect();
    assert_eq!(pids, [holder.pid()]);
    assert!(test_kill_process(Pid::from_raw(inside.pid().cast_signed()).unwrap()).is_ok());
    assert!(inside.end().success() && holder.end().success());
}

#[test]
#[ignore = "needs root: unshare(2) of the network"]
fn a_machine_without_ipv6_and_with_a_wide_ephemeral_range_can_lease() {
    let said = Copy::output("without-ipv6", "10000-10009");
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{text} {}", String::from_utf8_lossy(&said.stderr));
    assert!(text.contains("both families: 1 listener"), "{text}");
    assert!(text.contains("ephemeral: true"), "{text}");
}

#[test]
#[ignore = "needs root: unshare(2) of the network"]
fn long_lists_of_reserved_ports_are_read_whole() {
    let said = Copy::output("reserved", "2380-2389");
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{text} {}", String::from_utf8_lossy(&said.stderr));
    for count in [1, 100, 27_768] {
        assert!(text.contains(&format!("{count}: {count}\n")), "{text}");
    }
}

#[test]
#[ignore = "needs root: unshare(2) of the user and setresuid(2)"]
fn a_capability_over_another_namespace_binds_no_privileged_port() {
    let said = Copy::output("elsewhere-as-nobody", "1020-1030");
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{text} {}", String::from_utf8_lossy(&said.stderr));
    assert!(text.contains("leased above the floor: true"), "{text}");
}

#[test]
#[ignore = "needs root and ip: unshare(2) of the network"]
fn where_all_ports_are_ephemeral_no_connection_takes_a_leased_one() {
    let said = Copy::output("beside-connections", "1024-65535");
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{text} {}", String::from_utf8_lossy(&said.stderr));
    assert!(text.contains("ephemeral: 300, bound: 300"), "{text}");
}
