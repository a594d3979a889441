//! A venue on loopback that follows a script, one a connection, and keeps what it was asked.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::Duration;

use tokio_tungstenite::tungstenite::{Message, WebSocket, accept};

/// One step of a connection.
pub enum Step {
    /// Say these.
    Say(Vec<String>),
    /// Say one thing in small pieces, with waits between them.
    Dribble(String),
    /// Wait until a request holds this; it is kept from the last step on.
    Asked(&'static str),
    /// Answer pings until the test goes on.
    Hold,
    /// Say nothing more and answer nothing, until the other side goes.
    Silence,
}

/// A running venue. Its threads end with the test's process.
pub struct Venue {
    /// Where it listens.
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
    go_on: Sender<()>,
}

impl Venue {
    /// Plays a script on each connection, one after the other; each is cut at its end, and after
    /// the last nobody is let in.
    pub fn open(scripts: Vec<Vec<Step>>) -> Self {
        let door = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("ws://{}/ws", door.local_addr().expect("bound"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (go_on, may_go_on) = channel();
        let kept = Arc::clone(&asked);
        spawn(move || {
            for script in scripts {
                let (line, _) = door.accept().expect("a reader");
                play(line, script, &kept, &may_go_on);
            }
        });
        Self { url, asked, go_on }
    }

    /// Lets a hold end.
    pub fn go_on(&self) {
        self.go_on.send(()).expect("the venue lives");
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread panics").clone()
    }
}

fn play(line: TcpStream, script: Vec<Step>, asked: &Mutex<Vec<String>>, go_on: &Receiver<()>) {
    let raw = line.try_clone().expect("a second handle");
    let mut socket = accept(line).expect("a WebSocket handshake");
    let short = Some(Duration::from_millis(20));
    for step in script {
        raw.set_read_timeout(None).expect("a socket");
        let alive = match step {
            Step::Say(texts) => say(&mut socket, texts),
            Step::Dribble(text) => dribble(&raw, &text),
            Step::Asked(what) => {
                raw.set_read_timeout(short).expect("a socket");
                listen(
                    &mut socket,
                    asked,
                    true,
                    |request| request.contains(what),
                    || false,
                )
            }
            Step::Hold => {
                raw.set_read_timeout(short).expect("a socket");
                listen(
                    &mut socket,
                    asked,
                    true,
                    |_| false,
                    || go_on.try_recv().is_ok(),
                )
            }
            Step::Silence => {
                raw.set_read_timeout(short).expect("a socket");
                listen(&mut socket, asked, false, |_| false, || false)
            }
        };
        if !alive {
            return;
        }
    }
}

fn say(socket: &mut WebSocket<TcpStream>, texts: Vec<String>) -> bool {
    let written = texts
        .into_iter()
        .try_for_each(|text| socket.write(Message::text(text)));
    written.and_then(|()| socket.flush()).is_ok()
}

/// A text frame, a few bytes at a time.
fn dribble(mut raw: &TcpStream, text: &str) -> bool {
    use std::io::Write;
    let mut frame = vec![0x81];
    match text.len() {
        n @ 0..126 => frame.push(n as u8),
        n => {
            frame.push(126);
            frame.extend(u16::try_from(n).expect("a short text").to_be_bytes());
        }
    }
    frame.extend(text.bytes());
    let pieces = frame.len().div_ceil(8);
    frame.chunks(pieces).all(|piece| {
        std::thread::sleep(Duration::from_millis(30));
        raw.write_all(piece).is_ok()
    })
}

/// Reads requests until one is wanted or it is over; false when the other side went.
fn listen(
    socket: &mut WebSocket<TcpStream>,
    asked: &Mutex<Vec<String>>,
    answers: bool,
    wanted: impl Fn(&str) -> bool,
    is_over: impl Fn() -> bool,
) -> bool {
    use tokio_tungstenite::tungstenite::Error;
    while !is_over() {
        let text = match socket.read() {
            Ok(Message::Text(text)) => text.to_string(),
            Ok(_) => continue,
            Err(Error::Io(why)) if is_timeout(&why) => continue,
            Err(_) => return false,
        };
        let pong = match text.as_str() {
            "ping" => Some("pong".to_owned()),
            other if other.contains("\"ping\"") => Some("{\"event\":\"pong\"}".to_owned()),
            _ => None,
        };
        if let Some(pong) = pong {
            if answers && socket.send(Message::text(pong)).is_err() {
                return false;
            }
            continue;
        }
        let found = wanted(&text);
        asked.lock().expect("no thread panics").push(text);
        if found {
            return true;
        }
    }
    true
}

fn is_timeout(why: &std::io::Error) -> bool {
    matches!(
        why.kind(),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
    )
}
