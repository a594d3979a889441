//! A folder whose files become documents.
//!
//! The system tells when something changed (`notify`), and the folder is looked through each half minute all the same:
//! some file systems tell nothing. A file is read once its length and time have stood still for a while.

mod file;
mod lines;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use notify::{Config, RecommendedWatcher, RecursiveMode, Watcher};
use rag::Field;
use tokio::sync::{Notify, watch};

use super::{Failure, Intake, Manner, Pace};
use file::Kind;
use lines::Progress;

/// Between two looks where the system tells of changes.
const LOOK: Duration = Duration::from_secs(30);
/// Where it does not.
const LOOK_BLIND: Duration = Duration::from_secs(2);
/// Changes that come so close together are looked at once.
const TOGETHER: Duration = Duration::from_millis(100);
/// Larger files are no documents: a text may have a mebibyte.
const FILE_LIMIT: u64 = 16 << 20;
/// Folders in folders.
const DEPTH_LIMIT: usize = 16;

/// What a folder's files are to us.
#[derive(Clone, Debug)]
pub struct FolderSettings {
    /// The folder.
    pub dir: PathBuf,
    /// A file is read when it has not changed for so long.
    pub settle: Duration,
    /// A file that is removed takes its document with it.
    pub deletes: bool,
    /// `known_at` of JSON lines is believed.
    pub trusts_known_at: bool,
}

/// The folder as last seen.
pub struct Folder {
    settings: FolderSettings,
    intake: Intake,
    seen: HashMap<String, Seen>,
    has_looked: bool,
}

/// What tells whether a file changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    changed: Option<SystemTime>,
}

struct Seen {
    stamp: Stamp,
    since: Instant,
    /// It was there when the folder was first looked through.
    was_there: bool,
    /// As it was when it was read.
    read: Option<Stamp>,
    progress: Progress,
}

impl Folder {
    /// Looks at nothing yet.
    #[must_use]
    pub fn new(settings: FolderSettings, intake: Intake) -> Self {
        Self {
            settings,
            intake,
            seen: HashMap::new(),
            has_looked: false,
        }
    }

    /// Looks through the folder and reads what has settled; whether something has still to settle.
    ///
    /// # Errors
    /// When the folder cannot be read, or memory cannot take a document now. A file or a folder in it that cannot be read
    /// is set aside, and tried again at the next look.
    pub fn look(&mut self) -> Result<bool, Failure> {
        let (mut listing, dir) = (Listing::default(), &self.settings.dir);
        let listed = files(dir, "", DEPTH_LIMIT, &mut listing);
        listed.map_err(|e| Failure::new(format!("{}: {e}", dir.display())))?;
        let Listing { mut found, unread } = listing;
        found.sort_by(|a, b| a.0.cmp(&b.0));
        for (path, why) in &unread {
            self.intake.refuse(path, why);
        }
        self.remove(&found, &unread)?;
        let mut waits = false;
        let now = Instant::now();
        for (path, kind, stamp) in found {
            let seen = self.seen.entry(path.clone()).or_insert_with(|| Seen {
                stamp,
                since: now,
                was_there: !self.has_looked,
                read: None,
                progress: Progress::default(),
            });
            if seen.stamp != stamp {
                (seen.stamp, seen.since) = (stamp, now);
            }
            if seen.read == Some(stamp) {
                continue;
            }
            if now.duration_since(seen.since) < self.settings.settle {
                waits = true;
                continue;
            }
            match self.read(&path, kind, stamp) {
                Err(failure) if failure.is_its_own => self.intake.refuse(&path, &failure.why),
                other => other?,
            }
        }
        self.has_looked = true;
        Ok(waits)
    }

    fn read(&mut self, path: &str, kind: Kind, stamp: Stamp) -> Result<(), Failure> {
        let full = self.settings.dir.join(path);
        let Some(seen) = self.seen.get_mut(path) else {
            return Ok(());
        };
        // The first time after a start: what is in it may have been stored and deleted before.
        let is_again = seen.was_there && seen.read.is_none();
        let manner = Manner {
            stays_deleted: is_again,
            is_replay: is_again && kind == Kind::Lines,
            trusts_known_at: self.settings.trusts_known_at,
            is_news: false,
        };
        if kind == Kind::Lines {
            lines::take(&full, path, (&self.intake, manner), &mut seen.progress)?;
        } else if stamp.bytes > FILE_LIMIT {
            let why = format!("has {} bytes, more than {FILE_LIMIT}", stamp.bytes);
            self.intake.refuse(path, &why);
        } else {
            let bytes = std::fs::read(&full);
            let bytes = bytes.map_err(|e| Failure::its_own(e.to_string()))?;
            let name = &self.intake.status().name;
            match file::draft(kind, &bytes, (name, path), stamp.at_ns()) {
                Ok(draft) => {
                    let took = self.intake.take(path, draft, manner);
                    took.map_err(|fault| Failure::new(fault.to_string()))?;
                }
                Err(why) => self.intake.refuse(path, &why),
            }
        }
        seen.read = Some(stamp);
        Ok(())
    }

    /// Forgets files that are gone and, if asked, deletes their documents. What is below a folder in `unread` is not known to
    /// be gone. A folder that is empty all at once is taken for one
    /// that was not mounted.
    fn remove(
        &mut self,
        found: &[(String, Kind, Stamp)],
        unread: &[(String, String)],
    ) -> Result<(), Failure> {
        let here: HashSet<&str> = found.iter().map(|(path, ..)| path.as_str()).collect();
        let mut gone: Vec<String> = self.seen.keys().cloned().collect();
        if self.settings.deletes && !self.has_looked {
            gone.extend(self.stored()?);
        }
        gone.retain(|path| {
            let is_unread = unread.iter().any(|(folder, _)| path.starts_with(folder));
            !is_unread && !here.contains(path.as_str())
        });
        if self.settings.deletes && here.is_empty() && gone.len() > 1 {
            let why = "the folder is empty, and had several files: no document is deleted; is it mounted?";
            return Err(Failure::new(why));
        }
        for path in gone {
            if self.settings.deletes && Kind::of(&path) != Some(Kind::Lines) {
                let id = super::feed::bounded_id(&self.intake.status().name, &path);
                let documents = self.intake.node().documents();
                let deleted = documents.delete(&id, self.intake.now());
                let deleted = deleted.map_err(|fault| Failure::new(fault.to_string()))?;
                let count = u64::from(deleted.is_some());
                self.intake.status().with(|counts| counts.deleted += count);
            }
            self.seen.remove(&path);
        }
        Ok(())
    }

    /// Files of this folder that are documents.
    fn stored(&self) -> Result<Vec<String>, Failure> {
        let all = self.intake.node().documents().list(None, usize::MAX);
        let all = all.map_err(|fault| Failure::new(fault.to_string()))?;
        let name = Some(&self.intake.status().name);
        let ours = all.into_iter().filter(|d| d.source.as_ref() == name);
        let file = ours.filter_map(|mut document| document.fields.remove(file::FILE));
        let path = file.filter_map(|field| match field {
            Field::Text(path) => Some(path),
            _ => None,
        });
        Ok(path.collect())
    }
}

impl Stamp {
    fn at_ns(self) -> Option<u64> {
        let since = self.changed?.duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since.as_nanos()).ok()
    }
}

/// What is below a folder.
#[derive(Default)]
struct Listing {
    /// Files of ours, by their path in it.
    found: Vec<(String, Kind, Stamp)>,
    /// Folders that cannot be read, with the reason.
    unread: Vec<(String, String)>,
}

/// Lists what is below `dir`. Hidden files, and folders behind links, are passed over.
fn files(dir: &Path, within: &str, depth: usize, listing: &mut Listing) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        // A name that is no text cannot be part of an id.
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let path = format!("{within}{name}");
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth > 0 {
                let path = format!("{path}/");
                let listed = files(&entry.path(), &path, depth - 1, listing);
                listing
                    .unread
                    .extend(listed.err().map(|e| (path, e.to_string())));
            }
            continue;
        }
        let Some(kind) = Kind::of(name) else {
            continue;
        };
        // Gone since the folder was listed.
        let Ok(about) = std::fs::metadata(entry.path()) else {
            continue;
        };
        if about.is_file() {
            let stamp = Stamp {
                bytes: about.len(),
                changed: about.modified().ok(),
            };
            listing.found.push((path, kind, stamp));
        }
    }
    Ok(())
}

/// Follows a folder until `stop` changes.
pub async fn follow(mut folder: Folder, mut stop: watch::Receiver<bool>) {
    let status = Arc::clone(folder.intake.status());
    let changed = Arc::new(Notify::new());
    let (dir, tell) = (folder.settings.dir.clone(), Arc::clone(&changed));
    // It walks through the folder.
    let watcher = tokio::task::spawn_blocking(move || told(&dir, tell)).await;
    let watcher = watcher.ok().flatten();
    let settle = folder.settings.settle.max(Duration::from_millis(10));
    let calm = if watcher.is_some() { LOOK } else { LOOK_BLIND };
    let mut pace = Pace::new(settle, folder.intake.now());
    while !*stop.borrow() {
        status.with(|counts| counts.asked += 1);
        let looked = tokio::task::spawn_blocking(move || {
            let outcome = folder.look();
            (folder, outcome)
        });
        let done = tokio::select! {
            done = looked => done,
            _ = stop.changed() => return,
        };
        let Ok((back, outcome)) = done else {
            status.fails(
                "a defect of ours ended it; the log has the details, a restart begins it anew",
            );
            return;
        };
        folder = back;
        let wait = match &outcome {
            Ok(waits) => {
                status.works(folder.intake.now());
                if *waits { settle } else { calm }
            }
            Err(failure) => {
                status.fails(&failure.why);
                pace.after(Some(failure))
            }
        };
        if outcome.is_ok() {
            pace.after(None);
        }
        let is_calm = matches!(outcome, Ok(false));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = told_of(&changed), if is_calm => {}
            _ = stop.changed() => return,
        }
    }
}

/// A change, and a moment for those that come with it.
async fn told_of(changed: &Notify) {
    changed.notified().await;
    tokio::time::sleep(TOGETHER).await;
}

/// Lets the system tell of changes; `None` where it cannot. Reading is none: we would wake ourselves for ever.
fn told(dir: &Path, changed: Arc<Notify>) -> Option<RecommendedWatcher> {
    let tell = move |event: notify::Result<notify::Event>| {
        let is_read = event.is_ok_and(|event| event.kind.is_access());
        if !is_read {
            changed.notify_one();
        }
    };
    // No error: a folder that the system does not watch is looked at by the clock.
    let config = Config::default().with_follow_symlinks(false);
    let mut watcher = RecommendedWatcher::new(tell, config).ok()?;
    watcher.watch(dir, RecursiveMode::Recursive).ok()?;
    Some(watcher)
}

#[cfg(test)]
mod tests;
