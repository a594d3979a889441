//! The answering end of recovery: MoldUDP64 requests in, lost messages out.
//!
//! What is kept and what is refused is the owner's business: it answers from its own history. Here
//! are the socket, the counters and the bound: whoever asks is answered where it asks from, and a
//! request of twenty bytes may bring a thousand times as much, so that no more than a budget goes
//! out in a second. A request beyond it is dropped; an honest asker repeats it.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use wire::moldudp64::Request;

/// What goes out in a second unless set otherwise, bytes.
const BYTES_PER_SECOND: u64 = 64 << 20;
/// Requests answered in one call, so that they hold up nothing else.
const REQUESTS: usize = 64;
const SECOND: u64 = 1_000_000_000;

/// What a server did since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Requests answered.
    pub answered: u64,
    /// Messages sent again.
    pub messages: u64,
    /// Requests for what the history does not hold.
    pub refused: u64,
    /// Requests beyond the budget, dropped.
    pub dropped: u64,
    /// Datagrams that are no request.
    pub malformed: u64,
}

/// Gives the packets that answer a request to its second argument, and says how many messages those
/// were.
pub type Answerer<'a> = dyn FnMut(&Request, &mut dyn FnMut(&[u8])) -> u64 + 'a;

/// Takes requests on a socket. Never waits.
pub struct RequestServer {
    socket: UdpSocket,
    counts: RequestCounts,
    bytes_per_second: u64,
    /// Bytes that may still go out in the second that began at `since_ns`.
    left: u64,
    since_ns: u64,
}

impl RequestServer {
    /// Listens on `address`; port 0 takes a free one. 64 MiB may go out in a second.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            counts: RequestCounts::default(),
            bytes_per_second: BYTES_PER_SECOND,
            left: BYTES_PER_SECOND,
            since_ns: 0,
        })
    }

    /// Sets what may go out in a second, bytes.
    #[must_use]
    pub fn with_budget(mut self, bytes_per_second: u64) -> Self {
        (self.bytes_per_second, self.left) = (bytes_per_second, bytes_per_second);
        self
    }

    /// Where it listens, with the port that was got.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> RequestCounts {
        self.counts
    }

    /// Answers the requests that wait, 64 at most: `answer(request, send)` gives packets to `send`
    /// and says how many messages those were; none: refused. `now_ns` is any clock in ns.
    pub fn serve(&mut self, now_ns: u64, answer: &mut Answerer<'_>) {
        if now_ns.wrapping_sub(self.since_ns) >= SECOND {
            (self.left, self.since_ns) = (self.bytes_per_second, now_ns);
        }
        let mut bytes = [0; 64];
        for _ in 0..REQUESTS {
            // Nobody asks, or an earlier answer found its asker gone: both are none of our concern.
            let Ok((size, from)) = self.socket.recv_from(&mut bytes) else {
                return;
            };
            let Ok(request) = Request::parse(&bytes[..size]) else {
                self.counts.malformed += 1;
                continue;
            };
            if self.left == 0 {
                self.counts.dropped += 1;
                continue;
            }
            let (socket, left) = (&self.socket, &mut self.left);
            let messages = answer(&request, &mut |packet| {
                *left = left.saturating_sub(packet.len() as u64);
                // An answer that is lost is asked for again.
                let _sent = socket.send_to(packet, from);
            });
            self.counts.messages += messages;
            match messages {
                0 => self.counts.refused += 1,
                _ => self.counts.answered += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_counts_and_keeps_to_its_budget() {
        let open = RequestServer::open("127.0.0.1:0".parse().expect("an address"));
        let mut server = open.expect("a port").with_budget(250);
        let asker = UdpSocket::bind("127.0.0.1:0").expect("a port");
        asker
            .connect(server.address().expect("bound"))
            .expect("connected");
        let request = |seq| Request {
            session: *b"SESSION001",
            seq,
            count: 2,
        };
        let mut answer = |request: &Request, send: &mut dyn FnMut(&[u8])| {
            if request.seq == 1 {
                return 0;
            }
            send(&[7; 100]);
            send(&[8; 100]);
            2
        };
        asker.send(b"garbage").expect("sent");
        for seq in [1, 2, 3, 4] {
            asker.send(&request(seq).to_bytes()).expect("sent");
        }
        server.serve(5 * SECOND, &mut answer);
        let wanted = RequestCounts {
            answered: 2,
            messages: 4,
            refused: 1,
            dropped: 1,
            malformed: 1,
        };
        assert_eq!(server.counts(), wanted);
        let mut bytes = [0; 200];
        assert_eq!(asker.recv(&mut bytes).expect("an answer"), 100);
        // The next second has a budget of its own.
        asker.send(&request(9).to_bytes()).expect("sent");
        server.serve(6 * SECOND, &mut answer);
        assert_eq!(server.counts().answered, 3);
    }
}
