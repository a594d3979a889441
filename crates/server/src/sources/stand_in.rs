//! An HTTP server for tests: answers are given by path, one after the other, the last one for ever.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An answer.
#[derive(Clone)]
pub enum Answer {
    /// Status, headers and body.
    Plain(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Promises more than it sends.
    CutOff(Vec<u8>),
    /// Sends a byte now and then.
    Slow,
}

impl Answer {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Plain(200, Vec::new(), body.into())
    }

    pub fn status(status: u16, headers: &[(&'static str, &str)]) -> Self {
        let headers = headers.iter().map(|(k, v)| (*k, (*v).to_owned()));
        Self::Plain(status, headers.collect(), Vec::new())
    }
}

#[derive(Default)]
struct Script {
    answers: HashMap<String, Vec<Answer>>,
    /// Path and header lines of every request.
    requests: Vec<(String, String)>,
}

/// The server; its thread ends with the process.
pub struct StandIn {
    pub url: String,
    script: Arc<Mutex<Script>>,
}

impl StandIn {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let script = Arc::<Mutex<Script>>::default();
        let shared = Arc::clone(&script);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &script));
            }
        });
        Self { url, script }
    }

    /// What `path` answers from now on.
    pub fn at(&self, path: &str, answers: Vec<Answer>) {
        let mut script = self.script.lock().expect("script");
        script.answers.insert(path.to_owned(), answers);
    }

    /// The requests since the last look.
    pub fn requests(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.script.lock().expect("script").requests)
    }
}

fn serve(mut stream: TcpStream, script: &Mutex<Script>) {
    let mut lines = BufReader::new(stream.try_clone().expect("clones")).lines();
    let Some(Ok(first)) = lines.next() else {
        return;
    };
    let headers: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let answer = {
        let mut script = script.lock().expect("script");
        let plain = path.split('?').next().unwrap_or_default().to_owned();
        script
            .requests
            .push((path, headers.join("\n").to_lowercase()));
        match script.answers.get_mut(&plain) {
            Some(answers) if answers.len() > 1 => answers.remove(0),
            Some(answers) => answers[0].clone(),
            None => Answer::status(404, &[]),
        }
    };
    let mut head = String::from("HTTP/1.1 ");
    let (status, more, length, body) = match answer {
        Answer::Plain(status, headers, body) => (status, headers, body.len(), body),
        Answer::CutOff(body) => (200, Vec::new(), body.len() + 100, body),
        Answer::Slow => (200, Vec::new(), 1_000, Vec::new()),
    };
    head.push_str(&format!("{status} X\r\nconnection: close\r\n"));
    if status != 304 {
        head.push_str(&format!("content-length: {length}\r\n"));
    }
    for (name, value) in more {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let is_slow = body.is_empty() && length == 1_000;
    let _gone = stream.write_all(format!("{head}\r\n").as_bytes());
    let _gone = stream.write_all(&body);
    while is_slow && stream.write_all(b" ").is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
}
