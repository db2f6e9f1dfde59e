//! The thread between a device and a network: reads, lets the model decide, writes when it is due.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::device::Device;
use crate::network::Network;

/// The largest packet of either family without jumbograms.
const LARGEST_PACKET: usize = 65_535;
/// Packets read before what is due is written, and answers written before more is read.
const BURST: usize = 64;

/// A network that runs on a device until it is stopped or dropped.
#[derive(Debug)]
pub struct Simulation {
    shared: Arc<Shared>,
    /// Closing it wakes the thread.
    wake: Option<OwnedFd>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    report: Mutex<SimulationReport>,
}

/// What a simulation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SimulationReport {
    /// What the model did.
    pub network: Counts,
    /// Answers written more than [`Simulation::LATE`] after they were due.
    pub late: u64,
    /// The latest of all, in microseconds after it was due.
    pub latest_us: u64,
    /// Answers that the device did not take.
    pub unsent: u64,
    /// Packets of the scanner's that the device dropped because nobody took them in time: the network
    /// never saw them. `None` until the simulation has ended, and where the device does not tell.
    pub device_dropped: Option<u64>,
}

impl Simulation {
    /// An answer is late past this: twenty times the slack Linux gives a timer by itself (50 us,
    /// `PR_SET_TIMERSLACK`).
    pub const LATE: Duration = Duration::from_millis(1);

    /// Runs `network` on `device`, on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`StartError`] where the system has no descriptor or thread left.
    pub fn start(network: Network, device: impl Device) -> Result<Self, StartError> {
        let (woken, wake) =
            pipe_with(PipeFlags::CLOEXEC).map_err(|error| StartError::Pipe(error.into()))?;
        let shared = Arc::new(Shared::default());
        let runner = Runner { network, device, woken, shared: Arc::clone(&shared) };
        let thread = Builder::new()
            .name("simnet".to_owned())
            .spawn(move || runner.run())
            .map_err(StartError::Thread)?;
        Ok(Self { shared, wake: Some(wake), thread: Some(thread) })
    }

    /// What it did so far; a busy thread writes it down after each burst.
    pub fn report(&self) -> SimulationReport {
        *self.shared.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops it. Answers that are not due yet are not sent.
    ///
    /// # Errors
    ///
    /// [`RunError`] where the thread ended before, because the device failed or it panicked.
    pub fn stop(mut self) -> Result<SimulationReport, RunError> {
        self.end()?;
        Ok(self.report())
    }

    fn end(&mut self) -> Result<(), RunError> {
        self.shared.stopping.store(true, Ordering::Relaxed);
        drop(self.wake.take());
        match self.thread.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => Err(RunError::Device(error)),
            Some(Err(_)) => Err(RunError::Panicked),
        }
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        // Who wants to know how it ended calls `stop`.
        let _ = self.end();
    }
}

/// Why a simulation did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No descriptors.
    #[error("cannot make the pipe that wakes the simulation's thread")]
    Pipe(#[source] io::Error),
    /// No thread.
    #[error("cannot start the simulation's thread")]
    Thread(#[source] io::Error),
}

/// Why a simulation ended by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The device gives no more packets.
    #[error("cannot read packets from the simulation's device")]
    Device(#[source] io::Error),
    /// A defect of this crate.
    #[error("the simulation's thread panicked")]
    Panicked,
}

/// What the thread owns.
struct Runner<D> {
    network: Network,
    device: D,
    woken: OwnedFd,
    shared: Arc<Shared>,
}

impl<D: Device> Runner<D> {
    fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0; LARGEST_PACKET];
        let mut report = SimulationReport::default();
        while !self.shared.stopping.load(Ordering::Relaxed) {
            self.write_due(&mut report);
            let emptied = self.read_burst(&mut buffer);
            report.network = self.network.counts();
            *self.shared.report.lock().unwrap_or_else(PoisonError::into_inner) = report;
            if emptied? {
                self.wait()?;
            }
        }
        let dropped = self.device.dropped();
        self.shared.report.lock().unwrap_or_else(PoisonError::into_inner).device_dropped = dropped;
        Ok(())
    }

    fn write_due(&mut self, report: &mut SimulationReport) {
        for _ in 0..BURST {
            let now = Instant::now();
            let Some(answer) = self.network.poll_answer(now) else { break };
            let lateness = now.saturating_duration_since(answer.due);
            report.late += u64::from(lateness > Simulation::LATE);
            report.latest_us = report.latest_us.max(lateness.as_micros() as u64);
            report.unsent += u64::from(self.device.send(answer.packet).is_err());
        }
    }

    /// True where no packet is left.
    fn read_burst(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        for _ in 0..BURST {
            match self.device.receive(buffer) {
                Ok(length) => self.network.packet(Instant::now(), &buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Until a packet comes, an answer is due, or the simulation is to stop.
    fn wait(&self) -> io::Result<()> {
        let timeout = self
            .network
            .poll_timeout()
            .map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()));
        sockets_sys::wait_readable([self.device.as_fd(), self.woken.as_fd()], timeout).map(drop)
    }
}

#[cfg(test)]
mod tests;
