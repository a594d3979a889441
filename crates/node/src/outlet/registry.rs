//! Who listens: the list of outlets, handed every batch.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};
use std::task::Waker;

use market::publish::Frame;

use super::queue::Queue;
use super::spill::Spill;
use super::{Kind, Kinds, Outlet, SlowPolicy, SpillSettings};
use crate::market::MarketView;

/// Names whose totals are kept after their outlets closed; beyond it they join `(others)`.
const CLOSED_NAMES_LIMIT: usize = 256;

/// One outlet as both ends see it.
pub(super) struct Shared {
    pub id: u64,
    pub name: String,
    pub policy: SlowPolicy,
    pub capacity: usize,
    pub kinds: Kinds,
    /// Only with [`SlowPolicy::Spill`].
    pub spill: Option<Spill>,
    inner: Mutex<Inner>,
    pub filled: Condvar,
    /// How many outlets ask inputs over TCP to wait; one count for the whole node.
    pressed: Arc<AtomicUsize>,
}

pub(super) struct Inner {
    pub queue: Queue,
    pub waker: Option<Waker>,
    pub is_waited_for: bool,
    is_pressing: bool,
    blocked_ns: u64,
    pub far: Option<FarSide>,
    trouble: Option<String>,
    pub spill_trouble: Option<String>,
}

impl Inner {
    fn new(queue: Queue) -> Self {
        Self {
            queue,
            waker: None,
            is_waited_for: false,
            is_pressing: false,
            blocked_ns: 0,
            far: None,
            trouble: None,
            spill_trouble: None,
        }
    }
}

impl Shared {
    /// One that stands alone.
    #[cfg(test)]
    pub fn spilling(capacity: usize, spill: Spill) -> Self {
        Self {
            id: 0,
            name: "spill".to_owned(),
            policy: SlowPolicy::Spill,
            capacity,
            kinds: Kinds::ALL,
            spill: Some(spill),
            inner: Mutex::new(Inner::new(Queue::new(SlowPolicy::Spill, capacity))),
            filled: Condvar::new(),
            pressed: Arc::default(),
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what of a batch this outlet wants; the lock is held for the copy alone.
    pub fn push(&self, lane: usize, frames: &[Frame]) {
        let mut inner = self.lock();
        let before = inner.queue.len();
        for frame in frames {
            if self.kinds.has(Kind::of(frame)) {
                inner.queue.push(lane, frame);
            }
        }
        self.press(&mut inner);
        if let Some(spill) = &self.spill
            && !inner.queue.is_half_free()
        {
            spill.asked.notify_one();
        }
        if inner.queue.len() == before {
            return;
        }
        let (waker, is_waited_for) = (inner.waker.take(), inner.is_waited_for);
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        if is_waited_for {
            self.filled.notify_one();
        }
    }

    /// Keeps the node's count of outlets that ask to wait.
    pub fn press(&self, inner: &mut Inner) {
        if self.policy != SlowPolicy::Block {
            return;
        }
        if !inner.is_pressing && inner.queue.is_full() {
            inner.is_pressing = true;
            self.pressed.fetch_add(1, Ordering::AcqRel);
        } else if inner.is_pressing && inner.queue.is_half_free() {
            self.release(inner);
        }
    }

    fn release(&self, inner: &mut Inner) {
        if std::mem::take(&mut inner.is_pressing) {
            self.pressed.fetch_sub(1, Ordering::AcqRel);
        }
    }

    pub fn set_trouble(&self, trouble: Option<String>) {
        self.lock().trouble = trouble;
    }

    /// Frames that wait for the reader, in memory and on disk.
    pub fn waiting(&self, inner: &Inner) -> usize {
        let on_disk = self.spill.as_ref().map_or(0, Spill::waiting);
        inner.queue.len() + on_disk as usize
    }

    pub fn totals(&self, inner: &Inner) -> OutletTotals {
        let counts = inner.queue.counts;
        OutletTotals {
            sent: counts.sent,
            conflated: counts.conflated,
            dropped: counts.dropped,
            spilled: self.spill.as_ref().map_or(0, Spill::spilled),
            blocked_ns: inner.blocked_ns,
            far: inner.far,
        }
    }

    fn status(&self) -> OutletStatus {
        let inner = self.lock();
        OutletStatus {
            id: self.id,
            name: self.name.clone(),
            policy: self.policy,
            capacity: self.capacity,
            waiting: self.waiting(&inner),
            totals: self.totals(&inner),
            trouble: inner.trouble.clone().or(inner.spill_trouble.clone()),
        }
    }
}

/// What the part behind an outlet, such as a broker, said of what it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FarSide {
    /// Frames that it has for certain.
    pub confirmed: u64,
    /// Frames that were under way when the connection broke: it may have them or not. Each is
    /// counted by a mark, too.
    pub uncertain: u64,
    /// Frames that it refused, or that cannot be said in its format.
    pub refused: u64,
    /// Connections made, the first included.
    pub connects: u64,
}

impl FarSide {
    fn add(&mut self, other: Self) {
        self.confirmed += other.confirmed;
        self.uncertain += other.uncertain;
        self.refused += other.refused;
        self.connects += other.connects;
    }
}

/// What became of the frames that an outlet was given. Counters run since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutletTotals {
    /// Handed to the reader, marks included.
    pub sent: u64,
    /// Replaced by a newer state of the same key.
    pub conflated: u64,
    /// Lost at the bound, each counted by a mark.
    pub dropped: u64,
    /// Written to disk for a reader that was slow.
    pub spilled: u64,
    /// How long inputs over TCP waited for this reader, ns.
    pub blocked_ns: u64,
    /// What became of them behind the outlet; `None` where nobody there says.
    pub far: Option<FarSide>,
}

impl OutletTotals {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.conflated += other.conflated;
        self.dropped += other.dropped;
        self.spilled += other.spilled;
        self.blocked_ns += other.blocked_ns;
        if let Some(far) = other.far {
            self.far.get_or_insert_default().add(far);
        }
    }
}

/// One outlet now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutletStatus {
    /// Grows with every opening; unique in this process.
    pub id: u64,
    /// As opened; several may share one.
    pub name: String,
    /// What happens at the bound.
    pub policy: SlowPolicy,
    /// The bound, frames.
    pub capacity: usize,
    /// Frames that wait for the reader.
    pub waiting: usize,
    /// What became of the rest.
    pub totals: OutletTotals,
    /// What its reader says is wrong behind it, such as a broker that is gone.
    pub trouble: Option<String>,
}

/// All outlets of a node.
#[derive(Default)]
pub(crate) struct Registry {
    open: Mutex<Open>,
    pressed: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Open {
    outlets: Vec<Arc<Shared>>,
    next_id: u64,
    closed: BTreeMap<String, OutletTotals>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies a batch to the view and gives it to every outlet. The list stays locked for both, so
    /// that an outlet opened meanwhile sees each frame in its beginning or live, never in neither.
    pub fn publish(&self, view: &RwLock<MarketView>, lane: usize, frames: &[Frame]) {
        let open = self.lock();
        {
            let mut view = write(view);
            frames.iter().for_each(|frame| view.apply(lane, frame));
        }
        for outlet in &open.outlets {
            outlet.push(lane, frames);
        }
    }

    /// Flags what `lane` published, in the view and for every outlet.
    pub fn interrupt(&self, view: &RwLock<MarketView>, lane: usize) {
        let open = self.lock();
        let mut flagged = Vec::new();
        {
            let mut view = write(view);
            view.interrupt(lane);
            if !open.outlets.is_empty() {
                view.current(|of, frame| {
                    if of == lane && matches!(frame, Frame::Book(_) | Frame::Feed(_)) {
                        flagged.push(frame);
                    }
                });
            }
        }
        for outlet in &open.outlets {
            outlet.push(lane, &flagged);
        }
    }

    pub(super) fn close(&self, shared: &Arc<Shared>) {
        let mut open = self.lock();
        open.outlets.retain(|outlet| !Arc::ptr_eq(outlet, shared));
        let mut inner = shared.lock();
        shared.release(&mut inner);
        let is_known = open.closed.contains_key(&shared.name);
        let name = if is_known || open.closed.len() < CLOSED_NAMES_LIMIT {
            shared.name.clone()
        } else {
            "(others)".to_owned()
        };
        let totals = shared.totals(&inner);
        open.closed.entry(name).or_default().add(totals);
    }
}

fn write(view: &RwLock<MarketView>) -> RwLockWriteGuard<'_, MarketView> {
    view.write().unwrap_or_else(PoisonError::into_inner)
}

/// The ways out of a node: opens outlets and tells about them.
#[derive(Clone, Copy)]
pub struct Outlets<'a> {
    registry: &'a Arc<Registry>,
    view: &'a RwLock<MarketView>,
}

impl<'a> Outlets<'a> {
    pub(crate) fn new(registry: &'a Arc<Registry>, view: &'a RwLock<MarketView>) -> Self {
        Self { registry, view }
    }

    /// Opens an outlet for every kind of frame, with room for `capacity` frames that wait (at least
    /// 2; a frame takes up to about 700 bytes). It begins with what is known now.
    #[must_use]
    pub fn open(&self, name: &str, policy: SlowPolicy, capacity: usize) -> Outlet {
        self.open_for(name, policy, capacity, Kinds::ALL)
    }

    /// Opens an outlet for some kinds of frames.
    #[must_use]
    pub fn open_for(
        &self,
        name: &str,
        policy: SlowPolicy,
        capacity: usize,
        kinds: Kinds,
    ) -> Outlet {
        self.open_with(name, policy, capacity, kinds, None)
    }

    /// Opens an outlet with [`SlowPolicy::Spill`]; and how many frames an earlier run left on disk, which are
    /// removed: instruments have other numbers in each run.
    ///
    /// # Errors
    /// When the folder cannot be used, or the system gives no thread.
    pub fn open_spilling(
        &self,
        name: &str,
        capacity: usize,
        kinds: Kinds,
        settings: &SpillSettings,
    ) -> io::Result<(Outlet, u64)> {
        let (spill, left) = Spill::open(&settings.dir.join(name), settings.limit)?;
        let outlet = self.open_with(name, SlowPolicy::Spill, capacity, kinds, Some(spill));
        Spill::spawn(outlet.shared())?;
        Ok((outlet, left))
    }

    fn open_with(
        &self,
        name: &str,
        policy: SlowPolicy,
        capacity: usize,
        kinds: Kinds,
        spill: Option<Spill>,
    ) -> Outlet {
        let mut open = self.registry.lock();
        let mut queue = Queue::new(policy, capacity);
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        view.current(|lane, frame| {
            if kinds.has(Kind::of(&frame)) {
                queue.begin(lane, frame);
            }
        });
        drop(view);
        let id = open.next_id;
        open.next_id += 1;
        let shared = Arc::new(Shared {
            id,
            name: name.to_owned(),
            policy,
            capacity,
            kinds,
            spill,
            inner: Mutex::new(Inner::new(queue)),
            filled: Condvar::new(),
            pressed: Arc::clone(&self.registry.pressed),
        });
        open.outlets.push(Arc::clone(&shared));
        drop(open);
        Outlet::new(shared, Arc::clone(self.registry))
    }

    /// Whether a reader with [`SlowPolicy::Block`] is full. An input over TCP that finds so reads no
    /// more until it is not, and tells how long with [`Outlets::waited`]. Cheap: one load.
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        self.registry.pressed.load(Ordering::Acquire) > 0
    }

    /// An input over TCP waited so long for those readers.
    pub fn waited(&self, ns: u64) {
        for outlet in &self.registry.lock().outlets {
            if outlet.policy == SlowPolicy::Block {
                let mut inner = outlet.lock();
                inner.blocked_ns += ns;
            }
        }
    }

    /// Every open outlet, oldest first.
    #[must_use]
    pub fn status(&self) -> Vec<OutletStatus> {
        let open = self.registry.lock();
        open.outlets.iter().map(|outlet| outlet.status()).collect()
    }

    /// Totals by name, closed outlets included: counters that never fall.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<String, OutletTotals> {
        let open = self.registry.lock();
        let mut totals = open.closed.clone();
        for outlet in &open.outlets {
            let own = outlet.totals(&outlet.lock());
            totals.entry(outlet.name.clone()).or_default().add(own);
        }
        totals
    }
}
