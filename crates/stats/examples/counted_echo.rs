//! A blocking echo server whose connections are counted: `cargo run --example counted_echo` serves one
//! client of its own and prints the totals, the history, and the text for Prometheus.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;

use stats::ports_core::{FiveTuple, Transport};
use stats::{CloseReason, ErrorKind, Role, SocketStats};

/// One connection to its end. Its recorder is its own: counting takes no lock.
fn serve(mut stream: TcpStream, stats: &SocketStats) -> io::Result<()> {
    let tuple = FiveTuple::new(Transport::Tcp, stream.local_addr()?, stream.peer_addr()?);
    let mut recorder = stats.open(Transport::Tcp, Role::Server, tuple);
    let mut buffer = [0; 4096];
    let reason = loop {
        let read = match stream.read(&mut buffer) {
            Ok(0) => break CloseReason::PeerClosed,
            Ok(read) => read,
            Err(_) => {
                recorder.error(ErrorKind::Read);
                break CloseReason::Error;
            }
        };
        recorder.received(read);
        if stream.write_all(&buffer[..read]).is_err() {
            recorder.error(ErrorKind::Write);
            break CloseReason::Error;
        }
        recorder.sent(read);
    };
    recorder.close(reason);
    Ok(())
}

/// Serves one client that sends `text` and reads it back.
fn converse(stats: &SocketStats, text: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (stream, _) = listener.accept()?;
    let stats = stats.clone();
    let serving = thread::spawn(move || serve(stream, &stats));
    client.write_all(text)?;
    client.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    client.read_to_end(&mut answer)?;
    serving.join().map_err(|_| "the server panicked")??;
    Ok(answer)
}

fn main() -> Result<(), Box<dyn Error>> {
    let stats = SocketStats::new();
    converse(&stats, b"hello")?;
    println!("{}", stats.snapshot());
    let mut history = String::new();
    stats.print_history(10, &mut history)?;
    println!("{history}");
    #[cfg(feature = "prometheus")]
    println!("{}", stats::prometheus_text(&stats.snapshot()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_echoed_is_counted() {
        let stats = SocketStats::new();
        assert_eq!(converse(&stats, b"hello").unwrap(), b"hello");
        let counted = stats.snapshot().counters(Transport::Tcp, Role::Server);
        assert_eq!((counted.bytes_received, counted.bytes_sent), (5, 5));
        assert_eq!((counted.active, counted.closed, stats.history().len()), (0, 1, 2));
    }
}
