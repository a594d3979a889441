//! The few `bpf` calls that AF_XDP needs, and its program, written by hand.
//!
//! The program looks at each frame of the interface: an unfragmented IPv4 UDP datagram to one of
//! our addresses gets a receive stamp in front and goes to the socket of its queue; everything
//! else, and all of it while no socket is there, goes its usual way.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Addresses that one program tells apart.
pub const TARGETS_LIMIT: usize = 8;
/// Bytes of the stamp that the program puts before a frame: `CLOCK_TAI`, ns, native order.
pub const STAMP_BYTES: usize = 8;

const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;
const MAP_TYPE_XSKMAP: u32 = 17;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
/// Run in the driver, before the kernel makes its own description of the frame.
const IN_DRIVER: u32 = 1 << 2;
/// Run after that: slower, but every interface can.
const GENERIC: u32 = 1 << 1;

const REDIRECT_MAP: i32 = 51;
const ADJUST_META: i32 = 54;
const KTIME_GET_TAI_NS: i32 = 208;
const XDP_PASS: i32 = 2;

/// What one frame must be to be ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it goes.
    pub address: SocketAddrV4,
    /// Who sent it; `None`: anybody.
    pub source: Option<Ipv4Addr>,
}

/// One instruction: code, registers (destination low, source high), offset, value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
struct Insn {
    code: u8,
    registers: u8,
    offset: i16,
    value: i32,
}

const fn insn(code: u8, to: u8, from: u8, offset: i16, value: i32) -> Insn {
    Insn {
        code,
        registers: to | from << 4,
        offset,
        value,
    }
}

const fn load32(to: u8, from: u8, offset: i16) -> Insn {
    insn(0x61, to, from, offset, 0)
}
const fn load16(to: u8, from: u8, offset: i16) -> Insn {
    insn(0x69, to, from, offset, 0)
}
const fn load8(to: u8, from: u8, offset: i16) -> Insn {
    insn(0x71, to, from, offset, 0)
}
const fn copy(to: u8, from: u8) -> Insn {
    insn(0xbf, to, from, 0, 0)
}
const fn set(to: u8, value: i32) -> Insn {
    insn(0xb7, to, 0, 0, value)
}
const fn add(to: u8, value: i32) -> Insn {
    insn(0x07, to, 0, 0, value)
}
const fn call(helper: i32) -> Insn {
    insn(0x85, 0, 0, 0, helper)
}
/// Jumps to the end of the program (fixed up later) when the 32-bit value differs.
const fn pass_unless(register: u8, value: i32) -> Insn {
    insn(0x56, register, 0, TO_PASS, value)
}
/// Jumps to the end when `a > b`.
const fn pass_if_above(a: u8, b: u8) -> Insn {
    insn(0x2d, a, b, TO_PASS, 0)
}
const EXIT: Insn = insn(0x95, 0, 0, 0, 0);
/// Offsets that are not yet known.
const TO_PASS: i16 = i16::MAX;
const TO_HIT: i16 = i16::MAX - 1;

/// The program for these targets. Registers: r6 context, r2 frame, r3 its end.
fn program(targets: &[Target], map: RawFd) -> Vec<Insn> {
    let be16 = |value: u16| i32::from(u16::from_ne_bytes(value.to_be_bytes()));
    let ip = |ip: &Ipv4Addr| i32::from_ne_bytes(ip.octets());
    let mut code = vec![
        copy(6, 1),
        load32(2, 1, 0),
        load32(3, 1, 4),
        copy(4, 2),
        add(4, 42), // Ethernet 14, IPv4 20, UDP 8
        pass_if_above(4, 3),
        load16(5, 2, 12),
        pass_unless(5, be16(0x0800)),
        load8(5, 2, 14),
        pass_unless(5, 0x45), // version 4, no options
        load8(5, 2, 23),
        pass_unless(5, 17),
        load16(5, 2, 20),
        insn(0x57, 5, 0, 0, be16(0x3fff)), // "more fragments" and the offset
        pass_unless(5, 0),
        load32(5, 2, 30),
        load16(7, 2, 36),
        load32(8, 2, 26),
    ];
    for target in targets.iter().take(TARGETS_LIMIT) {
        let skip = if target.source.is_some() { 3 } else { 2 };
        code.push(insn(0x56, 5, 0, skip, ip(target.address.ip())));
        code.push(insn(0x56, 7, 0, skip - 1, be16(target.address.port())));
        match &target.source {
            None => code.push(insn(0x05, 0, 0, TO_HIT, 0)),
            Some(source) => {
                // Equal: jump on.
                code.push(insn(0x16, 8, 0, TO_HIT, ip(source)));
            }
        }
    }
    code.push(insn(0x05, 0, 0, TO_PASS, 0));
    let hit = code.len();
    code.extend([
        copy(1, 6),
        set(2, -(STAMP_BYTES as i32)),
        call(ADJUST_META),
        pass_unless(0, 0),
        call(KTIME_GET_TAI_NS),
        load32(1, 6, 8),
        load32(2, 6, 0),
        copy(3, 1),
        add(3, STAMP_BYTES as i32),
        pass_if_above(3, 2),
        insn(0x7b, 1, 0, 0, 0), // *(u64 *)stamp = r0
        load32(2, 6, 16),       // the queue
        insn(0x18, 1, 1, 0, map),
        insn(0, 0, 0, 0, 0), // second half of the 64-bit load
        set(3, XDP_PASS),    // what to do when the map has no socket
        call(REDIRECT_MAP),
        EXIT,
    ]);
    // Last, so that every jump goes forward.
    let pass = code.len();
    code.extend([set(0, XDP_PASS), EXIT]);
    for (at, insn) in code.iter_mut().enumerate() {
        let to = match insn.offset {
            TO_PASS => pass,
            TO_HIT => hit,
            _ => continue,
        };
        insn.offset = (to as i64 - at as i64 - 1) as i16;
    }
    code
}

/// A program on an interface and the map of its sockets. Dropping it takes it off again.
pub struct Attached {
    map: OwnedFd,
    _program: OwnedFd,
    _link: OwnedFd,
    in_driver: bool,
}

impl Attached {
    /// Loads the program for `targets` and puts it on the interface, into the driver where that
    /// works.
    ///
    /// # Errors
    /// The step, and what the kernel says.
    pub fn new(interface: u32, targets: &[Target]) -> Result<Self, (&'static str, io::Error)> {
        let map = create_map(64).map_err(|error| ("create the map of sockets", error))?;
        let program = load(&program(targets, map.as_raw_fd()))
            .map_err(|error| ("load the XDP program", error))?;
        let in_driver = attach(&program, interface, IN_DRIVER);
        let is_native = in_driver.is_ok();
        let link = in_driver
            .or_else(|_| attach(&program, interface, GENERIC))
            .map_err(|error| ("put the XDP program on the interface", error))?;
        Ok(Self {
            map,
            _program: program,
            _link: link,
            in_driver: is_native,
        })
    }

    /// Sends the frames of `queue` to the socket.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn serve(&self, queue: u32, socket: RawFd) -> io::Result<()> {
        let (key, value) = (queue, socket as u32);
        let mut attr = Attr::default();
        attr.u32(0, self.map.as_raw_fd() as u32);
        attr.u64(8, (&raw const key).addr() as u64);
        attr.u64(16, (&raw const value).addr() as u64);
        // SAFETY: key and value are four bytes each, as the map was made, and outlive the call,
        // which only reads them.
        unsafe { bpf(MAP_UPDATE_ELEM, &attr) }.map(drop)
    }

    /// The program runs in the driver, not on the generic path behind it.
    pub fn is_in_driver(&self) -> bool {
        self.in_driver
    }
}

/// Whether the map and the program could be made here. Nothing is put on an interface.
///
/// # Errors
/// The step, and what the kernel says.
pub fn probe() -> Result<(), (&'static str, io::Error)> {
    super::xdp::probe().map_err(|error| ("create an AF_XDP socket", error))?;
    let map = create_map(1).map_err(|error| ("create the map of sockets", error))?;
    // The verifier refuses code that nothing reaches: one address, so that there is a hit.
    let target = Target {
        address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9),
        source: None,
    };
    load(&program(&[target], map.as_raw_fd()))
        .map(drop)
        .map_err(|error| ("load the XDP program", error))
}

/// `union bpf_attr` as bytes: fields at the offsets of `linux/bpf.h`, all else zero.
#[repr(C, align(8))]
struct Attr([u8; 128]);

impl Default for Attr {
    fn default() -> Self {
        Self([0; 128])
    }
}

impl Attr {
    fn u32(&mut self, offset: usize, value: u32) {
        self.0[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
    }

    fn u64(&mut self, offset: usize, value: u64) {
        self.0[offset..offset + 8].copy_from_slice(&value.to_ne_bytes());
    }
}

/// # Safety
/// Every address in `attr` is good for what `command` does with it.
unsafe fn bpf(command: libc::c_int, attr: &Attr) -> io::Result<libc::c_long> {
    // SAFETY: `attr` is 128 live bytes; the caller vouches for what it points at.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, attr.0.as_ptr(), attr.0.len()) };
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(answer)
    }
}

/// # Safety
/// As for [`bpf`]; and the command answers with a new descriptor.
unsafe fn bpf_fd(command: libc::c_int, attr: &Attr) -> io::Result<OwnedFd> {
    // SAFETY: the caller's.
    let fd = unsafe { bpf(command, attr)? };
    // SAFETY: the kernel just made it, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

fn create_map(queues: u32) -> io::Result<OwnedFd> {
    let mut attr = Attr::default();
    attr.u32(0, MAP_TYPE_XSKMAP);
    attr.u32(4, 4);
    attr.u32(8, 4);
    attr.u32(12, queues);
    // SAFETY: nothing is pointed at.
    unsafe { bpf_fd(MAP_CREATE, &attr) }
}

fn load(code: &[Insn]) -> io::Result<OwnedFd> {
    const LICENCE: &std::ffi::CStr = c"Apache-2.0";
    let mut attr = Attr::default();
    attr.u32(0, PROG_TYPE_XDP);
    attr.u32(4, code.len() as u32);
    attr.u64(8, code.as_ptr().addr() as u64);
    attr.u64(16, LICENCE.as_ptr().addr() as u64);
    debug_assert_eq!(mem::size_of::<Insn>(), 8);
    // SAFETY: the instructions and the licence outlive the call, which only reads them.
    unsafe { bpf_fd(PROG_LOAD, &attr) }
}

fn attach(program: &OwnedFd, interface: u32, flags: u32) -> io::Result<OwnedFd> {
    let mut attr = Attr::default();
    attr.u32(0, program.as_raw_fd() as u32);
    attr.u32(4, interface);
    attr.u32(8, ATTACH_XDP);
    attr.u32(12, flags);
    // SAFETY: nothing is pointed at.
    unsafe { bpf_fd(LINK_CREATE, &attr) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_jump_lands_inside_the_program() {
        let target = |port, source| Target {
            address: SocketAddrV4::new(Ipv4Addr::new(239, 1, 1, 1), port),
            source,
        };
        let targets = [
            target(1, None),
            target(2, Some(Ipv4Addr::new(10, 0, 0, 1))),
            target(3, None),
        ];
        for count in 0..=targets.len() {
            let code = program(&targets[..count], 7);
            for (at, insn) in code.iter().enumerate() {
                let jumps = matches!(insn.code, 0x05 | 0x16 | 0x56 | 0x2d);
                let to = at as i64 + 1 + i64::from(insn.offset);
                assert!(!jumps || (to > at as i64 && to < code.len() as i64), "{at}");
            }
        }
    }
}
