//! Folders in BEIR's layout: what is searched, what is asked, and what should be found.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rag::{Document, SymbolName};
use serde_json::Value;

use super::fields::{self, Row};
use crate::compose;

/// Who is searched and asked for.
pub struct Corpus {
    pub documents: Vec<Document>,
    /// Records without a word of text, which nothing can find.
    pub empty: usize,
    /// Companies that records name beside one symbol.
    pub names: Vec<SymbolName>,
    pub queries: Vec<Query>,
    /// Judged queries without a relevant document; they are not asked.
    pub hopeless: usize,
}

/// One question, with its judgements.
pub struct Query {
    pub id: String,
    pub text: String,
    /// What its record says beside its words.
    pub asked: fields::Asked,
    /// Document to grade, those above 0.
    pub relevant: HashMap<String, u32>,
}

/// How a folder is read.
pub struct Reading<'a> {
    pub dir: &'a Path,
    /// Before `_queries.jsonl` and `_qrels.tsv`, where a folder has several sets.
    pub set: Option<&'a str>,
    pub without_titles: bool,
}

impl Reading<'_> {
    /// # Errors
    /// What is missing, or the file and line that cannot be read, and why.
    pub fn read(&self) -> Result<Corpus> {
        let (corpus_path, queries_path, qrels_path) = self.files()?;
        let rows = records(&corpus_path)?;
        let mut lines = HashMap::new();
        let (mut documents, mut names, mut empty) = (Vec::new(), Vec::new(), 0);
        for (place, row) in &rows {
            let document = fields::document(row, self.without_titles);
            let document = document.map_err(|why| anyhow::anyhow!("{place}: {why}"))?;
            if let Some(first) = lines.insert(document.id.clone(), place) {
                bail!("{place}: id {:?} is that of {first} as well", document.id);
            }
            names.extend(fields::name(row, &document.symbols));
            if document.text.is_empty() {
                empty += 1;
            } else {
                documents.push(document);
            }
        }
        ensure!(
            !documents.is_empty(),
            "{} has no text to search",
            corpus_path.display()
        );
        let mut judged = judgements(&qrels_path)?;
        let mut queries = Vec::new();
        let mut known = HashSet::new();
        for (place, row) in &records(&queries_path)? {
            let (id, text) = fields::query(row).map_err(|why| anyhow::anyhow!("{place}: {why}"))?;
            ensure!(
                known.insert(id.clone()),
                "{place}: id {id:?} stands on an earlier line as well"
            );
            let Some(judged) = judged.get_mut(&id) else {
                continue;
            };
            let asked = fields::asked(row).map_err(|why| anyhow::anyhow!("{place}: {why}"))?;
            queries.push(Query {
                id,
                text,
                asked,
                relevant: std::mem::take(&mut judged.relevant),
            });
        }
        for (id, judged) in &judged {
            ensure!(
                known.contains(id),
                "{}: query {id:?} is not in {}",
                judged.first,
                queries_path.display()
            );
        }
        check_documents(&queries, &lines, &qrels_path, &corpus_path)?;
        let asked = queries.len();
        queries.retain(|query| !query.relevant.is_empty());
        ensure!(
            !queries.is_empty(),
            "{} names no relevant document for any query of {}",
            qrels_path.display(),
            queries_path.display()
        );
        names.sort_by(|a, b| (&a.symbol, &a.name).cmp(&(&b.symbol, &b.name)));
        names.dedup();
        Ok(Corpus {
            documents,
            empty,
            names,
            hopeless: asked - queries.len(),
            queries,
        })
    }

    fn files(&self) -> Result<(PathBuf, PathBuf, PathBuf)> {
        let dir = self.dir;
        ensure!(
            dir.is_dir(),
            "{} is not a folder; --corpus names one with corpus.jsonl, queries.jsonl, qrels.tsv",
            dir.display()
        );
        let corpus = first(dir, &both(&["corpus.jsonl", "stories.jsonl"]))?;
        let Some(set) = self.set else {
            let queries = first(dir, &both(&["queries.jsonl"])).map_err(|e| match sets(dir) {
                sets if sets.is_empty() => e,
                sets => anyhow::anyhow!(
                    "{} has several sets of queries; choose one: --set {}",
                    dir.display(),
                    sets.join(" or --set ")
                ),
            })?;
            let qrels = ["qrels.tsv", "qrels/test.tsv"].map(str::to_owned);
            return Ok((corpus, queries, first(dir, &qrels)?));
        };
        let queries = first(dir, &both(&[&format!("{set}_queries.jsonl")]))?;
        let names = [format!("{set}_qrels.tsv"), format!("qrels/{set}.tsv")];
        Ok((corpus, queries, first(dir, &names)?))
    }
}

fn both(names: &[&str]) -> Vec<String> {
    let plain = names.iter().map(|name| (*name).to_owned());
    plain.flat_map(|n| [format!("{n}.gz"), n]).collect()
}

fn first(dir: &Path, names: &[String]) -> Result<PathBuf> {
    let found = names
        .iter()
        .map(|name| dir.join(name))
        .find(|p| p.is_file());
    found.with_context(|| format!("{} has no {}", dir.display(), names.join(" or ")))
}

/// The sets that a folder has beside or instead of its main one.
fn sets(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut sets: Vec<String> = names
        .filter_map(|name| {
            let bare = name.strip_suffix(".gz").unwrap_or(&name);
            Some(bare.strip_suffix("_queries.jsonl")?.to_owned())
        })
        .collect();
    sets.sort();
    sets.dedup();
    sets
}

/// Every object of a file of JSON lines, and where it stands.
fn records(path: &Path) -> Result<Vec<(String, Row)>> {
    let text = compose::read_text(path)?;
    let mut rows = Vec::new();
    for (idx, line) in text
        .lines()
        .enumerate()
        .filter(|(_, l)| !l.trim().is_empty())
    {
        let place = format!("{}:{}", path.display(), idx + 1);
        match serde_json::from_str(line) {
            Ok(Value::Object(row)) => rows.push((place, row)),
            Ok(_) => bail!("{place}: not a JSON object"),
            Err(error) => bail!("{place}: not JSON: {error}"),
        }
    }
    ensure!(!rows.is_empty(), "{} is empty", path.display());
    Ok(rows)
}

/// What was judged for one query, and where first.
#[derive(Default)]
struct Judged {
    first: String,
    relevant: HashMap<String, u32>,
}

/// `query-id`, `corpus-id`, `score` a line, with tabs between; a first line whose score is no number is
/// a header. TREC's four columns are read too.
fn judgements(path: &Path) -> Result<HashMap<String, Judged>> {
    let text = compose::read_text(path)?;
    let mut judged: HashMap<String, Judged> = HashMap::new();
    for (idx, line) in text
        .lines()
        .enumerate()
        .filter(|(_, l)| !l.trim().is_empty())
    {
        let place = format!("{}:{}", path.display(), idx + 1);
        let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
        let (query, document, grade) = match columns[..] {
            [query, document, grade] | [query, _, document, grade] => (query, document, grade),
            _ => bail!(
                "{place}: {} columns; wanted are query-id, corpus-id and score with tabs between",
                columns.len()
            ),
        };
        let grade = match grade.parse::<i64>() {
            Ok(grade) => grade,
            Err(_) if idx == 0 => continue,
            Err(_) => bail!("{place}: score {grade:?} is not a whole number"),
        };
        let entry = judged.entry(query.to_owned()).or_default();
        if entry.first.is_empty() {
            entry.first = place;
        }
        if let Some(grade) = u32::try_from(grade).ok().filter(|grade| *grade > 0) {
            entry.relevant.insert(document.to_owned(), grade);
        }
    }
    ensure!(!judged.is_empty(), "{} judges nothing", path.display());
    Ok(judged)
}

/// Refuses judgements of documents that are not there.
fn check_documents<T>(
    queries: &[Query],
    documents: &HashMap<String, T>,
    qrels: &Path,
    corpus: &Path,
) -> Result<()> {
    for query in queries {
        if let Some(stranger) = query
            .relevant
            .keys()
            .find(|id| !documents.contains_key(*id))
        {
            bail!(
                "{}: document {stranger:?}, judged for query {:?}, is not in {}",
                qrels.display(),
                query.id,
                corpus.display()
            );
        }
    }
    Ok(())
}
