//! Opening a folder: which model answers, which is to come, and whose vectors are kept beside them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use collection::{Collection, FsDisk, Options, Recovery, TextRules};
use embed::Embedder;
use stdx::Clock;

use super::file::{self, Entry, Stage};
use super::{Generation, Generations, MODEL_FILE, Table};
use crate::embedding::{Embedding, MadeBy, Maker};
use crate::memory::document_settings;
use crate::{NodeError, Settings};

/// The models that a folder is opened with. The packaged one is always there besides.
#[derive(Default)]
pub struct Models {
    /// The one that answers about now, or is to.
    pub model: Maker,
    /// Those of earlier vectors in the folder: questions about their instants are answered by them.
    pub before: Vec<Maker>,
    /// Whether the folder's vectors are made anew where they are another model's. Where that has begun it goes on in any case.
    pub reembed: bool,
}

/// Who can be asked for vectors.
struct Embedders {
    packaged: Embedding,
    asked: MadeBy,
    here: Vec<(MadeBy, Maker)>,
    opened: Vec<Arc<Embedding>>,
}

impl Embedders {
    fn new(packaged: Embedding, models: Models) -> Self {
        let made_by = |model: &Maker| match model {
            Maker::Packaged => packaged.made_by(),
            Maker::Here(embedder) => MadeBy {
                id: embedder.model_id().to_owned(),
                dim: embedder.dim(),
            },
            Maker::Elsewhere(model) => MadeBy {
                id: model.id().to_owned(),
                dim: model.dim(),
            },
        };
        let asked = made_by(&models.model);
        let all = std::iter::once(models.model).chain(models.before);
        let all = all.chain([Maker::Packaged]);
        let here = all.map(|model| (made_by(&model), model)).collect();
        Self {
            asked,
            packaged,
            here,
            opened: Vec::new(),
        }
    }

    /// The embedder that the folder is opened with.
    fn asked(&mut self) -> Arc<Embedding> {
        let asked = self.asked.clone();
        let opened = self.open(&asked);
        opened.unwrap_or_else(|| Arc::new(self.packaged.beside(Maker::Packaged, 0)))
    }

    /// The embedder of such vectors, one for all generations that have them.
    fn open(&mut self, made_by: &MadeBy) -> Option<Arc<Embedding>> {
        let found = self.opened.iter().find(|of| of.made_by() == *made_by);
        if let Some(found) = found {
            return Some(Arc::clone(found));
        }
        let at = self.here.iter().position(|(of, _)| of == made_by)?;
        let (_, model) = self.here.remove(at);
        let place = self.opened.len() as u32;
        let embedding = Arc::new(self.packaged.beside(model, place));
        self.opened.push(Arc::clone(&embedding));
        Some(embedding)
    }
}

/// Opens all generations of a folder, and begins a change of model where one is asked for.
///
/// # Errors
/// When the folder's model is another and no change is asked for, or another change is under way; as the stores say.
pub(crate) fn open(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    rules: Option<&TextRules>,
    packaged: &Arc<Embedder>,
    models: Models,
) -> Result<(Generations, Recovery), NodeError> {
    let dir = &settings.dir;
    let packaged = Arc::clone(packaged);
    let packaged = Embedding::new(packaged, settings.embedding, Arc::clone(clock));
    let (reembed, packaged_by) = (models.reembed, packaged.made_by());
    let mut embedders = Embedders::new(packaged, models);
    let entries = entries(dir, &embedders.asked, &packaged_by, reembed)?;
    let folder = |source| NodeError::Folder {
        dir: dir.clone(),
        source,
    };
    sweep(dir, &entries).map_err(folder)?;
    let asked = embedders.asked();
    let mut opener = Opener {
        settings,
        rules: rules.cloned(),
        embedders: &mut embedders,
    };
    let stage = |stage| entries.iter().filter(move |entry| entry.stage == stage);
    let now = stage(Stage::Now).next().ok_or_else(|| folder(unnamed()))?;
    let (now, recovery) = opener.open(now)?;
    opener.rules = Some(now.collection.text_rules().clone());
    let mut past = Vec::new();
    for entry in stage(Stage::Past) {
        past.push(opener.open(entry)?.0);
    }
    let coming = match stage(Stage::Coming).next() {
        None => None,
        Some(entry) => Some(opener.open_coming(entry, now.collection.head_seq())?),
    };
    let forgotten = stage(Stage::Forgotten).cloned().collect();
    let table = Table {
        forgotten,
        past,
        now,
        coming,
    };
    Ok((Generations::new(dir, asked, table), recovery))
}

/// What the folder has and, by the end of this, says that it has.
fn entries(
    dir: &Path,
    asked: &MadeBy,
    packaged: &MadeBy,
    reembed: bool,
) -> Result<Vec<Entry>, NodeError> {
    let folder = |source| NodeError::Folder {
        dir: dir.to_path_buf(),
        source,
    };
    let said = file::read(dir).map_err(folder)?;
    let is_said = said.is_some();
    // A folder that names none was made before folders did, by the packaged model.
    let unsaid = if dir.join("documents").is_dir() {
        packaged
    } else {
        asked
    };
    let mut entries = said.unwrap_or_else(|| vec![file::first(unsaid.clone())]);
    let made_by = |stage| {
        let found = entries.iter().find(|entry| entry.stage == stage);
        found.map(|entry| entry.made_by.clone())
    };
    let (now, coming) = (made_by(Stage::Now), made_by(Stage::Coming));
    let found = now.ok_or_else(|| folder(unnamed()))?;
    if *asked == found || coming.as_ref() == Some(asked) {
        if !is_said {
            file::write(dir, &entries).map_err(folder)?;
        }
        return Ok(entries);
    }
    let (dir_of, asked) = (dir.to_path_buf(), asked.clone());
    if let Some(coming) = coming {
        return Err(NodeError::ChangeUnderWay {
            dir: dir_of,
            coming,
            asked,
        });
    }
    if !reembed {
        return Err(NodeError::OtherModel {
            dir: dir_of,
            found,
            asked,
        });
    }
    let number = entries.iter().map(|entry| entry.number).max().unwrap_or(0) + 1;
    let left = dir.join(Entry::folder(number));
    if left.exists() {
        fs::remove_dir_all(left).map_err(folder)?;
    }
    entries.push(Entry {
        number,
        stage: Stage::Coming,
        from: 0,
        made_by: asked,
    });
    file::write(dir, &entries).map_err(folder)?;
    Ok(entries)
}

fn unnamed() -> std::io::Error {
    std::io::Error::other("the file `model` names no model that answers about now")
}

/// Removes the vectors that nobody is to ask any more: a stop may have come between word and deed.
fn sweep(dir: &Path, entries: &[Entry]) -> std::io::Result<()> {
    for entry in entries.iter().filter(|e| e.stage == Stage::Forgotten) {
        let folder = dir.join(Entry::folder(entry.number));
        if folder.is_dir() {
            fs::remove_dir_all(folder)?;
        }
    }
    Ok(())
}

struct Opener<'a> {
    settings: &'a Settings,
    rules: Option<TextRules>,
    embedders: &'a mut Embedders,
}

impl Opener<'_> {
    fn open(&mut self, entry: &Entry) -> Result<(Arc<Generation>, Recovery), NodeError> {
        let Settings {
            dir, sync, limits, ..
        } = self.settings;
        let dir = dir.join(Entry::folder(entry.number));
        // The first one's is made with the folder.
        if entry.number > 0 && entry.stage != Stage::Coming && !dir.is_dir() {
            let what =
                format!("`{MODEL_FILE}` names it, and it is not there; take it from a backup");
            let source = std::io::Error::new(std::io::ErrorKind::NotFound, what);
            return Err(NodeError::Folder { dir, source });
        }
        let shape = document_settings(entry.made_by.dim, *sync);
        let opened = FsDisk::open(&dir).and_then(|disk| {
            let options: Options = *limits;
            Collection::open_by(Arc::new(disk), shape, options, self.rules.as_ref())
        });
        let (collection, recovery) = opened.map_err(|source| NodeError::Store { dir, source })?;
        let embedding = self.embedders.open(&entry.made_by);
        let generation = Generation::new(entry, Arc::new(collection), embedding);
        Ok((Arc::new(generation), recovery))
    }

    /// Of a log that ends before it, it is of no use: that can be after a log lost what was not synced.
    fn open_coming(&mut self, entry: &Entry, head: u64) -> Result<Arc<Generation>, NodeError> {
        let (coming, _) = self.open(entry)?;
        if coming.collection.head_seq() <= head {
            return Ok(coming);
        }
        drop(coming);
        let dir = self.settings.dir.join(Entry::folder(entry.number));
        let removed = fs::remove_dir_all(&dir);
        removed.map_err(|source| NodeError::Folder { dir, source })?;
        Ok(self.open(entry)?.0)
    }
}
