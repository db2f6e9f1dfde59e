//! Answers under way, in the order they fall due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// A buffer keeps room for so many bytes between two packets: for all but those that were made large.
const KEPT: usize = 2048;

/// Packets by the time they fall due; those of one instant in the order they were put in. Buffers
/// are used again, so a network that has settled allocates nothing.
#[derive(Debug)]
pub(crate) struct Schedule {
    due: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    buffers: Vec<Vec<u8>>,
    free: Vec<usize>,
    /// The slot of the packet that was taken out last.
    taken: Option<usize>,
    serial: u64,
    /// Of all packets in it.
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

impl Schedule {
    /// Room for at most `most` packets, of at most `most_bytes` together.
    pub(crate) const fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            due: BinaryHeap::new(),
            buffers: Vec::new(),
            free: Vec::new(),
            taken: None,
            serial: 0,
            bytes: 0,
            most,
            most_bytes,
        }
    }

    /// Puts in a packet. False: there is no room, and it is dropped.
    #[must_use]
    pub(crate) fn put(&mut self, due: Instant, packet: &[u8]) -> bool {
        self.reclaim();
        if packet.len() > self.most_bytes - self.bytes {
            return false;
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.buffers.len() < self.most => {
                self.buffers.push(Vec::with_capacity(packet.len()));
                self.buffers.len() - 1
            }
            None => return false,
        };
        let buffer = &mut self.buffers[slot];
        buffer.clear();
        buffer.extend_from_slice(packet);
        self.due.push(Reverse((due, self.serial, slot)));
        self.serial += 1;
        self.bytes += packet.len();
        true
    }

    /// Takes out the first packet that is due by `now`, with the time it was due.
    pub(crate) fn take(&mut self, now: Instant) -> Option<(Instant, &[u8])> {
        self.reclaim();
        let Reverse((due, _, slot)) = *self.due.peek()?;
        if due > now {
            return None;
        }
        self.due.pop();
        self.taken = Some(slot);
        self.bytes -= self.buffers[slot].len();
        Some((due, &self.buffers[slot]))
    }

    /// The buffer of the packet that was taken out last is free; what is large of it goes back.
    fn reclaim(&mut self) {
        if let Some(slot) = self.taken.take() {
            self.buffers[slot].clear();
            self.buffers[slot].shrink_to(KEPT);
            self.free.push(slot);
        }
    }

    /// When the next packet is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((due, ..))| *due)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn packets_come_out_when_due_and_in_order() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut schedule = Schedule::new(10, 100);
        for (ms, packet) in [(5, b"c"), (1, b"a"), (5, b"d"), (3, b"b")] {
            assert!(schedule.put(at(ms), packet));
        }
        assert_eq!((schedule.next(), schedule.take(start)), (Some(at(1)), None));
        let mut taken = Vec::new();
        while let Some((due, packet)) = schedule.take(at(5)) {
            taken.push((due, packet.to_vec()));
        }
        let expected = [(1, b"a"), (3, b"b"), (5, b"c"), (5, b"d")];
        assert_eq!(taken, expected.map(|(ms, packet)| (at(ms), packet.to_vec())));
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn no_more_than_there_is_room_for() {
        let now = Instant::now();
        let mut schedule = Schedule::new(2, 100);
        assert!(schedule.put(now, b"1") && schedule.put(now, b"2") && !schedule.put(now, b"3"));
        assert!(schedule.take(now).is_some());
        assert!(schedule.put(now, b"4") && !schedule.put(now, b"5"));
    }

    #[test]
    fn no_more_bytes_than_there_is_room_for() {
        let now = Instant::now();
        let mut schedule = Schedule::new(1000, 100_000);
        let large = vec![0; 60_000];
        // Each buffer was a large packet's once, and none of them keeps its room.
        for _ in 0..50 {
            assert!(schedule.put(now, &large) && !schedule.put(now, &large));
            assert!(schedule.put(now, b"small"));
            while schedule.take(now).is_some() {}
        }
        let room: usize = schedule.buffers.iter().map(Vec::capacity).sum();
        assert!(room <= 2 * KEPT, "{room} bytes are kept");
        assert_eq!(schedule.bytes, 0);
    }
}
