//! The public face: texts in, unit vectors out, from any number of threads.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::arch::Kernel;
use crate::bert::{BertConfig, Model, Prefixes, Role, Scratch, Weights, build};
use crate::error::Error;
use crate::fixed::{Table, TableConfig};
use crate::identity::ModelId;

use crate::tokenizer::Tokenizer;

/// The weights, compiled in: 22.6 MiB, read in place where no other layout is faster.
static PACKAGED: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../assets/minilm-l6-v2-int8.bin"
));

/// Texts share a pass up to this many tokens: enough to stream the weights from the cache once for many tokens, few
/// enough that what lies between the layers (about 9 kB a token) stays in the L2 cache.
const PASS_TOKENS: usize = 128;

/// Workspaces kept for later calls; beyond this many concurrent calls they are made and dropped.
const KEPT: usize = 16;

/// Two marks and one token of text.
const TOKENS_MIN: usize = 3;

/// Turns texts into unit vectors. Cheap to share: all methods take `&self` and run on the caller's thread.
#[derive(Debug)]
pub struct Embedder {
    model: Kind,
    tokenizer: Tokenizer,
    kernel: Kernel,
    tokens_limit: usize,
    prefixes: Prefixes,
    workspaces: Mutex<Vec<Workspace>>,
}

/// How tokens become vectors.
#[derive(Debug)]
enum Kind {
    Bert(Box<Model>),
    Table(Table),
}

/// What one call writes to.
#[derive(Debug, Default)]
struct Workspace {
    scratch: Scratch,
    tokens: Vec<u32>,
    texts: Vec<Range<usize>>,
}

impl Embedder {
    /// The model that is compiled into this crate, on the fastest instruction set of this machine.
    ///
    /// Checks and rearranges 23 MB: some 20 ms, so make one and share it.
    ///
    /// # Errors
    ///
    /// Any [`Error`] means that the build took in a damaged or foreign weights file: stop and rebuild.
    pub fn packaged() -> Result<Self, Error> {
        Self::from_bytes(PACKAGED)
    }

    /// A model from the bytes of a weights file laid out as docs/formats/minilm-asset.md says.
    ///
    /// # Errors
    ///
    /// [`Error`] says what is wrong with the file; nothing of it is used.
    pub fn from_bytes(bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, Error> {
        let (model, tokenizer) = Model::read(bytes.into())?;
        Ok(Self {
            tokens_limit: model.tokens_default(),
            model: Kind::Bert(Box::new(model)),
            tokenizer,
            kernel: Kernel::detect(),
            prefixes: Prefixes::default(),
            workspaces: Mutex::default(),
        })
    }

    /// A user's BERT encoder, its weights made int8 as the packaged model's are. Gives with it the least cosine of its
    /// vectors with those of the f32 weights, over a few sentences: near 1 where int8 suits the model.
    ///
    /// Reads each tensor once; a model of 100 M weights takes a second or two.
    ///
    /// # Errors
    ///
    /// [`Error`] names the tensor or the size at fault.
    pub fn bert(
        config: &BertConfig,
        tokenizer: Tokenizer,
        weights: &dyn Weights,
    ) -> Result<(Self, f32), Error> {
        let (model, probes) = build(config, &tokenizer, weights)?;
        let embedder = Self {
            tokens_limit: model.tokens_default(),
            model: Kind::Bert(Box::new(model)),
            tokenizer,
            kernel: Kernel::detect(),
            prefixes: config.prefixes.clone(),
            workspaces: Mutex::default(),
        };
        let tokens: Vec<&[u32]> = probes.iter().map(|probe| &probe.tokens[..]).collect();
        let vectors = embedder.embed_tokens(&tokens);
        let cosines = vectors
            .iter()
            .zip(&probes)
            .map(|(a, b)| cosine(a, &b.vector));
        let least = cosines.fold(1.0, f32::min);
        Ok((embedder, least))
    }

    /// Static token vectors of a user's.
    ///
    /// # Errors
    ///
    /// [`Error`] says what of it does not fit together.
    pub fn table(config: TableConfig, tokenizer: Tokenizer) -> Result<Self, Error> {
        let prefixes = config.prefixes.clone();
        let table = Table::new(config, &tokenizer)?;
        Ok(Self {
            tokens_limit: table.tokens_default(),
            model: Kind::Table(table),
            tokenizer,
            kernel: Kernel::detect(),
            prefixes,
            workspaces: Mutex::default(),
        })
    }

    /// The same model with another limit of tokens a text, 3 to its positions: the packaged one has 512, and was trained for 256, the default.
    ///
    /// # Errors
    ///
    /// [`Error::MaxTokens`] outside that range.
    pub fn with_max_tokens(mut self, limit: usize) -> Result<Self, Error> {
        let max = self.model.tokens_max();
        if !(TOKENS_MIN..=max).contains(&limit) {
            return Err(Error::MaxTokens {
                found: limit,
                min: TOKENS_MIN,
                max,
            });
        }
        self.tokens_limit = limit;
        Ok(self)
    }

    /// The same model on another instruction set, to compare them.
    #[must_use]
    pub fn with_kernel(mut self, kernel: Kernel) -> Self {
        self.kernel = kernel;
        self
    }

    /// The instruction set in use.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Length of every vector: 384 of the packaged model.
    pub fn dim(&self) -> usize {
        self.model.dim()
    }

    /// Which model this is: vectors of two embedders may be compared only if these are equal.
    pub fn identity(&self) -> &ModelId {
        self.model.id()
    }

    /// [`identity`](Self::identity) as text.
    pub fn model_id(&self) -> &str {
        self.model.id().as_str()
    }

    /// Tokens of a text that are read; what follows is cut.
    pub fn max_tokens(&self) -> usize {
        self.tokens_limit
    }

    /// The tokenizer that belongs to the model.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Tokens of the whole text, the two marks around it included: up to [`Embedder::max_tokens`] nothing is cut.
    pub fn token_count(&self, text: &str) -> usize {
        self.tokenizer.count(text)
    }

    /// The text's unit vector, `[dim]`. A text without words has one too, but it means little.
    ///
    /// # Errors
    ///
    /// None at present: every text has a vector.
    pub fn embed(&self, text: &str) -> Result<Vec<f32>, Error> {
        let mut workspace = self.workspace();
        let Workspace {
            scratch,
            tokens,
            texts,
        } = &mut workspace;
        tokens.clear();
        self.tokenizer.encode(text, self.tokens_limit, tokens);
        texts.clear();
        texts.push(0..tokens.len());
        let mut vector = Vec::new();
        self.model
            .forward(self.kernel, tokens, texts, scratch, |found| vector = found);
        self.keep(workspace);
        Ok(vector)
    }

    /// The unit vectors of many texts, in their order. Short texts share passes, so a batch costs no more than its
    /// texts one by one, and less when they are short.
    ///
    /// # Errors
    ///
    /// None at present: every text has a vector.
    pub fn embed_batch(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Error> {
        let tokens: Vec<Vec<u32>> = texts.iter().map(|text| self.tokens(text)).collect();
        let tokens: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
        Ok(self.embed_tokens(&tokens))
    }

    /// What the model reads of a text, both marks included. Texts of the same tokens have the same vector.
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        self.tokenizer.encode(text, self.tokens_limit, &mut tokens);
        tokens
    }

    /// As [`tokens`](Self::tokens), behind the words that the model wants before a text of that role.
    pub fn tokens_as(&self, role: Role, text: &str) -> Vec<u32> {
        match self.prefixes.of(role) {
            "" => self.tokens(text),
            prefix => self.tokens(&format!("{prefix}{text}")),
        }
    }

    /// As [`embed_batch`](Self::embed_batch) of texts whose [`tokens`](Self::tokens) are known.
    ///
    /// # Panics
    /// When the tokens are not those of this embedder.
    pub fn embed_tokens(&self, texts: &[&[u32]]) -> Vec<Vec<f32>> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|text| texts[*text].len());
        let mut vectors = vec![Vec::new(); texts.len()];
        let mut workspace = self.workspace();
        let mut rest = &order[..];
        while !rest.is_empty() {
            let (pass, later) = rest.split_at(pass_size(rest, texts));
            self.run_pass(pass, texts, &mut workspace, &mut vectors);
            rest = later;
        }
        self.keep(workspace);
        vectors
    }

    fn run_pass(
        &self,
        pass: &[usize],
        encoded: &[&[u32]],
        workspace: &mut Workspace,
        vectors: &mut [Vec<f32>],
    ) {
        let Workspace {
            scratch,
            tokens,
            texts,
        } = workspace;
        tokens.clear();
        texts.clear();
        for text in pass {
            let start = tokens.len();
            tokens.extend_from_slice(encoded[*text]);
            texts.push(start..tokens.len());
        }
        let mut targets = pass.iter();
        self.model
            .forward(self.kernel, tokens, texts, scratch, |vector| {
                let text = targets.next().expect("one vector comes for each text");
                vectors[*text] = vector;
            });
    }

    fn workspace(&self) -> Workspace {
        // A panic elsewhere leaves at worst a workspace with old numbers in it, all overwritten before use.
        let mut kept = self
            .workspaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        kept.pop().unwrap_or_default()
    }

    fn keep(&self, workspace: Workspace) {
        let mut kept = self
            .workspaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(workspace);
        }
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let lengths = dot(a, a) * dot(b, b);
    // Two vectors of zeros are the same; one of them is not.
    if lengths > 0.0 {
        (dot(a, b) / lengths.sqrt()) as f32
    } else {
        0.0
    }
}

impl Kind {
    fn id(&self) -> &ModelId {
        match self {
            Self::Bert(model) => model.id(),
            Self::Table(table) => table.id(),
        }
    }

    fn dim(&self) -> usize {
        match self {
            Self::Bert(model) => model.dim(),
            Self::Table(table) => table.dim(),
        }
    }

    fn tokens_max(&self) -> usize {
        match self {
            Self::Bert(model) => model.tokens_max(),
            Self::Table(table) => table.tokens_max(),
        }
    }

    fn forward(
        &self,
        kernel: Kernel,
        tokens: &[u32],
        texts: &[Range<usize>],
        scratch: &mut Scratch,
        give: impl FnMut(Vec<f32>),
    ) {
        match self {
            Self::Bert(model) => model.forward(kernel, tokens, texts, scratch, give),
            Self::Table(table) => table.forward(tokens, texts, give),
        }
    }
}

/// How many of the next texts, at least one, fit into a pass.
fn pass_size(order: &[usize], texts: &[&[u32]]) -> usize {
    let mut tokens = 0;
    let fits = order.iter().take_while(|text| {
        tokens += texts[**text].len();
        tokens <= PASS_TOKENS
    });
    fits.count().max(1)
}
