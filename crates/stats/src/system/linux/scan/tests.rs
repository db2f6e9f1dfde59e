//! The descriptors of this process, which the test opened itself.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::*;
use crate::system::starting::starting;

/// Descriptors that are left to the tests beside one that takes as many as it gets.
const FOR_OTHERS: usize = 500;

/// For a test that takes high descriptors: one at a time.
fn high_descriptors() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn everything<'a>() -> Search<'a> {
    Search { is_wanted: &|_| true, known: &|_| &[], missing: None }
}

fn run_here(pids: &[u32], search: &Search<'_>) -> Result<Vec<Part>, Errno> {
    run(Path::new(PROC), pids, search)
}

fn inode(socket: &UdpSocket) -> u64 {
    std::fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap().ino()
}

fn found_in(parts: &[Part]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for part in parts {
        let Seen::Sockets { found, .. } = &part.seen else { panic!("{part:?}") };
        assert!(found.iter().all(|found| (part.from..part.end).contains(&found.descriptor)));
        all.extend(found);
    }
    all.sort_by_key(|found| found.descriptor);
    all
}

#[test]
fn a_socket_of_this_process_is_found_with_its_name() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let pid = std::process::id();
    assert!(processes(Path::new(PROC)).unwrap().iter().any(|listing| listing.pid == pid));
    let parts = run_here(&[pid], &everything()).unwrap();
    let found = Found { descriptor: socket.as_raw_fd() as u32, inode: inode(&socket) };
    assert!(found_in(&parts).contains(&found));
    let Seen::Sockets { holder: Some(holder), .. } = &parts[0].seen else { panic!("no holder") };
    assert_eq!(holder.uid, rustix::process::getuid().as_raw());
    assert!(!holder.name.is_empty());
}

#[test]
fn a_process_that_is_gone_is_no_error() {
    let parts = run_here(&[u32::MAX], &everything()).unwrap();
    assert!(matches!(parts[..], [Part { seen: Seen::Gone, .. }]));
    assert!(run_here(&[], &everything()).unwrap().is_empty());
}

#[test]
fn a_process_lives_on_in_its_other_threads() {
    let proc = tempfile::tempdir().unwrap();
    let process = proc.path().join("7");
    // The first thread has ended: it is listed, and has no descriptors.
    std::fs::create_dir_all(process.join("task/7/fd")).unwrap();
    std::fs::create_dir_all(process.join("fd")).unwrap();
    let descriptors = process.join("task/9/fd");
    std::fs::create_dir_all(&descriptors).unwrap();
    std::fs::write(process.join("task/9/comm"), "worker\n").unwrap();
    std::fs::write(process.join("comm"), "server\n").unwrap();
    for (descriptor, link) in [("0", "/dev/null"), ("3", "socket:[5]"), ("200", "socket:[6]")] {
        std::os::unix::fs::symlink(link, descriptors.join(descriptor)).unwrap();
    }
    let parts = run(proc.path(), &[7], &everything()).unwrap();
    let [3, 200] = found_in(&parts).iter().map(|found| found.descriptor).collect::<Vec<_>>()[..]
    else {
        panic!("{parts:?}")
    };
    let Seen::Sockets { holder: Some(holder), .. } = &parts[0].seen else { panic!("no holder") };
    assert_eq!(&*holder.name, "server");
}

#[test]
fn a_large_process_is_read_in_parts_and_whole() {
    let _turn = high_descriptors();
    // Duplicates high up, on both sides of the seams, whatever the limit of descriptors leaves.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (_, most) = (0, rustix::process::getrlimit(rustix::process::Resource::Nofile));
    let room = most.current.unwrap_or(u64::MAX).min(2 * u64::from(SPLIT) + 1000) as usize;
    let mut copies = Vec::new();
    while copies.len() + FOR_OTHERS < room
        && let Ok(copy) = socket.try_clone()
    {
        copies.push(copy);
    }
    let parts = run_here(&[std::process::id()], &everything()).unwrap();
    let found = found_in(&parts);
    let wanted = inode(&socket);
    let descriptors: Vec<u32> =
        found.iter().filter(|found| found.inode == wanted).map(|found| found.descriptor).collect();
    for copy in copies.iter().chain([&socket]) {
        assert!(descriptors.binary_search(&(copy.as_raw_fd() as u32)).is_ok());
    }
    assert_eq!(descriptors.len(), copies.len() + 1);
    let highest = *descriptors.last().unwrap();
    assert_eq!(parts.len() > 1, highest > SPLIT + 2, "{} parts, up to {highest}", parts.len());
}

#[test]
fn a_large_process_with_gaps_is_read_once() {
    let _turn = high_descriptors();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // A few descriptors on both sides of a wide gap, and of the seam in it.
    let highest = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let highest = highest.current.unwrap_or(u64::MAX).min(2 * u64::from(SPLIT)) as i32 - 1;
    let copies: Vec<_> = [highest - 500, highest - 100, highest - 1]
        .iter()
        .map(|least| rustix::io::fcntl_dupfd_cloexec(&socket, *least).unwrap())
        .collect();
    let found = found_in(&run_here(&[std::process::id()], &everything()).unwrap());
    let wanted = inode(&socket);
    let descriptors: Vec<u32> =
        found.iter().filter(|found| found.inode == wanted).map(|found| found.descriptor).collect();
    let mut expected: Vec<u32> = copies.iter().map(|copy| copy.as_raw_fd() as u32).collect();
    expected.push(socket.as_raw_fd() as u32);
    expected.sort_unstable();
    assert_eq!(descriptors, expected);
}

#[test]
fn what_is_known_and_still_wanted_is_not_read_again() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let descriptor = socket.as_raw_fd() as u32;
    // Not true, so that it shows whether it is believed.
    let known = [Found { descriptor, inode: 1 }];
    let search = Search { is_wanted: &|inode| inode == 1, known: &|_| &known, missing: None };
    let parts = run_here(&[std::process::id()], &search).unwrap();
    assert!(found_in(&parts).contains(&known[0]));
    let search = Search { is_wanted: &|inode| inode != 1, known: &|_| &known, missing: None };
    let parts = run_here(&[std::process::id()], &search).unwrap();
    assert!(found_in(&parts).contains(&Found { descriptor, inode: inode(&socket) }));
}

#[test]
fn the_search_ends_when_all_is_found() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let missing: Missing = [(inode(&socket), AtomicBool::new(false))].into_iter().collect();
    let search = Search { is_wanted: &|_| true, known: &|_| &[], missing: Some(&missing) };
    // Far more than two threads can have begun by then, all of them this process.
    let pids = vec![std::process::id(); 200];
    let parts = run_here(&pids, &search).unwrap();
    assert!(parts.len() < pids.len(), "{} parts", parts.len());
    assert!(missing.values().all(|found| found.load(Ordering::Relaxed)));
}

#[test]
fn names_and_links() {
    assert_eq!(number(b"4294967295"), Some(u32::MAX));
    for name in [&b""[..], b".", b"..", b"12a", b"4294967296"] {
        assert_eq!(number(name), None);
    }
    assert_eq!(reader::inode_of_link(b"socket:[4711]"), Some(4711));
    assert_eq!(reader::inode_of_link(b"pipe:[4711]"), None);
    assert_eq!(descriptors_path(u32::MAX, &mut [0; 16]), b"4294967295/fd");
    assert_eq!(descriptors_path(0, &mut [0; 16]), b"0/fd");
}

#[test]
fn a_panic_on_one_thread_is_passed_on_and_the_others_end() {
    let _socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let search = Search { is_wanted: &|_| panic!("asked"), known: &|_| &[], missing: None };
    let pids = vec![std::process::id(); 16];
    let run = || run_here(&pids, &search).map(|parts| parts.len());
    let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    assert!(run.is_err(), "{run:?}");
}

/// Set for the copy of a test that may have no further thread.
const ALONE: &str = "PORTS_TEST_NO_THREAD";

#[test]
#[expect(clippy::exit, reason = "the answer of the copy is its exit code")]
fn where_no_thread_is_to_be_had_one_reads_all() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    if std::env::var_os(ALONE).is_some() {
        // The limit is not root's: this thread becomes somebody else.
        if rustix::process::getuid().is_root() {
            rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(65_534)).unwrap();
        }
        setrlimit(Resource::Nproc, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
        assert!(thread::Builder::new().spawn(|| ()).is_err());
        let pids = vec![std::process::id(); 8];
        let read = run_here(&pids, &everything()).map(|parts| parts.len());
        std::process::exit(if read == Ok(pids.len()) { 7 } else { 8 });
    }
    let name = "system::linux::scan::tests::where_no_thread_is_to_be_had_one_reads_all";
    let mut copy = Command::new(std::env::current_exe().unwrap());
    copy.args(["--exact", name, "--nocapture"]).env(ALONE, "1");
    copy.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let starts = starting();
    let copy = copy.spawn().unwrap();
    drop(starts);
    let output = copy.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
}
