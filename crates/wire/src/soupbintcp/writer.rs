//! Packets into a buffer of the caller's.

use super::{HEADER_SIZE, LoginAccepted, LoginRequest, PAYLOAD_MAX, Packet};

/// Appends packets to a buffer until it is full.
#[derive(Debug)]
pub struct PacketWriter<'a> {
    buffer: &'a mut [u8],
    size: usize,
}

impl<'a> PacketWriter<'a> {
    /// Starts at the beginning of `buffer`.
    #[must_use]
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, size: 0 }
    }

    /// Appends a packet; false, and nothing happened, when it does not fit or its payload is beyond
    /// [`PAYLOAD_MAX`].
    #[must_use]
    pub fn push(&mut self, packet: Packet<'_>) -> bool {
        let kind = packet.kind();
        match packet {
            Packet::Debug(payload) | Packet::Sequenced(payload) | Packet::Unsequenced(payload) => {
                self.put(kind, payload)
            }
            Packet::LoginAccepted(accepted) => {
                let mut payload = [0; LoginAccepted::SIZE];
                accepted.write(&mut payload);
                self.put(kind, &payload)
            }
            Packet::LoginRequest(request) => {
                let mut payload = [0; LoginRequest::SIZE];
                request.write(&mut payload);
                self.put(kind, &payload)
            }
            Packet::LoginRejected(reason) => self.put(kind, &[reason.code()]),
            Packet::ServerHeartbeat
            | Packet::EndOfSession
            | Packet::ClientHeartbeat
            | Packet::LogoutRequest => self.put(kind, &[]),
        }
    }

    /// What was written so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.size]
    }

    /// Bytes written so far.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    fn put(&mut self, kind: u8, payload: &[u8]) -> bool {
        let end = self.size + HEADER_SIZE + payload.len();
        if payload.len() > PAYLOAD_MAX {
            return false;
        }
        let Some(slot) = self.buffer.get_mut(self.size..end) else {
            return false;
        };
        let length = (1 + payload.len()) as u16;
        slot[..2].copy_from_slice(&length.to_be_bytes());
        slot[2] = kind;
        slot[HEADER_SIZE..].copy_from_slice(payload);
        self.size = end;
        true
    }
}
