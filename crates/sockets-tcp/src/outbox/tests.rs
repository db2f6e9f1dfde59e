//! The outbox against a plain list of messages.

use std::io::IoSlice;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn outbox(bytes: usize, messages: usize) -> Outbox {
    Outbox::new(QueueLimits { bytes, messages })
}

fn content(outbox: &Outbox) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); GATHER];
    let filled = outbox.gather(&mut slices, usize::MAX);
    slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
}

#[test]
fn both_bounds_hold() {
    let mut queue = outbox(10, 2);
    assert!(queue.fits(10) && !queue.fits(11));
    queue.push(Bytes::from_static(b"12345"));
    assert!(queue.fits(5) && !queue.fits(6));
    queue.push(Bytes::from_static(b"1"));
    assert!(!queue.fits(1), "two messages are the bound");
}

#[test]
fn the_oldest_go_first_but_never_a_message_that_is_partly_sent() {
    let mut queue = outbox(12, 3);
    for message in ["aaaa", "bbbb", "cccc"] {
        queue.push(Bytes::from_static(message.as_bytes()));
    }
    assert_eq!(queue.advance(1, drop), 0);
    let mut dropped = Vec::new();
    let (loss, ahead) = queue.drop_oldest(4, 3, |message| dropped.push(message));
    assert_eq!((loss, ahead), (Loss { messages: 1, bytes: 4 }, 1));
    assert_eq!(content(&queue), b"aaacccc");
    assert_eq!(dropped, ["bbbb"]);
    let (loss, ahead) = queue.drop_oldest(9, 1, drop);
    assert_eq!((loss, ahead), (Loss { messages: 1, bytes: 4 }, 0));
    assert_eq!(content(&queue), b"aaa");
}

#[test]
fn nothing_is_dropped_for_a_message_that_would_not_fit_even_so() {
    let mut queue = outbox(12, 3);
    for message in ["aaaa", "bbbb", "cccc"] {
        queue.push(Bytes::from_static(message.as_bytes()));
    }
    queue.advance(1, drop);
    assert_eq!(queue.drop_oldest(10, 3, drop), (Loss::default(), 0));
    assert_eq!(content(&queue), b"aaabbbbcccc");
    let mut single = outbox(12, 1);
    single.push(Bytes::from_static(b"ab"));
    single.advance(1, drop);
    assert_eq!(single.drop_oldest(1, 1, drop), (Loss::default(), 0));
    assert_eq!(content(&single), b"b");
}

#[test]
fn gather_stops_where_it_is_told() {
    let mut queue = outbox(100, 10);
    queue.push(Bytes::from_static(b"one"));
    queue.push(Bytes::from_static(b"two"));
    let mut slices = [IoSlice::new(&[]); GATHER];
    assert_eq!(queue.gather(&mut slices, 1), 1);
    assert_eq!(&*slices[0], b"one");
}

proptest! {
    #[test]
    fn what_goes_in_comes_out_in_order(steps in prop::collection::vec((1usize..40, 0usize..50), 1..60)) {
        let mut queue = outbox(200, 8);
        let (mut model, mut counter) = (Vec::new(), 0u8);
        for (push, sent) in steps {
            if queue.fits(push) {
                counter = counter.wrapping_add(1);
                queue.push(Bytes::from(vec![counter; push]));
                model.extend(std::iter::repeat_n(counter, push));
            }
            let sent = sent.min(model.len());
            queue.advance(sent, drop);
            model.drain(..sent);
            prop_assert_eq!(content(&queue), &model[..]);
            prop_assert_eq!(queue.bytes(), model.len());
        }
        prop_assert_eq!(queue.clear().0.bytes, model.len());
        prop_assert!(queue.is_empty() && queue.bytes() == 0);
    }
}
