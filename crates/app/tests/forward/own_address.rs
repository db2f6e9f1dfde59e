//! A target that is an address of this machine's own interfaces, in a network made for it.

use std::panic::resume_unwind;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use rustix::process::Signal;

use crate::driver::{Ports, run};

/// Runs `test` in a network with loopback and one more interface; processes that it starts are in it.
fn in_own_network(test: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        for words in [
            "link set lo up",
            "link add own0 type veth peer name own1",
            "address add 10.9.9.1/24 dev own0",
            "address add fd09::1/64 dev own0 nodad",
            "link set own0 up",
        ] {
            assert!(Command::new("ip").args(words.split(' ')).status().unwrap().success());
        }
        test();
    });
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

#[test]
#[ignore = "needs root: a network namespace, a veth pair"]
fn an_own_address_of_any_interface_is_where_a_wildcard_listens() {
    in_own_network(|| {
        for (listen, target) in [
            (":8080", "10.9.9.1:8080"),
            ("0.0.0.0:8080", "10.9.9.1:8080"),
            ("[::]:8080", "10.9.9.1:8080"),
            ("[::]:8080", "[fd09::1]:8080"),
            ("udp://:8080", "udp://10.9.9.1:8080"),
            ("10.9.9.1:8080", "10.9.9.1:8080"),
        ] {
            let ended = run(&["forward", listen, target]);
            assert_eq!(ended.code, Some(2), "{listen} {target}: {}", ended.stderr);
            assert!(ended.stderr.contains("forward to itself for ever"), "{}", ended.stderr);
        }
        // Another host, another port, another of its addresses.
        for (listen, target) in [
            (":8080", "10.9.9.2:8080"),
            (":8080", "10.9.9.1:8081"),
            ("127.0.0.1:8080", "10.9.9.1:8080"),
            ("0.0.0.0:8080", "[fd09::1]:8080"),
        ] {
            let ports = Ports::start(&["forward", listen, target]);
            ports.forwarding(0);
            ports.signal(Signal::TERM);
            assert_eq!(ports.end().code, Some(143), "{listen} {target}");
        }
    });
}
