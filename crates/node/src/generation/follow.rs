//! The log of now, told again to the generations beside it.
//!
//! Each entry becomes one entry of the same number: with other vectors in a generation that is to come, and in one of the
//! past with what was known before it ended, which is history that comes late, and with nothing otherwise.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use collection::{Collection, Error, Follower, Op, Point, SyncPolicy};
use rag::Fault;

use super::texts::texts;
use super::{Generation, Table};
use crate::Node;
use crate::embedding::Embedding;

/// Texts embedded at once, about: those of whole entries.
const TEXTS: usize = 64;
/// Entries left to embed while writers wait for the border.
const LAST_ENTRIES: usize = 8;
/// Entries of nothing that a generation of the past may be behind.
const BEHIND: u64 = 4_096;

/// What a turn did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// There was nothing to tell again.
    Idle,
    /// So many entries were told again.
    Told(usize),
    /// A new model answers from here on.
    Swapped,
}

/// Makes the vectors of a model that is to come, and keeps those of earlier models true. One a node.
pub struct Reembedding {
    node: Arc<Node>,
    /// Of the generation with that number.
    follower: Option<(u32, Follower)>,
}

/// Entries as they were read.
struct Read {
    entries: Vec<(u64, Vec<Op>)>,
    /// Whether there were no more.
    is_all: bool,
}

impl Reembedding {
    /// Goes on where an earlier run was.
    #[must_use]
    pub fn new(node: Arc<Node>) -> Self {
        Self {
            node,
            follower: None,
        }
    }

    /// Tells the next entries again, after waiting at most `timeout` for some, and sets the border when there are no more.
    ///
    /// # Errors
    /// Why it does not get on; nothing is lost, and the next turn tries again.
    pub fn turn(&mut self, timeout: Duration) -> Result<Turned, Fault> {
        let node = Arc::clone(&self.node);
        let table = node.generations().table();
        let past = table.past.iter().map(|past| follow_past(&table, past));
        // One that does not get on holds up no other.
        let past: Vec<Result<(), Fault>> = past.collect();
        let past: Result<(), Fault> = past.into_iter().collect();
        let Some(coming) = &table.coming else {
            self.follower = None;
            return past.map(|()| Turned::Idle);
        };
        let turned = self.turn_coming(&table, coming, timeout);
        if turned.is_err() {
            // What it had read and not told is read again.
            self.follower = None;
        }
        let why = turned.as_ref().err().map(ToString::to_string);
        node.generations().set_trouble(why);
        turned
    }

    fn turn_coming(
        &mut self,
        table: &Table,
        coming: &Arc<Generation>,
        timeout: Duration,
    ) -> Result<Turned, Fault> {
        let Some(embedding) = &coming.embedding else {
            let what = format!("{} was not opened", coming.made_by);
            return Err(Fault::unavailable("embedder", what));
        };
        let told = self.read(table, coming, timeout)?;
        let count = told.entries.len();
        // Where writes go on all the time there are always some.
        let is_near = told.is_all && count <= LAST_ENTRIES;
        tell(table, coming, embedding, told.entries)?;
        if !is_near {
            return Ok(Turned::Told(count));
        }
        coming.collection.settle();
        self.swap(table, coming, embedding)
    }

    /// The entries that come next, as many as are embedded at once.
    fn read(
        &mut self,
        table: &Table,
        coming: &Generation,
        timeout: Duration,
    ) -> Result<Read, Fault> {
        let (now, next) = (&table.now.collection, coming.collection.head_seq() + 1);
        let known = self.follower.take();
        let known =
            known.filter(|(of, follower)| *of == coming.number && follower.next_seq() == next);
        let mut follower = known.map_or_else(|| now.follow(next), |(_, follower)| follower);
        make_durable(now, next)?;
        let (mut entries, mut count) = (Vec::new(), 0);
        let read = follower.next(timeout, &mut |seq, ops| {
            count += ops.len();
            entries.push((seq, ops));
            count < TEXTS
        });
        read.map_err(|error| match error {
            Error::Trimmed { first } => Fault::unavailable(
                "memory",
                format!(
                    "the log begins with entry {first}, and entry {next} is to be embedded: \
                     drop this change and store the documents anew in another folder"
                ),
            ),
            error => store(error),
        })?;
        self.follower = Some((coming.number, follower));
        Ok(Read {
            entries,
            is_all: count < TEXTS,
        })
    }

    /// Writers wait; what they stored last is told again; then the border is written down and holds.
    fn swap(
        &mut self,
        table: &Table,
        coming: &Arc<Generation>,
        embedding: &Embedding,
    ) -> Result<Turned, Fault> {
        let node = Arc::clone(&self.node);
        let closed = node.documents().close();
        table.now.collection.sync().map_err(store)?;
        let told = self.read(table, coming, Duration::ZERO)?;
        let count = told.entries.len();
        if count > LAST_ENTRIES || !told.is_all {
            drop(closed);
            tell(table, coming, embedding, told.entries)?;
            return Ok(Turned::Told(count));
        }
        tell(table, coming, embedding, told.entries)?;
        let head = coming.collection.sync().map_err(store)?;
        if head != table.now.collection.head_seq() {
            return Ok(Turned::Told(count));
        }
        self.follower = None;
        closed.border(|from| node.generations().swap(from))?;
        Ok(Turned::Swapped)
    }
}

/// Writes entries with the vectors of `coming`, all of them embedded first.
fn tell(
    table: &Table,
    coming: &Generation,
    embedding: &Embedding,
    mut entries: Vec<(u64, Vec<Op>)>,
) -> Result<(), Fault> {
    let mut wanted: Vec<(usize, usize, String)> = Vec::new();
    for (at, (seq, ops)) in entries.iter().enumerate() {
        // What was trimmed since nobody can ask about.
        let is_kept = |point: &Point| {
            let versions = table.now.collection.history(&point.id);
            versions.is_ok_and(|versions| versions.iter().any(|v| v.seq_from == *seq))
        };
        let texts = texts(ops, &is_kept).into_iter();
        wanted.extend(texts.map(|(op, text)| (at, op, text)));
    }
    for chunk in wanted.chunks(TEXTS) {
        let texts: Vec<&str> = chunk.iter().map(|(_, _, text)| text.as_str()).collect();
        let vectors = embedding.again(&texts)?;
        if vectors.len() != texts.len() {
            return Err(Fault::unavailable("embedder", "it gave too few vectors"));
        }
        for ((at, op, _), vector) in chunk.iter().zip(vectors) {
            if let Op::Upsert(point) = &mut entries[*at].1[*op] {
                point.vector = vector;
            }
        }
    }
    let mut has_vector: Vec<Vec<bool>> = entries
        .iter()
        .map(|(_, ops)| vec![false; ops.len()])
        .collect();
    for (at, op, _) in &wanted {
        has_vector[*at][*op] = true;
    }
    for ((seq, mut ops), has_vector) in entries.into_iter().zip(has_vector) {
        for (op, has_vector) in ops.iter_mut().zip(has_vector) {
            if let (Op::Upsert(point), false) = (op, has_vector) {
                point.vector = unit_vector(coming.made_by.dim);
            }
        }
        write(coming, seq, ops)?;
    }
    Ok(())
}

/// One that stands for a vector that nobody will compare.
pub(crate) fn unit_vector(dim: usize) -> Vec<f32> {
    let mut vector = vec![0.0; dim];
    vector[..1].fill(1.0);
    vector
}

fn write(generation: &Generation, seq: u64, ops: Vec<Op>) -> Result<(), Fault> {
    let ack = generation.collection.apply(ops).map_err(store)?;
    if ack.seq == seq {
        return Ok(());
    }
    let what = format!(
        "entry {seq} became entry {} among the vectors of {}: drop them and begin anew",
        ack.seq, generation.made_by
    );
    Err(Fault::unavailable("memory", what))
}

/// Tells a generation of the past what was stored since about instants before it ended.
fn follow_past(table: &Table, past: &Generation) -> Result<(), Fault> {
    let now = &table.now.collection;
    let next = table.past.iter().chain([&table.now]);
    let until = next.map(|g| g.from).filter(|from| *from > past.from).min();
    let until = until.unwrap_or(0);
    make_durable(now, past.followed() + 1)?;
    while past.followed() < now.head_seq() {
        let from = past.followed() + 1;
        let mut entries = Vec::new();
        let mut follower = now.follow(from);
        let read = follower.next(Duration::ZERO, &mut |seq, mut ops| {
            ops.retain(|op| known_at(op).is_none_or(|at| at < until));
            entries.push((seq, ops));
            entries.len() < BEHIND as usize
        });
        if read.map_err(store)? == 0 {
            // The rest is not durable yet.
            return Ok(());
        }
        for (seq, ops) in entries {
            let unwritten = seq - 1 - past.collection.head_seq();
            if ops.is_empty() && unwritten < BEHIND {
                past.followed.store(seq, Ordering::Release);
                continue;
            }
            for missing in seq - unwritten..seq {
                write(past, missing, Vec::new())?;
            }
            let has_texts = ops.iter().any(|op| matches!(op, Op::Upsert(_)));
            match &past.embedding {
                None if !has_texts => write(past, seq, ops)?,
                None => {
                    let what = format!("{} was not opened", past.made_by);
                    return Err(Fault::unavailable("embedder", what));
                }
                Some(embedding) => tell(table, past, embedding, vec![(seq, ops)])?,
            }
            past.followed.store(seq, Ordering::Release);
        }
    }
    Ok(())
}

/// Only what is durable is told again, so that no generation has what another lost.
fn make_durable(now: &Collection, next: u64) -> Result<(), Fault> {
    if now.settings().sync == SyncPolicy::Never && next <= now.head_seq() {
        now.sync().map_err(store)?;
    }
    Ok(())
}

/// The instant at which a change is known; `None` of what is of no instant.
fn known_at(op: &Op) -> Option<u64> {
    match op {
        Op::Upsert(point) => Some(point.known_at),
        Op::Delete { known_at, .. } | Op::DeleteWhere { known_at, .. } => Some(*known_at),
        Op::Trim { .. } => None,
    }
}

fn store(error: Error) -> Fault {
    Fault::unavailable("memory", error.to_string())
}
