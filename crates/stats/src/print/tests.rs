//! What a snapshot looks like.

use std::time::UNIX_EPOCH;

use super::*;
use crate::snapshot::Group;
use crate::timing::Timing;
use crate::{ErrorKind, SocketStats};

/// Two transports, all numbers different; shared with the Prometheus test.
pub(crate) fn sample() -> Snapshot {
    let mut errors = crate::ErrorCounts::default();
    *errors.count_mut(ErrorKind::Read) = 1;
    *errors.count_mut(ErrorKind::Accept) = 2;
    let mut connect_time = Timing::default();
    connect_time.record(Duration::from_micros(80));
    connect_time.record(Duration::from_millis(25));
    let mut duration = Timing::default();
    duration.record(Duration::from_secs(20_000));
    let server = Counters {
        active: 1,
        opened: 3,
        closed: 2,
        bytes_received: 1536,
        bytes_sent: 18,
        messages_received: 4,
        messages_sent: 1,
        errors,
        discarded_bytes: 7,
        ..Counters::default()
    };
    let peer = Counters {
        active: 5,
        opened: 5,
        bytes_sent: 3 << 30,
        messages_sent: 9,
        dropped_received: 2,
        dropped_messages: 1,
        dropped_bytes: 512,
        ..Counters::default()
    };
    let mut stats = SocketStats::new().snapshot();
    stats.taken = UNIX_EPOCH;
    stats.history_overwritten = 6;
    stats.groups = vec![
        Group {
            transport: Transport::Tcp,
            role: Role::Server,
            counters: server,
            connect_time: Distribution::default(),
            duration: duration.read(),
        },
        Group {
            transport: Transport::Udp,
            role: Role::Peer,
            counters: peer,
            connect_time: connect_time.read(),
            duration: Distribution::default(),
        },
    ];
    stats
}

#[test]
fn prints_the_totals() {
    let expected = "\
=== Socket Statistics ===
TCP Connections (server): 1 active, 3 opened, 2 closed
TCP Connections (client): 0 active, 0 opened, 0 closed
UDP Sockets: 5 active, 5 opened, 0 closed
Bytes Received: 1.50 KB (1536 bytes)
Bytes Sent: 3.00 GB (3221225490 bytes)
Messages Received: 4
Messages Sent: 10
Errors: 3 (accept 2, read 1)
Drops: 1 message, 512 B; 2 messages before they were read; 7 B that nobody was to read any more
TCP Duration (server): 1 measured, p50 20000.00 s, p90 20000.00 s, p99 20000.00 s, max 20000.00 s
UDP Connect Time (peer): 2 measured, p50 80 us, p90 25.00 ms, p99 25.00 ms, max 25.00 ms
";
    assert_eq!(sample().to_string(), expected);
}

#[test]
fn prints_zeros_where_nothing_happened() {
    let expected = "\
=== Socket Statistics ===
TCP Connections (server): 0 active, 0 opened, 0 closed
TCP Connections (client): 0 active, 0 opened, 0 closed
UDP Sockets: 0 active, 0 opened, 0 closed
Bytes Received: 0 B
Bytes Sent: 0 B
Messages Received: 0
Messages Sent: 0
Errors: 0
Drops: 0 messages, 0 B
";
    assert_eq!(SocketStats::new().snapshot().to_string(), expected);
}

#[test]
fn other_transports_are_shown_where_they_are_used() {
    let stats = SocketStats::new();
    let _socket = stats.open(Transport::Sctp, Role::Client, crate::Ends::default());
    let text = stats.snapshot().to_string();
    assert!(text.contains("\nSCTP Connections (client): 1 active, 1 opened, 0 closed\n"), "{text}");
}

#[test]
fn bytes_are_cut_off_and_exact_beside() {
    for (bytes, printed) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KB (1024 bytes)"),
        (1_048_575, "1023.99 KB (1048575 bytes)"),
        (1_048_576, "1.00 MB (1048576 bytes)"),
        (1_073_741_823, "1023.99 MB (1073741823 bytes)"),
        (1_073_741_824, "1.00 GB (1073741824 bytes)"),
        (u64::MAX, "17179869183.99 GB (18446744073709551615 bytes)"),
    ] {
        assert_eq!(Bytes(bytes).to_string(), printed);
    }
}

#[test]
fn times_keep_three_digits() {
    for (nanoseconds, printed) in [
        (0, "0 ns"),
        (999, "999 ns"),
        (81_920, "81 us"),
        (1_000_000, "1.00 ms"),
        (999_999_999, "999.99 ms"),
        (1_234_000_000, "1.23 s"),
    ] {
        assert_eq!(Time(Duration::from_nanos(nanoseconds)).to_string(), printed);
    }
}
