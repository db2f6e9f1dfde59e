//! Classic BPF in user space: what the kernel's verdict would be.

use sockets_sys::FilterInstruction;

use super::Program;
use super::code;

impl Program {
    /// What the program returns for a packet: 0, or how many of its bytes are to be kept.
    ///
    /// `packet` is from the network header on, as on a cooked packet socket. A load from outside of
    /// it, or a division by zero, ends the program with 0, as in the kernel. So does here, and there
    /// not always, a load by X that comes to the link header (`SKF_LL_OFF`): that is not in `packet`.
    pub fn run(&self, packet: &[u8], ether_type: u16) -> u32 {
        let mut machine = Machine { a: 0, x: 0, memory: [0; code::MEMORY_WORDS as usize] };
        let mut next = 0;
        // A program only goes forward, so this ends.
        while let Some(instruction) = self.instructions().get(next) {
            match machine.step(*instruction, packet, ether_type) {
                Some(Step::Skip(skip)) => next = next.saturating_add(skip).saturating_add(1),
                Some(Step::Return(kept)) => return kept,
                None => return 0,
            }
        }
        0
    }
}

struct Machine {
    a: u32,
    x: u32,
    memory: [u32; code::MEMORY_WORDS as usize],
}

enum Step {
    Skip(usize),
    Return(u32),
}

impl Machine {
    /// `None`: the packet is refused.
    fn step(
        &mut self,
        instruction: FilterInstruction,
        packet: &[u8],
        ether_type: u16,
    ) -> Option<Step> {
        let FilterInstruction { code, jump_true, jump_false, operand } = instruction;
        let mut skip = 0;
        match code & code::CLASS {
            code::LOAD => self.a = self.load(code, operand, packet, ether_type)?,
            code::LOAD_X => {
                self.x = match code & code::MODE {
                    code::HEADER_LENGTH => {
                        u32::from(*packet.get(usize::try_from(operand).ok()?)? & 0x0f) * 4
                    }
                    _ => self.load(code, operand, packet, ether_type)?,
                }
            }
            code::STORE => *self.memory.get_mut(operand as usize)? = self.a,
            code::STORE_X => *self.memory.get_mut(operand as usize)? = self.x,
            code::ALU => self.a = self.calculate(code, operand)?,
            code::JUMP => {
                let other = if code & code::BY_X == 0 { operand } else { self.x };
                let holds = match code & code::OPERATION {
                    code::ALWAYS => return Some(Step::Skip(usize::try_from(operand).ok()?)),
                    code::EQUAL => self.a == other,
                    code::GREATER => self.a > other,
                    code::AT_LEAST => self.a >= other,
                    _ => self.a & other != 0,
                };
                skip = usize::from(if holds { jump_true } else { jump_false });
            }
            code::RETURN => {
                return Some(Step::Return(if code & code::BY_A == 0 { operand } else { self.a }));
            }
            _ if code & !code::CLASS == code::X_TO_A => self.a = self.x,
            _ => self.x = self.a,
        }
        Some(Step::Skip(skip))
    }

    fn load(&self, code: u16, operand: u32, packet: &[u8], ether_type: u16) -> Option<u32> {
        let at = match code & code::MODE {
            code::IMMEDIATE => return Some(operand),
            code::LENGTH => return Some(packet.len() as u32),
            code::MEMORY => return self.memory.get(operand as usize).copied(),
            code::ABSOLUTE if operand == code::ETHER_TYPE => return Some(u32::from(ether_type)),
            code::ABSOLUTE => operand,
            _ => match operand.wrapping_add(self.x) {
                // The kernel reads a sum from 2^31 on as negative, and some of those as counted from the
                // network header (`bpf_internal_load_pointer_neg_helper` in `kernel/bpf/core.c`).
                at @ code::NETWORK_HEADER.. => at - code::NETWORK_HEADER,
                at => at,
            },
        };
        if at >= code::FIRST_SPECIAL {
            return None;
        }
        let bytes = packet.get(usize::try_from(at).ok()?..)?;
        match code & code::SIZE {
            code::WORD => bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)),
            code::HALF => bytes.first_chunk().map(|bytes| u32::from(u16::from_be_bytes(*bytes))),
            _ => bytes.first().copied().map(u32::from),
        }
    }

    fn calculate(&self, code: u16, operand: u32) -> Option<u32> {
        let other = if code & code::BY_X == 0 { operand } else { self.x };
        Some(match code & code::OPERATION {
            code::ADD => self.a.wrapping_add(other),
            code::SUBTRACT => self.a.wrapping_sub(other),
            code::MULTIPLY => self.a.wrapping_mul(other),
            code::DIVIDE => self.a.checked_div(other)?,
            code::REMAINDER => self.a.checked_rem(other)?,
            code::OR => self.a | other,
            code::AND => self.a & other,
            code::XOR => self.a ^ other,
            // The kernel's machine looks at the lower five bits.
            code::SHIFT_LEFT => self.a.wrapping_shl(other),
            code::SHIFT_RIGHT => self.a.wrapping_shr(other),
            _ => self.a.wrapping_neg(),
        })
    }
}
