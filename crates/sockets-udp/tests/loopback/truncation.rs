//! Datagrams of any length in buffers of any size: what was cut is told, and nothing else is cut.

use proptest::prelude::*;
use sockets_udp::{Event, MAX_PAYLOAD_V4, RecvBatch};

use crate::{V4, on, open};

/// The lengths that something goes wrong at, and all others.
fn any_length() -> impl Strategy<Value = usize> {
    prop_oneof![
        2 => prop::sample::select(vec![0, 1, 1199, 1200, 1201, 65_506, MAX_PAYLOAD_V4]),
        3 => 0_usize..3000,
    ]
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index ^ (index >> 8)) as u8).collect()
}

fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap().block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn one_by_one(lengths in prop::collection::vec((any_length(), any_length()), 1..8), gro: bool) {
        block_on(async {
            let (here, there) = (open(V4), on(V4).gro(gro).open().unwrap());
            let mut events = there.events();
            events.recv().await.unwrap();
            let source = here.local_addr();
            for (length, room) in lengths {
                let data = bytes(length);
                here.send_to(&data, there.local_addr()).await.unwrap();
                let mut buffer = vec![0; room];
                let received = there.recv_into(&mut buffer).await.unwrap();
                let stored = length.min(room);
                assert_eq!((received.stored, received.length), (stored, length));
                assert_eq!(received.is_truncated(), room < length);
                assert_eq!(buffer[..stored], data[..stored]);
                let event = events.recv().await;
                assert_eq!(event, Some(Event::Received { len: length, source }));
                if room < length {
                    let lost = length - room;
                    assert_eq!(events.recv().await, Some(Event::Truncated { lost, source }));
                }
            }
        });
    }

    /// At most one of the longest is under way: they fit into the receive buffer.
    #[test]
    fn in_batches(
        lengths in prop::collection::vec(0_usize..3000, 0..12), longest in any_length(),
        room in any_length(), buffers in 1_usize..6,
    ) {
        block_on(async {
            let (here, there) = (open(V4), open(V4));
            let lengths: Vec<_> = lengths.into_iter().chain([longest]).collect();
            let data = bytes(MAX_PAYLOAD_V4);
            for length in &lengths {
                here.send_to(&data[..*length], there.local_addr()).await.unwrap();
            }
            let mut batch = RecvBatch::new(buffers, room);
            let mut lengths = &lengths[..];
            while !lengths.is_empty() {
                let received = there.recv_many(&mut batch).await.unwrap();
                assert!(received <= buffers);
                let (now, later) = lengths.split_at(received);
                for (datagram, length) in batch.iter().zip(now) {
                    assert_eq!(datagram.data, &data[..room.min(*length)]);
                    assert_eq!(datagram.length, *length);
                    assert_eq!(datagram.is_truncated(), room < *length);
                }
                lengths = later;
            }
            assert_eq!(there.kernel_drops(), 0);
        });
    }

    /// Of a piece that is cut, each datagram keeps what is left of its own bytes.
    #[test]
    fn bulk_that_comes_as_one(
        count in 1_usize..20_000, stride in prop_oneof![Just(1200), 100_usize..4000],
        room in 0_usize..20_000, even: bool,
    ) {
        block_on(async {
            let (here, there) = (open(V4), on(V4).gro(true).open().unwrap());
            // With a short last one, or all of one length.
            let count = if even { count.next_multiple_of(stride) } else { count };
            let data = bytes(count);
            assert!(here.send_bulk(there.local_addr(), &data, stride).await.is_complete());
            let mut batch = RecvBatch::new(4, room);
            let mut chunks = data.chunks(stride);
            while chunks.len() > 0 {
                there.recv_many(&mut batch).await.unwrap();
                for datagram in &batch {
                    let whole = chunks.next().unwrap();
                    assert_eq!(datagram.length, whole.len());
                    assert_eq!(datagram.data, &whole[..datagram.data.len()]);
                    // A buffer has room for at least the beginning of the first.
                    assert!(datagram.is_truncated() || datagram.data.len() == whole.len());
                }
            }
            assert_eq!(there.kernel_drops(), 0);
        });
    }
}
