//! What a writer of comma-separated values says where it fails.

use std::io;

/// What the writer below said: by its kind, a closed pipe is told from a failure.
pub(crate) fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        // Every row has as many fields as the header.
        _ => io::Error::other("a row has other fields than the header"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Nobody reads.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Calls until a buffer overflows; what is said then.
    fn first_error(mut write: impl FnMut() -> io::Result<()>) -> io::Error {
        (0..10_000).find_map(|_| write().err()).unwrap()
    }

    #[test]
    fn a_closed_pipe_is_told_by_its_kind() {
        let mut rows = csv::Writer::from_writer(Closed);
        let error = first_error(|| rows.write_record(["443", "tcp"]).map_err(io_error));
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn and_so_it_is_where_packets_are_written() {
        use crate::output::{CsvPackets, PacketRow, PacketWriter, SniffStart};

        let packet = PacketRow {
            time_us: 0,
            interface: "lo",
            direction: "in",
            protocol: "udp".to_owned(),
            source: None,
            source_port: None,
            destination: None,
            destination_port: None,
            length: 0,
            tcp_flags: None,
            detail: None,
        };
        let mut rows = CsvPackets::new(Closed);
        let error = first_error(|| rows.packet(&packet));
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        let start = SniffStart { started_ms: 0, interface: None, filter: String::new() };
        let error = first_error(|| rows.start(&start));
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
