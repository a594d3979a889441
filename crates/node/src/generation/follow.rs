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
/// Tries for a border with nothing left to embed; after them writers wait for what is left.
const TRIES: u32 = 50;
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
    /// For a border.
    tries: u32,
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
            tries: 0,
        }
    }

    /// Tells the next entries again, after waiting at most `timeout` for some, and sets the border when there are no more.
    ///
    /// # Errors
    /// Why it does not get on; nothing is lost, and the next turn tries again.
    pub fn turn(&mut self, timeout: Duration) -> Result<Turned, Fault> {
        let node = Arc::clone(&self.node);
        let table = node.generations().table();
        let settled = node.generations().settle();
        settled.map_err(|e| Fault::unavailable("memory", format!("its folder: {e}")))?;
        let past = table.past.iter().map(|past| follow_past(&table, past));
        // One that does not get on holds up no other.
        let past: Vec<Result<usize, Fault>> = past.collect();
        let past: Result<usize, Fault> = past.into_iter().sum();
        let Some(coming) = &table.coming else {
            self.follower = None;
            return past.map(|told| match told {
                0 => Turned::Idle,
                told => Turned::Told(told),
            });
        };
        let turned = self.turn_coming(&table, coming, timeout);
        if turned.is_err() {
            // What it had read and not told is read again.
            self.follower = None;
        }
        let why = turned.as_ref().err().or(past.as_ref().err());
        let why = why.map(ToString::to_string);
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
        tell(table, coming, &|texts| embedding.again(texts), told.entries)?;
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

    /// Writers wait while it is seen that nothing is left to tell; then the border is written down and holds. Where something
    /// always is, they wait for its vectors too.
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
        self.tries += 1;
        if count > 0 && (self.tries < TRIES || count > LAST_ENTRIES || !told.is_all) {
            drop(closed);
            tell(table, coming, &|texts| embedding.again(texts), told.entries)?;
            return Ok(Turned::Told(count));
        }
        tell(
            table,
            coming,
            &|texts| embedding.documents(texts),
            told.entries,
        )?;
        let head = coming.collection.sync().map_err(store)?;
        if head != table.now.collection.head_seq() {
            return Ok(Turned::Told(count));
        }
        (self.follower, self.tries) = (None, 0);
        closed.border(|from| node.generations().swap(from))?;
        Ok(Turned::Swapped)
    }
}

/// Makes the vectors of texts.
type Embed<'a> = dyn Fn(&[&str]) -> Result<Vec<Vec<f32>>, Fault> + 'a;

/// Writes entries with the vectors of `coming`, all of them embedded first.
fn tell(
    table: &Table,
    coming: &Generation,
    embed: &Embed<'_>,
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
        let vectors = embed(&texts)?;
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

/// Tells a generation of the past some of what was stored since about instants before it ended, and says how many changes
/// that were.
fn follow_past(table: &Table, past: &Generation) -> Result<usize, Fault> {
    let now = &table.now.collection;
    let next = table.past.iter().chain([&table.now]);
    let until = next.map(|g| g.from).filter(|from| *from > past.from).min();
    let until = until.unwrap_or(0);
    // A turn that failed may have written some that it did not get to count.
    let from = past.followed().max(past.collection.head_seq()) + 1;
    make_durable(now, from)?;
    if from > now.head_seq() {
        return Ok(0);
    }
    let (mut entries, mut count) = (Vec::new(), 0);
    let read = now.follow(from).next(Duration::ZERO, &mut |seq, mut ops| {
        ops.retain(|op| known_at(op).is_none_or(|at| at < until));
        count += ops.len();
        entries.push((seq, ops));
        count < TEXTS && entries.len() < BEHIND as usize
    });
    read.map_err(store)?;
    let Some(&(last, _)) = entries.last() else {
        // The rest is not durable yet.
        return Ok(0);
    };
    let is_far = last - past.collection.head_seq() >= BEHIND;
    let late = entries.iter().rposition(|(_, ops)| !ops.is_empty());
    let told = match (is_far, late) {
        (true, _) => entries.len(),
        (false, late) => late.map_or(0, |at| at + 1),
    };
    entries.truncate(told);
    if told > 0 {
        // Those before said nothing of its time, and were not written.
        let unwritten = past.collection.head_seq() + 1..from;
        let unwritten = unwritten.map(|seq| (seq, Vec::new()));
        tell_past(table, past, unwritten.chain(entries).collect())?;
    }
    past.followed.store(last, Ordering::Release);
    Ok(count)
}

fn tell_past(table: &Table, past: &Generation, entries: Vec<(u64, Vec<Op>)>) -> Result<(), Fault> {
    let mut ops = entries.iter().flat_map(|(_, ops)| ops);
    let has_texts = ops.any(|op| matches!(op, Op::Upsert(_)));
    match &past.embedding {
        None if has_texts => {
            let what = format!("{} was not opened", past.made_by);
            Err(Fault::unavailable("embedder", what))
        }
        None => tell(table, past, &|_| Ok(Vec::new()), entries),
        Some(embedding) => tell(table, past, &|texts| embedding.again(texts), entries),
    }
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
