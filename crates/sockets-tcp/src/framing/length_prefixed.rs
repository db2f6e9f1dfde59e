//! Frames that begin with their length.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::FrameError;

/// How the length before a frame is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// One byte.
    U8,
    /// Two bytes, the most significant first.
    U16BigEndian,
    /// Two bytes, the least significant first.
    U16LittleEndian,
    /// Four bytes, the most significant first.
    U32BigEndian,
    /// Four bytes, the least significant first.
    U32LittleEndian,
}

impl Prefix {
    /// How many bytes it takes.
    pub const fn width(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16BigEndian | Self::U16LittleEndian => 2,
            Self::U32BigEndian | Self::U32LittleEndian => 4,
        }
    }

    /// The longest frame it can announce, in bytes.
    pub const fn largest(self) -> u32 {
        match self {
            Self::U8 => u8::MAX as u32,
            Self::U16BigEndian | Self::U16LittleEndian => u16::MAX as u32,
            Self::U32BigEndian | Self::U32LittleEndian => u32::MAX,
        }
    }

    /// `None` where the prefix is not all there.
    fn read(self, mut bytes: &[u8]) -> Option<u32> {
        match self {
            Self::U8 => bytes.try_get_u8().map(u32::from),
            Self::U16BigEndian => bytes.try_get_u16().map(u32::from),
            Self::U16LittleEndian => bytes.try_get_u16_le().map(u32::from),
            Self::U32BigEndian => bytes.try_get_u32(),
            Self::U32LittleEndian => bytes.try_get_u32_le(),
        }
        .ok()
    }

    /// `len` is within [`Prefix::largest`].
    fn write(self, len: u32, out: &mut BytesMut) {
        match self {
            Self::U8 => out.put_uint(len.into(), 1),
            Self::U16BigEndian => out.put_uint(len.into(), 2),
            Self::U16LittleEndian => out.put_uint_le(len.into(), 2),
            Self::U32BigEndian => out.put_u32(len),
            Self::U32LittleEndian => out.put_u32_le(len),
        }
    }
}

/// A codec of frames that begin with their length in bytes, the prefix itself not counted.
///
/// Memory is taken as the bytes come, never because a prefix announces them.
#[derive(Clone, Debug)]
pub struct LengthPrefixed {
    prefix: Prefix,
    limit: usize,
}

impl LengthPrefixed {
    /// The longest frame, unless set: 1 MiB, or what the prefix can say where that is less.
    pub const DEFAULT_MAX_LENGTH: usize = 1 << 20;

    /// Frames of at most 1 MiB behind such a prefix.
    pub fn new(prefix: Prefix) -> Self {
        Self { prefix, limit: 0 }.max_length(Self::DEFAULT_MAX_LENGTH)
    }

    /// The longest frame in bytes, without its prefix; at most what the prefix can say. Default:
    /// [`DEFAULT_MAX_LENGTH`](Self::DEFAULT_MAX_LENGTH).
    #[must_use]
    pub fn max_length(mut self, bytes: usize) -> Self {
        self.limit = bytes.min(usize::try_from(self.prefix.largest()).unwrap_or(usize::MAX));
        self
    }
}

impl Decoder for LengthPrefixed {
    type Item = Bytes;
    type Error = FrameError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        let Some(announced) = self.prefix.read(source) else { return Ok(None) };
        let len = usize::try_from(announced).unwrap_or(usize::MAX);
        if len > self.limit {
            return Err(FrameError::TooLong { len: announced.into(), limit: self.limit });
        }
        let width = self.prefix.width();
        if source.len() - width < len {
            return Ok(None);
        }
        source.advance(width);
        Ok(Some(source.split_to(len).freeze()))
    }

    fn decode_eof(&mut self, source: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        match self.decode(source)? {
            None if source.is_empty() => Ok(None),
            None => Err(FrameError::Incomplete { len: source.len() }),
            frame => Ok(frame),
        }
    }
}

impl<T: AsRef<[u8]>> Encoder<T> for LengthPrefixed {
    type Error = FrameError;

    fn encode(&mut self, frame: T, out: &mut BytesMut) -> Result<(), FrameError> {
        let frame = frame.as_ref();
        let len = match u32::try_from(frame.len()) {
            Ok(len) if frame.len() <= self.limit => len,
            _ => {
                return Err(FrameError::TooLong { len: frame.len() as u64, limit: self.limit });
            }
        };
        out.reserve(self.prefix.width() + frame.len());
        self.prefix.write(len, out);
        out.put_slice(frame);
        Ok(())
    }
}
