//! A classic BPF program that the kernel will take.

use sockets_sys::FilterInstruction;

use super::code;
use super::emit::Code;

/// A classic BPF program, checked as the kernel checks it (`bpf_check_classic` in
/// `net/core/filter.c`): it ends, jumps only forward and inside, has only known operations, and reads
/// only memory that it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(Vec<FilterInstruction>);

/// Why a list of instructions is not a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// None, or more than the kernel takes.
    #[error("a program has 1 to {most} instructions, this one {length}", most = FilterInstruction::MOST)]
    Length {
        /// How many there are.
        length: usize,
    },
    /// An operation that does not exist, divides by zero, shifts too far, or is out of memory.
    #[error("instruction {at} makes no sense")]
    Operation {
        /// Its place, from 0.
        at: usize,
    },
    /// A jump behind the end.
    #[error("instruction {at} jumps out of the program")]
    Jump {
        /// Its place, from 0.
        at: usize,
    },
    /// The last instruction does not return.
    #[error("the program does not end with a return")]
    NoReturn,
    /// A load from memory that is not written on every way there.
    #[error("instruction {at} reads memory that may not be written")]
    Unwritten {
        /// Its place, from 0.
        at: usize,
    },
}

impl Program {
    /// Checks the instructions.
    ///
    /// # Errors
    ///
    /// [`ProgramError`]. Of the data beside the packet that the kernel offers, only the Ethernet
    /// type can be loaded.
    pub fn new(instructions: Vec<FilterInstruction>) -> Result<Self, ProgramError> {
        let length = instructions.len();
        let Some(last) = instructions.last().filter(|_| length <= FilterInstruction::MOST) else {
            return Err(ProgramError::Length { length });
        };
        if last.code & code::CLASS != code::RETURN {
            return Err(ProgramError::NoReturn);
        }
        for (at, instruction) in instructions.iter().enumerate() {
            if !is_known(*instruction) {
                return Err(ProgramError::Operation { at });
            }
            if farthest(*instruction).is_some_and(|skip| skip >= (length - at - 1) as u64) {
                return Err(ProgramError::Jump { at });
            }
        }
        match unwritten(&instructions) {
            Some(at) => Err(ProgramError::Unwritten { at }),
            None => Ok(Self(instructions)),
        }
    }

    /// A program compiled here.
    pub(super) fn of_ours(code: Code) -> Self {
        let program = Self::new(code.into_instructions());
        #[expect(
            clippy::expect_used,
            reason = "the compiler and its bounds are tested against the check"
        )]
        program.expect("a compiled filter is a program")
    }

    /// The instructions.
    pub fn instructions(&self) -> &[FilterInstruction] {
        &self.0
    }
}

/// The first instruction that reads memory not surely written (`check_load_and_stores` in
/// `net/core/filter.c`). The instructions are known, and their jumps inside.
fn unwritten(instructions: &[FilterInstruction]) -> Option<usize> {
    // What every jump to an instruction has written, by word of memory; without one, all.
    let mut at_jump = vec![u16::MAX; instructions.len()];
    let mut written = 0_u16;
    for (at, instruction) in instructions.iter().enumerate() {
        let FilterInstruction { code, jump_true, jump_false, operand } = *instruction;
        written &= at_jump[at];
        let word = || 1_u16 << operand;
        match code & code::CLASS {
            code::STORE | code::STORE_X => written |= word(),
            code::LOAD | code::LOAD_X
                if code & code::MODE == code::MEMORY && written & word() == 0 =>
            {
                return Some(at);
            }
            code::JUMP => {
                let skips = match code & code::OPERATION {
                    code::ALWAYS => [operand as usize; 2],
                    _ => [usize::from(jump_true), usize::from(jump_false)],
                };
                for skip in skips {
                    at_jump[at + 1 + skip] &= written;
                }
                // What comes next is reached by jumps only.
                written = u16::MAX;
            }
            _ => {}
        }
    }
    None
}

/// How many instructions a jump skips at most.
fn farthest(instruction: FilterInstruction) -> Option<u64> {
    let FilterInstruction { code, jump_true, jump_false, operand } = instruction;
    match (code & code::CLASS, code & code::OPERATION) {
        (code::JUMP, code::ALWAYS) => Some(u64::from(operand)),
        (code::JUMP, _) => Some(u64::from(jump_true.max(jump_false))),
        _ => None,
    }
}

fn is_known(instruction: FilterInstruction) -> bool {
    use code::{
        A_TO_X, ABSOLUTE, ADD, ALU, ALWAYS, AND, ANY_BIT, AT_LEAST, BY_A, BY_X, BYTE, CLASS,
        DIVIDE, EQUAL, GREATER, HALF, HEADER_LENGTH, IMMEDIATE, INDIRECT, JUMP, LENGTH, LOAD,
        LOAD_X, MEMORY, MISC, MULTIPLY, NEGATE, OPERATION, OR, REMAINDER, RETURN, SHIFT_LEFT,
        SHIFT_RIGHT, STORE, STORE_X, SUBTRACT, WORD, X_TO_A, XOR,
    };
    const LOAD_ABSOLUTE: [u16; 3] = [WORD | ABSOLUTE, HALF | ABSOLUTE, BYTE | ABSOLUTE];
    const LOAD_INDIRECT: [u16; 3] = [WORD | INDIRECT, HALF | INDIRECT, BYTE | INDIRECT];
    let FilterInstruction { code, operand, .. } = instruction;
    if code > 0xff {
        return false;
    }
    let (rest, in_memory) = (code & !CLASS, operand < code::MEMORY_WORDS);
    match code & CLASS {
        LOAD if LOAD_ABSOLUTE.contains(&rest) => {
            operand < code::FIRST_SPECIAL || operand == code::ETHER_TYPE
        }
        // The kernel checks such a load when it runs it.
        LOAD if LOAD_INDIRECT.contains(&rest) => true,
        LOAD => matches!(rest, IMMEDIATE | LENGTH) || rest == MEMORY && in_memory,
        LOAD_X if rest == BYTE | HEADER_LENGTH => operand < code::FIRST_SPECIAL,
        LOAD_X => matches!(rest, IMMEDIATE | LENGTH) || rest == MEMORY && in_memory,
        STORE | STORE_X => rest == 0 && in_memory,
        ALU => {
            let by_constant = rest & BY_X == 0;
            match rest & OPERATION {
                ADD | SUBTRACT | MULTIPLY | OR | AND | XOR => true,
                DIVIDE | REMAINDER => !by_constant || operand > 0,
                SHIFT_LEFT | SHIFT_RIGHT => !by_constant || operand < 32,
                NEGATE => by_constant,
                _ => false,
            }
        }
        JUMP => match rest & OPERATION {
            ALWAYS => rest & BY_X == 0,
            EQUAL | GREATER | AT_LEAST | ANY_BIT => true,
            _ => false,
        },
        RETURN => matches!(rest, 0 | BY_A),
        MISC => matches!(rest, A_TO_X | X_TO_A),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
