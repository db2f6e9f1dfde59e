//! Out of descriptors for ten seconds, with somebody always waiting: the share of a core that the
//! server takes meanwhile.
//!
//! Alone in its process, as the limit of descriptors and the processor time are the process's. The
//! clients are counted with it.

#![cfg_attr(
    target_os = "linux",
    expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops where it fails")
)]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    // Not in `cargo test --benches`, which only asks whether the bench runs.
    if std::env::args().any(|argument| argument == "--bench") {
        shortage::measure();
    }
}

#[cfg(target_os = "linux")]
mod shortage {
    use std::fs::File;
    use std::time::Duration;

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use rustix::time::{ClockId, clock_gettime};
    use socket2::{Domain, Socket, Type};
    use sockets_tcp::{Echo, ServerEvent, TcpServer};

    const SHORTAGE: Duration = Duration::from_secs(10);
    /// One after the other, so that there is always one who waits.
    const CLIENTS: u32 = 20;
    /// The bar: the share of a core.
    const MOST: f64 = 0.05;
    /// Descriptors for what is open already, so that taking the rest takes no time.
    const LIMIT: u64 = 256;

    pub(super) fn measure() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run());
    }

    /// The processor time of this process.
    fn processor_time() -> Duration {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }

    async fn run() {
        let builder = TcpServer::builder().bind("127.0.0.1:0".parse().unwrap());
        let server = builder.handler(Echo::new()).start().await.unwrap();
        let mut events = server.events();
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let clients: Vec<_> = (0..CLIENTS).map(|_| socket()).collect();
        let late = socket();
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(LIMIT), maximum }).unwrap();
        let mut hoard = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            hoard.push(file);
        }
        let begun = processor_time();
        for client in &clients {
            client.connect(&server.local_addr().into()).unwrap();
            tokio::time::sleep(SHORTAGE / CLIENTS).await;
        }
        let used = processor_time().saturating_sub(begun);
        drop(hoard);
        late.connect(&server.local_addr().into()).unwrap();
        let mut told = 0;
        loop {
            match events.recv().await.unwrap() {
                ServerEvent::Error { .. } => told += 1,
                ServerEvent::Connected { .. } => break,
                _ => {}
            }
        }
        println!(
            "descriptors: {:.2} % of a core in {SHORTAGE:?} without one (bar {:.0} %); told \
             {told} time(s), {} of {CLIENTS} clients reset; then it accepts again",
            100.0 * used.as_secs_f64() / SHORTAGE.as_secs_f64(),
            100.0 * MOST,
            server.info().refused,
        );
    }
}
