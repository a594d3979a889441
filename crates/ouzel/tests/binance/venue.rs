//! A venue on loopback: it plays a tape over WebSocket and answers depth snapshots over HTTP.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::Duration;

use tokio_tungstenite::tungstenite::{Message, accept};

use crate::tape::Tape;

/// What the venue plays.
pub struct Program {
    /// Each range of lines on a connection of its own, which stays open until told.
    pub parts: Vec<Range<usize>>,
    /// Wait at this line until a snapshot has been sent. Real streams are slow beside a snapshot;
    /// a tape that is played at once would be over before.
    pub hold_at: Option<usize>,
}

/// Answers `symbol` when that many lines have been sent; the last number counts its requests.
pub type Rest = Box<dyn Fn(&str, usize, usize) -> String + Send>;

/// A running venue. Its threads end with the test's process.
pub struct Venue {
    /// Where the stream is.
    pub stream: String,
    /// Where snapshots are.
    pub rest: String,
    /// Lines given to the socket so far.
    pub sent: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<String>>>,
    go_on: Sender<()>,
}

impl Venue {
    /// Opens both doors. Each part is played on a connection of its own; between two parts
    /// [`Venue::go_on`] is awaited twice: before the line is cut, and before the next is accepted.
    pub fn open(tape: Arc<Tape>, program: Program, rest: Rest) -> Self {
        let (stream, rest_door) = (listen(), listen());
        let address = |door: &TcpListener| door.local_addr().expect("bound");
        let sent = Arc::new(AtomicUsize::new(0));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (go_on, may_go_on) = channel();
        let venue = Self {
            stream: format!("ws://{}/stream", address(&stream)),
            rest: format!("http://{}/depth", address(&rest_door)),
            sent: Arc::clone(&sent),
            asked: Arc::clone(&asked),
            go_on,
        };
        let player = Player {
            tape,
            sent: Arc::clone(&sent),
            answered: Arc::default(),
            go_on: may_go_on,
        };
        let answered = Arc::clone(&player.answered);
        spawn(move || player.play(&stream, &program));
        spawn(move || answer(&rest_door, &rest, &sent, &asked, &answered));
        venue
    }

    /// Lets the venue take its next step.
    pub fn go_on(&self) {
        self.go_on.send(()).expect("the venue lives");
    }

    /// The requests for snapshots so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread panics").clone()
    }
}

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

struct Player {
    tape: Arc<Tape>,
    sent: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
    go_on: Receiver<()>,
}

impl Player {
    fn play(&self, door: &TcpListener, program: &Program) {
        for (idx, part) in program.parts.iter().enumerate() {
            if idx > 0 && self.go_on.recv().is_err() {
                return;
            }
            let (line, _) = door.accept().expect("a reader");
            let mut socket = accept(line).expect("a WebSocket handshake");
            for at in part.clone() {
                if program.hold_at == Some(at) {
                    socket.flush().expect("the reader reads");
                    self.await_answer();
                }
                let text = Message::text(self.tape.lines[at].json.clone());
                if socket.write(text).is_err() {
                    return;
                }
                self.sent.store(at + 1, Ordering::Release);
            }
            socket.flush().expect("the reader reads");
            if self.go_on.recv().is_err() {
                return;
            }
        }
    }

    fn await_answer(&self) {
        while self.answered.load(Ordering::Acquire) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn answer(
    door: &TcpListener,
    rest: &Rest,
    sent: &AtomicUsize,
    asked: &Mutex<Vec<String>>,
    answered: &AtomicUsize,
) {
    for (nth, line) in door.incoming().enumerate() {
        let line = line.expect("a request");
        let target = request(&line);
        asked.lock().expect("no thread panics").push(target.clone());
        let symbol = target.split("symbol=").nth(1).unwrap_or_default();
        let symbol = symbol.split('&').next().unwrap_or_default();
        let body = rest(symbol, sent.load(Ordering::Acquire), nth);
        respond(line, &body);
        answered.fetch_add(1, Ordering::Release);
    }
}

fn request(line: &TcpStream) -> String {
    let mut lines = BufReader::new(line).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    lines.find(String::is_empty);
    first.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn respond(mut line: TcpStream, body: &str) {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    // An asker that gave up asks again.
    let _gone = line
        .write_all(head.as_bytes())
        .and_then(|()| line.write_all(body.as_bytes()));
}
