//! The codecs, however the bytes are split.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// What a stream gives that comes in these pieces.
fn frames<C: Decoder + Clone>(
    codec: C,
    pieces: impl IntoIterator<Item = impl AsRef<[u8]>>,
) -> Vec<Result<C::Item, String>>
where
    C::Error: ToString,
{
    let mut assembler = Assembler::new(codec);
    let mut frames = Vec::new();
    for piece in pieces {
        assembler.buffer().extend_from_slice(piece.as_ref());
        frames.extend(std::iter::from_fn(|| assembler.next()));
    }
    assembler.end();
    frames.extend(std::iter::from_fn(|| assembler.next()));
    frames.into_iter().map(|frame| frame.map_err(|error| error.to_string())).collect()
}

fn ok(frames: &[&'static str]) -> Vec<Result<Bytes, String>> {
    frames.iter().map(|frame| Ok(Bytes::from_static(frame.as_bytes()))).collect()
}

fn failed(text: &str) -> Result<Bytes, String> {
    Err(text.to_owned())
}

fn encode<C: Encoder<I>, I>(codec: &mut C, frame: I) -> Result<BytesMut, C::Error> {
    let mut out = BytesMut::new();
    codec.encode(frame, &mut out)?;
    Ok(out)
}

#[test]
fn lines_end_in_lf_or_crlf() {
    let lines = frames(Lines::new(), ["one\ntwo\r\n\r\n\nthr\ree\n"]);
    assert_eq!(lines, ok(&["one", "two", "", "", "thr\ree"]));
}

#[test]
fn a_line_over_the_limit_is_an_error_and_so_is_what_follows_it() {
    let codec = || Lines::new().max_length(3);
    let error = failed("a line of 4 bytes or more exceeds the limit of 3 bytes");
    assert_eq!(frames(codec(), ["abc\r\nabc\n"]), ok(&["abc", "abc"]));
    for too_long in ["abcd\nx\n", "abcd", "abc\rd\n", "abcde\r\n", "abcdefghi"] {
        assert_eq!(frames(codec(), [too_long]), std::slice::from_ref(&error), "{too_long:?}");
    }
}

#[test]
fn a_part_of_a_frame_at_the_end_is_an_error() {
    let rest = |len| {
        failed(&format!("the stream ended within a frame, {len} bytes after the frame's beginning"))
    };
    assert_eq!(frames(Lines::new(), ["a\nbcd"]), [ok(&["a"]), vec![rest(3)]].concat());
    assert_eq!(frames(Lines::new(), ["abc\r"]), [rest(4)]);
    let codec = LengthPrefixed::new(Prefix::U16BigEndian);
    assert_eq!(frames(codec.clone(), [b"\0\x01a\0"]), [ok(&["a"]), vec![rest(1)]].concat());
    assert_eq!(frames(codec.clone(), [b"\0\x03ab"]), [rest(4)]);
    assert_eq!(frames(codec, [b""]), []);
}

#[test]
fn a_prefix_over_the_limit_names_both() {
    let codec = LengthPrefixed::new(Prefix::U32LittleEndian).max_length(5);
    let error = failed("a frame of 4294967295 bytes exceeds the limit of 5 bytes");
    assert_eq!(frames(codec.clone(), [[255; 20]]), [error]);
    let error = encode(&mut codec.clone(), [0; 6]).unwrap_err();
    assert!(matches!(error, FrameError::TooLong { len: 6, limit: 5 }));
    let mut codec = LengthPrefixed::new(Prefix::U8);
    assert!(matches!(
        encode(&mut codec, [0; 256]),
        Err(FrameError::TooLong { len: 256, limit: 255 })
    ));
    assert_eq!(encode(&mut codec, [7; 255]).unwrap().len(), 256);
}

#[test]
fn prefixes_are_written_as_they_say() {
    let written = |prefix| encode(&mut LengthPrefixed::new(prefix), vec![9; 258]).unwrap();
    assert_eq!(written(Prefix::U16BigEndian)[..3], [1, 2, 9]);
    assert_eq!(written(Prefix::U16LittleEndian)[..3], [2, 1, 9]);
    assert_eq!(written(Prefix::U32BigEndian)[..5], [0, 0, 1, 2, 9]);
    assert_eq!(written(Prefix::U32LittleEndian)[..5], [2, 1, 0, 0, 9]);
}

#[test]
fn a_line_that_would_be_read_as_another_is_not_sent() {
    let mut codec = Lines::new().ending(LineEnding::CrLf).max_length(4);
    assert_eq!(encode(&mut codec, "a\rb").unwrap()[..], *b"a\rb\r\n");
    assert!(matches!(encode(&mut codec, "a\nb"), Err(FrameError::LineBreak { at: 1 })));
    assert!(matches!(encode(&mut codec, "ab\r"), Err(FrameError::LineBreak { at: 2 })));
    assert!(matches!(encode(&mut codec, "abcde"), Err(FrameError::TooLong { len: 5, limit: 4 })));
}

#[test]
fn a_stream_after_a_broken_one_begins_anew() {
    let mut assembler = Assembler::new(Lines::new().max_length(3));
    assembler.buffer().extend_from_slice(b"too long\n");
    assert!(assembler.next().unwrap().is_err());
    assembler.buffer().extend_from_slice(b"a\n");
    assert!(assembler.next().is_none(), "of the stream that is spoiled");
    assembler.end();
    assert!(assembler.next().is_none());
    assembler.buffer().extend_from_slice(b"b\n");
    assert_eq!(assembler.next().unwrap().unwrap(), "b");
    assembler.buffer().extend_from_slice(b"part");
    assembler.restart();
    assembler.buffer().extend_from_slice(b"c\n");
    assert_eq!(assembler.next().unwrap().unwrap(), "c");
}

#[test]
fn codecs_of_tokio_util_fit() {
    let codec = tokio_util::codec::LengthDelimitedCodec::new();
    let received = frames(codec, [b"\0\0\0\x02ab\0\0\0\0"]);
    assert_eq!(received, [Ok(BytesMut::from("ab")), Ok(BytesMut::new())]);
}

fn prefixes() -> impl Strategy<Value = Prefix> {
    prop_oneof![
        Just(Prefix::U8),
        Just(Prefix::U16BigEndian),
        Just(Prefix::U16LittleEndian),
        Just(Prefix::U32BigEndian),
        Just(Prefix::U32LittleEndian),
    ]
}

/// The bytes in pieces, split at these places.
fn split(bytes: &[u8], places: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<_> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|ends| bytes[ends[0]..ends[1]].to_vec()).collect()
}

proptest! {
    #[test]
    fn any_split_gives_the_same_lines(
        bytes in prop::collection::vec(prop::sample::select(b"ab\r\n".as_slice()), 0..80),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        limit in 0_usize..12,
    ) {
        let codec = Lines::new().max_length(limit);
        let whole = frames(codec.clone(), [&bytes]);
        prop_assert_eq!(&frames(codec.clone(), split(&bytes, &places)), &whole);
        prop_assert_eq!(&frames(codec, bytes.chunks(1)), &whole);
    }

    #[test]
    fn any_split_gives_the_same_prefixed_frames(
        bytes in prop::collection::vec(0_u8..6, 0..80),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        prefix in prefixes(),
        limit in 0_usize..1030,
    ) {
        let codec = LengthPrefixed::new(prefix).max_length(limit);
        let whole = frames(codec.clone(), [&bytes]);
        prop_assert_eq!(&frames(codec.clone(), split(&bytes, &places)), &whole);
        prop_assert_eq!(&frames(codec, bytes.chunks(1)), &whole);
    }

    #[test]
    fn what_is_encoded_comes_back(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..10),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        prefix in prefixes(),
        crlf: bool,
    ) {
        let mut prefixed = LengthPrefixed::new(prefix);
        let ending = if crlf { LineEnding::CrLf } else { LineEnding::Lf };
        let mut lines = Lines::new().ending(ending);
        let (mut as_prefixed, mut as_lines) = (BytesMut::new(), BytesMut::new());
        let mut sent_as_lines = Vec::new();
        for message in &messages {
            prefixed.encode(message, &mut as_prefixed).unwrap();
            let before = as_lines.len();
            if lines.encode(message, &mut as_lines).is_ok() {
                sent_as_lines.push(Ok(Bytes::from(message.clone())));
            } else {
                prop_assert_eq!(as_lines.len(), before, "a refused line leaves nothing");
            }
        }
        let sent: Vec<_> = messages.into_iter().map(|message| Ok(Bytes::from(message))).collect();
        prop_assert_eq!(frames(prefixed, split(&as_prefixed, &places)), sent);
        prop_assert_eq!(frames(lines, split(&as_lines, &places)), sent_as_lines);
    }
}
