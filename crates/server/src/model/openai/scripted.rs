//! An endpoint that says what a script says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

pub const HEAD: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";

fn read_request(socket: &std::net::TcpStream) {
    let mut reader = BufReader::new(socket.try_clone().expect("clones"));
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("reads");
        if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().expect("a number");
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("body");
}

/// A scripted endpoint: answers one request after the other with what the script says, hanging up after each. A
/// script's empty last piece means that it says no more and keeps the line open.
pub fn endpoint(script: Vec<Vec<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for pieces in script {
            let (mut socket, _) = listener.accept().expect("accepts");
            read_request(&socket);
            for piece in &pieces {
                // A client that has gone does not mind.
                let _gone = socket.write_all(piece.as_bytes());
            }
            if pieces.last().is_some_and(String::is_empty) {
                open.push(socket);
            }
        }
        // Holds what is open until the test is over.
        std::thread::park();
    });
    format!("http://{address}")
}

pub fn said(parts: &[&str]) -> Vec<String> {
    vec![parts.concat()]
}
