//! Programs of any origin, against the kernel's check.

use std::net::UdpSocket;

use proptest::prelude::*;

use super::super::emit;
use super::*;
use crate::wire::ether_type;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_program_ends(
        steps in prop::collection::vec((any::<u8>(), 0u8..8, 0u8..8, any::<u32>()), 0..32),
        small: bool,
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let instructions: Vec<_> = steps
            .into_iter()
            .map(|(code, jump_true, jump_false, operand)| FilterInstruction {
                code: u16::from(code),
                jump_true,
                jump_false,
                operand: if small { operand % 64 } else { operand },
            })
            .chain([emit::instruction(code::RETURN | code::BY_A, 0)])
            .collect();
        if let Ok(program) = Program::new(instructions) {
            let _ = program.run(&bytes, ether_type::IPV4);
        }
    }
}

#[test]
fn our_check_is_the_kernels() {
    // Instructions that mean something, and their neighbours that do not.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for code in 0..=0xff {
        for operand in [0, 1, 15, 16, 31, 32] {
            let step = FilterInstruction { code, jump_true: 0, jump_false: 0, operand };
            // The kernel wants memory written before it is read.
            let write = (0..16).map(|at| emit::instruction(code::STORE, at));
            let end = [emit::instruction(code::RETURN, 0); 2];
            let program: Vec<_> = write.chain([step]).chain(end).collect();
            let kernel = sockets_sys::attach_filter(&socket, &program).is_ok();
            let ours = Program::new(program).is_ok();
            assert_eq!(ours, kernel, "{step:?}");
        }
    }
}

#[test]
fn memory_is_read_where_it_was_written_as_the_kernel_wants_it() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let branch = |jump_true, jump_false| FilterInstruction {
        jump_true,
        jump_false,
        ..emit::instruction(code::JUMP | code::EQUAL, 0)
    };
    let store = emit::instruction(code::STORE_X, 3);
    let [load, load_x] =
        [code::LOAD, code::LOAD_X].map(|class| emit::instruction(class | code::MEMORY, 3));
    let skip = emit::instruction(code::JUMP | code::ALWAYS, 1);
    let end = emit::instruction(code::RETURN, 0);
    for (program, unwritten) in [
        (vec![load, end], Some(0)),
        (vec![emit::instruction(code::STORE, 2), load_x, end], Some(1)),
        (vec![store, load, load_x, end], None),
        // On one of the two ways only, and on both.
        (vec![branch(0, 1), store, load, end], Some(2)),
        (vec![branch(0, 2), store, skip, store, load, end], None),
        (vec![skip, store, load, end], Some(2)),
        (vec![store, branch(0, 0), load, end], None),
    ] {
        let kernel = sockets_sys::attach_filter(&socket, &program).is_ok();
        assert_eq!(kernel, unwritten.is_none(), "{program:?}");
        let ours = Program::new(program).err();
        assert_eq!(ours, unwritten.map(|at| ProgramError::Unwritten { at }));
    }
}

#[test]
fn a_load_by_x_may_count_from_the_network_header() {
    // The first byte of the IP header, and whether it is that of one without options.
    let load = emit::instruction(code::LOAD | code::BYTE | code::INDIRECT, 1);
    let program = vec![
        emit::instruction(code::LOAD_X | code::IMMEDIATE, code::NETWORK_HEADER - 1),
        load,
        FilterInstruction { jump_false: 1, ..emit::instruction(code::JUMP | code::EQUAL, 0x45) },
        emit::instruction(code::RETURN, u32::MAX),
        emit::instruction(code::RETURN, 0),
    ];
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    sockets_sys::attach_filter(&socket, &program).unwrap();
    socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
    // What does not pass the filter never comes: no reason to wait for ever.
    socket.set_read_timeout(Some(std::time::Duration::from_mins(1))).unwrap();
    assert_eq!(socket.recv(&mut [0; 1]).unwrap(), 1);
    let passes = |program| Program::new(program).unwrap().run(&[0x45; 20], ether_type::IPV4) > 0;
    assert!(passes(program.clone()));
    // The link header is not there.
    let mut other = program;
    other[0].operand -= 1;
    assert!(!passes(other));
}

#[test]
fn programs_that_are_none_are_named() {
    let end = emit::instruction(code::RETURN, 0);
    let jump = |skip| emit::instruction(code::JUMP | code::ALWAYS, skip);
    let load = emit::instruction(code::LOAD | code::WORD | code::ABSOLUTE, 0xffff_f004);
    for (program, error) in [
        (vec![], ProgramError::Length { length: 0 }),
        (vec![end; 4097], ProgramError::Length { length: 4097 }),
        (vec![end, jump(0)], ProgramError::NoReturn),
        (vec![jump(1), end], ProgramError::Jump { at: 0 }),
        (vec![jump(u32::MAX), end], ProgramError::Jump { at: 0 }),
        (vec![end, load, end], ProgramError::Operation { at: 1 }),
    ] {
        assert_eq!(Program::new(program), Err(error));
    }
}
