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

/// Another address of the same link, which the kernel would not choose.
const SECOND: [&str; 2] = ["10.77.0.7", "fd77::7"];

#[test]
#[ignore = "needs root: makes two hosts with a link between them"]
fn an_interface_given_as_an_address_is_sent_from_by_it_unless_a_source_is_given() {
    let lab = Lab::new();
    ip(&lab.here, &["addr", "add", &format!("{}/20", SECOND[0]), "dev", "veth0"]);
    ip(&lab.here, &["addr", "add", &format!("{}/64", SECOND[1]), "dev", "veth0", "nodad"]);
    let groups = ["239.1.2.5:5005", "[ff15::79]:5006"];
    for (family, group) in groups.into_iter().enumerate() {
        let (first, second) = (HERE[family], SECOND[family]);
        let by_second = format!("udp://{group}?iface={second}");
        let with_source = format!("{by_second}&source={first}");
        for (source, client) in [
            (second, &["connect", &by_second][..]),
            (first, &["connect", &format!("udp://{group}?iface={first}")]),
            (first, &["connect", &by_second, "--source", first]),
            (first, &["connect", &with_source]),
        ] {
            // It hears this one sender only.
            let endpoint = format!("udp://{group}?iface=veth0&source={source}");
            let listener = ports(&lab.there, &["listen", &endpoint, "--service", "echo"]);
            listener.stderr.until(b"listening on ");
            let mut client = ports(&lab.here, client);
            let answers = client.stdout.clone();
            say_until(&mut client, b"to the group", || _ = answers.until(b"to the group"));
            client.end_input();
            assert_eq!(client.end().code, Some(0));
        }
    }
    let echo = ports(&lab.there, &["-v", "listen", "udp://0.0.0.0:5007", "--service", "echo"]);
    echo.stderr.until(b"listening on ");
    let target = format!("udp://255.255.255.255:5007?iface={}", SECOND[0]);
    let mut client = ports(&lab.here, &["connect", &target]);
    say_until(&mut client, b"who is there?", || {
        echo.stderr.until(format!("udp peer {}:", SECOND[0]).as_bytes());
    });
}

#[test]
#[ignore = "needs root: makes two hosts with a link between them"]
fn a_broadcast_gets_there_and_the_answer_back() {
    let lab = Lab::new();
    let echo = ports(&lab.there, &["listen", "udp://0.0.0.0:5002", "--service", "echo"]);
    echo.stderr.until(b"listening on ");
    let of_the_link = format!("udp://{BROADCAST}:5002");
    for (host, address) in [(&lab.here, "10.79.2.1/26"), (&lab.there, "10.79.2.2/26")] {
        ip(host, &["addr", "add", address, "dev", "veth0"]);
    }
    for target in [
        "udp://255.255.255.255:5002?iface=veth0",
        &of_the_link,
        "udp://10.79.2.63:5002",
        "udp://10.79.2.63:5002?iface=veth0",
    ] {
        let mut client = ports(&lab.here, &["connect", target]);
        let answers = client.stdout.clone();
        say_until(&mut client, b"who is there?", || _ = answers.until(b"who is there?"));
        client.end_input();
        assert_eq!(client.end().code, Some(0), "{target}");
    }
}

#[test]
#[ignore = "needs root: makes two hosts with a link between them"]
fn an_address_that_only_looks_like_a_broadcast_is_a_hosts() {
    let lab = Lab::new();
    // Of a network of 20 bits.
    ip(&lab.there, &["addr", "add", "10.77.3.255/20", "dev", "veth0"]);
    let mut client = ports(&lab.here, &["connect", "udp://10.77.3.255:5003"]);
    client.write(b"anybody?");
    client.end_input();
    let ended = client.end();
    let said = "error: udp 10.77.3.255:5003 is unreachable: nothing listens there\n";
    assert_eq!((ended.code, &ended.stderr[..]), (Some(4), said));
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
