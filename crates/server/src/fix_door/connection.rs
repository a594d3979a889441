//! One connection: whose it is, and then bytes, time and market in turn.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::fix::{Event, Greeting, greet};
use node::outlet::{Kind, Kinds, Outlet, SlowPolicy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::desk::Desk;
use super::say::Connected;
use super::{FixDoor, Place, add};

/// How often the market is looked at: what changes in between is one update.
const TICK: Duration = Duration::from_millis(20);
/// A greeting must be whole after this.
const GREETING_LIMIT: Duration = Duration::from_secs(10);
/// A socket that takes nothing for so long is closed; the session goes on with the next one.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
const GREETING_BYTES_LIMIT: usize = 16 << 10;
/// Frames that wait for a connection, beside the newest book of each symbol.
const OUTLET_CAPACITY: usize = 16_384;
/// Frames taken at once, so that the counterparty is heard in between.
const FRAMES_LIMIT: usize = 4_096;

pub async fn serve(
    door: &FixDoor,
    mut stream: TcpStream,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    // Messages are whole when they are written: waiting to join them only delays.
    stream.set_nodelay(true)?;
    let mut bytes = Vec::new();
    let place = match timeout(GREETING_LIMIT, welcome(door, &mut stream, &mut bytes)).await {
        Ok(Ok(Some(place))) => place,
        other => {
            add(&door.counters.strangers);
            return other.unwrap_or(Ok(None)).map(|_| ());
        }
    };
    let mut visit = Visit {
        door,
        place,
        desk: Desk::default(),
        outlet: None,
        frames: Vec::new(),
    };
    visit.run(&mut stream, bytes, stopped).await
}

/// Reads until it is known whose connection it is, and enters that session.
async fn welcome<'a>(
    door: &'a FixDoor,
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
) -> io::Result<Option<&'a Arc<Place>>> {
    loop {
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
        match greet(bytes, GREETING_BYTES_LIMIT) {
            Greeting::More => {}
            Greeting::Stranger => return Ok(None),
            Greeting::Of(identity) => {
                let place = door.sessions.iter().find(|p| p.identity == identity);
                return Ok(place.filter(|place| {
                    let mut session = place.lock();
                    let free = !session.is_connected();
                    if free {
                        session.connected(door.node.clock().now_ns());
                    }
                    free
                }));
            }
        }
    }
}

/// What a step leaves to do.
struct Step {
    said: Vec<u8>,
    close: bool,
    /// The disk is to be waited for before anything is sent.
    owes: bool,
    /// More is to be sent again: go on at once.
    resending: bool,
}

struct Visit<'a> {
    door: &'a FixDoor,
    place: &'a Arc<Place>,
    desk: Desk,
    /// Open from the first subscription on: before it nothing is copied.
    outlet: Option<Outlet>,
    frames: Vec<node::outlet::Laned>,
}

/// However a visit ends, the session is free for the next one.
impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let now_ns = self.door.node.clock().now_ns();
        let mut session = self.place.lock();
        session.disconnected(now_ns);
        self.place.show(&session);
        let runtime = tokio::runtime::Handle::try_current();
        if let (true, Ok(runtime)) = (session.owes(), runtime) {
            let place = Arc::clone(self.place);
            // Only numbers are owed here, which a session without a connection may lose to a power cut: the
            // counterparty says its last messages again.
            runtime.spawn_blocking(move || place.lock().settle());
        }
    }
}

impl Visit<'_> {
    /// Writes all of it, as long as the reader goes on taking.
    async fn write(&self, stream: &mut TcpStream, mut said: &[u8]) -> io::Result<()> {
        while !said.is_empty() {
            match timeout(WRITE_LIMIT, stream.write(said)).await {
                Ok(taken) => match taken? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    taken => said = &said[taken..],
                },
                Err(late) => {
                    add(&self.door.counters.stalled);
                    return Err(late.into());
                }
            }
        }
        Ok(())
    }

    async fn run(
        &mut self,
        stream: &mut TcpStream,
        first: Vec<u8>,
        mut stopped: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut bytes = first;
        let mut leaving = false;
        loop {
            let step = self.step(&bytes);
            bytes.clear();
            if step.owes {
                self.settle().await?;
            }
            if !step.said.is_empty() {
                self.write(stream, &step.said).await?;
            }
            if step.close {
                return stream.shutdown().await;
            }
            tokio::select! {
                read = stream.read_buf(&mut bytes) => if read? == 0 { return Ok(()) },
                _ = ticks.tick() => {}
                () = std::future::ready(()), if step.resending => {}
                _ = stopped.changed(), if !leaving => {
                    leaving = true;
                    let now_ns = self.door.node.clock().now_ns();
                    self.place.lock().logout(Some("the server stops"), now_ns);
                }
            }
        }
    }

    /// Waits for the disk on a thread that may block.
    async fn settle(&self) -> io::Result<()> {
        let place = Arc::clone(self.place);
        let settled = tokio::task::spawn_blocking(move || place.lock().settle()).await;
        settled.map_err(io::Error::other)?
    }

    /// Hands `bytes` in, lets time pass, answers, and tells what the market did.
    fn step(&mut self, bytes: &[u8]) -> Step {
        let place = Arc::clone(self.place);
        let mut session = place.lock();
        let (said, close) = self.speak(&mut session, bytes);
        place.show(&session);
        Step {
            said,
            close,
            owes: session.owes(),
            resending: session.is_resending(),
        }
    }

    fn speak(&mut self, session: &mut Connected, bytes: &[u8]) -> (Vec<u8>, bool) {
        let node = &self.door.node;
        let now_ns = node.clock().now_ns();
        session.receive(bytes, now_ns);
        session.tick(now_ns);
        let mut said = Vec::new();
        loop {
            let output = session.take();
            said.extend(output.bytes);
            if output.close {
                return (said, true);
            }
            if output.events.is_empty() {
                break;
            }
            for event in output.events {
                if let Event::Message(message) = event {
                    self.desk.hear(session, self.door, &message, now_ns);
                }
            }
        }
        // While it catches up the market waits in its outlet: what is new is of no use before what is old.
        if !session.is_resending() {
            self.market(session, now_ns);
        }
        let output = session.take();
        said.extend(output.bytes);
        (said, output.close)
    }

    fn market(&mut self, session: &mut Connected, now_ns: u64) {
        if !self.desk.is_subscribed() {
            self.outlet = None;
            return;
        }
        let outlet = self.outlet.get_or_insert_with(|| {
            let kinds = Kinds::of(&[Kind::Book, Kind::Trade, Kind::Signal]);
            let outlets = self.door.node.outlets();
            outlets.open_for("fix", SlowPolicy::Conflate, OUTLET_CAPACITY, kinds)
        });
        self.frames.clear();
        outlet.take(FRAMES_LIMIT, &mut self.frames);
        self.desk.tell(session, self.door, &self.frames, now_ns);
    }
}
