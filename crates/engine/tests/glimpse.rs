//! Snapshots over real sockets: a lane that lost more than anybody sends again, or came late, has the
//! venue's books afterwards; and what the fetching end makes of servers that fail in every way.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

mod common;
#[path = "common/venue.rs"]
mod over_wire;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::eventually;
use engine::glimpse::{
    FetchError, GlimpseClient, GlimpseConfig, GlimpseServer, GlimpseView, Refreshed, ServeConfig,
    Snapshot, fetch,
};
use engine::lane::{Command, Idle, Lane, LaneConfig, LaneState};
use engine::relay::{RelayConfig, relay};
use market::pipeline::{ItchPipeline, PipelineConfig, Shard, SnapshotConfig};
use market::publish::{FeedState, FeedStatus, Frame, Integrity};
use over_wire::{MIDNIGHT, SECOND, SESSION, START, Wire, wire};
use venue::{LossConfig, PAYLOAD_LIMIT, Packetiser, Venue, VenueConfig};
use wire::soupbintcp::{ClientConfig, LoginAccepted, Packet, PacketWriter, RejectReason};

const MS: u64 = SECOND / 1_000;

fn nowhere() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

fn pipeline(shard: Shard) -> PipelineConfig {
    let mut config = PipelineConfig {
        midnight_ns: MIDNIGHT,
        shard,
        snapshot: SnapshotConfig {
            timeout_ns: 3 * SECOND,
            retry_ns: 20 * MS,
            kept_bytes_limit: 4 << 20,
            ..SnapshotConfig::default()
        },
        ..PipelineConfig::default()
    };
    config.mold.has_snapshot = true;
    config.mold.retransmit_tries = 2;
    config
}

/// A venue, its wire, its snapshot server and a feed that reads them.
struct World {
    venue: Arc<Mutex<Venue>>,
    packetiser: Packetiser,
    wire: Wire,
    server: GlimpseServer,
    client: GlimpseClient,
    lanes: Vec<Lane>,
    ms: u64,
    statuses: Vec<FeedStatus>,
    /// What was published, with the lane.
    frames: Vec<(usize, Frame)>,
}

impl World {
    /// The first `skip_ms` of the day are over before the feed is opened. `failing` snapshots break
    /// off midway before the first whole one.
    fn open(lanes: u16, skip_ms: u64, failing: usize) -> Self {
        let config = VenueConfig {
            symbols: 40,
            rate: 6_000.0,
            opening_peak: 2.0,
            ..VenueConfig::new(77, START, MIDNIGHT)
        };
        let venue = Arc::new(Mutex::new(Venue::new(config)));
        let (made, failed) = (Arc::clone(&venue), AtomicUsize::new(0));
        let provider = move || {
            if failed.fetch_add(1, Ordering::Relaxed) < failing {
                return None;
            }
            let mut snapshot = Snapshot::default();
            let venue = made.lock().expect("no thread panics");
            venue.snapshot(&mut |message: &[u8]| assert!(snapshot.push(message)));
            Some(snapshot)
        };
        let server = GlimpseServer::open(nowhere(), ServeConfig::new(SESSION), Arc::new(provider))
            .expect("a port");
        let (wire, source) = wire(LossConfig::NONE, 300);
        let fetching = GlimpseConfig::new(server.address());
        let count = usize::from(lanes.max(1));
        let (client, links) = GlimpseClient::spawn(fetching, count).expect("a thread");
        let mut world = Self {
            venue,
            packetiser: Packetiser::new(SESSION, PAYLOAD_LIMIT),
            wire,
            server,
            client,
            lanes: Vec::new(),
            ms: 0,
            statuses: vec![FeedStatus::default(); count],
            frames: Vec::new(),
        };
        // Said before anybody listens; what waits in the sockets is dropped with them.
        (0..skip_ms).for_each(|_| world.step(false));
        if lanes == 0 {
            let mut links = links.into_iter();
            let link = links.next().expect("one");
            world
                .lanes
                .push(spawn("one", pipeline(Shard::WHOLE), link, source));
        } else {
            let config = RelayConfig {
                name: "relay".to_owned(),
                core: None,
                idle: Idle::default(),
            };
            let sources = relay(config, source, count).expect("threads");
            for (idx, (source, link)) in sources.into_iter().zip(links).enumerate() {
                let config = pipeline(Shard::new(idx as u16, lanes));
                world.lanes.push(spawn("share", config, link, source));
            }
        }
        eventually("the lanes to run", || {
            let mut lanes = world.lanes.iter();
            lanes.all(|lane| lane.state() == LaneState::Running)
        });
        world
    }

    /// A millisecond of the venue, on the lines or lost on both.
    fn step(&mut self, is_sent: bool) {
        self.ms += 1;
        let mut packets = Vec::new();
        let mut send = |_, packet: &[u8]| packets.push(packet.to_vec());
        let packetiser = &mut self.packetiser;
        let mut venue = self.venue.lock().expect("no thread panics");
        venue.step(START + self.ms * MS, &mut |message: &[u8]| {
            assert!(packetiser.push(message, &mut send));
        });
        packetiser.flush(&mut send);
        drop(venue);
        for packet in &packets {
            if is_sent {
                self.wire.send(packet);
            } else {
                self.wire.lose(packet);
            }
        }
        if is_sent {
            self.look();
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    fn look(&mut self) {
        self.wire.serve();
        for (idx, lane) in self.lanes.iter_mut().enumerate() {
            while let Some(frame) = lane.next_frame() {
                if let Frame::Feed(status) = frame {
                    self.statuses[idx] = status;
                }
                self.frames.push((idx, frame));
            }
        }
    }

    /// Steps and heartbeats until every lane has had a snapshot and nothing is missing.
    fn until_refreshed(&mut self) {
        let mut steps = 0;
        while self.statuses.iter().any(|status| status.refreshed == 0) {
            self.step(true);
            steps += 1;
            assert!(steps < 20_000, "{:?} {:?}", self.statuses, self.view());
        }
    }

    fn view(&self) -> GlimpseView {
        self.client.status().view()
    }

    /// All books of all lanes are the venue's, and nothing is flagged any more.
    fn check_end(&mut self) {
        let (seq, digest) = {
            let venue = self.venue.lock().expect("no thread panics");
            (venue.seq(), venue.book_digest())
        };
        let heartbeat = wire::moldudp64::heartbeat(SESSION, seq + 1);
        eventually("every message", || {
            self.wire.lines[0].send(&heartbeat).expect("sent");
            self.look();
            self.statuses
                .iter()
                .all(|status| status.next_seq == seq + 1)
        });
        let mut sum = 0u64;
        for (idx, lane) in self.lanes.iter_mut().enumerate() {
            assert!(lane.commander().send(Command::DigestAt(seq)));
            let mut got = None;
            eventually("the digest", || {
                got = lane.take_digest();
                got.is_some()
            });
            sum = sum.wrapping_add(got.expect("awaited").1);
            assert_eq!(self.statuses[idx].state, FeedState::Live);
        }
        assert_eq!(sum, digest, "{:?}", self.statuses);
        let mut newest = std::collections::HashMap::new();
        for (lane, frame) in &self.frames {
            if let Frame::Book(top) = frame {
                newest.insert((*lane, top.instrument), top.integrity);
            }
        }
        assert!(newest.len() >= 40);
        assert!(newest.values().all(|flag| *flag == Integrity::Ok));
        assert_eq!(self.statuses[0].rejected, 0, "{:?}", self.statuses);
    }

    /// Between a loss and the refresh that mends it no book, print or window is unflagged.
    fn check_flags(&self) {
        for idx in 0..self.lanes.len() {
            let (mut is_lost, mut flagged) = (false, 0);
            for (_, frame) in self.frames.iter().filter(|(lane, _)| *lane == idx) {
                let integrity = match frame {
                    Frame::Lost(_) => {
                        is_lost = true;
                        continue;
                    }
                    Frame::Refreshed(_) => {
                        is_lost = false;
                        continue;
                    }
                    Frame::Book(book) => book.integrity,
                    Frame::Trade(trade) => trade.integrity,
                    Frame::Bar(bar) => bar.integrity,
                    Frame::Vwap(vwap) => vwap.integrity,
                    Frame::Signal(signal) => signal.integrity,
                    _ => continue,
                };
                if is_lost {
                    flagged += 1;
                    assert_eq!(integrity, Integrity::Stale, "{frame:?}");
                }
            }
            assert!(flagged > 0 && !is_lost);
        }
    }
}

fn spawn(
    name: &str,
    config: PipelineConfig,
    link: engine::glimpse::SnapshotLink,
    source: impl engine::source::Source + 'static,
) -> Lane {
    let lane = LaneConfig {
        ring_capacity: 1 << 16,
        ..LaneConfig::new(name)
    };
    let build = move || Refreshed::new(ItchPipeline::new(&config), link);
    Lane::spawn(lane, build, source).expect("a thread")
}

#[test]
fn a_loss_beyond_the_request_servers_history_is_mended_by_a_snapshot() {
    let mut world = World::open(0, 0, 0);
    (0..900).for_each(|_| world.step(true));
    (0..400).for_each(|_| world.step(false));
    world.until_refreshed();
    (0..200).for_each(|_| world.step(true));
    world.check_end();
    world.check_flags();
    let status = world.statuses[0];
    assert!(
        status.lost > 300 && status.snapshots_asked > 0,
        "{status:?}"
    );
    let view = world.view();
    assert!(view.loaded > 0 && view.messages > 1_000, "{view:?}");
    assert_eq!((view.failures, view.trouble), (0, None));
    assert!(world.server.counts().served.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_late_joiner_is_whole_at_once() {
    let mut world = World::open(0, 1_500, 0);
    world.until_refreshed();
    (0..200).for_each(|_| world.step(true));
    world.check_end();
    world.check_flags();
    assert_eq!(world.statuses[0].refreshed, 1);
}

#[test]
fn lanes_that_share_the_symbols_share_one_fetch_and_load_their_own() {
    let mut world = World::open(2, 1_500, 0);
    world.until_refreshed();
    (0..200).for_each(|_| world.step(true));
    world.check_end();
    let view = world.view();
    assert_eq!((view.fetches, view.loaded), (1, 2), "{view:?}");
}

#[test]
fn a_server_that_breaks_off_is_asked_again() {
    let mut world = World::open(0, 1_000, 2);
    world.until_refreshed();
    world.check_end();
    let view = world.view();
    assert_eq!((view.failures, view.loaded), (2, 1), "{view:?}");
    assert_eq!(world.statuses[0].snapshots_failed, 2);
}

/// Answers one connection with `bytes` after reading the login, and keeps it open for `ms`.
fn says(bytes: Vec<u8>, ms: u64) -> SocketAddr {
    let door = TcpListener::bind(nowhere()).expect("a port");
    let address = door.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (mut socket, _) = door.accept().expect("a client");
        let mut login = [0; 49];
        socket.read_exact(&mut login).expect("a login");
        // A client that has heard enough leaves.
        let _left = socket.write_all(&bytes);
        std::thread::sleep(Duration::from_millis(ms));
    });
    address
}

fn packets(packets: &[Packet<'_>]) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 16];
    let mut writer = PacketWriter::new(&mut buffer);
    packets
        .iter()
        .for_each(|packet| assert!(writer.push(*packet)));
    writer.bytes().to_vec()
}

fn tried(server: SocketAddr, change: impl FnOnce(&mut GlimpseConfig)) -> FetchError {
    let mut config = GlimpseConfig {
        session: ClientConfig {
            login_timeout_ns: 300 * MS,
            silence_ns: 300 * MS,
            ..ClientConfig::default()
        },
        ..GlimpseConfig::new(server)
    };
    change(&mut config);
    fetch(&config, Snapshot::default(), &|| false).expect_err("no snapshot")
}

#[test]
fn every_failure_is_told_by_its_name_and_none_takes_for_ever() {
    let accepted = Packet::LoginAccepted(LoginAccepted {
        session: SESSION,
        seq: 1,
    });
    let late = Packet::LoginAccepted(LoginAccepted {
        session: SESSION,
        seq: 7,
    });
    let event = [b'S', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'O'];
    let message = Packet::Sequenced(&event);
    let same = |_: &mut GlimpseConfig| ();
    let closed = {
        let door = TcpListener::bind(nowhere()).expect("a port");
        door.local_addr().expect("bound")
    };
    assert!(matches!(tried(closed, same), FetchError::Connect { .. }));
    let silent = tried(says(Vec::new(), 1_000), same);
    assert!(
        matches!(silent, FetchError::Silent { messages: 0 }),
        "{silent}"
    );
    let part = tried(says(packets(&[accepted, message]), 0), same);
    assert!(matches!(part, FetchError::Closed { messages: 1 }), "{part}");
    let stuck = tried(says(packets(&[accepted, message]), 1_000), same);
    assert!(
        matches!(stuck, FetchError::Silent { messages: 1 }),
        "{stuck}"
    );
    let rejected = Packet::LoginRejected(RejectReason::NotAuthorised);
    let rejected = tried(says(packets(&[rejected]), 0), same);
    assert!(matches!(rejected, FetchError::Rejected(_)), "{rejected}");
    let midway = tried(says(packets(&[late, message]), 0), same);
    assert!(
        matches!(midway, FetchError::NotFromStart { seq: 7 }),
        "{midway}"
    );
    let garbage = tried(says(vec![0xff; 300], 0), same);
    assert!(matches!(garbage, FetchError::Protocol(_)), "{garbage}");
    let other = tried(says(packets(&[accepted, Packet::Sequenced(b"?")]), 0), same);
    assert!(
        matches!(other, FetchError::Message { number: 1, .. }),
        "{other}"
    );
    let early = tried(says(packets(&[message]), 0), same);
    assert!(
        matches!(early, FetchError::OutOfPlace { kind: b'S' }),
        "{early}"
    );
    let many = packets(&[accepted, message, message, message]);
    let large = tried(says(many, 0), |config| config.bytes_limit = 30);
    assert!(
        matches!(large, FetchError::TooLarge { limit: 30 }),
        "{large}"
    );
    // It lives and says nothing of use.
    let beats: Vec<Packet<'_>> = std::iter::once(accepted)
        .chain(std::iter::repeat_n(Packet::ServerHeartbeat, 10))
        .collect();
    let slow = tried(says(packets(&beats), 1_000), |config| {
        config.timeout = Duration::from_millis(150);
    });
    assert!(matches!(slow, FetchError::Slow { .. }), "{slow}");
    let names = tried(closed, |config| {
        config.username = "much too long".to_owned()
    });
    assert!(matches!(names, FetchError::Names), "{names}");
}

#[test]
fn a_server_lets_in_whom_it_knows_and_no_more_than_it_can_bear() {
    let config = ServeConfig {
        login: Some(("ouzel".to_owned(), "secret".to_owned())),
        clients_limit: 1,
        ..ServeConfig::new(SESSION)
    };
    let provider = || {
        let mut snapshot = Snapshot::default();
        assert!(snapshot.push(&wire::glimpse::end_of_snapshot(7)));
        Some(snapshot)
    };
    let server = GlimpseServer::open(nowhere(), config, Arc::new(provider)).expect("a port");
    let stranger = tried(server.address(), |_| ());
    assert!(matches!(stranger, FetchError::Rejected(_)), "{stranger}");
    let known = GlimpseConfig {
        username: "ouzel".to_owned(),
        password: "secret".to_owned(),
        ..GlimpseConfig::new(server.address())
    };
    let ask = || fetch(&known, Snapshot::default(), &|| false);
    let mut snapshot = None;
    eventually("its turn", || {
        // Refused while another has its turn.
        snapshot = ask().ok();
        snapshot.is_some()
    });
    assert_eq!(snapshot.expect("awaited").next_seq, 7);
    // Somebody who never says who they are takes the only place.
    let mut idle = None;
    eventually("the place", || {
        let before = server.counts().connections.load(Ordering::Relaxed);
        idle = Some(std::net::TcpStream::connect(server.address()).expect("open"));
        std::thread::sleep(Duration::from_millis(50));
        server.counts().connections.load(Ordering::Relaxed) > before
    });
    assert!(ask().is_err());
    assert!(server.counts().turned_away.load(Ordering::Relaxed) > 0);
}
