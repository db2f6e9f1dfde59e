//! Each format, to the letter.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ports_core::{Port, Transport};

use super::*;
use crate::block::Shard;
use crate::event::{HostReport, Method, ScanInfo, ScanSummary};
use crate::state::{Reason, Tally};

fn events() -> Vec<ScanEvent> {
    let address: IpAddr = "127.0.0.1".parse().unwrap();
    let port = |port, reason, rtt| {
        ScanEvent::Port(PortReport {
            address,
            port: Port::new(port),
            transport: Transport::Tcp,
            reason,
            rtt,
            attempts: 1,
        })
    };
    vec![
        ScanEvent::Started(ScanInfo {
            started: UNIX_EPOCH + Duration::from_millis(1500),
            method: Method::Connect,
            transport: Transport::Tcp,
            targets: Arc::new(["localhost".to_owned()]),
            ports: "22,443,49999".to_owned(),
            hosts: 1,
            probes: 3,
            seed: 7,
            shard: Shard::WHOLE,
        }),
        ScanEvent::Host(HostReport {
            address,
            name: Some("localhost".into()),
            rtt: Duration::from_micros(85),
            reason: None,
        }),
        port(443, Reason::SynAck, Some(Duration::from_micros(1200))),
        port(22, Reason::SynAck, Some(Duration::from_micros(85))),
        port(49999, Reason::NoRoute, None),
        ScanEvent::Finished(ScanSummary {
            hosts: 1,
            hosts_up: 1,
            not_scanned: None,
            tally: Tally {
                probes: 3,
                sent: 4,
                open: 2,
                closed: 0,
                filtered: 0,
                errors: 1,
                open_filtered: 0,
            },
            first_error: Some(Reason::NoRoute),
            unfinished: 0,
            kernel_drops: 0,
            elapsed: Duration::from_millis(830),
            method: Method::Connect,
            resumed: false,
        }),
    ]
}

fn written(make: impl FnOnce(&mut Vec<u8>) -> Box<dyn Report + '_>) -> String {
    let mut out = Vec::new();
    let mut report = make(&mut out);
    for event in events() {
        report.event(&event).unwrap();
    }
    drop(report);
    String::from_utf8(out).unwrap()
}

#[test]
fn jsonl() {
    let text = written(|out| Box::new(JsonlReport::new(out)));
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        &format!(
            r#"{{"type":"scan","version":"{version}","started_ms":1500,"method":"connect","transport":"tcp","targets":["localhost"],"ports":"22,443,49999","hosts":1,"probes":3,"seed":7}}"#
        ),
        r#"{"type":"host","host":"127.0.0.1","name":"localhost","state":"up","rtt_us":85}"#,
        r#"{"type":"port","host":"127.0.0.1","port":443,"transport":"tcp","state":"open","reason":"syn-ack","service":"https","rtt_us":1200,"attempts":1}"#,
        r#"{"type":"port","host":"127.0.0.1","port":22,"transport":"tcp","state":"open","reason":"syn-ack","service":"ssh","rtt_us":85,"attempts":1}"#,
        r#"{"type":"port","host":"127.0.0.1","port":49999,"transport":"tcp","state":"error","reason":"no-route","service":null,"rtt_us":null,"attempts":1}"#,
        r#"{"type":"summary","hosts":1,"hosts_up":1,"probes":3,"sent":4,"open":2,"closed":0,"filtered":0,"open_filtered":0,"errors":1,"unfinished":0,"kernel_drops":0,"elapsed_ms":830,"method":"connect"}"#,
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_shard_and_a_resumed_scan_say_so() {
    let mut events = events();
    let mut out = Vec::new();
    if let ScanEvent::Started(info) = &mut events[0] {
        info.shard = "2/3".parse().unwrap();
    }
    if let Some(ScanEvent::Finished(summary)) = events.last_mut() {
        summary.resumed = true;
    }
    for event in [&events[0], &events[5]] {
        JsonlReport::new(&mut out).event(event).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].ends_with(r#","seed":7,"shard":"2/3"}"#), "{text}");
    assert!(lines[1].ends_with(r#","method":"connect","resumed":true}"#), "{text}");
}

#[test]
fn csv() {
    let text = written(|out| Box::new(CsvReport::new(out)));
    assert_eq!(
        text,
        "host,port,transport,state,reason,service,rtt_us,attempts\n\
         127.0.0.1,443,tcp,open,syn-ack,https,1200,1\n\
         127.0.0.1,22,tcp,open,syn-ack,ssh,85,1\n\
         127.0.0.1,49999,tcp,error,no-route,,,1\n"
    );
}

#[test]
fn table_is_in_order_and_sums_up() {
    let text = written(|out| Box::new(TableReport::new(out)));
    let expected = "\
localhost (127.0.0.1)
  PORT       STATE     SERVICE            CLASS    REASON                     RTT
  22/tcp     open      ssh                system   syn-ack               0.085 ms
  443/tcp    open      https              system   syn-ack               1.200 ms
  49999/tcp  error     -                  dynamic  no-route                     -

1 host, 1 up: 2 open, 0 closed, 0 filtered, 1 not asked (local errors); 4 probes in 0.83 s (connect)
";
    assert_eq!(text, expected);
}

#[test]
fn a_writer_that_fails_is_heard() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let started = &events()[0];
    for mut report in
        [Box::new(JsonlReport::new(Closed)) as Box<dyn Report>, Box::new(CsvReport::new(Closed))]
    {
        assert_eq!(report.event(started).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
