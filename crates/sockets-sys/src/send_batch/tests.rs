//! Batches sent over UNIX sockets, which keep the order and deliver before the call returns; and to
//! addresses on loopback, which may do neither.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;

use proptest::prelude::*;

use super::*;
use crate::ReceiveBatch;

fn pair() -> (UnixDatagram, UnixDatagram) {
    UnixDatagram::pair().unwrap()
}

fn received(socket: &UnixDatagram) -> Vec<Vec<u8>> {
    let mut batch = ReceiveBatch::new(64, 64);
    batch.receive(socket).unwrap();
    batch.iter().map(|packet| packet.bytes.to_vec()).collect()
}

const GOOD: Destination = Destination::Connected;

/// A UNIX socket knows no IP address: the kernel refuses it, and sends nothing.
fn refused() -> Destination {
    SocketAddr::from(([127, 0, 0, 1], 9)).into()
}

#[test]
fn the_refused_packet_is_the_first_of_the_rest() {
    let (here, there) = pair();
    let mut batch = SendBatch::new(8, 8);
    for (packet, destination) in [(b"a", GOOD), (b"b", GOOD), (b"c", refused()), (b"d", GOOD)] {
        batch.push(packet, destination).unwrap();
    }
    assert_eq!(batch.send(&here).unwrap(), 2);
    assert_eq!(batch.len(), 2);

    let error = batch.send(&here).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    assert_eq!(batch.first(), Some((&b"c"[..], refused())));
    assert_eq!(batch.len(), 2, "a refused packet stays");

    assert!(batch.skip_first());
    assert_eq!(batch.send(&here).unwrap(), 1);
    assert!(batch.is_empty() && !batch.skip_first());
    assert_eq!(received(&there), [b"a", b"b", b"d"]);
}

#[test]
fn what_waits_can_be_taken_back() {
    let mut batch = SendBatch::new(3, 4);
    batch.push(b"1", refused()).unwrap();
    batch.push(b"22", Destination::Connected).unwrap();
    let waiting: Vec<_> = batch.waiting().map(|(bytes, to)| (bytes.to_vec(), to)).collect();
    assert_eq!(waiting, [(b"1".to_vec(), refused()), (b"22".to_vec(), Destination::Connected)]);
    assert_eq!(batch.clear(), 2);
    assert!(batch.is_empty() && batch.first().is_none());
}

#[test]
fn a_connected_socket_needs_no_destination() {
    let (here, there) = pair();
    let mut batch = SendBatch::new(1, 4);
    // The slot's former address must not stay.
    batch.push(b"no", refused()).unwrap();
    batch.clear();
    batch.push(b"yes", Destination::Connected).unwrap();
    assert_eq!(batch.send(&here).unwrap(), 1);
    assert_eq!(received(&there), [b"yes"]);
}

#[test]
fn the_bounds_are_told() {
    let mut batch = SendBatch::new(1, 4);
    let too_large = PushError::TooLarge { length: 5, limit: 4 };
    assert_eq!(batch.push(b"12345", Destination::Connected), Err(too_large));
    assert!(batch.is_empty());
    batch.push(b"1234", Destination::Connected).unwrap();
    assert!(batch.is_full());
    assert_eq!(batch.push(b"1", Destination::Connected), Err(PushError::Full { capacity: 1 }));
}

#[test]
fn empty_packets_and_empty_batches() {
    let (here, there) = pair();
    let mut batch = SendBatch::new(2, 0);
    assert_eq!(batch.send(&here).unwrap(), 0);
    for _ in 0..2 {
        batch.push(b"", GOOD).unwrap();
    }
    assert_eq!(batch.send(&here).unwrap(), 2);
    assert_eq!(received(&there), [b"", b""]);
    let mut none = SendBatch::new(0, 64);
    assert_eq!(none.push(b"", Destination::Connected), Err(PushError::Full { capacity: 0 }));
    assert_eq!(none.send(&here).unwrap(), 0);
}

#[test]
fn more_than_one_call_takes_is_sent_in_several() {
    // UDP takes packets whether or not there is room for them at the other end.
    let here = UdpSocket::bind("127.0.0.1:0").unwrap();
    let there = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = there.local_addr().unwrap().into();
    let packets = SendBatch::MOST_PER_CALL + 10;
    let mut batch = SendBatch::new(packets, 1);
    for _ in 0..packets {
        batch.push(b"x", to).unwrap();
    }
    assert_eq!(batch.send(&here).unwrap(), SendBatch::MOST_PER_CALL);
    assert_eq!(batch.len(), 10);
    assert_eq!(batch.send(&here).unwrap(), 10);
    assert!(batch.is_empty());
}

#[test]
fn a_batch_goes_to_another_thread() {
    let (here, there) = pair();
    let mut batch = SendBatch::new(1, 4);
    batch.push(b"far", GOOD).unwrap();
    let sent = std::thread::spawn(move || batch.send(&here).unwrap()).join().unwrap();
    assert_eq!((sent, received(&there)), (1, vec![b"far".to_vec()]));
}

#[derive(Clone, Debug)]
enum Step {
    Push(Vec<u8>, bool),
    Send,
    Skip,
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (prop::collection::vec(any::<u8>(), 0..10), any::<bool>())
            .prop_map(|(packet, good)| Step::Push(packet, good)),
        2 => Just(Step::Send),
        1 => Just(Step::Skip),
        1 => Just(Step::Clear),
    ]
}

proptest! {
    /// Whatever is done to a batch, what arrives and what waits is what a queue would hold.
    #[test]
    fn a_batch_is_a_queue(steps in prop::collection::vec(step(), 0..40)) {
        const CAPACITY: usize = 5;
        const SIZE: usize = 8;
        let (here, there) = pair();
        let mut batch = SendBatch::new(CAPACITY, SIZE);
        let mut model: Vec<(Vec<u8>, bool)> = Vec::new();
        // Slots are free again once the batch is empty.
        let mut used = 0;
        for step in steps {
            match step {
                Step::Push(packet, good) => {
                    let to = if good { GOOD } else { refused() };
                    let pushed = batch.push(&packet, to).is_ok();
                    prop_assert_eq!(pushed, packet.len() <= SIZE && used < CAPACITY);
                    if pushed {
                        model.push((packet, good));
                        used += 1;
                    }
                }
                Step::Send => {
                    let good = model.iter().take_while(|(_, good)| *good).count();
                    match batch.send(&here) {
                        Ok(sent) => prop_assert_eq!(sent, good),
                        Err(_) => prop_assert!(good == 0 && !model.is_empty()),
                    }
                    let sent: Vec<_> = model.drain(..good).map(|(packet, _)| packet).collect();
                    prop_assert_eq!(received(&there), sent);
                }
                Step::Skip => {
                    let any = model.drain(..1.min(model.len())).count() == 1;
                    prop_assert_eq!(batch.skip_first(), any);
                }
                Step::Clear => prop_assert_eq!(batch.clear(), model.drain(..).count()),
            }
            if model.is_empty() {
                used = 0;
            }
            let waiting: Vec<_> = batch.waiting().map(|(packet, _)| packet.to_vec()).collect();
            let expected: Vec<_> = model.iter().map(|(packet, _)| packet.clone()).collect();
            prop_assert_eq!(waiting, expected);
            prop_assert_eq!((batch.len(), batch.is_full()), (model.len(), used == CAPACITY));
        }
    }
}
