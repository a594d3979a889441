//! `cargo run -p fix --example echo -- PORT DICTIONARIES`: sessions of an acceptance suite over TCP.
//!
//! Listens on 127.0.0.1:PORT. `DICTIONARIES` is a folder with FIX42.xml, FIX44.xml, FIXT11.xml and
//! FIX50SP2.xml in QuickFIX's format. One thread a connection: this is for tests, not for a market.
#![allow(clippy::disallowed_methods, reason = "sessions run in real time here")]

mod app;
mod sessions;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fix::{Greeting, greet};
use sessions::{Place, dictionaries, places};

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_nanos() as u64
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (Some(port), Some(folder)) = (args.get(1), args.get(2)) else {
        panic!("usage: echo PORT DICTIONARIES");
    };
    let places = Arc::new(places(&dictionaries(Path::new(folder))));
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).expect("a free port");
    println!("listening on {port}");
    for stream in listener.incoming() {
        let (places, stream) = (Arc::clone(&places), stream.expect("a connection"));
        std::thread::spawn(move || serve(&places, stream));
    }
}

fn serve(places: &[Mutex<Place>], mut stream: TcpStream) {
    let timeout = Some(Duration::from_millis(50));
    stream.set_read_timeout(timeout).expect("a timeout");
    let (mut bytes, mut read) = (Vec::new(), [0; 65_536]);
    let mut mine = None;
    loop {
        let got = match stream.read(&mut read) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
            Err(_) => break,
        };
        bytes.extend(&read[..got]);
        if mine.is_none() {
            match greet(&bytes, 1 << 20) {
                Greeting::More => continue,
                Greeting::Stranger => return,
                Greeting::Of(identity) => {
                    let found = places.iter().find(|place| {
                        let mut place = place.lock().expect("no panic");
                        place.session.identity() == identity && place.enter(now_ns())
                    });
                    match found {
                        Some(place) => mine = Some(place),
                        None => return,
                    }
                }
            }
        }
        let Some(place) = mine else { return };
        let (out, close) = place.lock().expect("no panic").step(&bytes, now_ns());
        bytes.clear();
        if stream.write_all(&out).is_err() || close {
            break;
        }
    }
    if let Some(place) = mine {
        place
            .lock()
            .expect("no panic")
            .session
            .disconnected(now_ns());
    }
}
