//! `ncat --broker`, where it is installed.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// More than it is given.
const MOST_CONNECTIONS: &str = "200";
const TRIES: usize = 100;

/// A running broker. Ended with this.
pub(crate) struct Broker {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Broker {
    /// `None` where there is no ncat.
    pub(crate) fn start() -> Option<Self> {
        // It does not tell which port it was given: a free one is chosen, and may be taken by then.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let process = Command::new("ncat")
            .args(["--broker", "--listen", "--nodns", "--max-conns", MOST_CONNECTIONS])
            .args([address.ip().to_string(), address.port().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let broker = Self { process, address };
        for _ in 0..TRIES {
            if TcpStream::connect(address).is_ok() {
                return Some(broker);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("ncat does not listen on {address}");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It fails only where the broker has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
