//! Each format, to the letter.

mod nmap_formats;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ports_core::{Port, Transport};

use super::*;
use crate::block::Shard;
use crate::event::{HostReport, Method, ScanInfo, ScanSummary};
use crate::state::{PortState, Reason, Tally};

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
            addresses: Some("127.0.0.1".to_owned()),
            shown: vec![PortState::Open, PortState::Error],
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
            r#"{{"type":"scan","version":"{version}","started_ms":1500,"method":"connect","transport":"tcp","targets":["localhost"],"ports":"22,443,49999","addresses":"127.0.0.1","show":["open","error"],"hosts":1,"probes":3,"seed":7}}"#
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
  PORT      STATE SERVICE         CLASS   REASON                     RTT
  22/tcp    open  ssh             system  syn-ack               0.085 ms
  443/tcp   open  https           system  syn-ack               1.200 ms
  49999/tcp error -               dynamic no-route                     -

1 host, 1 up: 2 open, 0 closed, 0 filtered, 1 not asked (local errors); 3 probes, 4 sent, in 0.83 s (connect)
";
    assert_eq!(text, expected);
}

#[test]
fn an_old_scan_is_told_at_each_tick() {
    let out = Shared::default();
    let mut report = TableReport::new(out.clone()).hold(Duration::ZERO);
    let [started, host, https, ssh, error, finished] = &events()[..] else { panic!() };
    for event in [started, host, https] {
        report.event(event).unwrap();
    }
    assert_eq!(out.text(), "");
    report.tick().unwrap();
    let first = out.text();
    assert!(first.starts_with("localhost (127.0.0.1)\n") && first.contains("443/tcp"), "{first}");
    for event in [ssh, &ScanEvent::Tick, error, finished] {
        report.event(event).unwrap();
    }
    let text = out.text();
    let rows: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    assert_eq!(rows.len(), 4, "one heading, three rows: {text}");
    assert!(rows[1].starts_with("443/tcp") && rows[2].starts_with("22/tcp"), "{text}");
    assert!(text.contains("\n\n1 host, 1 up: 2 open"), "{text}");
}

#[test]
fn rows_of_many_hosts_name_their_host() {
    let out = Shared::default();
    let mut report = TableReport::new(out.clone()).hold(Duration::ZERO);
    for event in &mut events() {
        if let ScanEvent::Started(info) = event {
            info.hosts = 3;
        }
        report.event(event).unwrap();
        report.tick().unwrap();
    }
    let text = out.text();
    assert!(text.contains("\n  localhost (127.0.0.1) 22/tcp "), "{text}");
    let rtt_ends = |line: &&str| line.ends_with(" ms") || line.ends_with("RTT");
    let list = text.split("  HOST").nth(1).unwrap();
    let widths: Vec<_> = list.lines().skip(1).filter(rtt_ends).map(str::len).collect();
    let heading = "  HOST".len() + list.lines().next().unwrap().len();
    assert!(!widths.is_empty() && widths.iter().all(|width| *width == heading), "{text}");
    assert_eq!(text.matches("PORT").count(), 2, "a section, then a list: {text}");
}

#[test]
fn rows_wait_for_the_tick_and_no_longer() {
    let out = Shared::default();
    let reports: [Box<dyn Report>; 3] = [
        Box::new(JsonlReport::new(out.clone())),
        Box::new(CsvReport::new(out.clone())),
        Box::new(GrepableReport::new(out.clone(), "ports scan").hold(Duration::ZERO)),
    ];
    for mut report in reports {
        for event in &events()[..3] {
            report.event(event).unwrap();
        }
        assert!(!out.text().contains("443"));
        report.event(&ScanEvent::Tick).unwrap();
        assert!(out.take().contains("443"));
    }
}

/// A writer whose text can be seen while it is written.
#[derive(Clone, Default)]
struct Shared(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        // The ports of the scan line are not rows.
        String::from_utf8(self.0.borrow().clone()).unwrap().replace("22,443,49999", "")
    }

    fn take(&self) -> String {
        let text = self.text();
        self.0.borrow_mut().clear();
        text
    }
}

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_is_heard() {
    /// Takes that many bytes.
    struct Closing(usize);
    impl std::io::Write for Closing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    // At once, and where a buffer overflows long before it is flushed.
    for room in [0, 1_000] {
        let reports: [Box<dyn Report>; 5] = [
            Box::new(JsonlReport::new(Closing(room))),
            Box::new(CsvReport::new(Closing(room))),
            Box::new(TableReport::new(Closing(room))),
            Box::new(NmapXmlReport::new(Closing(room), "ports")),
            Box::new(GrepableReport::new(Closing(room), "ports")),
        ];
        for mut report in reports {
            let [started, host, rows @ .., finished] = &events()[..] else { panic!() };
            let many = rows.iter().cycle().take(1_000);
            let all = [started, host].into_iter().chain(many).chain([finished]);
            let error = all.map(|event| report.event(event)).find_map(Result::err);
            let error = error.or_else(|| report.end().err());
            // Equal rows are one row of the table, which then fits.
            if let Some(error) = error {
                assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
            } else {
                assert_eq!(room, 1_000);
            }
        }
    }
}
