//! Two lossy lines: with retransmission the books end as if nothing was lost, and everything
//! published meanwhile says so; without it the loss is counted and everything is stale.

mod common;

use std::collections::VecDeque;

use common::stream::{SESSION, Stream, packet};
use market::feed::mold::{LINE_RECOVERY, MoldConfig};
use market::pipeline::{ItchPipeline, PipelineConfig};
use market::publish::{FeedState, Frame, Integrity};
use market::signal::JumpConfig;
use stdx::rng::Rng;
use wire::moldudp64::{Request, end_of_session, heartbeat};

const MESSAGES: usize = 60_000;
/// Between two packets.
const GAP_NS: u64 = 50_000;
const DIGEST_SEQ: u64 = 40_000;

fn config(has_retransmit: bool) -> PipelineConfig {
    PipelineConfig {
        instruments_limit: 32,
        orders_limit: 1 << 14,
        // Short windows and nervous signals, so that all kinds of frames fall into gaps.
        bar_ns: vec![5_000_000],
        vwap_length_ns: 50_000_000,
        vwap_step_ns: 2_000_000,
        jump: JumpConfig {
            threshold_bp: 1,
            volatility_tenths: 0,
            cooldown_ns: 0,
            rearm_percent: 100,
            ..JumpConfig::default()
        },
        mold: MoldConfig {
            has_retransmit,
            reorder_packets: 256,
            ..MoldConfig::default()
        },
        ..PipelineConfig::default()
    }
}

/// Independent random and burst loss of one line (Gilbert-Elliott).
struct Loss {
    rng: Rng,
    in_burst: bool,
}

impl Loss {
    fn drops(&mut self) -> bool {
        let flip = if self.in_burst { 0.1 } else { 0.01 };
        self.in_burst ^= self.rng.chance(flip);
        let p = if self.in_burst { 0.8 } else { 0.01 };
        self.rng.chance(p)
    }
}

struct Run {
    pipeline: ItchPipeline,
    now_ns: u64,
    replies: VecDeque<(u64, Vec<u8>)>,
    messages: Vec<Vec<u8>>,
    rng: Rng,
    /// Frames seen during gaps: books, bars, VWAPs, signals, trades.
    flagged: [u64; 5],
    gap_publishes: u64,
}

impl Run {
    /// Answers what was asked for, late and not always.
    fn serve(&mut self) {
        while let Some(Request {
            session,
            seq,
            count,
        }) = self.pipeline.next_request()
        {
            assert_eq!(session, SESSION);
            if self.rng.chance(0.05) {
                continue;
            }
            let from = seq as usize - 1;
            // A server answers with what fits one packet, and that may be less than was asked for.
            let is_cut = self.rng.chance(0.3);
            let fits = if is_cut {
                1 + self.rng.below(u64::from(count))
            } else {
                u64::from(count)
            } as usize;
            let to = (from + fits).min(self.messages.len());
            let reply = packet(seq, &self.messages[from..to]);
            let at = self.now_ns + 100_000 + self.rng.below(300_000);
            self.replies.push_back((at, reply));
        }
        while let Some((at, reply)) = self.replies.pop_front() {
            if at > self.now_ns {
                self.replies.push_front((at, reply));
                break;
            }
            self.pipeline.packet(LINE_RECOVERY, self.now_ns, &reply);
        }
    }

    /// Publishes and checks that nothing during a gap looks healthy.
    fn publish(&mut self) {
        let mut frames = Vec::new();
        self.pipeline.publish(&mut frames);
        let is_recovering = self.pipeline.status().state == FeedState::Recovering;
        self.gap_publishes += u64::from(is_recovering);
        for frame in frames {
            let (kind, integrity) = match frame {
                Frame::Book(book) => (0, book.integrity),
                Frame::Bar(bar) => (1, bar.integrity),
                Frame::Vwap(vwap) => (2, vwap.integrity),
                Frame::Signal(signal) => (3, signal.integrity),
                Frame::Trade(trade) => (4, trade.integrity),
                _ => continue,
            };
            // What queued before the gap was drained by the publish before it, and a packet that
            // opens a gap delivers nothing.
            if is_recovering {
                assert!(integrity >= Integrity::Recovering, "{frame:?}");
                self.flagged[kind] += 1;
            }
        }
    }
}

fn run(seed: u64, has_retransmit: bool) -> (Run, ItchPipeline) {
    let mut stream = Stream::new(seed, 20, 5_000);
    stream.extend(MESSAGES);
    let mut lossless = ItchPipeline::new(&config(true));
    lossless.digest_at(DIGEST_SEQ);
    for message in &stream.messages {
        lossless.message(1, message);
    }
    let packets = stream.packets(seed);
    let root = Rng::new(seed);
    let mut run = Run {
        pipeline: ItchPipeline::new(&config(has_retransmit)),
        now_ns: 1_000_000_000,
        replies: VecDeque::new(),
        messages: stream.messages,
        rng: root.fork(9),
        flagged: [0; 5],
        gap_publishes: 0,
    };
    run.pipeline.digest_at(DIGEST_SEQ);
    let mut loss = [1, 2].map(|label| Loss {
        rng: root.fork(label),
        in_burst: false,
    });
    let mut held: [Option<Vec<u8>>; 2] = [None, None];
    for (_, bytes) in packets {
        run.now_ns += GAP_NS;
        for line in 0..2 {
            if loss[line].drops() {
                continue;
            }
            // Now and then a packet is overtaken by its successor.
            if held[line].is_none() && run.rng.chance(0.02) {
                held[line] = Some(bytes.clone());
                continue;
            }
            run.pipeline.packet(line, run.now_ns, &bytes);
            if let Some(late) = held[line].take() {
                run.pipeline.packet(line, run.now_ns, &late);
            }
        }
        run.pipeline.tick(run.now_ns);
        if has_retransmit {
            run.serve();
        }
        run.publish();
    }
    let end = run.messages.len() as u64 + 1;
    for n in 0..8_000 {
        run.now_ns += GAP_NS;
        let last = if n < 10 {
            heartbeat(SESSION, end)
        } else {
            end_of_session(SESSION, end)
        };
        run.pipeline.packet(n % 2, run.now_ns, &last);
        run.pipeline.tick(run.now_ns);
        if has_retransmit {
            run.serve();
        }
        run.publish();
    }
    (run, lossless)
}

#[test]
fn with_retransmission_the_books_end_as_if_nothing_was_lost() {
    let mut flagged = [0; 5];
    for seed in [1, 2, 3] {
        let (mut run, mut lossless) = run(seed, true);
        let status = run.pipeline.status();
        assert_eq!(status.state, FeedState::Ended, "seed {seed}: {status:?}");
        assert_eq!((status.lost, status.rejected), (0, 0), "seed {seed}");
        assert!(
            status.gaps > 1 && status.recovered > 100,
            "seed {seed}: {status:?}"
        );
        assert!(
            status.lines.iter().all(|line| line.missed > 500),
            "{status:?}"
        );
        assert_eq!(
            run.pipeline.book_digest(),
            lossless.book_digest(),
            "seed {seed}"
        );
        let taken = run.pipeline.take_digest();
        assert_eq!(taken, lossless.take_digest(), "seed {seed}");
        assert_eq!(taken.map(|(seq, _)| seq), Some(DIGEST_SEQ));
        assert!(run.gap_publishes > 20, "seed {seed}");
        for (sum, count) in flagged.iter_mut().zip(run.flagged) {
            *sum += count;
        }
        for instrument in run.pipeline.instruments() {
            let top = run.pipeline.book_top(instrument.id).expect("listed");
            assert!(top.integrity <= Integrity::Suspect, "{top:?}");
        }
        assert_eq!(run.pipeline.growths(), 0, "seed {seed}");
    }
    assert!(flagged.iter().all(|&count| count > 0), "{flagged:?}");
}

#[test]
fn without_retransmission_the_loss_is_counted_and_everything_is_stale() {
    for seed in [1, 2, 3] {
        let (run, lossless) = run(seed, false);
        let status = run.pipeline.status();
        assert!(
            status.lost > 0 && status.recovered == 0,
            "seed {seed}: {status:?}"
        );
        assert_eq!(status.next_seq, lossless.status().next_seq, "seed {seed}");
        for instrument in run.pipeline.instruments() {
            let top = run.pipeline.book_top(instrument.id).expect("listed");
            assert_eq!(top.integrity, Integrity::Stale, "seed {seed}");
        }
    }
}
