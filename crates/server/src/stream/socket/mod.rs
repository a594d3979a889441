//! A WebSocket with permessage-deflate, the server's side of RFC 6455 and RFC 7692.
//!
//! Our own, and small, because the libraries at hand fall short: those of the framework do not
//! compress, and those that compress bring a C library or do not bound what a packed message becomes.
//! It is held against other people's clients in the tests.

mod deflate;
mod frame;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::http::Refusal;
use deflate::{Agreed, Deflater};
use frame::{Decoder, Opcode, encode};

pub use frame::Said;

/// A client that takes nothing for so long has its connection closed.
const STALL: Duration = Duration::from_secs(30);
/// Clients whose messages are packed at once: each needs about 400 KB for it. More go unpacked.
const PACKED_LIMIT: usize = 256;

/// Who may connect.
pub struct Doors {
    clients: Arc<Semaphore>,
    packed: Arc<Semaphore>,
}

impl Doors {
    /// For at most `clients` at once.
    #[must_use]
    pub fn new(clients: usize) -> Self {
        Self {
            clients: Arc::new(Semaphore::new(clients)),
            packed: Arc::new(Semaphore::new(PACKED_LIMIT)),
        }
    }

    /// Answers an upgrade; `serve` gets the socket once the client has the answer.
    ///
    /// # Errors
    /// When the request is none for a WebSocket, or too many clients are connected.
    pub fn open<F: Future<Output = ()> + Send + 'static>(
        &self,
        mut request: Request,
        protocols: &[&'static str],
        message_limit: usize,
        serve: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Result<Response, Refusal> {
        let key = accept_key(request.headers())?;
        let upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let upgrade = upgrade.ok_or_else(|| not_one("the connection cannot be upgraded"))?;
        let Ok(place) = Arc::clone(&self.clients).try_acquire_owned() else {
            let hint = "close a connection, or ask for several topics over one";
            return Err(Refusal::busy("too many stream clients are connected", hint));
        };
        let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
        let asked = listed(request.headers(), &header::SEC_WEBSOCKET_PROTOCOL);
        let protocol = protocols
            .iter()
            .find(|ours| asked.split(',').any(|asked| asked.trim() == **ours))
            .copied();
        if let Some(protocol) = protocol {
            headers.insert(
                header::SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static(protocol),
            );
        }
        let offers = listed(request.headers(), &header::SEC_WEBSOCKET_EXTENSIONS);
        let packing = self.agree(&offers);
        if let Some((agreed, _)) = &packing
            && let Ok(value) = HeaderValue::from_str(&agreed.header())
        {
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, value);
        }
        tokio::spawn(async move {
            // A client that left before it was answered is no fault of ours.
            if let Ok(upgraded) = upgrade.await {
                let io = TokioIo::new(upgraded);
                serve(Socket::new(io, protocol, packing, message_limit, place)).await;
            }
        });
        Ok(response)
    }

    fn agree(&self, offers: &str) -> Option<(Agreed, OwnedSemaphorePermit)> {
        let agreed = Agreed::from_offers(offers)?;
        let place = Arc::clone(&self.packed).try_acquire_owned().ok()?;
        Some((agreed, place))
    }
}

fn not_one(why: &str) -> Refusal {
    Refusal::bad_request(why, "connect with a WebSocket client: ws://HOST/v1/stream")
}

fn listed(headers: &HeaderMap, name: &header::HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let texts: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    texts.join(",")
}

fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    let has = |name, wanted: &str| {
        listed(headers, &name)
            .split(',')
            .any(|word| word.trim().eq_ignore_ascii_case(wanted))
    };
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return Err(not_one("the request does not ask for a WebSocket"));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(not_one("the WebSocket version is not 13"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.ok_or_else(|| not_one("the request has no Sec-WebSocket-Key"))?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|_| not_one("the Sec-WebSocket-Key cannot be read"))
}

/// A connection with a client.
pub struct Socket {
    io: TokioIo<hyper::upgrade::Upgraded>,
    protocol: Option<&'static str>,
    decoder: Decoder,
    deflater: Option<Deflater>,
    out: Vec<u8>,
    input: Box<[u8; 4_096]>,
    _places: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
}

impl Socket {
    fn new(
        io: TokioIo<hyper::upgrade::Upgraded>,
        protocol: Option<&'static str>,
        packing: Option<(Agreed, OwnedSemaphorePermit)>,
        message_limit: usize,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let (agreed, packed) = packing.unzip();
        Self {
            io,
            protocol,
            decoder: Decoder::new(message_limit, agreed.map(Agreed::inflater)),
            deflater: agreed.map(Agreed::deflater),
            out: Vec::new(),
            input: Box::new([0; 4_096]),
            _places: (place, packed),
        }
    }

    /// The subprotocol agreed to.
    #[must_use]
    pub fn protocol(&self) -> Option<&'static str> {
        self.protocol
    }

    /// The next message of the client; `None` when it went without a word. May be dropped and asked
    /// again.
    ///
    /// # Errors
    /// When the connection fails or the client breaks the protocol, in which case it was told.
    pub async fn hear(&mut self) -> io::Result<Option<Said>> {
        loop {
            match self.decoder.next() {
                Ok(Some(said)) => return Ok(Some(said)),
                Ok(None) => {}
                Err(fault) => {
                    self.close(fault.code(), &fault.to_string()).await?;
                    return Err(io::Error::other(fault));
                }
            }
            let size = self.io.read(&mut self.input[..]).await?;
            if size == 0 {
                return Ok(None);
            }
            self.decoder.feed(&self.input[..size]);
        }
    }

    /// Queues text; sent with the next [`Socket::flush`].
    pub fn text(&mut self, text: &str) {
        self.message(Opcode::Text, text.as_bytes());
    }

    /// Queues bytes.
    pub fn binary(&mut self, bytes: &[u8]) {
        self.message(Opcode::Binary, bytes);
    }

    /// Queues a question whether the client is there.
    pub fn ping(&mut self) {
        encode(Opcode::Ping, b"ouzel", false, &mut self.out);
    }

    /// Queues the answer to the client's question.
    pub fn pong(&mut self, bytes: &[u8]) {
        encode(Opcode::Pong, bytes, false, &mut self.out);
    }

    fn message(&mut self, opcode: Opcode, payload: &[u8]) {
        match self.deflater.as_mut().and_then(|d| d.deflate(payload)) {
            Some(packed) => encode(opcode, packed, true, &mut self.out),
            None => encode(opcode, payload, false, &mut self.out),
        }
    }

    /// Sends what is queued.
    ///
    /// # Errors
    /// When the connection fails, or the client has taken nothing for half a minute.
    pub async fn flush(&mut self) -> io::Result<()> {
        let mut rest = &self.out[..];
        while !rest.is_empty() {
            let sent = timeout(STALL, self.io.write(rest)).await;
            match sent.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                size => rest = &rest[size..],
            }
        }
        self.out.clear();
        self.io.flush().await
    }

    /// Says the end, with a code of RFC 6455 and a reason.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn close(&mut self, code: u16, reason: &str) -> io::Result<()> {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        // A control frame has 125 bytes at most; the reasons are ASCII.
        payload.truncate(125);
        encode(Opcode::Close, &payload, false, &mut self.out);
        self.flush().await?;
        self.io.shutdown().await
    }
}
