//! One text to one vector on one thread, with the best kernel of this processor and with the next
//! best, which does the same arithmetic without its dot product instruction.
//!
//! General runtimes are not run here: they need the model as an ONNX file that is not part of this
//! repository. The notes carry what they took on the project's machine when that was measured.

use anyhow::{Context, Result, ensure};
use embed::{Embedder, Kernel};

use crate::Size;
use crate::measure::{Run, interleave, quantile, time_ns};
use crate::report::{Better, Figure};

const ROUNDS: usize = 5;
const QUESTION: &str = "Why did gross margin fall in the quarter?";
const SENTENCE: &str = "Net sales rose 4.2% to $1.31 billion as volume in the packaging segment offset lower \
    prices, while higher freight and resin costs reduced operating income by $12 million from the prior year. ";
/// Multiplications of the linear layers, a token: six times 4 x 384 x 384 and 2 x 384 x 1536.
const MACS_PER_TOKEN: f64 = 10.617e6;

/// Figures for a question of 12 tokens and a passage of 128.
pub fn measure(size: &Size) -> Result<Vec<Figure>> {
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
    ensure!(
        best.token_count(&question) == 12,
        "the question has 12 tokens"
    );
    let passage = SENTENCE.repeat(4);
    ensure!(
        best.token_count(&passage) >= 128,
        "the passage fills 128 tokens"
    );
    let mut figures = Vec::new();
    for (text, tokens, calls, anchor) in [
        (
            question.as_str(),
            12,
            size.of(200),
            "rten 0.27 int8 2.37 ms, onnxruntime int8 2.38 ms, VNNI linear layers alone 0.75 ms",
        ),
        (
            passage.as_str(),
            128,
            size.of(50),
            "rten 0.27 int8 16.7 ms, onnxruntime int8 17.4 ms, VNNI linear layers alone 6.8 ms",
        ),
    ] {
        let mut contestants: [Run<'_>; 2] = [
            Box::new(|| p50_ms(&best, text, calls)),
            Box::new(|| p50_ms(&other, text, calls / 5)),
        ];
        let values = interleave(ROUNDS, &mut contestants);
        let ours = values[0].clone();
        let macs = MACS_PER_TOKEN * f64::from(tokens);
        let speed: Vec<f64> = ours.iter().map(|ms| macs / ms / 1e6).collect();
        figures.push(
            Figure::new(format!("answers.embed.{tokens}_tokens.p50"), "ms", Better::Less, ours)
                .beside(format!("our {} kernel", next.name()), &values[1])
                .note(format!(
                    "kernel {}, tokenizer included, linear layers at {:.0} GMAC/s; measured earlier on the project's machine, not in this run: {anchor}",
                    best.kernel().name(),
                    crate::measure::median(&speed),
                )),
        );
    }
    Ok(figures)
}

fn p50_ms(embedder: &Embedder, text: &str, calls: usize) -> f64 {
    let mut times: Vec<f64> = (0..calls.max(1))
        .map(|_| time_ns(|| embedder.embed(text)) / 1e6)
        .collect();
    quantile(&mut times, 0.5)
}
