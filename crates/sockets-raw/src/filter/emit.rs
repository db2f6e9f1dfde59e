//! Pieces of programs: tests, alternatives of tests, and the walk over IPv6 extension headers.

use sockets_sys::FilterInstruction;

use super::code;
use crate::wire::MAX_EXTENSION_HEADERS;

/// The verdict that lets a packet pass, whole.
const KEEP_ALL: u32 = u32::MAX;
/// Where the walk keeps the next header's number, word of memory.
const NEXT_HEADER: u32 = 0;

/// A condition on A, loaded first where `load` says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    load: Option<FilterInstruction>,
    test: Test,
}

#[derive(Clone, Copy, Debug)]
enum Test {
    Equal(u32),
    AtLeast(u32),
    AtMost(u32),
    NoBitOf(u32),
}

impl Check {
    pub(super) const fn equal(load: FilterInstruction, value: u32) -> Self {
        Self { load: Some(load), test: Test::Equal(value) }
    }

    /// A is still what it was in the check before.
    pub(super) const fn still_equal(value: u32) -> Self {
        Self { load: None, test: Test::Equal(value) }
    }

    pub(super) const fn no_bit_of(load: FilterInstruction, mask: u32) -> Self {
        Self { load: Some(load), test: Test::NoBitOf(mask) }
    }

    pub(super) const fn between(load: FilterInstruction, first: u32, last: u32) -> [Self; 2] {
        [
            Self { load: Some(load), test: Test::AtLeast(first) },
            Self { load: None, test: Test::AtMost(last) },
        ]
    }

    const fn length(self) -> usize {
        if self.load.is_some() { 2 } else { 1 }
    }
}

pub(super) const fn instruction(code: u16, operand: u32) -> FilterInstruction {
    FilterInstruction { code, jump_true: 0, jump_false: 0, operand }
}

const fn jump(code: u16, operand: u32, jump_true: u8, jump_false: u8) -> FilterInstruction {
    FilterInstruction { code: code::JUMP | code, jump_true, jump_false, operand }
}

pub(super) const fn byte(at: u32) -> FilterInstruction {
    instruction(code::LOAD | code::BYTE | code::ABSOLUTE, at)
}

pub(super) const fn half(at: u32) -> FilterInstruction {
    instruction(code::LOAD | code::HALF | code::ABSOLUTE, at)
}

pub(super) const fn word(at: u32) -> FilterInstruction {
    instruction(code::LOAD | code::WORD | code::ABSOLUTE, at)
}

/// From the transport header on: X is where it begins.
pub(super) const fn transport_byte(at: u32) -> FilterInstruction {
    instruction(code::LOAD | code::BYTE | code::INDIRECT, at)
}

/// From the transport header on: X is where it begins.
pub(super) const fn transport_half(at: u32) -> FilterInstruction {
    instruction(code::LOAD | code::HALF | code::INDIRECT, at)
}

/// From the transport header on: X is where it begins.
pub(super) const fn transport_word(at: u32) -> FilterInstruction {
    instruction(code::LOAD | code::WORD | code::INDIRECT, at)
}

/// What the walk over IPv6 headers found.
pub(super) const fn protocol_found() -> FilterInstruction {
    instruction(code::LOAD | code::MEMORY, NEXT_HEADER)
}

/// The packet's Ethernet type.
pub(super) const fn ether_type() -> FilterInstruction {
    word(code::ETHER_TYPE)
}

/// A program under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Code(Vec<FilterInstruction>);

impl Code {
    pub(super) fn into_instructions(self) -> Vec<FilterInstruction> {
        self.0
    }

    pub(super) fn accept(&mut self) {
        self.0.push(instruction(code::RETURN, KEEP_ALL));
    }

    pub(super) fn reject(&mut self) {
        self.0.push(instruction(code::RETURN, 0));
    }

    /// Goes on where all checks hold; refuses the packet otherwise.
    pub(super) fn require(&mut self, checks: &[Check]) {
        self.require_any(&[checks.to_vec()]);
    }

    /// Goes on where all checks of one of the alternatives hold; refuses the packet otherwise.
    ///
    /// The checks of all alternatives together are short of 128, as the jumps have 8 bits.
    pub(super) fn require_any(&mut self, alternatives: &[Vec<Check>]) {
        let length = |checks: &[Check]| checks.iter().map(|check| check.length()).sum::<usize>();
        for (index, checks) in alternatives.iter().enumerate() {
            // Behind the later alternatives, and the refusal.
            let beyond =
                alternatives[index + 1..].iter().map(|later| length(later)).sum::<usize>() + 1;
            let mut left = length(checks);
            for (place, check) in checks.iter().enumerate() {
                self.0.extend(check.load);
                left -= check.length();
                let is_last = place + 1 == checks.len();
                let (holds, fails) = (if is_last { beyond as u8 } else { 0 }, left as u8);
                self.0.push(match check.test {
                    Test::Equal(value) => jump(code::EQUAL, value, holds, fails),
                    Test::AtLeast(value) => jump(code::AT_LEAST, value, holds, fails),
                    Test::AtMost(value) => jump(code::GREATER, value, fails, holds),
                    Test::NoBitOf(mask) => jump(code::ANY_BIT, mask, fails, holds),
                });
            }
        }
        self.reject();
    }

    /// Goes to the section of the packet's Ethernet type; refuses the packet where there is none.
    pub(super) fn dispatch(&mut self, sections: Vec<(u16, Self)>) {
        self.0.push(ether_type());
        // Two instructions for each section, then the refusal, then the sections.
        let mut distance = sections.len() * 2 + 1;
        for (ether_type, section) in &sections {
            distance -= 2;
            self.0.push(jump(code::EQUAL, u32::from(*ether_type), 0, 1));
            self.0.push(instruction(code::JUMP | code::ALWAYS, distance as u32));
            distance += section.0.len();
        }
        self.reject();
        self.0.extend(sections.into_iter().flat_map(|(_, section)| section.0));
    }

    /// X: where the transport header of an IPv4 packet begins.
    pub(super) fn find_ipv4_transport(&mut self) {
        self.0.push(instruction(code::LOAD_X | code::BYTE | code::HEADER_LENGTH, 0));
    }

    /// X: where the transport header of an IPv6 packet begins; [`protocol_found`]: its number. Steps
    /// over as many extension headers as [`wire::parse`](crate::wire::parse) does. Later fragments
    /// are refused where `needs_transport`.
    pub(super) fn find_ipv6_transport(&mut self, needs_transport: bool) {
        const FIXED_HEADER: u32 = 40;
        const NEXT: u32 = 6;
        self.0.extend([byte(NEXT), instruction(code::LOAD_X | code::IMMEDIATE, FIXED_HEADER)]);
        let mut exits = Vec::new();
        for _ in 0..MAX_EXTENSION_HEADERS {
            self.extension_header(needs_transport, &mut exits);
        }
        let end = self.0.len();
        for exit in exits {
            self.0[exit].operand = (end - exit - 1) as u32;
        }
        self.0.push(instruction(code::STORE, NEXT_HEADER));
    }

    /// One step of the walk: A is the header's number, before and after. Jumps in `exits` go to the
    /// walk's end.
    fn extension_header(&mut self, needs_transport: bool, exits: &mut Vec<usize>) {
        const STORE: FilterInstruction = instruction(code::STORE, NEXT_HEADER);
        const ADD_X: FilterInstruction = instruction(code::ALU | code::ADD | code::BY_X, 0);
        const TO_X: FilterInstruction = instruction(code::MISC | code::A_TO_X, 0);
        const LOAD: FilterInstruction = instruction(code::LOAD | code::MEMORY, NEXT_HEADER);
        let add = |number| instruction(code::ALU | code::ADD, number);
        let shift = |bits| instruction(code::ALU | code::SHIFT_LEFT, bits);

        // Length in units of 8 bytes, without the first 8.
        let ordinary =
            [transport_byte(0), STORE, transport_byte(1), add(1), shift(3), ADD_X, TO_X, LOAD];
        // Length in units of 4 bytes, without the first 8.
        let authentication =
            [transport_byte(0), STORE, transport_byte(1), add(2), shift(2), ADD_X, TO_X, LOAD];
        let mut fragment = vec![transport_half(2), jump(code::ANY_BIT, 0xfff8, 0, 2)];
        if needs_transport {
            fragment.extend([instruction(code::RETURN, 0); 2]);
        } else {
            fragment.extend([transport_byte(0), instruction(code::JUMP | code::ALWAYS, 0)]);
        }
        let leaves = fragment.len() - 1;
        let add_8 = [instruction(code::MISC | code::X_TO_A, 0), add(8), TO_X];
        fragment.extend([transport_byte(0), STORE]);
        fragment.extend(add_8);
        fragment.push(LOAD);

        // The three bodies, with a jump to the end of this step behind the first two.
        let ordinary_at = 9;
        let fragment_at = ordinary_at + ordinary.len() + 1;
        let authentication_at = fragment_at + fragment.len() + 1;
        let end = authentication_at + authentication.len();
        let to = |from: usize, target: usize| (target - from - 1) as u8;
        let start = self.0.len();
        for (from, number) in [0, 43, 60, 135, 139, 140].into_iter().enumerate() {
            self.0.push(jump(code::EQUAL, number, to(from, ordinary_at), 0));
        }
        self.0.push(jump(code::EQUAL, 44, to(6, fragment_at), 0));
        self.0.push(jump(code::EQUAL, 51, to(7, authentication_at), 0));
        exits.push(start + 8);
        self.0.push(instruction(code::JUMP | code::ALWAYS, 0));
        self.0.extend(ordinary);
        let skip = |from: usize| instruction(code::JUMP | code::ALWAYS, (end - from - 1) as u32);
        self.0.push(skip(fragment_at - 1));
        if !needs_transport {
            exits.push(start + fragment_at + leaves);
        }
        self.0.extend(fragment);
        self.0.push(skip(authentication_at - 1));
        self.0.extend(authentication);
    }
}
