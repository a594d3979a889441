//! One snapshot over one connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use stdx::{Clock, SystemClock};
use wire::glimpse::{self, GlimpseError};
use wire::soupbintcp::{
    ClientEvent, ClientSession, Error as SoupError, HEADER_SIZE, LoginRequest, PAYLOAD_MAX, Packet,
    PacketWriter, RejectReason,
};

use super::{GlimpseConfig, Snapshot};

/// Longest time until a wish to stop is seen.
const LOOK: Duration = Duration::from_millis(20);
/// Bytes read at once: the longest packet and more.
const INBOX: usize = 4 * (HEADER_SIZE + PAYLOAD_MAX);

/// Why there is no snapshot. Every one is worth another try later, except where it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Name or password do not fit the protocol.
    #[error(
        "user name (6) or password (10 printable ASCII characters) too long for SoupBinTCP: fix it"
    )]
    Names,
    /// Nobody listens, or not in time.
    #[error("cannot connect to the snapshot server {server}")]
    Connect {
        /// Where.
        server: std::net::SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The connection broke.
    #[error("the snapshot connection broke after {messages} messages")]
    Broken {
        /// Messages that had come.
        messages: u64,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The server closed or ended its session before the end of the snapshot.
    #[error("the snapshot server closed after {messages} messages, before the end of its snapshot")]
    Closed {
        /// Messages that had come.
        messages: u64,
    },
    /// The login was turned away.
    #[error("the snapshot server refuses the login")]
    Rejected(#[source] RejectReason),
    /// The login holds, but not from the first message on: a snapshot without its beginning.
    #[error("the snapshot server begins at message {seq}, not at the first")]
    NotFromStart {
        /// Where it begins.
        seq: u64,
    },
    /// No answer to the login, or none of anything for too long.
    #[error("the snapshot server is silent after {messages} messages")]
    Silent {
        /// Messages that had come.
        messages: u64,
    },
    /// Not done in the time allowed.
    #[error("the snapshot took longer than {limit:?}: {messages} messages had come")]
    Slow {
        /// The time allowed.
        limit: Duration,
        /// Messages that had come.
        messages: u64,
    },
    /// Larger than allowed.
    #[error("the snapshot is larger than {limit} bytes: refused, raise the limit if it is right")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Bytes that are no SoupBinTCP.
    #[error("the snapshot server does not speak SoupBinTCP")]
    Protocol(#[source] SoupError),
    /// A packet in the wrong place.
    #[error("the snapshot server sent a packet of type {kind:#04x} where none may be")]
    OutOfPlace {
        /// Its type.
        kind: u8,
    },
    /// A message that is none of ITCH 5.0: nothing of the snapshot can be trusted.
    #[error("message {number} of the snapshot cannot be read")]
    Message {
        /// Its place, from 1.
        number: u64,
        /// What is wrong with it.
        #[source]
        source: GlimpseError,
    },
    /// Nobody wants it any more.
    #[error("the snapshot is not wanted any more")]
    Stopped,
}

impl FetchError {
    /// The error and its cause in one line.
    #[must_use]
    pub fn with_cause(&self) -> String {
        match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }
}

/// Fetches one snapshot into `snapshot`, whose memory is used again. `is_stopped` is asked about
/// every 20 ms, except while the connection is made.
///
/// # Errors
/// [`FetchError`]; what is in `snapshot` then is of no use.
pub fn fetch(
    config: &GlimpseConfig,
    mut snapshot: Snapshot,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Snapshot, FetchError> {
    let login =
        LoginRequest::new(&config.username, &config.password, 1).ok_or(FetchError::Names)?;
    snapshot.frames.clear();
    (snapshot.messages, snapshot.next_seq) = (0, 0);
    let mut talk = Talk::open(config, login)?;
    loop {
        if is_stopped() {
            return Err(FetchError::Stopped);
        }
        talk.keep_up(snapshot.messages)?;
        if talk.take(&mut snapshot)? {
            talk.leave();
            return Ok(snapshot);
        }
        talk.read(snapshot.messages)?;
    }
}

/// A connection and what was read of it.
struct Talk<'a> {
    config: &'a GlimpseConfig,
    socket: TcpStream,
    session: ClientSession,
    began: Instant,
    inbox: Box<[u8]>,
    /// What of `inbox` is read and not yet used.
    from: usize,
    to: usize,
}

impl<'a> Talk<'a> {
    #[allow(
        clippy::disallowed_methods,
        reason = "a connection has its time limits in real time"
    )]
    fn open(config: &'a GlimpseConfig, login: LoginRequest) -> Result<Self, FetchError> {
        let began = Instant::now();
        let refused = |source| FetchError::Connect {
            server: config.server,
            source,
        };
        let timeout = config.connect_timeout.min(config.timeout);
        let socket = TcpStream::connect_timeout(&config.server, timeout).map_err(refused)?;
        socket.set_read_timeout(Some(LOOK)).map_err(refused)?;
        socket.set_write_timeout(Some(timeout)).map_err(refused)?;
        socket.set_nodelay(true).map_err(refused)?;
        let mut talk = Self {
            config,
            socket,
            session: ClientSession::new(config.session, &login, SystemClock.now_ns()),
            began,
            inbox: vec![0; INBOX].into_boxed_slice(),
            from: 0,
            to: 0,
        };
        talk.say(Packet::LoginRequest(login), 0)?;
        Ok(talk)
    }

    /// Time limits and our own signs of life.
    fn keep_up(&mut self, messages: u64) -> Result<(), FetchError> {
        let now_ns = SystemClock.now_ns();
        if self.session.is_gone(now_ns) {
            return Err(FetchError::Silent { messages });
        }
        let limit = self.config.timeout;
        if self.began.elapsed() > limit {
            return Err(FetchError::Slow { limit, messages });
        }
        match self.session.heartbeat(now_ns) {
            Some(packet) => self.say(packet, messages),
            None => Ok(()),
        }
    }

    /// Uses every whole packet that was read; whether the snapshot is whole.
    fn take(&mut self, snapshot: &mut Snapshot) -> Result<bool, FetchError> {
        let now_ns = SystemClock.now_ns();
        while let Some((event, size)) = self
            .session
            .read(&self.inbox[self.from..self.to], now_ns)
            .map_err(FetchError::Protocol)?
        {
            self.from += size;
            let messages = snapshot.messages;
            match event {
                None | Some(ClientEvent::Unsequenced(_)) => {}
                Some(ClientEvent::Accepted(accepted)) if accepted.seq > 1 => {
                    return Err(FetchError::NotFromStart { seq: accepted.seq });
                }
                Some(ClientEvent::Accepted(_)) => {}
                Some(ClientEvent::Rejected(reason)) => return Err(FetchError::Rejected(reason)),
                Some(ClientEvent::Message { bytes, .. }) => {
                    if add(snapshot, bytes, self.config.bytes_limit)? {
                        return Ok(true);
                    }
                }
                Some(ClientEvent::Ended) => return Err(FetchError::Closed { messages }),
                Some(ClientEvent::OutOfPlace(kind)) => {
                    return Err(FetchError::OutOfPlace { kind });
                }
            }
        }
        Ok(false)
    }

    fn read(&mut self, messages: u64) -> Result<(), FetchError> {
        if self.from > 0 {
            self.inbox.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
        }
        match self.socket.read(&mut self.inbox[self.to..]) {
            Ok(0) => Err(FetchError::Closed { messages }),
            Ok(size) => {
                self.to += size;
                Ok(())
            }
            Err(error) if is_transient(&error) => Ok(()),
            Err(source) => Err(FetchError::Broken { messages, source }),
        }
    }

    fn say(&mut self, packet: Packet<'_>, messages: u64) -> Result<(), FetchError> {
        let mut bytes = [0; HEADER_SIZE + LoginRequest::SIZE];
        let mut writer = PacketWriter::new(&mut bytes);
        let fits = writer.push(packet);
        debug_assert!(fits, "a login is the longest that a client says");
        self.socket
            .write_all(writer.bytes())
            .map_err(|source| FetchError::Broken { messages, source })
    }

    fn leave(&mut self) {
        // It has what it wanted: a server that is gone by now needs no farewell.
        let _gone = self.say(Packet::LogoutRequest, 0);
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// Adds one message; true at the end of the snapshot.
fn add(snapshot: &mut Snapshot, bytes: &[u8], limit: usize) -> Result<bool, FetchError> {
    snapshot.messages += 1;
    let number = snapshot.messages;
    let message =
        glimpse::decode(bytes).map_err(|source| FetchError::Message { number, source })?;
    match message {
        glimpse::Snapshot::End { next_seq } => {
            snapshot.messages -= 1;
            snapshot.next_seq = next_seq;
            Ok(true)
        }
        glimpse::Snapshot::Message(_) => {
            if snapshot.frames.len() + 2 + bytes.len() > limit {
                return Err(FetchError::TooLarge { limit });
            }
            let size = bytes.len() as u16;
            snapshot.frames.extend_from_slice(&size.to_be_bytes());
            snapshot.frames.extend_from_slice(bytes);
            Ok(false)
        }
    }
}
