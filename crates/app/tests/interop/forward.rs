//! `ports forward` between other programs.

use super::driver::{Ports, noise};
use super::{LENGTH, ncat_listener, other, socat_listener};

fn forward(target: &str) -> Ports {
    Ports::start(&["forward", "tcp://127.0.0.1:0", target])
}

#[test]
#[ignore = "needs ncat and socat"]
fn ncat_and_socat_move_megabytes_through_our_forwarding() {
    let (_socat, target) = socat_listener("PIPE");
    let ports = forward(&target.to_string());
    let address = ports.forwarding(0);
    let mut client = other("socat", &["-t", "30", "-", &format!("TCP:{address}")]);
    let data = noise(LENGTH);
    let feeding = client.feed(data.clone());
    let ended = client.end();
    feeding.join().unwrap().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout == data, "{} of {LENGTH} bytes", ended.stdout.len());

    let (mut listener, target) = ncat_listener();
    listener.end_input();
    let ports = forward(&target.to_string());
    let address = ports.forwarding(0);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let mut client = other("ncat", &["--send-only", &host, &port]);
    let feeding = client.feed(data.clone());
    assert_eq!(client.end().code, Some(0));
    feeding.join().unwrap().unwrap();
    assert!(listener.end().stdout == data);
}

#[test]
#[ignore = "needs iperf3"]
fn iperf3_measures_through_our_forwarding() {
    // It takes no port 0.
    let server = "exec iperf3 -s -B 127.0.0.1 -p $PORT --forceflush";
    let server = Ports::start(&["lease", "--", "sh", "-c", server]);
    let port = server.stdout.line("Server listening on ", 0);
    let port = port.split(' ').next().unwrap();
    let ports = forward(&format!("127.0.0.1:{port}"));
    let here = ports.forwarding(0).port().to_string();
    for (number, direction) in [&[][..], &["-R"]].into_iter().enumerate() {
        // Not while it is busy with the end of the one before.
        server.stdout.line("Server listening on ", number);
        // Several times what the kernel may hold of four streams.
        let args = ["-c", "127.0.0.1", "-p", &here, "-n", "512M", "-P", "4", "-J"];
        let ended = other("iperf3", &[&args[..], direction].concat()).end();
        assert_eq!(ended.code, Some(0), "{}", String::from_utf8_lossy(&ended.stdout));
        let report: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert!(report["error"].is_null(), "{}", report["error"]);
        // It does not wait for what is under way when the last byte is sent.
        assert!(report["end"]["sum_sent"]["bytes"].as_u64().unwrap() >= 512 << 20);
        let streams = report["end"]["streams"].as_array().unwrap();
        assert_eq!(streams.len(), 4);
        for stream in streams {
            assert!(stream["receiver"]["bytes"].as_u64().unwrap() > 1 << 20, "{stream}");
        }
    }
}
