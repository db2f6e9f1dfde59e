//! nmap's two formats.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::*;

/// The elements of a document in order, as `path/of/names name="value" ...`; fails where it is not
/// well-formed.
fn elements(xml: &str) -> Vec<String> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().enable_all_checks(true);
    let mut path: Vec<String> = Vec::new();
    let mut all = Vec::new();
    let describe = |path: &[String], start: &BytesStart<'_>| {
        let name = start.name().as_ref().to_owned();
        let mut text = path.iter().chain([&name]).cloned().collect::<Vec<_>>().join("/");
        for attribute in start.attributes() {
            let attribute = attribute.unwrap();
            let (key, value) = (attribute.key.as_ref(), attribute.value.as_ref());
            text = format!("{text} {key}=\"{value}\"");
        }
        (name, text)
    };
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                let (name, text) = describe(&path, &start);
                path.push(name);
                all.push(text);
            }
            Event::Empty(start) => all.push(describe(&path, &start).1),
            Event::End(_) => {
                path.pop();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(path.is_empty(), "not closed: {path:?}");
    all
}

fn xml(events: &[ScanEvent], shown: &[PortState], ended: bool) -> String {
    let out = Shared::default();
    let args = "ports scan --x \"<&>\" \u{1}";
    let mut report = NmapXmlReport::new(out.clone(), args).show(shown);
    for event in events {
        report.event(event).unwrap();
    }
    if ended {
        report.end().unwrap();
        report.end().unwrap();
    }
    drop(report);
    String::from_utf8(out.0.borrow().clone()).unwrap()
}

#[test]
fn a_whole_document() {
    let version = env!("CARGO_PKG_VERSION");
    let text = xml(&events(), &[PortState::Open], true);
    let found: Vec<String> = elements(&text)
        .into_iter()
        .map(|element| element.split(" starttime").next().unwrap().to_owned())
        .collect();
    let expected = [
        format!(
            "nmaprun scanner=\"ports\" args=\"ports scan --x &quot;&lt;&amp;&gt;&quot; \u{fffd}\" start=\"1\" startstr=\"Thu Jan  1 00:00:01 1970\" version=\"{version}\" xmloutputversion=\"1.05\""
        ),
        r#"nmaprun/scaninfo type="connect" protocol="tcp" numservices="3" services="22,443,49999""#.into(),
        r#"nmaprun/verbose level="0""#.into(),
        r#"nmaprun/debugging level="0""#.into(),
        "nmaprun/host".into(),
        r#"nmaprun/host/status state="up" reason="syn-ack" reason_ttl="0""#.into(),
        r#"nmaprun/host/address addr="127.0.0.1" addrtype="ipv4""#.into(),
        "nmaprun/host/hostnames".into(),
        r#"nmaprun/host/hostnames/hostname name="localhost" type="user""#.into(),
        "nmaprun/host/ports".into(),
        r#"nmaprun/host/ports/extraports state="unknown" count="1""#.into(),
        r#"nmaprun/host/ports/extraports/extrareasons reason="no-route" count="1""#.into(),
        r#"nmaprun/host/ports/port protocol="tcp" portid="22""#.into(),
        r#"nmaprun/host/ports/port/state state="open" reason="syn-ack" reason_ttl="0""#.into(),
        r#"nmaprun/host/ports/port/service name="ssh" method="table" conf="3""#.into(),
        r#"nmaprun/host/ports/port protocol="tcp" portid="443""#.into(),
        r#"nmaprun/host/ports/port/state state="open" reason="syn-ack" reason_ttl="0""#.into(),
        r#"nmaprun/host/ports/port/service name="https" method="table" conf="3""#.into(),
        r#"nmaprun/host/times srtt="1060" rttvar="728" to="3975""#.into(),
        "nmaprun/runstats".into(),
        r#"nmaprun/runstats/finished time="2" timestr="Thu Jan  1 00:00:02 1970" summary="ports done at Thu Jan  1 00:00:02 1970; 1 IP address (1 host up) scanned in 0.83 seconds" elapsed="0.83" exit="success""#.into(),
        r#"nmaprun/runstats/hosts up="1" down="0" total="1""#.into(),
    ];
    assert_eq!(found, expected);
    assert!(
        text.contains("<?ports {\"type\":\"scan\",")
            && text.contains("<?ports {\"type\":\"summary\",")
    );
}

#[test]
fn a_shard_has_as_many_services_as_the_scan() {
    let mut events = events();
    if let ScanEvent::Started(info) = &mut events[0] {
        (info.probes, info.shard) = (1, "2/3".parse().unwrap());
    }
    let found = elements(&xml(&events, &PortState::ALL, true));
    assert!(found[1].contains(r#" numservices="3" services="22,443,49999""#), "{}", found[1]);
}

#[test]
fn a_neighbour_answers_in_the_words_of_its_family() {
    for (address, word) in [("10.0.0.1", "arp-response"), ("fd00::1", "nd-response")] {
        let mut events = events();
        if let ScanEvent::Host(host) = &mut events[1] {
            host.address = address.parse().unwrap();
            host.reason = Some(Reason::NeighbourReply);
        }
        let text = xml(&events[..2], &PortState::ALL, true);
        assert!(text.contains(&format!("<status state=\"up\" reason=\"{word}\"")), "{text}");
    }
}

#[test]
fn well_formed_wherever_the_scan_ends() {
    for count in 1..events().len() {
        let text = xml(&events()[..count], &PortState::ALL, false);
        let last = elements(&text).into_iter().rev().nth(1).unwrap();
        assert!(last.ends_with("exit=\"interrupted\""), "{last}");
    }
    assert_eq!(xml(&[], &PortState::ALL, true), "", "no scan, no document");
}

#[test]
fn several_scans_are_one_document() {
    let mut twice = events();
    twice.extend(events());
    let found = elements(&xml(&twice, &PortState::ALL, true));
    let count = |prefix: &str| found.iter().filter(|element| element.starts_with(prefix)).count();
    assert_eq!((count("nmaprun/scaninfo"), count("nmaprun/host ")), (1, 2));
    // In the order that the format has for them.
    let parts =
        found.iter().filter(|element| element.split(' ').next().unwrap().matches('/').count() == 1);
    let parts: Vec<_> = parts.map(|element| element.split(' ').next().unwrap()).collect();
    let order = ["scaninfo", "verbose", "debugging", "host", "host", "runstats"];
    assert_eq!(parts, order.map(|name| format!("nmaprun/{name}")));
    assert!(found.last().unwrap().ends_with("total=\"2\""));
}

#[test]
fn many_rows_are_written_in_parts() {
    let mut all = events();
    let [ScanEvent::Port(row)] = all[2..3] else { panic!() };
    let rows = (0..super::super::host_rows::MAX_HELD + 5).map(|number| {
        let address = std::net::Ipv4Addr::from(0x7f00_0000 + number as u32 / 65_000).into();
        ScanEvent::Port(PortReport { address, port: ((number % 65_000) as u16).into(), ..row })
    });
    all.splice(2..5, rows);
    let found = elements(&xml(&all, &[PortState::Open], true));
    let ports = found.iter().filter(|element| element.contains("/port ")).count();
    assert_eq!(ports, super::super::host_rows::MAX_HELD + 5);
    let hosts = found.iter().filter(|element| element.starts_with("nmaprun/host ")).count();
    assert_eq!(hosts, 3, "one of the two is in both parts");
}

#[test]
fn grepable_lines() {
    let out = Shared::default();
    let mut report = GrepableReport::new(out.clone(), "ports scan localhost");
    report = report.show(&[PortState::Open]);
    for event in events() {
        report.event(&event).unwrap();
    }
    report.end().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "# ports {version} scan initiated Thu Jan  1 00:00:01 1970 as: ports scan localhost\n\
         Host: 127.0.0.1 (localhost)\tStatus: Up\n\
         Host: 127.0.0.1 (localhost)\tPorts: 22/open/tcp//ssh///, 443/open/tcp//https///\n\
         Host: 127.0.0.1 (localhost)\tIgnored State: unknown (1)\n\
         # ports done at Thu Jan  1 00:00:02 1970 -- 1 IP address (1 host up) scanned in 0.83 seconds\n"
    );
    assert_eq!(out.text(), expected);
}
