//! Files that are whole, cut, foreign or broken.

use proptest::prelude::*;

use super::*;
use crate::comparison::Comparison;

const SCAN: &str = r#"{"type":"scan","transport":"tcp","targets":["a"],"ports":"20-25","addresses":"10.0.0.1","show":["open"],"hosts":1}
{"type":"host","host":"10.0.0.1","name":"a"}
{"type":"port","host":"10.0.0.1","port":22,"transport":"tcp","state":"open","reason":"syn-ack"}
{"type":"summary","unfinished":0,"errors":0}
"#;

const NMAP: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE nmaprun>
<!-- a comment -->
<nmaprun scanner="nmap" args="nmap -oX a.xml 10.0.0.1" start="1" version="7.93">
<scaninfo type="connect" protocol="tcp" numservices="6" services="20-25"/>
<host><status state="up" reason="syn-ack"/><address addr="10.0.0.1" addrtype="ipv4"/>
<address addr="02:00:00:00:00:01" addrtype="mac"/>
<hostnames><hostname name="a&amp;b" type="user"/></hostnames>
<ports><extraports state="closed" count="4"><extrareasons reason="reset" count="4"/></extraports>
<port protocol="tcp" portid="22"><state state="open" reason="syn-ack"/><service name="ssh"/></port>
<port protocol="tcp" portid="25"><state state="filtered" reason="no-response"/></port>
</ports></host>
<runstats><finished time="2" exit="success"/><hosts up="1" down="0" total="1"/></runstats>
</nmaprun>
"#;

fn read(text: &str) -> Result<ScanRecord, ReadRecordError> {
    ScanRecord::read("file", text.as_bytes())
}

#[test]
fn the_same_scan_in_each_format_is_the_same() {
    let (json, xml) = (read(SCAN).unwrap(), read(NMAP).unwrap());
    assert_eq!((json.rows(), xml.rows()), (1, 2));
    assert_eq!((json.hosts_up(), xml.hosts_up()), (1, 1));
    assert_eq!((json.unfinished(), xml.unfinished()), (None, None));
    assert!(Comparison::between(&json, &xml).is_same());
    let address = "10.0.0.1".parse().unwrap();
    let host = xml.host(address, false);
    assert_eq!(host.name().as_deref(), Some("a&b"));
    let view = |port: u16| host.port((Transport::Tcp, port.into()));
    let closed = SeenStates::named("closed").unwrap();
    assert_eq!(view(20), View::In { states: closed, certain: true });
    assert_eq!(view(26), View::Unknown, "not one of the services");
}

#[test]
fn line_ends_and_empty_lines_and_marks_do_not_matter() {
    let plain = read(SCAN).unwrap();
    assert_eq!(read(&SCAN.replace('\n', "\r\n")).unwrap(), plain);
    assert_eq!(read(&format!("\u{feff}\n\n{SCAN}\n \n")).unwrap(), plain);
    assert_eq!(read(SCAN.trim_end()).unwrap(), plain);
    assert_eq!(read(&NMAP.replace('\n', "\r\n")).unwrap(), read(NMAP).unwrap());
}

#[test]
fn the_last_of_several_rows_of_a_port_holds() {
    let row = SCAN.lines().nth(2).unwrap();
    let twice = SCAN.replace(row, &format!("{row}\n{}", row.replace("\"open\"", "\"closed\"")));
    let record = read(&twice).unwrap();
    assert_eq!(record.rows(), 1);
    let change = Comparison::between(&read(SCAN).unwrap(), &record);
    assert_eq!(change.counts.closed, 1);
}

#[test]
fn a_file_cut_anywhere_is_unfinished_or_no_scan() {
    for text in [SCAN, NMAP] {
        let whole = read(text).unwrap();
        let end = text.trim_end().len();
        for cut in 1..end {
            if let Ok(record) = read(&text[..cut]) {
                assert!(record.unfinished().is_some(), "{}", &text[..cut]);
                let comparison = Comparison::between(&whole, &record);
                assert!(comparison.is_same(), "{:?} in {}", comparison.changes, &text[..cut]);
            }
        }
    }
}

#[test]
fn errors_name_file_and_line() {
    for (text, message) in [
        ("", "`file` is empty: it holds no scan"),
        (" \r\n\u{feff}", "`file` is empty: it holds no scan"),
        ("host,port\n", "`file` is neither JSON lines nor XML"),
        ("<html></html>", "`file` holds no scan: its outermost element is not `nmaprun`"),
        ("{\"type\":\"service\"}\n", "`file` holds no scan: no line has the type"),
        (&format!("{SCAN}nonsense\n"), "`file` line 5: not a line of a scan"),
        (&SCAN.replace("20-25", "25-20"), "`file` line 1: `25-20` in the ports: range"),
        (&NMAP.replace("portid=\"25\"", "portid=\"x\""), "`file` line 11: `x` is not a port"),
        (&NMAP.replace("</ports>", "</port>"), "`file` line 12: "),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn hosts_that_only_the_user_calls_up_are_not() {
    let silent = NMAP
        .replace("reason=\"syn-ack\"/><address", "reason=\"user-set\"/><address")
        .replace("state=\"closed\"", "state=\"filtered\"");
    assert_eq!(read(&silent).unwrap().hosts_up(), 1, "one port is open");
    let silent = silent.replace("state state=\"open\"", "state state=\"filtered\"");
    assert_eq!(read(&silent).unwrap().hosts_up(), 0);
}

#[test]
fn nothing_without_an_end_is_held() {
    let long = format!("{{\"type\":\"scan\",\"x\":\"{}", "a".repeat(bounded::MAX_ITEM + 1));
    let error = read(&long).unwrap_err().to_string();
    assert!(error.contains("line 1: more than 16 MiB without an end"), "{error}");
    let long = format!("<nmaprun args=\"{}", "a".repeat(bounded::MAX_ITEM + 1));
    let error = read(&long).unwrap_err().to_string();
    assert!(error.contains("more than 16 MiB without an end"), "{error}");
}

#[test]
fn no_file_makes_a_terminal_do_things() {
    let name = r#""name":"a""#;
    for text in [
        &SCAN.replace(name, r#""name":"a\u001b[2J""#),
        &SCAN.replace(name, r#""name":"a\u009b2J""#),
        &SCAN.replace("20-25", r"20-\u001b]0;x\u0007"),
        &SCAN.replace(r#""tcp""#, "\"\\u001b[2J\""),
        &NMAP.replace("a&amp;b", "a&#27;[2J"),
        &NMAP.replace("a&amp;b", "a\u{1b}[2J"),
        &NMAP.replace("20-25", "20-\u{1b}[2J"),
        &NMAP.replace("</ports>", "</\u{1b}[2J>"),
    ] {
        let error = read(text).unwrap_err();
        assert!(matches!(error, ReadRecordError::Line { .. }), "{error}");
        assert!(!error.to_string().contains(char::is_control), "{error:?}");
    }
    let long = read(&SCAN.replace(name, &format!(r#""name":"{}""#, "a".repeat(256))));
    assert!(long.unwrap_err().to_string().contains("longer than 255 bytes"));
    let long = read(&SCAN.replace("20-25", &"x".repeat(10_000))).unwrap_err().to_string();
    assert!(long.len() < 300, "{long}");
}

#[test]
fn the_scans_of_a_file_are_bounded() {
    let line = SCAN.lines().next().unwrap();
    let many = |count| format!("{line}\n").repeat(count);
    assert!(read(&many(ScanRecord::MAX_SCANS)).is_ok());
    let error = read(&many(ScanRecord::MAX_SCANS + 1)).unwrap_err().to_string();
    assert_eq!(error, "`file` line 4097: more than 4096 scans in one file");

    let scaninfo = NMAP.lines().find(|line| line.starts_with("<scaninfo")).unwrap();
    let more = scaninfo.replace("20-25", "30");
    let xml = NMAP.replace(scaninfo, &format!("{scaninfo}{more}{}", more.replace("tcp", "udp")));
    let record = read(&xml).unwrap();
    let [part] = &record.parts[..] else { panic!("{:?}", record.parts) };
    let ports: Vec<_> = part.ports.iter().map(|(of, set)| (of.name(), set.to_string())).collect();
    assert_eq!(ports, [("tcp", "20-25,30".to_owned()), ("udp", "30".to_owned())]);
}

#[test]
fn runs_of_addresses_are_counted_as_rows() {
    let line = SCAN.lines().next().unwrap().replace("10.0.0.1", "10.0.0.1,10.0.0.3");
    let mut record = ScanRecord { runs: ScanRecord::MAX_ROWS - 3, ..ScanRecord::default() };
    assert!(jsonl::take_line(&mut record, line.as_bytes()).is_ok());
    let refused = jsonl::take_line(&mut record, line.as_bytes());
    assert!(matches!(refused, Err(Refused::TooManyRows)), "{refused:?}");
}

#[test]
fn two_xml_documents_in_one_file_are_two_scans() {
    let closed = NMAP.replace("state state=\"open\"", "state state=\"closed\"");
    let both = read(&format!("{NMAP}{closed}")).unwrap();
    assert_eq!(both.parts.len(), 2);
    assert!(Comparison::between(&both, &read(&closed).unwrap()).is_same());
}

proptest! {
    /// Whatever the bytes are: a record or an error.
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = ScanRecord::read("file", &bytes[..]);
    }

    /// Whole files with some bytes changed: a record or an error.
    #[test]
    fn any_change_is_read(
        xml in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = if xml { NMAP } else { SCAN }.as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(record) = ScanRecord::read("file", &bytes[..]) {
            prop_assert!(Comparison::between(&record, &record).is_same());
        }
    }
}
