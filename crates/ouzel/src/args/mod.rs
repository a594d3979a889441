//! The command line, with help that teaches.

mod embed;
mod evidence;
mod keep;
mod model;
mod outlets;
mod rerank;
mod similar;
mod sources;
mod standing;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use engine::udp::Receive;

use crate::eval::EvalArgs;
use crate::exchange::ExchangeArgs;
use crate::mcp::McpArgs;
use crate::models::DistilArgs;
use crate::serve::{DbnArgs, FastArgs, IexArgs, Mdp3Args};
use crate::verify::VerifyArgs;
use crate::windows::WindowArgs;
use crate::words::WordArgs;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

pub use embed::{EmbedArgs, ModelsArgs};
pub use evidence::EvidenceArgs;
pub use keep::{BackupArgs, LimitArgs, RestoreArgs, TrimArgs};
pub use model::ModelArgs;
pub use outlets::{ListenArgs, OutArgs, RelayArgs};
pub use rerank::{BodyArg, RerankArgs};
pub use similar::{ShapeArg, SimilarArgs};
pub use sources::{BrokerArgs, FeedArg, SourceArgs, WatchArg};
pub use standing::{AddArgs, MatchArg, StandingArgs, StandingCommand, WatchArgs};

/// The address that every command agrees on.
pub const LISTEN: &str = "127.0.0.1:7878";
const URL: &str = "http://127.0.0.1:7878";

const EXAMPLES: &str = "\
Start here:
  ouzel demo                                   a simulated market with news; console on 127.0.0.1:7878
  ouzel ask \"what is moving and why?\"          from a second terminal
  ouzel doctor                                 what on this machine limits speed";

const ABOUT: &str = "What is moving, when did it move like this before, and why.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "ouzel", version, about = ABOUT, long_about = ABOUT, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Args {
    /// Whether the caller wants JSON, errors included.
    #[must_use]
    pub fn json(&self) -> bool {
        match &self.command {
            Command::Demo(a) => a.json,
            Command::Serve(a) => a.json,
            Command::Replay(a) => a.json,
            Command::Ask(a) => a.json,
            Command::Search(a) => a.json,
            Command::Similar(a) => a.json,
            Command::Evidence(a) => a.json,
            Command::Standing(a) => a.json,
            Command::Eval(a) => a.json(),
            Command::Ingest(a) => a.json,
            Command::Doctor(a) => a.json,
            Command::Restore(a) => a.json,
            Command::Backup(a) => a.json,
            Command::Trim(a) => a.json,
            Command::Models(a) => a.json,
            Command::Distil(a) => a.json,
            Command::Verify(a) => a.json,
            Command::Listen(a) => a.json,
            Command::Venue(a) => a.json,
            Command::Mcp(_) | Command::Profile(_) => false,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a simulated market with planted shocks and news, and everything that watches it
    #[command(after_help = "\
A simulated venue speaks real ITCH 5.0 in MoldUDP64 over two multicast groups on loopback, with
loss on each line; Ouzel receives it, keeps the books, compares them with the venue's own, and
explains the planted shocks from planted news. Everything simulated is labelled so.

Examples:
  ouzel demo
  ouzel demo --seed 7 --symbols 60 --rate 50000
  ouzel demo --fix 9878
  ouzel demo --listen 127.0.0.1:0 --for 60 --json")]
    Demo(Box<DemoArgs>),
    /// Serve live feeds, documents and questions over HTTP and WebSocket
    #[command(after_help = "\
Examples:
  ouzel serve --data ./ouzel-data
  ouzel serve --itch-a 233.54.12.111:26477 --itch-b 233.54.12.112:26477 --retransmit 10.1.1.5:18300 \\
              --glimpse 10.1.1.5:18301 --glimpse-user desk1
  ouzel serve --fast-a 239.195.1.1:16001 --fast-b 239.195.1.129:17001 --fast-snapshots 239.195.1.2:16002 \\
              --fast-templates templates.xml --fast-utc-offset 10800
  ouzel serve --iex-a 233.215.21.4:10378 --iex-b 233.215.21.132:10378
  ouzel serve --mdp3-a 224.0.31.1:14310 --mdp3-b 224.0.32.1:15310 --mdp3-snapshots 224.0.31.22:14310 \\
              --mdp3-definitions 224.0.31.43:14310 --mdp3-schema templates_FixBinary.xml
  your-databento-client | ouzel serve --dbn -
  ouzel serve --binance BTCUSDT --binance-usdm BTCUSDT --kraken XBT/USD --coinbase BTC-USD --okx BTC-USDT
  ouzel serve --binance wss://stream.binance.com:9443/stream?streams=btcusdt@depth@100ms/btcusdt@trade \\
              --binance-rest https://api.binance.com/api/v3/depth
  ouzel serve --signal spread-blowout --signal 'thin: bid_qty + ask_qty < 200; hold 3' --measures 10s/500ms
  ouzel serve --itch-a 233.54.12.111:26477 --nats nats://127.0.0.1:4222 --nats-kinds trade,bar,signal
  ouzel serve --itch-a 233.54.12.111:26477 --kafka broker:9092 --parquet day/ --flight 127.0.0.1:8815
  ouzel serve --feed wire=https://example.org/rss --feed https://example.com/atom.xml
  ouzel serve --edgar --edgar-contact 'Jo Miller jo@example.org' --reference us.csv --watch ./notes
  ouzel serve --nats-in news.> --nats-in-durable ouzel --kafka-in filings --kafka-in-brokers broker:9092
  ouzel serve --capture day.pcap --speed 10 --documents news.jsonl --days prices.csv
  ouzel serve --model-url http://127.0.0.1:8080/v1 --model my-model
  ouzel serve --embed-model models/bge-small-en-v1.5 --data ./other-data")]
    Serve(Box<ServeArgs>),
    /// Run a capture (pcap or pcapng of ITCH or IEX, ITCH file, Databento DBN, Binance lines, log of a WebSocket session, FAST datagrams; gzip and zstd too) through books and windows
    #[command(after_help = "\
Examples:
  ouzel replay day.pcap
  ouzel replay tape/ --until 1000000 --digest --lanes 2
  ouzel replay 01302019.NASDAQ_ITCH50.gz --day 2019-01-30 --digest
  ouzel replay btcusdt_20240808.gz --json
  ouzel replay glbx-mdp3-20231225.mbo.dbn.zst --top 20
  ouzel replay increment_a.dat --line-b increment_b.dat --snapshots snapshot.dat --templates templates.xml \\
               --utc-offset 14400")]
    Replay(ReplayArgs),
    /// Ask a question; the answer cites its evidence or says that there is none
    #[command(after_help = "\
Examples:
  ouzel ask \"what is moving and why?\"
  ouzel ask \"why did AAPL move?\" --as-of 2014-01-28T21:00:00Z
  ouzel ask \"why did Apple fall?\" --data ./ouzel-data --json")]
    Ask(AskArgs),
    /// Find past moments like one of a symbol, and what followed them
    Similar(SimilarArgs),
    /// Why symbols jumped or were halted, as found at that instant without being asked
    Evidence(EvidenceArgs),
    /// Put questions that wait for their answers, and watch what comes (docs/standing.md)
    #[command(after_help = "\
Examples:
  ouzel standing add --id fed --text 'rate \"basis points\"' --webhook https://desk.example/hook
  ouzel standing add --id recalls --meaning 'a car maker recalls vehicles' --min-cosine 0.55 --symbol F,GM
  ouzel standing add --id like-now --state-of AAPL --max-distance 0.05
  ouzel standing watch --id fed --json
  ouzel standing list
  ouzel standing remove fed")]
    Standing(StandingArgs),
    /// Find passages in the stored documents, by meaning and by words
    #[command(after_help = "\
Examples:
  ouzel search \"guidance cut\" --symbol NVDA -k 5
  ouzel search \"iphone sales\" --as-of 2014-01-28 --mode text --json
  ouzel search '\"basis points\" fed'      (words in double quotes must stand in a row)
  ouzel search margins --explain --filter '{\"must\": [{\"key\": \"sector\", \"match\": {\"value\": \"tech\"}}]}'")]
    Search(SearchArgs),
    /// Check a receipt again: its seal, its entries, and its spans byte for byte
    #[command(after_help = "\
Exit status: 0 verified, 3 it differs from what was answered, 4 what it rests on is not kept here.

Examples:
  ouzel ask \"why did AAPL move?\" --json > answer.json && ouzel verify answer.json
  ouzel verify receipt.json --data ./ouzel-data --json")]
    Verify(VerifyArgs),
    /// Measure how well retrieval does on judged questions
    Eval(EvalArgs),
    /// Store documents (JSON lines) and day bars (CSV), in a server or a data folder
    #[command(after_help = "\
A document is one JSON object a line: {\"id\": \"..\", \"text\": \"..\", \"title\": \"..\", \"source\": \"..\",
\"symbols\": [\"AAPL\"], \"event_at\": \"2014-01-28T13:30:00Z\", \"known_at\": \"2014-01-28T13:30:02Z\"}.
Only id and text are needed; a line without an id gets one from its file and number with --number.

Examples:
  ouzel ingest news.jsonl
  ouzel ingest tweets.jsonl.gz --number --known-at ts --symbol-field ticker --data ./ouzel-data
  ouzel ingest --days daily_prices.csv --data ./ouzel-data")]
    Ingest(IngestArgs),
    /// Say what on this machine limits speed, and how to mend it
    Doctor(DoctorArgs),
    /// Copy what a data folder remembers, all of it or as of an instant, to an empty folder, and read the copy back
    #[command(after_help = "\
The folder must not be open: stop its server first. The copy is a data folder like any other. As of an instant it ends before the first entry
in which something became known later. Its digest is printed: two folders that say the same have the same.

Examples:
  ouzel restore --data ./ouzel-data --to ./copy
  ouzel restore --data ./copy --to ./as-it-was --as-of 2014-01-28T21:00:00Z")]
    Restore(RestoreArgs),
    /// Copy what a running server remembers, while it goes on; `ouzel restore` reads the copy
    #[command(after_help = "\
The copy is a data folder, made in the server's own data folder under backups/NAME. Its digest is printed.

Examples:
  ouzel backup monday
  ouzel restore --data ./ouzel-data/backups/monday --to ./monday")]
    Backup(BackupArgs),
    /// Forget what was superseded or deleted before an instant; questions as of earlier ones are refused from then on
    #[command(after_help = "\
What is current stays, whenever it was stored. There is no way back but a copy: see `ouzel backup`.

Examples:
  ouzel trim --known-before 2026-01-01
  ouzel trim --known-before 2026-01-01 --data ./ouzel-data")]
    Trim(TrimArgs),
    /// Tell whose vectors answer and how a change of model gets on; drop those of an earlier model
    #[command(after_help = "\
A change begins with `ouzel serve --reembed` and another model. Questions about instants before it are answered by the old
vectors; without them they are refused.

Examples:
  ouzel models
  ouzel models --data ./ouzel-data --forget endpoint:old-model")]
    Models(ModelsArgs),
    /// Make static token vectors of an embedding model: the quickest and plainest kind (docs/embedding.md)
    Distil(DistilArgs),
    /// Give agents our tools by the Model Context Protocol, over standard input and output; a server has them at /mcp
    #[command(after_help = "\
Examples:
  claude mcp add ouzel -- ouzel mcp
  claude mcp add --transport http ouzel http://127.0.0.1:7878/mcp
  ouzel mcp --data ./ouzel-data")]
    Mcp(McpArgs),
    /// Follow what another Ouzel sends by multicast; print it, holes filled or marked
    #[command(after_help = "\
Examples:
  ouzel serve --itch-a 233.54.12.111:26477 --multicast-out 239.9.9.9:9100 --multicast-retransmit 127.0.0.1:9101
  ouzel listen --group 239.9.9.9:9100 --retransmit 127.0.0.1:9101
  ouzel listen --group 239.9.9.9:9100 --json --for 10")]
    Listen(ListenArgs),
    /// Speak as a simulated venue for a receiver elsewhere: ITCH 5.0 in MoldUDP64, requests, snapshots
    #[command(after_help = "\
The same venue as in the demo, alone: two lines with loss on each, a request server that keeps the
last messages, a GLIMPSE server that tells whole books. Everything it says is simulated. With
--cut-after both lines fall silent for a while, for longer than the request server keeps if you like.

Examples:
  ouzel venue --line-a 239.192.77.1:26477 --line-b 239.192.77.2:26477 \\
              --retransmit 127.0.0.1:18300 --glimpse 127.0.0.1:18301
  ouzel serve --itch-a 239.192.77.1:26477 --itch-b 239.192.77.2:26477 --interface 127.0.0.1 \\
              --retransmit 127.0.0.1:18300 --glimpse 127.0.0.1:18301
  ouzel venue --line-a 127.0.0.1:26477 --loss 2 --history 1000 --cut-after 10 --cut-for 1")]
    Venue(ExchangeArgs),
    /// Say where a running Ouzel spends its time (needs perf), and keep the stacks for a flame graph
    #[command(after_help = "\
Examples:
  ouzel profile --pid $(pidof ouzel)
  ouzel profile --pid 4711 --seconds 10 --out lane.folded")]
    Profile(ProfileArgs),
}

/// Arguments of `profile`.
#[derive(Debug, ClapArgs)]
pub struct ProfileArgs {
    /// The process to look at
    #[arg(long)]
    pub pid: u32,
    /// For how long
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub seconds: u32,
    /// Where the folded stacks go
    #[arg(long, value_name = "FILE", default_value = "profile.folded")]
    pub out: PathBuf,
}

/// Arguments of `demo`.
#[derive(Debug, ClapArgs)]
pub struct DemoArgs {
    /// Where the console and the API listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = LISTEN)]
    pub listen: SocketAddr,
    /// Makes the whole market repeatable
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many symbols trade
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(4..=100))]
    pub symbols: u16,
    /// Mean messages per second after the opening burst
    #[arg(long, default_value_t = 8_000, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub rate: u32,
    /// Share of packets lost on each line, independently, in percent; three tenths of it in bursts
    #[arg(long, default_value_t = 1.0, value_name = "PERCENT")]
    pub loss: f64,
    /// Use unicast on loopback even where multicast works
    #[arg(long)]
    pub unicast: bool,
    /// The core that the lane's thread stays on [default: the last one, where there are several]
    #[arg(long, value_name = "CORE")]
    pub core: Option<usize>,
    /// Serve market data over FIX on this port of 127.0.0.1: OUZEL for CLIENT42 (FIX 4.2), CLIENT44
    /// (FIX 4.4) and CLIENT50 (FIX 5.0SP2); 0 picks a free one
    #[arg(long, value_name = "PORT")]
    pub fix: Option<u16>,
    /// Stop after this many seconds; without it, run until Ctrl-C
    #[arg(long = "for", value_name = "SECONDS")]
    pub for_s: Option<u64>,
    /// Who is told of answers
    #[command(flatten)]
    pub watch: WatchArgs,
    /// Ways out beside HTTP
    #[command(flatten)]
    pub out: OutArgs,
    /// Windows and signals
    #[command(flatten)]
    pub windows: WindowArgs,
    /// The writer of answers
    #[command(flatten)]
    pub model: ModelArgs,
    /// Print machine-readable lines
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `serve`.
#[derive(Debug, ClapArgs)]
pub struct ServeArgs {
    /// Where the console and the API listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = LISTEN)]
    pub listen: SocketAddr,
    /// The data folder
    #[arg(
        long,
        value_name = "DIR",
        default_value = "ouzel-data",
        env = "OUZEL_DATA"
    )]
    pub data: PathBuf,
    /// When writes reach the disk
    #[arg(long, value_enum, default_value_t = SyncArg::Always)]
    pub sync: SyncArg,
    /// How much the documents may take
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Make all vectors anew where the folder has another model's: in the background, while the old ones answer
    #[arg(long)]
    pub reembed: bool,
    /// Whose vectors
    #[command(flatten)]
    pub embed: EmbedArgs,
    /// How words are read and ranked
    #[command(flatten)]
    pub words: WordArgs,
    /// Line A of an ITCH 5.0 feed in MoldUDP64: GROUP:PORT, or a local address for unicast
    #[arg(long, value_name = "GROUP:PORT")]
    pub itch_a: Option<SocketAddr>,
    /// Line B of the same feed
    #[arg(long, value_name = "GROUP:PORT", requires = "itch_a")]
    pub itch_b: Option<SocketAddr>,
    /// MoldUDP64 request server of the same feed
    #[arg(long, value_name = "ADDR", requires = "itch_a")]
    pub retransmit: Option<SocketAddr>,
    /// Snapshots of the same feed
    #[command(flatten)]
    pub glimpse: GlimpseArgs,
    /// Another feed
    #[command(flatten)]
    pub fast: FastArgs,
    /// Another feed
    #[command(flatten)]
    pub iex: IexArgs,
    /// Another feed
    #[command(flatten)]
    pub mdp3: Mdp3Args,
    /// Another feed
    #[command(flatten)]
    pub dbn: DbnArgs,
    /// Address of the interface that joins the groups
    #[arg(long, value_name = "IP", requires = "itch_a")]
    pub interface: Option<IpAddr>,
    /// Join source-specific: accept the groups from this sender only
    #[arg(long, value_name = "IP", requires = "itch_a")]
    pub source: Option<IpAddr>,
    /// How packets come from the kernel: recvmmsg, gro, io_uring, io_uring_gro or af_xdp; what this
    /// machine refuses falls back to the one below it, and says why
    #[arg(
        long,
        value_name = "HOW",
        default_value = "recvmmsg",
        requires = "itch_a"
    )]
    pub receive: Receive,
    /// Let the socket look for packets in the driver for so many microseconds (SO_BUSY_POLL)
    #[arg(long, value_name = "US", requires = "itch_a")]
    pub busy_poll: Option<u32>,
    /// Poll without ever sleeping: lowest latency, a whole core
    #[arg(long, requires = "itch_a")]
    pub spin: bool,
    /// Receive on a thread of its own and share the symbols between so many lanes; 0: one lane
    /// that receives itself
    #[arg(long, default_value_t = 0, value_name = "N", requires = "itch_a", value_parser = clap::value_parser!(u16).range(0..=64))]
    pub lanes: u16,
    /// Record every packet on a tape in this folder
    #[arg(long, value_name = "DIR", requires = "itch_a")]
    pub tape: Option<PathBuf>,
    /// The oldest of the tape is removed before it takes more than so many GiB
    #[arg(long, default_value_t = 64, value_name = "GIB", requires = "tape")]
    pub tape_limit: u64,
    /// Keep all memory resident once touched (mlockall)
    #[arg(long)]
    pub lock_memory: bool,
    /// Touch all memory of the lanes' tables at the start: nothing waits for a page later, and as
    /// much as /metrics calls their bound is in use from then on. Takes a second or so, while
    /// packets wait in the sockets: start before the session
    #[arg(long, requires = "itch_a")]
    pub prefault: bool,
    /// The core that the lane's thread stays on [default: the last one, where there are several]
    #[arg(long, value_name = "CORE")]
    pub core: Option<usize>,
    /// Day of the ITCH session, whose clock counts from US Eastern midnight [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub day: Option<String>,
    /// Venues that speak WebSocket
    #[command(flatten)]
    pub venues: VenueArgs,
    /// Feed the market from a capture file instead of a socket
    #[arg(long, value_name = "FILE", conflicts_with_all = ["itch_a", "venues"])]
    pub capture: Option<PathBuf>,
    /// Pace of --capture: 1 is as recorded, 10 is ten times that, 0 is as fast as possible
    #[arg(long, default_value_t = 1.0, requires = "capture")]
    pub speed: f64,
    /// Serve market data over FIX here
    #[arg(long, value_name = "ADDR")]
    pub fix: Option<SocketAddr>,
    /// Who may log on over FIX (JSON, see docs/fix.md) [default: CLIENT42, CLIENT44 and CLIENT50]
    #[arg(long, value_name = "FILE", requires = "fix")]
    pub fix_config: Option<PathBuf>,
    /// Documents to store before serving (JSON lines, gzip too)
    #[arg(long, value_name = "FILE")]
    pub documents: Vec<PathBuf>,
    /// Day bars to store before serving (CSV)
    #[arg(long, value_name = "FILE")]
    pub days: Vec<PathBuf>,
    /// What brings documents
    #[command(flatten)]
    pub sources: SourceArgs,
    /// Who is told of answers
    #[command(flatten)]
    pub watch: WatchArgs,
    /// Ways out beside HTTP
    #[command(flatten)]
    pub out: OutArgs,
    /// Reference data (CSV or JSON lines: symbol, name, sector, cik, currency, tick_size,
    /// lot_size); loaded again at SIGHUP
    #[arg(long, value_name = "FILE")]
    pub reference: Option<PathBuf>,
    /// Append every risk verdict to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub risk_record: Option<PathBuf>,
    /// Windows and signals
    #[command(flatten)]
    pub windows: WindowArgs,
    /// The writer of answers
    #[command(flatten)]
    pub model: ModelArgs,
    /// Print machine-readable lines
    #[arg(long)]
    pub json: bool,
}

/// Where whole books come from when messages are lost for good, or the feed was joined late.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct GlimpseArgs {
    /// GLIMPSE server of the same feed (ITCH snapshots over SoupBinTCP): asked when messages are lost
    /// for good or the feed is joined late; until it has answered every book is flagged
    #[arg(long, value_name = "ADDR", requires = "itch_a")]
    pub glimpse: Option<SocketAddr>,
    /// Name at the GLIMPSE server, 6 characters at most
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true,
        requires = "glimpse"
    )]
    pub glimpse_user: String,
    /// Password at the GLIMPSE server, 10 characters at most
    #[arg(
        long,
        value_name = "PASSWORD",
        default_value = "",
        hide_default_value = true,
        env = "OUZEL_GLIMPSE_PASSWORD",
        hide_env_values = true,
        requires = "glimpse"
    )]
    pub glimpse_password: String,
    /// Seconds that one snapshot may take
    #[arg(long, value_name = "SECONDS", default_value_t = 25, requires = "glimpse", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub glimpse_timeout: u64,
    /// MiB of live messages kept while a snapshot is on its way, in each lane
    #[arg(long, value_name = "MIB", default_value_t = 256, requires = "glimpse", value_parser = clap::value_parser!(u32).range(1..=8_192))]
    pub glimpse_kept: u32,
}

/// Venues that speak WebSocket: their public feeds, or stand-ins at other addresses.
#[derive(Clone, Debug, Default, ClapArgs)]
#[group(id = "venues", multiple = true)]
pub struct VenueArgs {
    /// A Binance spot symbol (BTCUSDT), or a WebSocket address with its streams, raw or combined; may
    /// be given more than once, as may each symbol below
    #[arg(long, value_name = "SYMBOL|URL")]
    pub binance: Vec<String>,
    /// Where depth snapshots of Binance are fetched: GET URL?symbol=BTCUSDT&limit=1000
    #[arg(long, value_name = "URL", requires = "binance")]
    pub binance_rest: Option<String>,
    /// A Binance USD-M futures symbol, or an address with its streams; where spot has the same
    /// symbol it is shown as binance-usdm:BTCUSDT
    #[arg(long, value_name = "SYMBOL|URL")]
    pub binance_usdm: Vec<String>,
    /// Where depth snapshots of USD-M futures are fetched
    #[arg(long, value_name = "URL", requires = "binance_usdm")]
    pub binance_usdm_rest: Option<String>,
    /// A Kraken pair, as its WebSocket API version 1 names it: XBT/USD
    #[arg(long, value_name = "PAIR")]
    pub kraken: Vec<String>,
    /// Kraken's address [default: wss://ws.kraken.com]
    #[arg(long, value_name = "URL", requires = "kraken")]
    pub kraken_url: Option<String>,
    /// A Coinbase Exchange product: BTC-USD
    #[arg(long, value_name = "PRODUCT")]
    pub coinbase: Vec<String>,
    /// Coinbase's address [default: wss://ws-feed.exchange.coinbase.com]
    #[arg(long, value_name = "URL", requires = "coinbase")]
    pub coinbase_url: Option<String>,
    /// An OKX instrument: BTC-USDT, BTC-USDT-SWAP
    #[arg(long, value_name = "INSTRUMENT")]
    pub okx: Vec<String>,
    /// OKX's address [default: wss://ws.okx.com:8443/ws/v5/public]
    #[arg(long, value_name = "URL", requires = "okx")]
    pub okx_url: Option<String>,
    /// Take a venue for dead, and connect again, after this long without a word [default: each
    /// venue's own, 10 s to 4 min]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub silence: Option<f64>,
}

impl VenueArgs {
    /// Whether any venue was asked for.
    #[must_use]
    pub fn is_any(&self) -> bool {
        let all = [
            &self.binance,
            &self.binance_usdm,
            &self.kraken,
            &self.coinbase,
            &self.okx,
        ];
        all.iter().any(|symbols| !symbols.is_empty())
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if (0.1..=86_400.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("between 0.1 and 86400 seconds".to_owned())
    }
}

/// When writes reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SyncArg {
    /// Before they are acknowledged
    Always,
    /// Within 100 ms; a power cut may lose what was acknowledged since
    Interval,
    /// When the system likes; a power cut may lose acknowledged writes
    Never,
}

/// Arguments of `replay`.
#[derive(Debug, ClapArgs)]
pub struct ReplayArgs {
    /// The capture: a file, or the folder of a tape
    pub file: PathBuf,
    /// Day of an ITCH session, whose clock counts from US Eastern midnight [default: from the
    /// packets' receive stamps, or from digits in the file's name]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub day: Option<String>,
    /// The venue's FAST templates: the capture is FAST datagrams end to end, line A or the only one
    #[arg(long, value_name = "XML")]
    pub templates: Option<PathBuf>,
    /// FAST: line B of the same feed
    #[arg(long, value_name = "FILE", requires = "templates")]
    pub line_b: Option<PathBuf>,
    /// FAST: the snapshot line; without it books are never called good
    #[arg(long, value_name = "FILE", requires = "templates")]
    pub snapshots: Option<PathBuf>,
    /// FAST: how far the venue's clock texts are ahead of UTC, seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        allow_hyphen_values = true,
        requires = "templates"
    )]
    pub utc_offset: i64,
    /// FAST: lines of a security number and a name
    #[arg(long, value_name = "FILE", requires = "templates")]
    pub names: Option<PathBuf>,
    /// Stop after the packet that brings this sequence number
    #[arg(long, value_name = "SEQ")]
    pub until: Option<u64>,
    /// Share the symbols between so many lanes, each on a thread; the digest is the same
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub lanes: u16,
    /// Write the packets to a tape in this folder on the way
    #[arg(long, value_name = "DIR")]
    pub tape: Option<PathBuf>,
    /// Print only the digest of books and frames: equal digests mean equal results
    #[arg(long)]
    pub digest: bool,
    /// Rows of the summary
    #[arg(long, default_value_t = 10)]
    pub top: usize,
    /// Windows and signals
    #[command(flatten)]
    pub windows: WindowArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Where questions go.
#[derive(Clone, Debug, ClapArgs)]
pub struct TargetArgs {
    /// A running server
    #[arg(long, value_name = "URL", default_value = URL, env = "OUZEL_URL")]
    pub url: String,
    /// A data folder, opened here without a server
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    pub data: Option<PathBuf>,
}

/// Arguments of `ask`.
#[derive(Debug, ClapArgs)]
pub struct AskArgs {
    /// The question, in plain words
    pub question: String,
    /// The symbol meant, where the question does not name it
    #[arg(long)]
    pub symbol: Option<String>,
    /// Answer as one could have at this instant: nothing known later is used
    #[arg(long, value_name = "INSTANT")]
    pub as_of: Option<String>,
    /// Citations at most
    #[arg(short, long, default_value_t = 3)]
    pub k: usize,
    /// Time allowed; what is left out to keep it is said in the receipt
    #[arg(long, value_name = "MS")]
    pub deadline_ms: Option<u64>,
    /// An earlier question that this one stands on ("and Tesla?"); again for each, oldest first
    #[arg(long, value_name = "QUESTION")]
    pub after: Vec<String>,
    /// Show the receipt as well
    #[arg(long)]
    pub receipt: bool,
    /// Where to ask
    #[command(flatten)]
    pub target: TargetArgs,
    /// The writer of answers, with --data
    #[command(flatten)]
    pub model: ModelArgs,
    /// Print one JSON object: answer, abstained, citations, facts, receipt
    #[arg(long)]
    pub json: bool,
}

/// Which lists a search uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// Meaning and words
    Hybrid,
    /// Meaning alone
    Dense,
    /// Words alone
    Text,
}

/// Arguments of `search`.
#[derive(Debug, ClapArgs)]
pub struct SearchArgs {
    /// What to look for
    pub query: String,
    /// Only documents tagged with this symbol
    #[arg(long)]
    pub symbol: Option<String>,
    /// Only documents from this source
    #[arg(long)]
    pub source: Option<String>,
    /// Only what was known at this instant
    #[arg(long, value_name = "INSTANT")]
    pub as_of: Option<String>,
    /// Hits at most
    #[arg(short, long, default_value_t = 10)]
    pub k: usize,
    /// Which lists to use
    #[arg(long, value_enum, default_value_t = ModeArg::Hybrid)]
    pub mode: ModeArg,
    /// Only what passes this filter: JSON, or @FILE of it (see docs/filters.md)
    #[arg(long, value_name = "JSON|@FILE")]
    pub filter: Option<String>,
    /// Say how it was searched: plan, parts, what was compared, and how long each step took
    #[arg(long)]
    pub explain: bool,
    /// Where to search
    #[command(flatten)]
    pub target: TargetArgs,
    /// The cross-encoder, with --data
    #[command(flatten)]
    pub rerank: RerankArgs,
    /// Print one JSON object: hits, receipt
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `ingest`.
#[derive(Debug, ClapArgs)]
pub struct IngestArgs {
    /// Files of JSON lines; gzip is recognised
    pub files: Vec<PathBuf>,
    /// Files of day bars: CSV with date,ticker,open,high,low,close,volume
    #[arg(long, value_name = "FILE")]
    pub days: Vec<PathBuf>,
    /// Give lines without an id one made of the file's name and the line's number
    #[arg(long)]
    pub number: bool,
    /// The field that holds the instant at which a document became known
    #[arg(long, value_name = "FIELD", default_value = "known_at")]
    pub known_at: String,
    /// The field that holds the symbol
    #[arg(long, value_name = "FIELD", default_value = "symbol")]
    pub symbol_field: String,
    /// The field that holds the text
    #[arg(long, value_name = "FIELD", default_value = "text")]
    pub text_field: String,
    /// Source of documents that name none
    #[arg(long)]
    pub source: Option<String>,
    /// Whose vectors, with --data
    #[command(flatten)]
    pub embed: EmbedArgs,
    /// How words are read and ranked, with --data
    #[command(flatten)]
    pub words: WordArgs,
    /// Where to store
    #[command(flatten)]
    pub target: TargetArgs,
    /// Print one JSON object: stored, chunks, rejected
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, ClapArgs)]
pub struct DoctorArgs {
    /// Address of the interface that the groups come in on [default: loopback]
    #[arg(long, value_name = "IP")]
    pub interface: Option<Ipv4Addr>,
    /// The core that the lane is to stay on [default: the last one, where there are several]
    #[arg(long, value_name = "CORE")]
    pub core: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn help_begins_with_what_it_is_for() {
        let help = Args::command().render_long_help().to_string();
        assert!(help.starts_with(ABOUT), "{help}");
    }
}
