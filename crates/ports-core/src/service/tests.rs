//! The table against the files it is made of, both ways, and what people expect of it.

use std::collections::{BTreeMap, HashSet};

use super::*;

const IANA: &str = include_str!("../../data/iana-services.tsv");
const COMMON: &str = include_str!("../../data/common-services.tsv");

type Key = (Port, Transport, &'static str);

/// The rows of a file: what they name, their description, and whether they are marked.
fn rows(text: &'static str) -> Vec<(Key, &'static str, bool)> {
    let rows = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let key = (fields[0].parse().unwrap(), fields[1].parse().unwrap(), fields[2]);
        (key, fields[3], fields.len() > 4)
    });
    rows.collect()
}

fn key(service: &Service) -> Key {
    (service.port, service.transport, service.name)
}

fn tcp(port: u16) -> Option<&'static str> {
    service_by_port(Port::new(port), Transport::Tcp).map(|service| service.name)
}

#[test]
fn every_row_of_the_files_is_in_the_table_and_nothing_else() {
    let mut expected: BTreeMap<Key, (&str, ServiceSource)> = BTreeMap::new();
    for (key, description, _) in rows(IANA) {
        assert_eq!(expected.insert(key, (description, ServiceSource::Iana)), None, "{key:?}");
    }
    for (key, description, _) in rows(COMMON) {
        // A marked name of IANA's stays IANA's.
        expected.entry(key).or_insert((description, ServiceSource::Common));
    }
    let table: BTreeMap<Key, (&str, ServiceSource)> =
        ServiceTable.iter().map(|s| (key(&s), (s.description, s.source))).collect();
    assert_eq!(table.len(), ServiceTable.len());
    assert!(table == expected, "run `cargo xtask codegen`");
}

#[test]
fn every_row_is_found_by_port_and_by_name() {
    for service in ServiceTable.iter() {
        let Service { port, transport, name, .. } = service;
        assert_eq!(service.class, port.class());
        assert!(ServiceTable.services_of_port(port).any(|s| s == service), "{service}");
        assert!(ServiceTable.services(port, transport).any(|s| s == service), "{service}");
        assert_eq!(
            ServiceTable.services(port, transport).next(),
            ServiceTable.service_by_port(port, transport)
        );
        assert_eq!(
            ServiceTable.by_name(&name.to_uppercase()).filter(|s| *s == service).count(),
            1,
            "{service}"
        );
    }
}

#[test]
fn lookups_yield_what_was_asked_for() {
    for port in crate::PortRange::ALL {
        assert!(ServiceTable.services_of_port(port).all(|service| service.port == port));
        for transport in Transport::ALL {
            let services = ServiceTable.services(port, transport);
            assert!(services.clone().all(|s| (s.port, s.transport) == (port, transport)));
        }
    }
    for service in ServiceTable.iter() {
        let found: Vec<Key> = services_by_name(service.name).map(|s| key(&s)).collect();
        assert!(found.iter().all(|(_, _, name)| *name == service.name));
        assert!(found.is_sorted());
    }
}

#[test]
fn the_marked_name_leads_else_ianas_first() {
    let mut preferred: BTreeMap<(Port, Transport), &str> = BTreeMap::new();
    let (iana, common) = (rows(IANA), rows(COMMON));
    let marked = common.iter().filter(|(_, _, marked)| *marked);
    for ((port, transport, name), _, _) in marked.chain(&iana).chain(&common) {
        preferred.entry((*port, *transport)).or_insert(name);
    }
    for ((port, transport), name) in preferred {
        assert_eq!(service_by_port(port, transport).unwrap().name, name);
    }
}

#[test]
fn ports_have_the_names_people_say() {
    for (port, name) in [
        (20, "ftp-data"),
        (21, "ftp"),
        (22, "ssh"),
        (23, "telnet"),
        (25, "smtp"),
        (53, "dns"),
        (80, "http"),
        (110, "pop3"),
        (143, "imap"),
        (443, "https"),
        (445, "smb"),
        (3000, "dev-server"),
        (3306, "mysql"),
        (3389, "rdp"),
        (5432, "postgresql"),
        (5900, "vnc"),
        (6379, "redis"),
        (6443, "kubernetes-api"),
        (8080, "http-alt"),
        (8500, "consul"),
        (9042, "cassandra"),
        (9090, "prometheus"),
        (9092, "kafka"),
        (9100, "node-exporter"),
        (9200, "elasticsearch"),
        (11211, "memcached"),
        (27017, "mongodb"),
    ] {
        assert_eq!(tcp(port), Some(name), "{port}");
    }
    assert_eq!(service_by_port(Port::new(51820), Transport::Udp).unwrap().name, "wireguard");
    assert_eq!(service_by_port(Port::new(67), Transport::Udp).unwrap().name, "dhcp");
    assert_eq!(tcp(65534), None);
    assert_eq!(ServiceTable.services_of_port(Port::ANY).len(), 0);
}

#[test]
fn names_find_their_ports_and_aliases_too() {
    let ports = |name: &str, transport| -> Vec<u16> {
        ServiceTable.by_name_for(name, transport).map(|s| s.port.number()).collect()
    };
    assert_eq!(ports("https", Transport::Tcp), [443]);
    assert_eq!(ports("Postgres", Transport::Tcp), [5432]);
    assert_eq!(ports("grafana", Transport::Tcp), [3000]);
    assert_eq!(ports("dhcp", Transport::Udp), [67, 68]);
    assert_eq!(ports("dhcp", Transport::Tcp), [0; 0]);
    assert_eq!(ports("x11", Transport::Tcp), (6000..=6063).collect::<Vec<_>>());
    for miss in ["", "no-such-service", "htt", "httpss", "h\u{fc}tte", "80"] {
        assert_eq!(services_by_name(miss).len(), 0, "{miss}");
    }
}

#[test]
fn the_well_known_are_the_fifteen_and_the_eighteen() {
    assert_eq!(
        well_known().map(Port::number),
        [21, 22, 23, 25, 53, 80, 110, 143, 443, 3306, 3389, 5432, 6379, 8080, 27017]
    );
    let names: Vec<String> = ServiceTable.well_known_services().map(|s| s.to_string()).collect();
    assert_eq!(
        names,
        [
            "ftp-data (20/tcp)",
            "ftp (21/tcp)",
            "ssh (22/tcp)",
            "telnet (23/tcp)",
            "smtp (25/tcp)",
            "dns (53/udp)",
            "dhcp (67/udp)",
            "dhcp (68/udp)",
            "http (80/tcp)",
            "pop3 (110/tcp)",
            "imap (143/tcp)",
            "https (443/tcp)",
            "mysql (3306/tcp)",
            "rdp (3389/tcp)",
            "postgresql (5432/tcp)",
            "redis (6379/tcp)",
            "http-alt (8080/tcp)",
            "mongodb (27017/tcp)",
        ]
    );
    assert!(well_known().iter().all(|port| tcp(port.number()).is_some()));
}

#[test]
fn rankings_are_long_without_repeats_and_begin_with_the_best_known() {
    for (transport, first) in [(Transport::Tcp, [80, 443, 22]), (Transport::Udp, [53, 123, 161])] {
        let ranking = top_ports(transport);
        assert!(ranking.len() >= 1000);
        assert_eq!(ranking.iter().collect::<HashSet<_>>().len(), ranking.len());
        assert!(!ranking.contains(&Port::ANY));
        assert_eq!(ranking[..3], first.map(Port::new));
    }
    assert!(well_known().iter().all(|port| top_ports(Transport::Tcp)[..100].contains(port)));
    assert_eq!(top_ports(Transport::Sctp), []);
}

#[test]
fn json_has_these_keys_in_this_order() {
    let https = service_by_port(Port::new(443), Transport::Tcp).unwrap();
    assert_eq!(
        serde_json::to_string(&https).unwrap(),
        r#"{"port":443,"transport":"tcp","name":"https","description":"http protocol over TLS/SSL","class":"system","source":"iana"}"#
    );
    let kafka = service_by_port(Port::new(9092), Transport::Tcp).unwrap();
    assert_eq!(
        serde_json::to_string(&kafka).unwrap(),
        r#"{"port":9092,"transport":"tcp","name":"kafka","description":"Apache Kafka","class":"user","source":"common"}"#
    );
}
