//! A running `ouzel demo` for the tests that look at it from outside: the console in a browser, the metrics.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::check::cargo_in;
use crate::process::{shown, succeeds};
use crate::workspace::Workspace;

/// The issue promises a live console within a minute of start.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// The demo's process; ended when this value is dropped.
pub struct Demo {
    child: Child,
    address: SocketAddr,
    data: PathBuf,
}

impl Demo {
    /// Builds the binary with the settings of the tests (it is built by then), starts the demo with a fixed seed
    /// on a free port and waits until it says it is ready.
    pub fn start(workspace: &Workspace) -> Result<Self> {
        let built = succeeds(&mut cargo_in(
            workspace,
            &[
                "build",
                "--quiet",
                "--profile",
                "test",
                // As the tests of the whole workspace do, so that what they built serves here too.
                "--workspace",
                "--bin",
                "ouzel",
            ],
        ))?;
        ensure!(built, "`ouzel` does not build");
        let address = free_address()?;
        let data = workspace
            .target
            .join(format!("xtask-demo-{}", address.port()));
        std::fs::create_dir_all(&data).context("making a folder for the demo")?;
        let log = std::fs::File::create(data.join("demo.log")).context("making the demo's log")?;
        let mut command = Command::new(Self::binary(workspace));
        command
            .args(["demo", "--seed", "7", "--listen", &address.to_string()])
            .current_dir(&data)
            .stdin(Stdio::null())
            .stderr(log.try_clone().context("sharing the demo's log")?)
            .stdout(log);
        println!("$ {} &", shown(&command));
        let child = command.spawn().context("starting the demo")?;
        let mut demo = Self {
            child,
            address,
            data,
        };
        demo.wait_until_ready()?;
        Ok(demo)
    }

    /// The program that a demo was started from.
    pub fn binary(workspace: &Workspace) -> PathBuf {
        workspace.target.join("debug/ouzel")
    }

    /// Where the console is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The body of `path`, when the answer is 200.
    pub fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        // Version 1.0 keeps the answer in one piece that ends with the connection.
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n",
            self.address
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
        let status = head.lines().next().unwrap_or_default();
        ensure!(status.contains(" 200 "), "GET {path} answered `{status}`");
        Ok(body.to_string())
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < READY_LIMIT {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the demo ended at once ({status}); it said:\n{}",
                    self.log_tail()
                );
            }
            if self.get("/readyz").is_ok() {
                println!(
                    "ready after {:.1} s at {}",
                    started.elapsed().as_secs_f64(),
                    self.url()
                );
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!(
            "the demo was not ready within {} s; it said:\n{}",
            READY_LIMIT.as_secs(),
            self.log_tail()
        )
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.data.join("demo.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself, and a folder left below target/ harms nobody.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
    Ok(listener.local_addr()?)
}
