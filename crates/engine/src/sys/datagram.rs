//! What the kernel says beside a datagram's bytes.

/// Room for three control messages: stamp (32 bytes), drops (24), GRO size (24).
pub const CONTROL_WORDS: usize = 16;

/// One datagram as the kernel handed it over.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The payload; with GRO several datagrams of `segment_size` each (the last may be shorter).
    pub bytes: &'a [u8],
    /// When the kernel received it, ns UTC; `None` where stamps are off.
    pub stamp_ns: Option<u64>,
    /// Datagrams dropped so far because the socket's buffer was full; `None` before the first drop.
    pub drops: Option<u32>,
    /// Size of the coalesced datagrams; `None` when this is one datagram.
    pub segment_size: Option<usize>,
    /// The datagram was longer than its slot and its end is lost.
    pub cut: bool,
}

/// Fills the datagram's fields from the control block of `header`.
///
/// # Safety
/// `header.msg_control` points at `header.msg_controllen` readable bytes, aligned for a `cmsghdr`
/// and filled by the kernel.
pub unsafe fn read_control(header: &libc::msghdr, datagram: &mut Datagram<'_>) {
    // SAFETY: the caller vouches for the block; the CMSG macros walk inside it, and payloads are
    // read unaligned.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = at.as_ref() {
            let payload = libc::CMSG_DATA(at);
            match (control.cmsg_level, control.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time: libc::timespec = payload.cast::<libc::timespec>().read_unaligned();
                    datagram.stamp_ns = stamp(time);
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                    datagram.drops = Some(payload.cast::<u32>().read_unaligned());
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let size = payload.cast::<libc::c_int>().read_unaligned();
                    datagram.segment_size = usize::try_from(size).ok().filter(|&size| size > 0);
                }
                _ => {}
            }
            at = libc::CMSG_NXTHDR(header, at);
        }
    }
}

fn stamp(time: libc::timespec) -> Option<u64> {
    let seconds = u64::try_from(time.tv_sec).ok()?;
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(time.tv_nsec as u64)
}
