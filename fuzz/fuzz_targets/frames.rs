//! Frames out of a stream: how the stream is cut makes no difference, and none is longer than the
//! limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockets_tcp::bytes::{Bytes, BytesMut};
use sockets_tcp::tokio_util::codec::Decoder;
use sockets_tcp::{FrameError, LengthPrefixed, Lines, Prefix};

const PREFIXES: [Prefix; 5] = [
    Prefix::U8,
    Prefix::U16BigEndian,
    Prefix::U16LittleEndian,
    Prefix::U32BigEndian,
    Prefix::U32LittleEndian,
];

/// All frames, and what is wrong with the first that is none.
fn frames<C>(mut codec: C, stream: &[u8], step: usize) -> (Vec<Bytes>, Option<String>)
where
    C: Decoder<Item = Bytes, Error = FrameError>,
{
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    let pieces = stream.chunks(step).map(Some).chain([None]);
    for piece in pieces {
        buffer.extend_from_slice(piece.unwrap_or_default());
        loop {
            let decoded = match piece {
                Some(_) => codec.decode(&mut buffer),
                None => codec.decode_eof(&mut buffer),
            };
            match decoded {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error.to_string())),
            }
        }
    }
    assert!(buffer.is_empty());
    (frames, None)
}

fn check<C>(codec: &C, limit: usize, stream: &[u8], step: usize)
where
    C: Decoder<Item = Bytes, Error = FrameError> + Clone,
{
    let whole = frames(codec.clone(), stream, stream.len().max(1));
    assert_eq!(frames(codec.clone(), stream, step), whole);
    assert!(whole.0.iter().all(|frame| frame.len() <= limit));
}

fuzz_target!(|input: (u8, u16, u8, &[u8])| {
    let (kind, limit, step, stream) = input;
    let (limit, step) = (usize::from(limit), usize::from(step).max(1));
    match PREFIXES.get(usize::from(kind) % (PREFIXES.len() + 1)) {
        Some(prefix) => {
            check(&LengthPrefixed::new(*prefix).max_length(limit), limit, stream, step);
        }
        None => check(&Lines::new().max_length(limit), limit, stream, step),
    }
});
