//! Programs that are started or become, and this process where that fails.

use std::io::Read as _;
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use super::*;

/// Set for the copy of a test that is to become another program.
const CHILD: &str = "PORTS_TEST_EXEC";

#[test]
fn a_started_program_keeps_what_it_is_given_and_others_do_not() {
    let (mut here, there) = io::pipe().unwrap();
    let number = there.as_raw_fd();
    let look = format!("test -e /proc/self/fd/{number}");
    let mut other = Command::new("sh");
    assert!(!other.args(["-c", &look]).status().unwrap().success());

    let mut command = Command::new("sh");
    // By its name: `>&` takes one digit in some shells.
    command.args(["-c", &format!("{look} && echo kept >/proc/self/fd/{number}")]);
    keep_open(&mut command, vec![there.into()]);
    assert!(command.status().unwrap().success());
    drop(command);
    let mut said = String::new();
    here.read_to_string(&mut said).unwrap();
    assert_eq!(said, "kept\n");
}

fn copy(test: &str, mode: &str) -> std::process::Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("handover::tests::{test}"), "--nocapture"])
        .env(CHILD, mode)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
#[expect(clippy::exit, reason = "the answer of the copy is its exit code")]
fn the_program_becomes_another_with_its_sockets_from_three_on() {
    if std::env::var_os(CHILD).is_some() {
        let first: OwnedFd = UdpSocket::bind("127.0.0.1:0").unwrap().into();
        let (second, kept) = UnixStream::pair().unwrap();
        let mut command = Command::new("sh");
        let kind = |number: i32| format!("readlink /proc/self/fd/{number}");
        command.args(["-c", &format!("{} && {} && echo both", kind(3), kind(4))]);
        let error = exec_with(&mut command, vec![kept.into()], vec![first, second.into()]);
        eprintln!("{error}");
        std::process::exit(9);
    }
    let output = copy("the_program_becomes_another_with_its_sockets_from_three_on", "exec");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("both"), "{text} {}", String::from_utf8_lossy(&output.stderr));
    assert!(text.matches("socket:[").count() >= 2, "{text}");
}

#[test]
#[expect(clippy::exit, reason = "the answer of the copy is its exit code")]
fn what_stood_there_is_back_where_there_is_no_such_program() {
    if std::env::var_os(CHILD).is_some() {
        let target = |number| std::fs::read_link(format!("/proc/self/fd/{number}")).ok();
        // Of what is passed, one is below and one above a number that something else has.
        let mut passed: Vec<OwnedFd> = vec![UdpSocket::bind("127.0.0.1:0").unwrap().into()];
        let other = std::fs::File::open("/dev/null").unwrap();
        let number = other.as_raw_fd();
        let meant = usize::try_from(number - FIRST_PASSED_DESCRIPTOR).unwrap() + 1;
        passed.resize_with(meant, || UdpSocket::bind("127.0.0.1:0").unwrap().into());
        let error = exec_with(&mut Command::new("/no/such/program"), Vec::new(), passed);
        let same = target(number) == Some("/dev/null".into());
        let not_found = matches!(
            error,
            ExecError::Program(error) if error.kind() == io::ErrorKind::NotFound
        );
        std::process::exit(if same && not_found { 7 } else { 8 });
    }
    let output = copy("what_stood_there_is_back_where_there_is_no_such_program", "fail");
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[expect(clippy::exit, reason = "the answer of the copy is its exit code")]
fn after_a_failure_all_descriptors_are_as_they_were() {
    if std::env::var_os(CHILD).is_some() {
        // One number that is somebody's, the next ones free, and what is passed beyond.
        let other = std::fs::File::open("/dev/null").unwrap();
        let number = other.as_raw_fd();
        let count = usize::try_from(number - FIRST_PASSED_DESCRIPTOR).unwrap() + 3;
        let beyond = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            rustix::io::fcntl_dupfd_cloexec(&socket, number + 100).unwrap()
        };
        let kept = beyond();
        let (was_free, kept_number) = (number + 1, kept.as_raw_fd());
        let passed = (0..count).map(|_| beyond()).collect();
        let look = |number| {
            let target = std::fs::read_link(format!("/proc/self/fd/{number}")).ok();
            // SAFETY: F_GETFD reads no memory, and any number may be asked about.
            (target, unsafe { libc::fcntl(number, libc::F_GETFD) })
        };
        let looks = || [number, was_free, kept_number].map(look);
        let before = looks();
        let mut command = Command::new("/no/such/program");
        let error = exec_with(&mut command, vec![kept], passed);
        assert!(matches!(error, ExecError::Program(_)), "{error:?}");
        let after = looks();
        eprintln!("{before:?}\n{after:?}");
        std::process::exit(if before == after { 7 } else { 8 });
    }
    let output = copy("after_a_failure_all_descriptors_are_as_they_were", "fail");
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_thread_moves_descriptors_in_a_table_of_its_own() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let number = file.as_raw_fd();
    let target = || std::fs::read_link(format!("/proc/thread-self/fd/{number}")).ok();
    thread::scope(|scope| {
        let overwrite = || {
            own_table().unwrap();
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            // SAFETY: the table is this thread's, and `file` in it is not used any more.
            checked(unsafe { libc::dup2(socket.as_raw_fd(), number) }).unwrap();
            target()
        };
        let there = scope.spawn(overwrite).join().unwrap().unwrap();
        assert!(there.to_string_lossy().starts_with("socket:"), "{there:?}");
    });
    assert_eq!(target(), Some("/dev/null".into()));
}

#[test]
fn a_command_that_failed_moves_nothing_when_it_is_used_again() {
    let socket: OwnedFd = UdpSocket::bind("127.0.0.1:0").unwrap().into();
    let mut command = Command::new("/no/such/program");
    let error = exec_with(&mut command, Vec::new(), vec![socket]);
    assert!(matches!(error, ExecError::Program(_)), "{error:?}");
    assert_eq!(command.exec().kind(), io::ErrorKind::InvalidInput);
}
