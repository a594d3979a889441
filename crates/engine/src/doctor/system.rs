//! `/proc` and `/sys`, or a folder that looks like them in a test.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the system's own files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    root: PathBuf,
}

impl Default for System {
    fn default() -> Self {
        Self::at(Path::new("/"))
    }
}

impl System {
    /// The system whose `/proc` and `/sys` are below `root`.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A small file, trimmed; `None` when it cannot be read.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path))
            .ok()
            .map(|text| text.trim().to_owned())
    }

    /// A number in a file of its own.
    pub(super) fn number(&self, path: &str) -> Option<i64> {
        self.read(path)?.parse().ok()
    }

    /// Names in a folder, sorted; none when it cannot be read.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(path))
            .into_iter()
            .flatten()
            .flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// Whether a list as the kernel writes it (`0-3,7`) names `core`.
pub(super) fn names_core(list: &str, core: usize) -> bool {
    list.split(',').any(|part| {
        let (from, to) = part
            .trim()
            .split_once('-')
            .unwrap_or((part.trim(), part.trim()));
        match (from.parse::<usize>(), to.parse::<usize>()) {
            (Ok(from), Ok(to)) => (from..=to).contains(&core),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read_as_the_kernel_writes_them() {
        for (list, core, named) in [
            ("0-3,7", 2, true),
            ("0-3,7", 7, true),
            ("0-3,7", 4, false),
            ("", 0, false),
            ("5", 5, true),
            ("(null)", 0, false),
        ] {
            assert_eq!(names_core(list, core), named, "{list:?} {core}");
        }
    }
}
