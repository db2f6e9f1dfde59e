//! Two hosts: broadcast and multicast over a link, which may go away.

use std::process::Command;
use std::time::Duration;

use super::driver::Ports;
use super::hosts_lab::{BROADCAST, HERE, Lab, THERE, ip};

/// `ports` in the network namespace of a host.
fn ports(host: &str, args: &[&str]) -> Ports {
    let binary = env!("CARGO_BIN_EXE_ports");
    Ports::spawn(Command::new("ip").args(["netns", "exec", host, binary]).args(args))
}

/// Datagrams may be lost, where the machine has much to do: says it again until it was heard.
fn say_until(client: &mut Ports, text: &[u8], heard: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(heard);
        while !waiting.is_finished() {
            client.write(text);
            std::thread::park_timeout(Duration::from_millis(100));
        }
        waiting.join().unwrap();
    });
}

#[test]
#[ignore = "needs root: makes two hosts with a link between them"]
fn a_group_is_heard_on_the_other_host_also_of_one_sender_only() {
    let lab = Lab::new();
    let [v4, v6] = HERE;
    for (group, sender, stranger) in
        [("239.1.2.3:5000", v4, "10.77.0.250"), ("[ff15::77]:5001", v6, "fd77::250")]
    {
        let any = format!("udp://{group}?iface=veth0");
        let from_one = format!("{any}&source={sender}");
        let from_other = format!("{any}&source={stranger}");
        let listeners = [&any, &from_one, &from_other].map(|it| ports(&lab.there, &["listen", it]));
        for listener in &listeners {
            listener.stderr.until(b"listening on ");
        }
        let mut client =
            ports(&lab.here, &["connect", &format!("{any}&ttl=1"), "--source", sender]);
        say_until(&mut client, b"to the group", || {
            listeners[0].stdout.until(b"to the group");
            listeners[1].stdout.until(b"to the group");
        });
        client.end_input();
        assert_eq!(client.end().code, Some(0));
        let [.., mut deaf] = listeners;
        deaf.child.kill().unwrap();
        assert_eq!(deaf.end().stdout, b"", "{from_other}");
    }
}

#[test]
#[ignore = "needs root: makes two hosts with a link between them"]
fn a_broadcast_gets_there_and_the_answer_back() {
    let lab = Lab::new();
    let echo = ports(&lab.there, &["listen", "udp://0.0.0.0:5002", "--service", "echo"]);
    echo.stderr.until(b"listening on ");
    let of_the_link = format!("udp://{BROADCAST}:5002");
    for target in ["udp://255.255.255.255:5002?iface=veth0", &of_the_link] {
        let mut client = ports(&lab.here, &["connect", target]);
        let answers = client.stdout.clone();
        say_until(&mut client, b"who is there?", || _ = answers.until(b"who is there?"));
        client.end_input();
        assert_eq!(client.end().code, Some(0), "{target}");
    }
}

/// Takes the cable out, at both ends.
fn unplug(lab: &Lab) {
    ip(&lab.there, &["link", "del", "veth0"]);
}

#[test]
#[ignore = "needs root: makes two hosts with a link between them"]
fn a_group_is_heard_again_when_its_interface_is_back() {
    let lab = Lab::new();
    let [v4, v6] = HERE;
    for (group, sender, service) in
        [("239.1.2.4:5003", v4, "pipe"), ("[ff15::78]:5004", v6, "echo")]
    {
        let endpoint = format!("udp://{group}?iface=veth0");
        let from_one = format!("{endpoint}&source={sender}");
        let listeners = [&endpoint, &from_one]
            .map(|it| ports(&lab.there, &["listen", it, "--service", service]));
        for listener in &listeners {
            listener.stderr.until(b"listening on ");
        }
        unplug(&lab);
        for listener in &listeners {
            listener.stderr.until(b"is gone");
        }
        lab.link("veth0", HERE, THERE);
        for listener in &listeners {
            listener.stderr.until(b"is back");
        }
        let args = ["connect", &format!("{endpoint}&ttl=1"), "--source", sender];
        let mut client = ports(&lab.here, &args);
        let answers = client.stdout.clone();
        say_until(&mut client, b"again", || {
            if service == "echo" {
                answers.until(b"again");
            } else {
                for listener in &listeners {
                    listener.stdout.until(b"again");
                }
            }
        });
    }
}

/// Such a group is a part of the socket's address, with the interface that is gone.
#[test]
#[ignore = "needs root: makes two hosts with a link between them"]
fn a_group_of_a_link_that_is_gone_ends_the_listener() {
    let lab = Lab::new();
    let args = ["listen", "udp://[ff12::78]:5005?iface=veth0", "--service", "echo"];
    let listener = ports(&lab.there, &args);
    listener.stderr.until(b"listening on ");
    unplug(&lab);
    let ended = listener.end();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("the interface of ff12::78 is gone"), "{}", ended.stderr);
}
