//! The serving end: logins, one snapshot for each, heartbeats, the end.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use stdx::{Clock, SystemClock};
use wire::glimpse;
use wire::soupbintcp::{
    HEADER_SIZE, LoginAccepted, LoginRequest, PAYLOAD_MAX, Packet, PacketWriter, RejectReason,
    ServerConfig, ServerEvent, ServerSession,
};

use super::Snapshot;

const LOOK: Duration = Duration::from_millis(20);
/// Bytes given to the socket at once.
const OUTBOX: usize = 64 << 10;

/// Whom a server lets in, and how long it bears with them.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// The name of the session, told at login.
    pub session: [u8; 10],
    /// Name and password that are asked for; `None`: everybody may come.
    pub login: Option<(String, String)>,
    /// Connections at once; further ones are closed at once.
    pub clients_limit: usize,
    /// How long a client may leave its side of the socket full.
    pub write_timeout: Duration,
    /// Login, heartbeats, silence.
    pub times: ServerConfig,
}

impl ServeConfig {
    /// Everybody, 16 at once, 10 s to read on.
    #[must_use]
    pub fn new(session: [u8; 10]) -> Self {
        Self {
            session,
            login: None,
            clients_limit: 16,
            write_timeout: Duration::from_secs(10),
            times: ServerConfig::default(),
        }
    }
}

/// What a server did so far.
#[derive(Debug, Default)]
pub struct ServeCounts {
    /// Connections taken.
    pub connections: AtomicU64,
    /// Connections closed at once, since there were too many.
    pub turned_away: AtomicU64,
    /// Logins refused.
    pub rejected: AtomicU64,
    /// Snapshots sent to their end.
    pub served: AtomicU64,
    /// Clients now.
    clients: AtomicUsize,
}

/// Who makes the snapshots: called on the connection's thread once for each login; `None` when
/// there is none to be had, which ends the connection.
pub type Provider = dyn Fn() -> Option<Snapshot> + Send + Sync;

/// A listening server: a thread for the door and one for each client. Dropping it closes the door
/// and ends its clients.
pub struct GlimpseServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    counts: Arc<ServeCounts>,
    thread: Option<JoinHandle<()>>,
}

impl GlimpseServer {
    /// Listens on `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be had or the system gives no thread.
    pub fn open(
        address: SocketAddr,
        config: ServeConfig,
        provider: Arc<Provider>,
    ) -> io::Result<Self> {
        let door = TcpListener::bind(address)?;
        door.set_nonblocking(true)?;
        let address = door.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let counts = Arc::new(ServeCounts::default());
        let keeper = Doorkeeper {
            door,
            config: Arc::new(config),
            provider,
            stop: Arc::clone(&stop),
            counts: Arc::clone(&counts),
        };
        let thread = std::thread::Builder::new()
            .name("glimpse-door".to_owned())
            .spawn(move || keeper.work())?;
        Ok(Self {
            address,
            stop,
            counts,
            thread: Some(thread),
        })
    }

    /// Where it listens, with the port that was got.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> &ServeCounts {
        &self.counts
    }
}

impl Drop for GlimpseServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic was already printed by its thread.
            let _ended = thread.join();
        }
    }
}

struct Doorkeeper {
    door: TcpListener,
    config: Arc<ServeConfig>,
    provider: Arc<Provider>,
    stop: Arc<AtomicBool>,
    counts: Arc<ServeCounts>,
}

impl Doorkeeper {
    #[allow(
        clippy::disallowed_methods,
        reason = "a door that is also watched for the wish to stop"
    )]
    fn work(self) {
        let mut clients: Vec<JoinHandle<()>> = Vec::new();
        while !self.stop.load(Ordering::Acquire) {
            clients.retain(|client| !client.is_finished());
            match self.door.accept() {
                Ok((socket, _)) => clients.extend(self.admit(socket)),
                // Nobody knocks, or somebody who went away again.
                Err(_) => std::thread::sleep(LOOK),
            }
        }
        for client in clients {
            // Each sees the wish to stop; a panic was already printed.
            let _ended = client.join();
        }
    }

    fn admit(&self, socket: TcpStream) -> Option<JoinHandle<()>> {
        if self.counts.clients.load(Ordering::Acquire) >= self.config.clients_limit {
            self.counts.turned_away.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.counts.connections.fetch_add(1, Ordering::Relaxed);
        self.counts.clients.fetch_add(1, Ordering::AcqRel);
        let (config, provider) = (Arc::clone(&self.config), Arc::clone(&self.provider));
        let (stop, counts) = (Arc::clone(&self.stop), Arc::clone(&self.counts));
        let serve = move || {
            // However a client ends, it is its own affair: it logs in again.
            let _over = Client::new(&config, &stop, socket)
                .and_then(|mut client| client.work(&*provider, &counts));
            counts.clients.fetch_sub(1, Ordering::AcqRel);
        };
        let thread = std::thread::Builder::new().name("glimpse-client".to_owned());
        // Without a thread the client finds its connection closed, and asks again.
        let spawned = thread.spawn(serve).ok();
        if spawned.is_none() {
            self.counts.clients.fetch_sub(1, Ordering::AcqRel);
        }
        spawned
    }
}

struct Client<'a> {
    config: &'a ServeConfig,
    stop: &'a AtomicBool,
    socket: TcpStream,
    session: ServerSession,
    inbox: Vec<u8>,
}

impl<'a> Client<'a> {
    fn new(config: &'a ServeConfig, stop: &'a AtomicBool, socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(LOOK))?;
        socket.set_write_timeout(Some(config.write_timeout))?;
        Ok(Self {
            config,
            stop,
            socket,
            session: ServerSession::new(config.times, SystemClock.now_ns()),
            inbox: Vec::new(),
        })
    }

    fn work(&mut self, provider: &Provider, counts: &ServeCounts) -> io::Result<()> {
        while !self.stop.load(Ordering::Acquire) && !self.session.is_gone(SystemClock.now_ns()) {
            if let Some(beat) = self.session.heartbeat(SystemClock.now_ns()) {
                self.say(beat)?;
            }
            if !self.read()? {
                return Ok(());
            }
            while let Some((event, size)) = self
                .session
                .read(&self.inbox, SystemClock.now_ns())
                .map_err(io::Error::other)?
            {
                let login = match event {
                    Some(ServerEvent::Login(login)) => Some(login),
                    None | Some(ServerEvent::Unsequenced(_)) => None,
                    Some(ServerEvent::Logout | ServerEvent::OutOfPlace(_)) => return Ok(()),
                };
                self.inbox.drain(..size);
                if let Some(login) = login
                    && !self.welcome(&login, provider, counts)?
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether there is more; a client that says more than one packet at a time is not waited for.
    fn read(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 1_024];
        match self.socket.read(&mut bytes) {
            Ok(0) => return Ok(false),
            Ok(size) => self.inbox.extend_from_slice(&bytes[..size]),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) => {}
            Err(error) => return Err(error),
        }
        Ok(self.inbox.len() <= HEADER_SIZE + PAYLOAD_MAX)
    }

    /// Judges a login and tells the snapshot; whether the connection goes on.
    fn welcome(
        &mut self,
        login: &LoginRequest,
        provider: &Provider,
        counts: &ServeCounts,
    ) -> io::Result<bool> {
        let is_known = self.config.login.as_ref().is_none_or(|(name, password)| {
            LoginRequest::new(name, password, 1).is_some_and(|wanted| {
                (wanted.username, wanted.password) == (login.username, login.password)
            })
        });
        let is_ours = [LoginRequest::ANY_SESSION, self.config.session].contains(&login.session);
        if !is_known || !is_ours {
            counts.rejected.fetch_add(1, Ordering::Relaxed);
            let reason = if is_known {
                RejectReason::NoSession
            } else {
                RejectReason::NotAuthorised
            };
            let packet = self.session.reject(reason);
            self.say(packet)?;
            return Ok(false);
        }
        let accepted = self
            .session
            .accept(self.config.session, 1, SystemClock.now_ns());
        self.say(accepted)?;
        let Some(snapshot) = provider() else {
            let end = self.session.end();
            self.say(end)?;
            return Ok(false);
        };
        self.tell(&snapshot)?;
        counts.served.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    fn tell(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let mut outbox = vec![0; OUTBOX];
        let end = glimpse::end_of_snapshot(snapshot.next_seq);
        let messages = wire::itchfile::Frames::new(&snapshot.frames).map_while(Result::ok);
        let mut messages = messages.chain(std::iter::once(&end[..])).peekable();
        while messages.peek().is_some() {
            let mut writer = PacketWriter::new(&mut outbox);
            let now_ns = SystemClock.now_ns();
            while let Some(message) = messages.peek() {
                if writer.size() + HEADER_SIZE + message.len() > OUTBOX {
                    break;
                }
                let packet = self.session.sequenced(message, now_ns);
                let fits = packet.is_some_and(|packet| writer.push(packet));
                if !fits {
                    return Err(io::Error::other("a message that no packet holds"));
                }
                messages.next();
            }
            if writer.size() == 0 || self.stop.load(Ordering::Acquire) {
                return Err(io::Error::other("stopped"));
            }
            self.socket.write_all(writer.bytes())?;
        }
        Ok(())
    }

    fn say(&mut self, packet: Packet<'_>) -> io::Result<()> {
        let mut bytes = [0; HEADER_SIZE + LoginAccepted::SIZE];
        let mut writer = PacketWriter::new(&mut bytes);
        let fits = writer.push(packet);
        debug_assert!(fits, "an accepted login is the longest of these");
        self.socket.write_all(writer.bytes())
    }
}
