//! Operation codes of classic BPF (`linux/bpf_common.h`, `linux/filter.h`).

pub(super) const LOAD: u16 = 0x00;
pub(super) const LOAD_X: u16 = 0x01;
pub(super) const STORE: u16 = 0x02;
pub(super) const STORE_X: u16 = 0x03;
pub(super) const ALU: u16 = 0x04;
pub(super) const JUMP: u16 = 0x05;
pub(super) const RETURN: u16 = 0x06;
pub(super) const MISC: u16 = 0x07;
/// The bits that say which of the above.
pub(super) const CLASS: u16 = 0x07;

pub(super) const WORD: u16 = 0x00;
pub(super) const HALF: u16 = 0x08;
pub(super) const BYTE: u16 = 0x10;
pub(super) const SIZE: u16 = 0x18;

pub(super) const IMMEDIATE: u16 = 0x00;
pub(super) const ABSOLUTE: u16 = 0x20;
pub(super) const INDIRECT: u16 = 0x40;
pub(super) const MEMORY: u16 = 0x60;
pub(super) const LENGTH: u16 = 0x80;
/// Four times the lower half of a byte: the length of an IPv4 header.
pub(super) const HEADER_LENGTH: u16 = 0xa0;
pub(super) const MODE: u16 = 0xe0;

pub(super) const ADD: u16 = 0x00;
pub(super) const SUBTRACT: u16 = 0x10;
pub(super) const MULTIPLY: u16 = 0x20;
pub(super) const DIVIDE: u16 = 0x30;
pub(super) const OR: u16 = 0x40;
pub(super) const AND: u16 = 0x50;
pub(super) const SHIFT_LEFT: u16 = 0x60;
pub(super) const SHIFT_RIGHT: u16 = 0x70;
pub(super) const NEGATE: u16 = 0x80;
pub(super) const REMAINDER: u16 = 0x90;
pub(super) const XOR: u16 = 0xa0;

pub(super) const ALWAYS: u16 = 0x00;
pub(super) const EQUAL: u16 = 0x10;
pub(super) const GREATER: u16 = 0x20;
pub(super) const AT_LEAST: u16 = 0x30;
pub(super) const ANY_BIT: u16 = 0x40;
/// The bits that say which arithmetic or jump.
pub(super) const OPERATION: u16 = 0xf0;

/// The operand is X, not the constant.
pub(super) const BY_X: u16 = 0x08;
/// What is returned is A, not the constant.
pub(super) const BY_A: u16 = 0x10;
pub(super) const A_TO_X: u16 = 0x00;
pub(super) const X_TO_A: u16 = 0x80;

/// How many words of memory a program has (`BPF_MEMWORDS`).
pub(super) const MEMORY_WORDS: u32 = 16;
/// Loads from here on are not from the packet (`SKF_AD_OFF`, `SKF_NET_OFF`, `SKF_LL_OFF`: all
/// negative).
pub(super) const FIRST_SPECIAL: u32 = 0x8000_0000;
/// Where the network header is, for a load by X (`SKF_NET_OFF`).
pub(super) const NETWORK_HEADER: u32 = 0xfff0_0000;
/// The packet's Ethernet type (`SKF_AD_OFF + SKF_AD_PROTOCOL`).
pub(super) const ETHER_TYPE: u32 = 0xffff_f000;
