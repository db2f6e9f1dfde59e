//! Tests of each program's output, whole and cut off.

use super::*;

fn endpoints(endpoints: &[&str]) -> BTreeSet<SocketAddrV4> {
    endpoints.iter().map(|endpoint| endpoint.parse().unwrap()).collect()
}

#[test]
fn reads_each_format() {
    let bare = r#"{"open":[80,22],"closed":65533,"silent":0,"local_errors":0}"#;
    let json = concat!(
        r#"{"type":"scan","targets":["127.0.0.1"]}"#,
        "\n",
        r#"{"type":"port","host":"127.0.0.1","port":22,"state":"open","reason":"syn-ack"}"#,
        "\n",
        r#"{"type":"port","host":"127.0.0.1","port":23,"state":"closed"}"#,
        "\n",
        r#"{"type":"port","host":"127.0.0.1","port":80,"state":"open"}"#,
        "\n",
        r#"{"type":"summary","open":2,"errors":0}"#,
        "\n",
    );
    let nmap = "# Nmap 7.93 scan initiated\nHost: 127.0.0.1 ()\tStatus: Up\n\
        Host: 127.0.0.1 ()\tPorts: 22/open/tcp//ssh///, 23/filtered/tcp/////, \
        80/open/tcp//http///\tIgnored State: closed (65532)\n# Nmap done at now\n";
    let masscan = "#masscan\nopen tcp 80 127.0.0.1 1795365383\nopen tcp 22 127.0.0.1 1795365384\n\
        open tcp 80 127.0.0.1 1795365385\n# end\n";
    let rustscan = "127.0.0.1 -> [80,22]\n";
    for (format, output) in [
        (OutputFormat::Bare, bare),
        (OutputFormat::JsonLines, json),
        (OutputFormat::NmapGrepable, nmap),
        (OutputFormat::MasscanList, masscan),
        (OutputFormat::RustScanGreppable, rustscan),
    ] {
        let expected = endpoints(&["127.0.0.1:22", "127.0.0.1:80"]);
        assert_eq!(open_ports(format, output).unwrap(), expected);
    }
}

#[test]
fn hosts_are_told_apart() {
    let nmap = "Host: 10.78.0.1 ()\tPorts: 80/open/tcp//http///\n\
        Host: 10.78.0.2 ()\tPorts: 80/closed/tcp//http///\n\
        Host: 10.78.0.3 (name)\tPorts: 80/open/tcp//http///\n# Nmap done\n";
    let masscan = "open tcp 80 10.78.0.1 1\nopen tcp 80 10.78.0.3 1\n# end\n";
    let zmap = OutputFormat::ZmapAddresses { port: 80 };
    for (format, output) in [
        (OutputFormat::NmapGrepable, nmap),
        (OutputFormat::MasscanList, masscan),
        (zmap, "10.78.0.3\n10.78.0.1\n"),
        (zmap, "saddr\n10.78.0.3\n10.78.0.1\n"),
    ] {
        let expected = endpoints(&["10.78.0.1:80", "10.78.0.3:80"]);
        assert_eq!(open_ports(format, output).unwrap(), expected);
    }
}

#[test]
fn a_scan_that_did_not_end_is_an_error() {
    let port = r#"{"type":"port","host":"127.0.0.1","port":22,"state":"open"}"#;
    for (format, output) in [
        (OutputFormat::Bare, ""),
        (OutputFormat::JsonLines, ""),
        (OutputFormat::JsonLines, port),
        (OutputFormat::NmapGrepable, "Host: 127.0.0.1 ()\tPorts: 22/open/tcp//ssh///\n"),
        (OutputFormat::MasscanList, "#masscan\nopen tcp 80 10.78.0.1 1\n"),
        (OutputFormat::ZmapAddresses { port: 80 }, "10.78.0.1\n10.78."),
    ] {
        assert!(open_ports(format, output).is_err(), "{output}");
    }
}

#[test]
fn ports_not_probed_are_an_error() {
    let json = "{\"type\":\"summary\",\"errors\":3}\n";
    let error = open_ports(OutputFormat::JsonLines, json).unwrap_err();
    assert_eq!(error.to_string(), "3 ports could not be probed");
    let bare = r#"{"open":[],"closed":0,"silent":0,"local_errors":2}"#;
    assert!(open_ports(OutputFormat::Bare, bare).is_err());
}

#[test]
fn nothing_open_is_an_answer() {
    for format in [
        OutputFormat::RustScanGreppable,
        OutputFormat::MasscanList,
        OutputFormat::ZmapAddresses { port: 80 },
    ] {
        assert_eq!(open_ports(format, "").unwrap(), BTreeSet::new());
    }
}
