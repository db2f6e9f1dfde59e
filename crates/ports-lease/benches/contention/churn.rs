//! Outgoing connections that come and go, each from a port of the kernel's choice.

use std::collections::VecDeque;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Connections that are open at once.
const OPEN: usize = 400;
/// Between two of them: leaves the processors to others.
const PAUSE: Duration = Duration::from_micros(200);

/// Goes on until the end of standard input, then writes how many connections there were.
pub(crate) fn run() {
    static DONE: AtomicBool = AtomicBool::new(false);
    std::thread::spawn(|| {
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        DONE.store(true, Ordering::Relaxed);
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut open: VecDeque<(TcpStream, TcpStream)> = VecDeque::new();
    let mut count = 0_u64;
    while !DONE.load(Ordering::Relaxed) {
        // With nothing left of it in TIME_WAIT: the range would be used up within seconds.
        let near = TcpStream::connect(address).unwrap();
        socket2::SockRef::from(&near).set_linger(Some(Duration::ZERO)).unwrap();
        open.push_back((near, listener.accept().unwrap().0));
        count += 1;
        if open.len() > OPEN {
            open.pop_front();
        }
        std::thread::sleep(PAUSE);
    }
    println!("{count}");
}
