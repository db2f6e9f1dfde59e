//! Leases whose locks are files, as they are elsewhere than on Linux: between processes, some of which
//! are killed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files {
    pub(crate) mod copy;
}

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ports_core::Transport;
use ports_lease::{Lease, LeaseError, Request, bind, lease, leases_in};

use crate::files::copy::{self, Copy};

/// What a copy of this program does; by itself it is no test.
#[test]
fn act() {
    copy::act();
}

/// One test at a time: a program that is being started has copies of all descriptors of this process for
/// a moment, and so holds its leases.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn request(directory: &Path, range: &str) -> Request {
    let request = Request::tcp().address(copy::address());
    request.within(range.parse().unwrap()).lock_directory(directory)
}

#[test]
fn another_process_is_kept_out_and_told_who_holds_it() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    let holder = Copy::start("hold", "2700-2719", place.path());
    let exact = request(place.path(), "2700-2719").exact(holder.port);
    let error = lease(&exact).unwrap_err();
    let text = error.to_string();
    let LeaseError::Leased { holder: Some(record), .. } = error else { panic!("{error}") };
    let label = record.lease.unwrap();
    assert_eq!((label.name.as_deref(), label.taken_by), (Some("hold"), holder.pid()));
    let who = format!("`hold`, held by a process (taken by process {})", holder.pid());
    assert!(text.contains(&who), "{text}");
    // Locks elsewhere are others.
    let other = tempfile::tempdir().unwrap();
    assert_eq!(lease(&exact.clone().lock_directory(other.path())).unwrap().number(), holder.port);
    let port = holder.port;
    holder.end();
    assert_eq!(lease(&exact).unwrap().number(), port);
}

#[test]
fn a_killed_holder_leaves_its_port_at_once() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    for _ in 0..10 {
        let holder = Copy::start("hold", "2720-2729", place.path());
        let port = holder.port;
        let exact = request(place.path(), "2720-2729").exact(port);
        assert!(matches!(lease(&exact), Err(LeaseError::Leased { holder: Some(_), .. })));
        holder.kill();
        assert_eq!(leases_in(place.path()).unwrap(), []);
        assert_eq!(lease(&exact).unwrap().number(), port);
    }
}

#[test]
fn no_two_processes_have_the_same_while_others_are_killed() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    // Fewer ports than there are processes, so that all meet at all of them.
    let range = "2730-2733";
    let takers: Vec<Copy> = (0..5).map(|_| Copy::start("take", range, place.path())).collect();
    for _ in 0..20 {
        Copy::start("grab", range, place.path()).kill();
    }
    let taken: usize = takers.into_iter().map(Copy::end).sum();
    assert!(taken > 0);
    assert_eq!(leases_in(place.path()).unwrap(), []);
}

#[test]
fn leases_are_listed_until_they_are_let_go() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("locks");
    assert_eq!(leases_in(&directory).unwrap(), []);
    let both = Request::tcp_and_udp().address(copy::address()).count(2).name("list\nme");
    let both = both.within("2740-2759".parse().unwrap()).lock_directory(&directory);
    let held = lease(&both).unwrap();
    let listed = leases_in(&directory).unwrap();
    let ports: Vec<_> = listed.iter().map(|record| (record.port, record.transport)).collect();
    let expected: Vec<_> = held
        .ports()
        .flat_map(|port| [Transport::Tcp, Transport::Udp].map(|transport| (port, transport)))
        .collect();
    assert_eq!(ports, expected);
    for record in listed {
        let label = record.lease.unwrap();
        assert_eq!((label.name.as_deref(), label.taken_by), (Some("list?me"), std::process::id()));
        assert!(label.since.elapsed().is_ok());
    }
    held.release();
    assert_eq!(leases_in(&directory).unwrap(), []);
}

#[test]
fn no_port_is_given_twice_within_a_process_and_bound_ones_serve() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    let request = request(place.path(), "2760-2769");
    let mut held: Vec<Lease> = Vec::new();
    let error = loop {
        match lease(&request) {
            Ok(lease) => held.push(lease),
            Err(error) => break error,
        }
    };
    let LeaseError::Exhausted { leased, in_use, squatted: 0, .. } = error else {
        panic!("{error}")
    };
    assert_eq!((leased as usize, leased + in_use), (held.len(), 10));
    drop(held);
    let bound = bind(&request).unwrap();
    std::net::TcpStream::connect((copy::address(), bound.lease().number())).unwrap();
}

#[test]
fn where_there_can_be_no_locks_it_is_said_where() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("locks");
    let error = lease(&request(&below, "2770-2779")).unwrap_err();
    let LeaseError::LockFile { path, .. } = &error else { panic!("{error}") };
    assert_eq!(path, &below);
    assert!(error.to_string().contains(&*below.to_string_lossy()), "{error}");
    assert!(leases_in(&file).is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn on_linux_a_started_program_can_hold_them() {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    let held = lease(&request(place.path(), "2780-2789")).unwrap();
    let port = held.number();
    let exact = request(place.path(), "2780-2789").exact(port);
    let mut command = Command::new("sh");
    command.args(["-c", "echo $PORT; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    held.pass_to(&mut command).unwrap();
    let mut child = command.spawn().unwrap();
    drop((command, held));
    assert!(matches!(lease(&exact), Err(LeaseError::Leased { .. })));
    drop(child.stdin.take());
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(said, format!("{port}\n"));
    assert_eq!(lease(&exact).unwrap().number(), port);
}
