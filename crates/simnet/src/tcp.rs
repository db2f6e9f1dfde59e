//! A TCP end without memory: what it answers follows from the segment alone (RFC 9293 section 3.10.7).

use crate::query::{Flags, Segment};

/// What an open port answers. `initial` is its initial sequence number for this connection: always
/// the same one, so that the handshake, some data and the close of a `connect` come to a proper end.
pub(crate) fn open(segment: &Segment, initial: u32) -> Option<Segment> {
    let Flags { syn, ack, rst, fin } = segment.flags;
    if rst {
        return None;
    }
    if syn && !ack {
        let flags = Flags { syn: true, ack: true, ..Flags::default() };
        return Some(reply(segment, flags, initial, end_of(segment)));
    }
    if !ack {
        // LISTEN drops what neither opens nor acknowledges.
        return None;
    }
    // It has sent a SYN and at most a FIN: what else is acknowledged is of no connection here.
    let beyond_syn = segment.acknowledgment.wrapping_sub(initial.wrapping_add(1));
    if syn || beyond_syn > 1 {
        return Some(reset(segment));
    }
    let acknowledged_fin = beyond_syn == 1;
    if fin && !acknowledged_fin {
        let flags = Flags { fin: true, ack: true, ..Flags::default() };
        return Some(reply(segment, flags, segment.acknowledgment, end_of(segment)));
    }
    (fin || segment.length > 0).then(|| {
        let flags = Flags { ack: true, ..Flags::default() };
        reply(segment, flags, segment.acknowledgment, end_of(segment))
    })
}

/// What a closed port answers: a reset to everything but a reset.
pub(crate) fn closed(segment: &Segment) -> Option<Segment> {
    (!segment.flags.rst).then(|| reset(segment))
}

/// A reset that the sender accepts (RFC 9293 section 3.10.7.1).
fn reset(segment: &Segment) -> Segment {
    let rst = Flags { rst: true, ..Flags::default() };
    if segment.flags.ack {
        reply(segment, rst, segment.acknowledgment, 0)
    } else {
        reply(segment, Flags { ack: true, ..rst }, 0, end_of(segment))
    }
}

fn reply(to: &Segment, flags: Flags, sequence: u32, acknowledgment: u32) -> Segment {
    Segment {
        source_port: to.destination_port,
        destination_port: to.source_port,
        sequence,
        acknowledgment,
        flags,
        length: 0,
    }
}

/// The sequence number after the segment: SYN and FIN take one each.
fn end_of(segment: &Segment) -> u32 {
    let controls = u32::from(segment.flags.syn) + u32::from(segment.flags.fin);
    segment.sequence.wrapping_add(segment.length).wrapping_add(controls)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INITIAL: u32 = u32::MAX;

    fn segment(flags: &str, sequence: u32, acknowledgment: u32, length: u32) -> Segment {
        let has = |letter| flags.contains(letter);
        Segment {
            source_port: 40_000,
            destination_port: 80,
            sequence,
            acknowledgment,
            flags: Flags { syn: has('S'), ack: has('A'), rst: has('R'), fin: has('F') },
            length,
        }
    }

    /// Flags, sequence and acknowledgement number of an answer.
    fn shown(answer: Option<Segment>) -> Option<(String, u32, u32)> {
        let answer = answer?;
        assert_eq!((answer.source_port, answer.destination_port), (80, 40_000));
        let Flags { syn, ack, rst, fin } = answer.flags;
        let letters = [(syn, 'S'), (ack, 'A'), (rst, 'R'), (fin, 'F')];
        let flags = letters.iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect();
        Some((flags, answer.sequence, answer.acknowledgment))
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with what may be nothing")]
    fn answered(flags: &str, sequence: u32, acknowledgment: u32) -> Option<(String, u32, u32)> {
        Some((flags.to_owned(), sequence, acknowledgment))
    }

    #[test]
    fn a_connection_comes_to_its_proper_end() {
        let open = |segment| shown(open(&segment, INITIAL));
        assert_eq!(open(segment("S", 9, 0, 0)), answered("SA", INITIAL, 10));
        assert_eq!(open(segment("A", 10, 0, 0)), None);
        assert_eq!(open(segment("A", 10, 0, 5)), answered("A", 0, 15));
        assert_eq!(open(segment("FA", 15, 0, 0)), answered("AF", 0, 16));
        assert_eq!(open(segment("A", 16, 1, 0)), None);
        // Its FIN, repeated after ours was acknowledged.
        assert_eq!(open(segment("FA", 15, 1, 0)), answered("A", 1, 16));
    }

    #[test]
    fn what_belongs_to_no_connection_is_reset() {
        let open = |segment| shown(open(&segment, INITIAL));
        assert_eq!(open(segment("A", 1, 77, 0)), answered("R", 77, 0));
        assert_eq!(open(segment("SA", 1, 0, 0)), answered("R", 0, 0));
        assert_eq!(open(segment("R", 1, 0, 0)), None);
        assert_eq!(open(segment("F", 1, 0, 0)), None);
    }

    #[test]
    fn a_closed_port_resets_all_but_resets() {
        let closed = |segment| shown(closed(&segment));
        assert_eq!(closed(segment("S", 9, 0, 0)), answered("AR", 0, 10));
        assert_eq!(closed(segment("", 9, 0, 3)), answered("AR", 0, 12));
        assert_eq!(closed(segment("A", 9, 77, 0)), answered("R", 77, 0));
        assert_eq!(closed(segment("FA", 9, 77, 0)), answered("R", 77, 0));
        assert_eq!(closed(segment("RA", 9, 77, 0)), None);
    }
}
