//! The thread, with a pair of sockets in place of a TUN device.

use std::os::unix::net::UnixDatagram;
use std::sync::atomic::AtomicUsize;

use etherparse::PacketBuilder;
use rustix::io::Errno;

use super::*;

const DELAY: Duration = Duration::from_millis(20);

fn syn(port: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    let ip = PacketBuilder::ipv4([10, 79, 0, 1], [10, 80, 0, 1], 64);
    ip.tcp(40_000, port, 1, 1024).syn().write_to_vec(&mut packet, &[]).unwrap();
    packet
}

fn start() -> (Simulation, UnixDatagram) {
    let network = Network::from_toml(
        r#"
        [[hosts]]
        prefix = "10.80.0.0/24"
        tcp = { open = "80", silent = "81" }
        path = { delay_ms = 10 }
        "#,
    );
    let (near, far) = UnixDatagram::pair().unwrap();
    far.set_nonblocking(true).unwrap();
    (Simulation::start(network.unwrap(), far).unwrap(), near)
}

#[test]
fn answers_come_when_they_are_due_and_not_before() {
    let (simulation, scanner) = start();
    let begun = Instant::now();
    for port in [80, 81, 82] {
        scanner.send(&syn(port)).unwrap();
    }
    let mut buffer = [0; 100];
    for port in [80, 82] {
        let length = scanner.recv(&mut buffer).unwrap();
        assert!(begun.elapsed() >= DELAY);
        assert_eq!((length > 20, &buffer[20..22]), (true, &u16::to_be_bytes(port)[..]));
    }
    let report = simulation.stop().unwrap();
    assert_eq!((report.network.received, report.network.answered), (3, 2));
    assert_eq!((report.network.silent, report.unsent), (1, 0));
    assert_eq!(report.device_dropped, None);
}

#[test]
fn stopping_does_not_wait_for_answers_under_way() {
    let network =
        Network::from_toml("[[hosts]]\nprefix = \"10.80.0.0/24\"\npath = { delay_ms = 1e7 }");
    let (near, far) = UnixDatagram::pair().unwrap();
    far.set_nonblocking(true).unwrap();
    let simulation = Simulation::start(network.unwrap(), far).unwrap();
    near.send(&syn(80)).unwrap();
    let report = simulation.stop().unwrap();
    assert_eq!(report.network.delivered, 0);
}

/// Takes no answer, and says when one came.
struct Deaf {
    socket: UnixDatagram,
    offered: std::sync::mpsc::Sender<()>,
}

impl AsFd for Deaf {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Device for Deaf {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer)
    }

    fn send(&self, _: &[u8]) -> io::Result<()> {
        self.offered.send(()).unwrap();
        Err(Errno::NOBUFS.into())
    }
}

#[test]
fn an_answer_nobody_takes_is_counted() {
    let network = Network::from_toml("[[hosts]]\nprefix = \"10.80.0.0/24\"").unwrap();
    let (near, socket) = UnixDatagram::pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let (offered, offers) = std::sync::mpsc::channel();
    let simulation = Simulation::start(network, Deaf { socket, offered }).unwrap();
    near.send(&syn(80)).unwrap();
    offers.recv().unwrap();
    let report = simulation.stop().unwrap();
    assert_eq!((report.network.delivered, report.unsent), (1, 1));
}

/// Gives no packet, only its failure.
struct Broken(UnixDatagram);

impl AsFd for Broken {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Device for Broken {
    fn receive(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(Errno::IO.into())
    }

    fn send(&self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_device_that_fails_is_the_cause() {
    let network = Network::from_toml("[[hosts]]\nprefix = \"10.80.0.0/24\"").unwrap();
    let simulation = Simulation::start(network, Broken(UnixDatagram::unbound().unwrap())).unwrap();
    while !simulation.thread.as_ref().is_some_and(JoinHandle::is_finished) {
        std::thread::yield_now();
    }
    let RunError::Device(error) = simulation.stop().unwrap_err() else { panic!("another cause") };
    assert_eq!(error.raw_os_error(), Some(Errno::IO.raw_os_error()));
}

/// Holds so many packets to be read, and the longest run of answers between two readings.
struct Counting {
    socket: UnixDatagram,
    left: AtomicUsize,
    run: AtomicUsize,
    longest: Arc<AtomicUsize>,
    done: std::sync::mpsc::Sender<()>,
}

impl AsFd for Counting {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Device for Counting {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.run.store(0, Ordering::Relaxed);
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.left.store(left - 1, Ordering::Relaxed);
        if left == 1 {
            // The last packet comes when all other answers are due.
            let read = Instant::now();
            while read.elapsed() < DELAY {
                std::thread::yield_now();
            }
        }
        let packet = syn(80);
        buffer[..packet.len()].copy_from_slice(&packet);
        Ok(packet.len())
    }

    fn send(&self, _: &[u8]) -> io::Result<()> {
        let run = self.run.fetch_add(1, Ordering::Relaxed) + 1;
        self.longest.fetch_max(run, Ordering::Relaxed);
        self.done.send(()).unwrap();
        Ok(())
    }
}

#[test]
fn many_answers_do_not_keep_it_from_reading() {
    const PACKETS: usize = 4 * BURST;
    let network = "[[hosts]]\nprefix = \"10.80.0.0/24\"\npath = { delay_ms = 10 }";
    let longest = Arc::new(AtomicUsize::new(0));
    let (done, answers) = std::sync::mpsc::channel();
    let device = Counting {
        socket: UnixDatagram::unbound().unwrap(),
        left: AtomicUsize::new(PACKETS),
        run: AtomicUsize::new(0),
        longest: Arc::clone(&longest),
        done,
    };
    let simulation = Simulation::start(Network::from_toml(network).unwrap(), device).unwrap();
    assert_eq!(answers.iter().take(PACKETS).count(), PACKETS);
    simulation.stop().unwrap();
    assert!(longest.load(Ordering::Relaxed) <= BURST, "{longest:?}");
}
