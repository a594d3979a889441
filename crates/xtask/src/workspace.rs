//! What the workspace is made of: its packages from `cargo metadata`, its files from the disk.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The checkout and the packages declared in it.
pub struct Workspace {
    /// The folder that holds the root manifest.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// The members, in the order of the root manifest's metadata.
    pub packages: Vec<Package>,
}

/// One member as its manifest declares it.
pub struct Package {
    /// Its name, which is also its folder below `crates/`.
    pub name: String,
    /// The sentence that says what it is; empty when the manifest has none.
    pub description: String,
    /// Its manifest, relative to the root.
    pub manifest: PathBuf,
    /// What it depends on, of any kind and platform.
    pub dependencies: Vec<Dependency>,
}

/// One declared dependency.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dependency {
    /// Package name.
    pub name: String,
    /// When it is needed.
    pub kind: Kind,
}

/// When a dependency is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// By the crate itself, so by everything above it.
    Normal,
    /// By its build script.
    Build,
    /// By its tests, examples and benches alone.
    Dev,
}

impl Workspace {
    /// Reads the workspace this program was built in.
    pub fn load() -> Result<Self> {
        let root = root()?;
        let output = Command::new(cargo())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(&root)
            .output()
            .context("cannot start `cargo metadata`: is cargo on the PATH?")?;
        ensure!(
            output.status.success(),
            "`cargo metadata` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .context("reading the answer of cargo metadata")?;
        let packages = parse_packages(&metadata, &root);
        let target = PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target"));
        Ok(Self {
            root,
            target,
            packages,
        })
    }

    /// Every file below `folder` (relative to the root) whose extension is one of `extensions`, in path order,
    /// relative to the root. Build output, tools and vendored code are not ours and are passed over.
    pub fn files(&self, folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.root.join(folder), extensions, &mut found);
        let mut found: Vec<PathBuf> = found
            .into_iter()
            .filter_map(|path| path.strip_prefix(&self.root).map(Path::to_path_buf).ok())
            .collect();
        found.sort();
        found
    }

    /// The text of a file given relative to the root.
    pub fn read(&self, path: &Path) -> Result<String> {
        std::fs::read_to_string(self.root.join(path))
            .with_context(|| format!("reading {}", path.display()))
    }
}

/// The cargo that runs us, so that a nested call uses the same toolchain.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string())
}

fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built_in = here
        .ancestors()
        .nth(2)
        .context("xtask lives two folders below the root")?;
    if built_in.join("Cargo.toml").is_file() {
        return Ok(built_in.to_path_buf());
    }
    std::env::current_dir().context("finding the current folder")
}

fn parse_packages(metadata: &Value, root: &Path) -> Vec<Package> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_string();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    list(&metadata["packages"])
        .iter()
        .map(|package| {
            let manifest = PathBuf::from(text(package, "manifest_path"));
            Package {
                name: text(package, "name"),
                description: text(package, "description"),
                manifest: manifest
                    .strip_prefix(root)
                    .map(Path::to_path_buf)
                    .unwrap_or(manifest),
                dependencies: list(&package["dependencies"])
                    .iter()
                    .map(|dependency| Dependency {
                        name: text(dependency, "name"),
                        kind: match dependency["kind"].as_str() {
                            Some("dev") => Kind::Dev,
                            Some("build") => Kind::Build,
                            _ => Kind::Normal,
                        },
                    })
                    .collect(),
            }
        })
        .collect()
}

fn walk(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            let foreign = matches!(
                name.as_str(),
                "target" | "vendor" | "node_modules" | "corpus"
            );
            if !foreign && !name.starts_with('.') {
                walk(&path, extensions, found);
            }
        } else if path
            .extension()
            .is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
        {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_come_with_their_kinds_of_dependency() {
        let metadata: Value = serde_json::from_str(
            r#"{"packages": [{"name": "market", "description": "facts",
                "manifest_path": "/w/crates/market/Cargo.toml",
                "dependencies": [{"name": "wire", "kind": null}, {"name": "proptest", "kind": "dev"},
                                 {"name": "cc", "kind": "build"}]}]}"#,
        )
        .unwrap();
        let packages = parse_packages(&metadata, Path::new("/w"));
        assert_eq!(packages[0].manifest, Path::new("crates/market/Cargo.toml"));
        let kinds: Vec<Kind> = packages[0].dependencies.iter().map(|d| d.kind).collect();
        assert_eq!(kinds, [Kind::Normal, Kind::Dev, Kind::Build]);
    }
}
