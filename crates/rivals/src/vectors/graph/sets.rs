//! Prepared sets of vectors: rows, queries, exact answers, as numpy writes them.

use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Where the sets lie unless `OUZEL_VECTOR_SETS` says otherwise.
pub const FOLDER: &str = "target/vector-sets";

/// One set.
pub struct Set {
    pub dim: usize,
    /// `[n, dim]`.
    pub base: Vec<f32>,
    /// `[queries, dim]`.
    pub queries: Vec<f32>,
    /// The exact nearest of each query, nearest first.
    truth: Vec<Vec<u32>>,
    /// Paths of base and queries, for the peers.
    pub paths: [String; 2],
}

impl Set {
    pub fn count(&self) -> usize {
        self.base.len() / self.dim
    }

    pub fn query_count(&self) -> usize {
        self.queries.len() / self.dim
    }

    pub fn row(&self, slot: u32) -> &[f32] {
        let at = slot as usize * self.dim;
        &self.base[at..at + self.dim]
    }

    /// Share of the exact ten among those found.
    pub fn recall(&self, found: &[Vec<u32>]) -> f64 {
        let hits = found.iter().zip(&self.truth).map(|(found, truth)| {
            let exact = &truth[..super::K];
            exact.iter().filter(|slot| found.contains(slot)).count()
        });
        hits.sum::<usize>() as f64 / (super::K * found.len()) as f64
    }
}

/// The set of this name with its first `queries` queries, when it is here.
pub fn find(name: &str, queries: usize) -> Result<Option<Set>> {
    let folder = std::env::var("OUZEL_VECTOR_SETS").unwrap_or_else(|_| FOLDER.to_owned());
    let path = |part: &str| format!("{folder}/{name}.{part}.npy");
    let paths = [path("base"), path("query")];
    if !Path::new(&paths[0]).is_file() {
        return Ok(None);
    }
    let (dim, base) = read(&paths[0])?;
    let (query_dim, query) = read(&paths[1])?;
    let (width, truth) = read(&path("gt"))?;
    ensure!(
        dim == query_dim && width >= super::K,
        "{name}: shapes differ"
    );
    let floats = |words: &[u32]| words.iter().map(|&bits| f32::from_bits(bits)).collect();
    let queries = queries.min(query.len() / dim);
    Ok(Some(Set {
        dim,
        base: floats(&base),
        queries: floats(&query[..queries * dim]),
        truth: truth.chunks(width).map(<[u32]>::to_vec).collect(),
        paths,
    }))
}

/// Columns and 32-bit words of a two-dimensional array.
fn read(path: &str) -> Result<(usize, Vec<u32>)> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {path}"))?;
    ensure!(
        bytes.len() > 10 && &bytes[..6] == b"\x93NUMPY",
        "{path} is no array"
    );
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let head = String::from_utf8_lossy(&bytes[10..start]).into_owned();
    ensure!(
        head.contains("f4") || head.contains("i4"),
        "{path}: not 32 bits a value"
    );
    let shape = head
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    let (shape, _) = shape.with_context(|| format!("{path} has no shape"))?;
    // Where there is no second number the parse below says so.
    let columns = shape.split(',').nth(1).unwrap_or_default().trim();
    let columns = columns
        .parse()
        .with_context(|| format!("shape of {path}"))?;
    let words = bytes[start..].chunks_exact(4);
    let words = words.map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
    Ok((columns, words.collect()))
}

/// Seconds this thread has run; what others take of the machine does not count.
///
/// # Panics
/// Where the system does not tell: a time of nothing would be a speed without end.
pub fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat");
    let ns = text
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    let ns = ns.expect("/proc/thread-self/schedstat begins with the nanoseconds of this thread");
    ns / 1e9
}
