//! What the end-to-end tests share: the binary as a child that dies with its guard, calls of its
//! API, and the place of the real data.
#![allow(
    clippy::disallowed_methods,
    reason = "real processes are awaited in real time"
)]
#![allow(dead_code, reason = "each test uses its part")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Long enough for a machine that does other work as well; reached only by a failing test.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// A file or folder of the shared real data; prints why it is skipped when there is none.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("OUZEL_SHARED")
        .map(PathBuf::from)
        .or_else(|| {
            let start = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
            let beside: Vec<PathBuf> = start.ancestors().map(|f| f.join("shared")).collect();
            beside.into_iter().find(|folder| folder.is_dir())
        });
    let found = root
        .map(|root| root.join("data").join(path))
        .filter(|file| file.exists());
    if found.is_none() {
        println!("skipped: {path}: shared/data is not beside the checkout (OUZEL_SHARED names it)");
    }
    found
}

/// A command of ours that no variable of the caller's environment can redirect.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.args(args).stdin(Stdio::null());
    for variable in ["OUZEL_DATA", "OUZEL_URL", "OUZEL_MODEL_URL", "OUZEL_MODEL"] {
        command.env_remove(variable);
    }
    command
}

/// Runs a command to its end.
pub fn ouzel(args: &[&str]) -> Output {
    command(args).output().expect("the binary starts")
}

/// Runs a command that must succeed, and reads its last line as JSON.
pub fn ouzel_json(args: &[&str]) -> Value {
    let done = ouzel(args);
    let (out, err) = (text(&done.stdout), text(&done.stderr));
    assert!(done.status.success(), "ouzel {args:?}: {out}{err}");
    let line = out.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|e| panic!("ouzel {args:?}: {e}: {out}{err}"))
}

/// Runs a command that must fail, and returns what it says on standard error.
pub fn ouzel_fails(args: &[&str]) -> String {
    let done = ouzel(args);
    assert!(
        !done.status.success(),
        "ouzel {args:?} succeeded: {}",
        text(&done.stdout)
    );
    text(&done.stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

/// A running `serve` or `demo`; it is killed when this is dropped.
pub struct Running {
    child: Child,
    lines: Receiver<Value>,
    said: Arc<Mutex<String>>,
    /// The first line it printed.
    pub greeting: Value,
    /// Where it listens.
    pub url: String,
}

impl Running {
    /// Starts a command with `--listen 127.0.0.1:0 --json` added and waits until it listens.
    pub fn start(args: &[&str]) -> Self {
        Self::start_fed(args, Stdio::null())
    }

    /// The same with something on its standard input.
    pub fn start_fed(args: &[&str], stdin: Stdio) -> Self {
        let all = [args, &["--listen", "127.0.0.1:0", "--json"]].concat();
        let mut command = command(&all);
        command.stdin(stdin);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = follow(child.stdout.take().expect("piped"));
        let said = gather(child.stderr.take().expect("piped"));
        let mut running = Self {
            child,
            lines,
            said,
            greeting: Value::Null,
            url: String::new(),
        };
        running.greeting = running.line_with("listening");
        running.url = running.greeting["listening"]
            .as_str()
            .expect("an address")
            .to_owned();
        running
    }

    /// The next line on standard output that has `key`.
    pub fn line_with(&self, key: &str) -> Value {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if !line[key].is_null() => return line,
                Ok(_) => {}
                Err(why) => panic!("no line with {key:?}: {why}; it said: {}", self.said()),
            }
        }
    }

    /// What it printed on standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().expect("no reader panics").clone()
    }

    /// The process, for signals.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as a supervisor or Ctrl-C does.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill is there").success(), "{name} to {pid}");
    }

    /// Its exit status, if it ends in time.
    pub fn ends_within(&mut self, limit: Duration) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < limit {
            if let Some(status) = self.child.try_wait().expect("it was started here") {
                return Some(status.code().unwrap_or(-1));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was started here");
    }

    /// One call; status and body.
    pub fn call(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        call(method, &format!("{}{path}", self.url), body)
    }

    /// A call that must succeed.
    pub fn get(&self, path: &str) -> Value {
        self.expect("GET", path, "", 200)
    }

    /// A call that must succeed.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.expect("POST", path, &body.to_string(), 200)
    }

    /// A call that must be answered with `status` and JSON.
    pub fn expect(&self, method: &str, path: &str, body: &str, status: u16) -> Value {
        let (got, said) = self.call(method, path, body);
        assert_eq!(got, status, "{method} {path}: {said}");
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{method} {path}: {e}: {said}"))
    }

    /// A call that must be refused with `status` and words for people.
    pub fn refused(&self, method: &str, path: &str, body: &str, status: u16) -> Value {
        let said = self.expect(method, path, body, status);
        for part in ["code", "message", "hint"] {
            let word = said["error"][part].as_str().unwrap_or_default();
            assert!(!word.is_empty(), "{method} {path}: no error.{part}: {said}");
        }
        said["error"].clone()
    }

    /// Calls `path` until `wanted` holds.
    pub fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        let mut last = String::new();
        while began.elapsed() < PATIENCE {
            let (_, said) = self.call("GET", path, "");
            if let Ok(value) = serde_json::from_str(&said)
                && wanted(&value)
            {
                return value;
            }
            last = said;
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "GET {path} never became what was awaited: {last}; stderr: {}",
            self.said()
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// One call to any address; status and body.
pub fn call(method: &str, url: &str, body: &str) -> (u16, String) {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let answer = match method {
        "GET" => agent.get(url).call(),
        "DELETE" => agent.delete(url).call(),
        "PUT" => agent.put(url).send(body),
        _ => agent.post(url).send(body),
    };
    let mut answer = answer.unwrap_or_else(|e| panic!("{method} {url}: {e}"));
    let read = answer
        .body_mut()
        .with_config()
        .limit(256 << 20)
        .read_to_string();
    (
        answer.status().as_u16(),
        read.unwrap_or_else(|e| panic!("{method} {url}: {e}")),
    )
}

fn follow(stdout: impl Read + Send + 'static) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Ok(value) = serde_json::from_str(&line) {
                // A test that has what it needs stops listening.
                let _gone = sender.send(value);
            }
        }
    });
    receiver
}

fn gather(stderr: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let said = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&said);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut kept = kept.lock().expect("no reader panics");
            kept.push_str(&line);
            kept.push('\n');
        }
    });
    said
}

/// An instant of the API, in ns UTC.
pub fn nanos(instant: &Value) -> u64 {
    let text = instant
        .as_str()
        .unwrap_or_else(|| panic!("{instant} is no instant"));
    let at: jiff::Timestamp = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    u64::try_from(at.as_nanosecond()).expect("after 1970")
}

/// A number of the API in billionths.
pub fn e9(number: &Value) -> i64 {
    (number
        .as_f64()
        .unwrap_or_else(|| panic!("{number} is no number"))
        * 1e9)
        .round() as i64
}
