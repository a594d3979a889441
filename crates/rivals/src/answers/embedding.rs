//! Texts to vectors on one thread: the best kernel of this processor, the next best, which does the same arithmetic
//! without its dot product instruction, what the processor can multiply at all, and with `--peers` ONNX Runtime and
//! rten on the same weights in int8.

mod peers;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use embed::{Embedder, Kernel};

use crate::Size;
use crate::measure::{Run, interleave, least, median, quantile, time_ns};
use crate::report::{Better, Figure};
use peers::Peer;

const ROUNDS: usize = 5;
const QUESTION: &str = "Why did gross margin fall in the quarter?";
const SENTENCE: &str = "Net sales rose 4.2% to $1.31 billion as volume in the packaging segment offset lower \
    prices, while higher freight and resin costs reduced operating income by $12 million from the prior year. ";
const BATCH: usize = 32;
/// Multiplications of the linear layers, a token: six times 4 x 384 x 384 and 2 x 384 x 1536.
const MACS_PER_TOKEN: f64 = 10.617e6;
/// Texts of finance and their vectors by the f32 original.
const TESTDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/embed");

/// Our two kernels, the texts, and who is beside them.
struct Bench {
    best: Embedder,
    other: Embedder,
    /// The question, the passage, then the 200 texts.
    texts: Vec<String>,
    peers: Vec<Box<dyn Peer>>,
}

/// Figures for a question of 12 tokens, a passage of 128, a batch of passages, and how near the vectors are to f32.
pub fn measure(size: &Size) -> Result<Vec<Figure>> {
    let mut bench = Bench::new(size)?;
    let mut figures = bench.alone(0, 12, size.of(200))?;
    figures.extend(bench.alone(1, 128, size.of(50))?);
    figures.extend(bench.batch());
    figures.extend(bench.cosines()?);
    Ok(figures)
}

impl Bench {
    fn new(size: &Size) -> Result<Self> {
        let best = Embedder::packaged()?.with_max_tokens(128)?;
        let next = Kernel::available()
            .into_iter()
            .filter(|kernel| kernel.name() != best.kernel().name())
            .max_by_key(|kernel| kernel.name() == "avx2")
            .context("this processor has the portable kernel alone: nothing to compare with")?;
        let other = Embedder::packaged()?
            .with_max_tokens(128)?
            .with_kernel(next);
        let missing = 12usize.saturating_sub(best.token_count(QUESTION));
        let question = format!("{QUESTION}{}", "?".repeat(missing));
        let passage = SENTENCE.repeat(4);
        ensure!(
            best.token_count(&question) == 12 && best.token_count(&passage) >= 128,
            "the question has 12 tokens, the passage fills 128"
        );
        let lines = std::fs::read_to_string(Path::new(TESTDATA).join("texts.txt"))?;
        let texts: Vec<String> = [question, passage]
            .into_iter()
            .chain(lines.lines().map(str::to_owned))
            .collect();
        let tokens: Vec<Vec<u32>> = texts.iter().map(|text| best.tokens(text)).collect();
        let peers = if size.peers() {
            peers::start(&tokens)?
        } else {
            Vec::new()
        };
        Ok(Self {
            best,
            other,
            texts,
            peers,
        })
    }

    /// One text a call.
    fn alone(&mut self, text: usize, tokens: u32, calls: usize) -> Result<Vec<Figure>> {
        let (best, other, words) = (&self.best, &self.other, self.texts[text].as_str());
        let mut names = vec![
            format!("our {} kernel", other.kernel().name()),
            "products alone (bound)".to_owned(),
        ];
        let mut contestants: Vec<Run<'_>> = vec![
            Box::new(|| p50_ms(best, words, calls)),
            Box::new(|| p50_ms(other, words, calls / 5)),
            Box::new(|| bound_ms(best.kernel(), tokens, calls / 10 + 1)),
        ];
        for peer in &mut self.peers {
            names.push(peer.name());
            contestants.push(Box::new(move || said(peer.p50_ms(text, calls / 2))));
        }
        let mut values = interleave(ROUNDS, &mut contestants);
        let ours = values.remove(0);
        let macs = MACS_PER_TOKEN * f64::from(tokens);
        let speed: Vec<f64> = ours.iter().map(|ms| macs / ms / 1e6).collect();
        let note = format!(
            "kernel {}, tokenizer included (peers get tokens), linear layers at {:.0} GMAC/s",
            best.kernel().name(),
            median(&speed),
        );
        let name = format!("answers.embed.{tokens}_tokens.p50");
        let figure = |(beside, values): (&String, &Vec<f64>)| {
            Figure::new(name.clone(), "ms", Better::Less, ours.clone())
                .beside(beside, values)
                .note(note.clone())
        };
        Ok(names.iter().zip(&values).map(figure).collect())
    }

    /// Many passages a call.
    fn batch(&mut self) -> Vec<Figure> {
        let passages = vec![self.texts[1].as_str(); BATCH];
        let (best, other) = (&self.best, &self.other);
        let rate = |embedder: &Embedder| {
            let ns = time_ns(|| embedder.embed_batch(&passages));
            BATCH as f64 / (ns / 1e9)
        };
        let mut names = vec![format!("our {} kernel", other.kernel().name())];
        let mut contestants: Vec<Run<'_>> = vec![Box::new(|| rate(best)), Box::new(|| rate(other))];
        for peer in &mut self.peers {
            names.push(peer.name());
            contestants.push(Box::new(move || said(peer.batch(1, BATCH))));
        }
        let mut values = interleave(ROUNDS, &mut contestants);
        let ours = values.remove(0);
        let note = format!("{BATCH} passages of 128 tokens a call, one thread");
        let figure = |(beside, values): (&String, &Vec<f64>)| {
            let name = "answers.embed.batch_32x128";
            Figure::new(name, "passages/s", Better::More, ours.clone())
                .beside(beside, values)
                .note(note.clone())
        };
        names.iter().zip(&values).map(figure).collect()
    }

    /// Cosine of each of the 200 texts' vectors to that of the f32 original, beside the peers'.
    fn cosines(&mut self) -> Result<Vec<Figure>> {
        let bytes = std::fs::read(Path::new(TESTDATA).join("reference.f32"))?;
        let numbers: Vec<f32> = bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|number| f32::from_le_bytes(*number))
            .collect();
        // The texts are not cut, as those of the reference are not.
        let best = Embedder::packaged()?;
        let wanted = numbers.chunks_exact(best.dim());
        let texts: Vec<&str> = self.texts[2..].iter().map(String::as_str).collect();
        let short: Vec<bool> = texts.iter().map(|t| best.token_count(t) <= 128).collect();
        let to_f32 = |vectors: &[Vec<f32>]| -> Vec<f64> {
            let pairs = vectors.iter().zip(wanted.clone()).zip(&short);
            pairs
                .filter(|(_, is_short)| **is_short)
                .map(|((a, b), _)| cosine(a, b))
                .collect()
        };
        let ours = to_f32(&best.embed_batch(&texts)?);
        let note = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            format!("mean {mean:.5}, least {:.5}", least(values))
        };
        let figure = || {
            let name = "answers.embed.cosine_to_f32";
            Figure::new(name, "cosine", Better::More, ours.clone())
        };
        let mut figures = vec![figure().note(format!("ours: {}", note(&ours)))];
        for peer in &mut self.peers {
            let theirs = to_f32(&peer.vectors(2)?);
            let said = format!("ours: {}; beside: {}", note(&ours), note(&theirs));
            figures.push(figure().beside(peer.name(), &theirs).note(said));
        }
        Ok(figures)
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// What the products of the linear layers take where weights and codes are as near as they can be.
fn bound_ms(kernel: Kernel, tokens: u32, calls: usize) -> f64 {
    let wanted = MACS_PER_TOKEN * f64::from(tokens);
    let mut times: Vec<f64> = (0..calls)
        .map(|_| {
            let mut macs = 0;
            let ns = time_ns(|| macs = kernel.products(400));
            ns / 1e6 * wanted / macs as f64
        })
        .collect();
    quantile(&mut times, 0.5)
}

/// A peer that fails says so and has no value in this round.
fn said(value: Result<f64>) -> f64 {
    value.unwrap_or_else(|error| {
        eprintln!("a peer gives no figure: {error:#}");
        f64::NAN
    })
}

fn p50_ms(embedder: &Embedder, text: &str, calls: usize) -> f64 {
    let mut times: Vec<f64> = (0..calls.max(1))
        .map(|_| time_ns(|| embedder.embed(text)) / 1e6)
        .collect();
    quantile(&mut times, 0.5)
}
