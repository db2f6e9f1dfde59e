//! Classic BPF: any instructions are a program that ends, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockets_raw::{FilterInstruction, Program};

/// As the kernel lays an instruction out.
const INSTRUCTION: usize = 8;

fuzz_target!(|input: (u8, u16, &[u8])| {
    let (count, ether_type, bytes) = input;
    let program = bytes.len().min(usize::from(count) * INSTRUCTION) / INSTRUCTION * INSTRUCTION;
    let (program, packet) = bytes.split_at(program);
    let mut instructions: Vec<_> = program
        .chunks_exact(INSTRUCTION)
        .map(|bytes| FilterInstruction {
            code: u16::from(bytes[0]),
            jump_true: bytes[2],
            jump_false: bytes[3],
            operand: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        })
        .collect();
    // Most programs lack it.
    instructions.push(FilterInstruction { code: 0x16, jump_true: 0, jump_false: 0, operand: 0 });
    if let Ok(program) = Program::new(instructions) {
        let _ = program.run(packet, ether_type);
    }
});
