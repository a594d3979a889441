//! Missing ranges, and the requests in flight for them.

use super::MoldConfig;

/// A missing range `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hole {
    from: u64,
    to: u64,
    seen_at_ns: u64,
    /// Everything before this was asked for at least once.
    asked_to: u64,
    is_lost: bool,
}

impl Hole {
    /// Whether it may be passed over. The packet that opened it is not enough: of the lines that
    /// have spoken since, one must say that there is more; or all of them be silent for long.
    fn is_confirmed(&self, claims: [(u64, u64); 2], doubt_ns: u64, now_ns: u64) -> bool {
        let since = claims.iter().filter(|(_, at_ns)| *at_ns >= self.seen_at_ns);
        match since.map(|&(end, _)| end).max() {
            Some(furthest) => furthest > self.from,
            None => self.seen_at_ns.saturating_add(doubt_ns) <= now_ns,
        }
    }
}

/// A request in flight for `[from, to)`.
#[derive(Clone, Copy, Debug)]
struct Ask {
    from: u64,
    to: u64,
    /// When it counts as unanswered.
    due_ns: u64,
    tries: u32,
}

/// What one call of [`Holes::pump`] did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pump {
    /// Messages asked for the first time.
    pub(super) asked: u64,
    /// Some hole has outlived the wait for the other line.
    pub(super) is_aged: bool,
}

/// Holes in ascending order, without overlap.
#[derive(Debug)]
pub(super) struct Holes {
    list: Vec<Hole>,
    asks: Vec<Ask>,
    config: MoldConfig,
    /// Messages given up together. It doubles while the server stays silent, so that a server
    /// without the history asked for does not hold up the feed chunk by chunk.
    give_up_span: u64,
    growths: u64,
}

impl Holes {
    pub(super) fn new(config: &MoldConfig) -> Self {
        Self {
            list: Vec::with_capacity(config.reorder_packets + 2 * config.retransmit_in_flight + 8),
            asks: Vec::with_capacity(config.retransmit_in_flight),
            config: *config,
            give_up_span: u64::from(config.retransmit_chunk),
            growths: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Where the first hole begins and when it was seen; `None` when it is given up already.
    pub(super) fn first(&self) -> Option<(u64, u64)> {
        let hole = self.list.first().filter(|hole| !hole.is_lost)?;
        Some((hole.from, hole.seen_at_ns))
    }

    pub(super) fn growths(&self) -> u64 {
        self.growths
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.asks.clear();
    }

    /// A new hole behind all others.
    pub(super) fn open(&mut self, from: u64, to: u64, now_ns: u64) {
        let is_crowded = self.list.len() * 2 > self.list.capacity();
        if let Some(last) = self.list.last_mut()
            && last.to == from
            && !last.is_lost
            && is_crowded
        {
            // Packets dropped one after the other by a full arena make one hole.
            last.to = to;
            return;
        }
        self.growths += u64::from(self.list.len() == self.list.capacity());
        self.list.push(Hole {
            from,
            to,
            seen_at_ns: now_ns,
            asked_to: from,
            is_lost: false,
        });
    }

    /// `[from, to)` had come and was dropped for want of room. The server is not to blame: what
    /// is in flight for it starts anew.
    pub(super) fn reopen(&mut self, from: u64, to: u64, now_ns: u64) {
        let is_asked = self.forgive(from, to);
        let idx = self.list.partition_point(|hole| hole.from < from);
        if let Some(next) = self.list.get_mut(idx)
            && next.from == to
            && next.asked_to == next.from
            && !next.is_lost
            && !is_asked
        {
            (next.from, next.asked_to) = (from, from);
            return;
        }
        self.growths += u64::from(self.list.len() == self.list.capacity());
        let hole = Hole {
            from,
            to,
            seen_at_ns: now_ns,
            asked_to: if is_asked { to } else { from },
            is_lost: false,
        };
        self.list.insert(idx, hole);
    }

    /// Forgets the failed tries for `[from, to)`; true when one request covers all of it.
    pub(super) fn forgive(&mut self, from: u64, to: u64) -> bool {
        let mut is_covered = false;
        for ask in &mut self.asks {
            if ask.from < to && from < ask.to {
                ask.tries = 0;
                is_covered |= ask.from <= from && to <= ask.to;
            }
        }
        is_covered
    }

    /// How many messages of `[from, to)` are missing.
    pub(super) fn missing(&self, from: u64, to: u64) -> u64 {
        let first = self.list.partition_point(|hole| hole.to <= from);
        let touched = self.list[first..].iter().take_while(|hole| hole.from < to);
        touched
            .map(|hole| hole.to.min(to) - hole.from.max(from))
            .sum()
    }

    /// `[from, to)` came.
    pub(super) fn fill(&mut self, from: u64, to: u64) {
        let mut idx = self.list.partition_point(|hole| hole.to <= from);
        while idx < self.list.len() && self.list[idx].from < to {
            let hole = self.list[idx];
            match (hole.from < from, hole.to > to) {
                (false, false) => {
                    self.list.remove(idx);
                }
                (false, true) => {
                    self.list[idx].from = to;
                    self.list[idx].asked_to = hole.asked_to.max(to);
                    idx += 1;
                }
                (true, false) => {
                    self.list[idx].to = from;
                    self.list[idx].asked_to = hole.asked_to.min(from);
                    idx += 1;
                }
                (true, true) => {
                    self.split(idx, from, to);
                    idx += 2;
                }
            }
        }
    }

    /// The server answered something: it is alive.
    pub(super) fn answered(&mut self) {
        self.give_up_span = u64::from(self.config.retransmit_chunk);
    }

    /// Removes and returns the hole at `next_seq` if it was given up.
    pub(super) fn take_lost(&mut self, next_seq: u64) -> Option<(u64, u64)> {
        let hole = *self.list.first()?;
        if !hole.is_lost || hole.from > next_seq {
            return None;
        }
        self.list.remove(0);
        Some((hole.from, hole.to))
    }

    /// Repeats or gives up what timed out, then asks for more, giving `(seq, count)` to `request`.
    /// `claims` are what each line said last: the next number, and when.
    pub(super) fn pump(
        &mut self,
        now_ns: u64,
        claims: [(u64, u64); 2],
        mut request: impl FnMut(u64, u16),
    ) -> Pump {
        if !self.config.has_retransmit {
            return self.give_up_aged(now_ns, claims);
        }
        self.repeat(now_ns, claims, &mut request);
        let mut pump = Pump::default();
        let chunk = u64::from(self.config.retransmit_chunk.max(1));
        for hole in self.list.iter_mut().filter(|hole| !hole.is_lost) {
            if hole.seen_at_ns.saturating_add(self.config.gap_wait_ns) > now_ns {
                continue;
            }
            pump.is_aged = true;
            if self.config.has_snapshot {
                let age_limit_ns = self.config.retransmit_age_limit_ns;
                let is_old = hole.seen_at_ns.saturating_add(age_limit_ns) <= now_ns;
                let is_large = hole.to - hole.from > self.config.retransmit_span_limit;
                if (is_old || is_large) && hole.is_confirmed(claims, self.config.doubt_ns, now_ns) {
                    hole.is_lost = true;
                    continue;
                }
            }
            while hole.asked_to < hole.to && self.asks.len() < self.config.retransmit_in_flight {
                let from = hole.asked_to;
                let to = hole.to.min(from.saturating_add(chunk));
                hole.asked_to = to;
                request(from, (to - from) as u16);
                pump.asked += to - from;
                self.asks.push(Ask {
                    from,
                    to,
                    due_ns: now_ns.saturating_add(self.config.retransmit_timeout_ns),
                    tries: 1,
                });
            }
        }
        pump
    }

    /// Without a server only the other line could help, and its time is over.
    fn give_up_aged(&mut self, now_ns: u64, claims: [(u64, u64); 2]) -> Pump {
        let mut pump = Pump::default();
        for hole in &mut self.list {
            let is_aged = hole.seen_at_ns.saturating_add(self.config.gap_wait_ns) <= now_ns;
            hole.is_lost |= is_aged && hole.is_confirmed(claims, self.config.doubt_ns, now_ns);
            pump.is_aged |= is_aged;
        }
        pump
    }

    fn repeat(&mut self, now_ns: u64, claims: [(u64, u64); 2], request: &mut impl FnMut(u64, u16)) {
        let mut idx = 0;
        let mut gave_up = false;
        while idx < self.asks.len() {
            let ask = self.asks[idx];
            let Some((from, to)) = self.rest_of(ask.from, ask.to) else {
                self.asks.swap_remove(idx);
                continue;
            };
            if (from, to) != (ask.from, ask.to) {
                // An answer in part shows a server at work. Its next packet may be on the way, or
                // it answers with one packet only: the rest is due soon, and starts anew.
                let soon_ns = now_ns.saturating_add(self.config.gap_wait_ns / 8);
                self.asks[idx] = Ask {
                    from,
                    to,
                    due_ns: ask.due_ns.min(soon_ns),
                    tries: 0,
                };
                idx += 1;
                continue;
            }
            if now_ns < ask.due_ns {
                idx += 1;
                continue;
            }
            if ask.tries >= self.config.retransmit_tries {
                let to = to.max(from.saturating_add(self.give_up_span));
                self.give_up(from, to, claims, now_ns);
                self.asks.swap_remove(idx);
                gave_up = true;
                continue;
            }
            request(from, (to - from) as u16);
            self.asks[idx] = Ask {
                from,
                to,
                // A server that does not answer is not helped by asking faster.
                due_ns: now_ns.saturating_add(
                    self.config.retransmit_timeout_ns << ask.tries.saturating_sub(1).min(4),
                ),
                tries: ask.tries + 1,
            };
            idx += 1;
        }
        if gave_up {
            self.give_up_span = self.give_up_span.saturating_mul(2);
        }
    }

    /// What is still missing of `[from, to)`, from its first to its last missing message.
    fn rest_of(&self, from: u64, to: u64) -> Option<(u64, u64)> {
        let first = self.list.partition_point(|hole| hole.to <= from);
        let mut rest = None;
        let touched = self.list[first..].iter().take_while(|hole| hole.from < to);
        for hole in touched.filter(|hole| !hole.is_lost) {
            let start = rest.map_or(hole.from.max(from), |(start, _)| start);
            rest = Some((start, hole.to.min(to)));
        }
        rest
    }

    fn give_up(&mut self, from: u64, to: u64, claims: [(u64, u64); 2], now_ns: u64) {
        let mut idx = self.list.partition_point(|hole| hole.to <= from);
        while idx < self.list.len() && self.list[idx].from < to {
            let hole = self.list[idx];
            if !hole.is_confirmed(claims, self.config.doubt_ns, now_ns) {
                // Perhaps there is nothing to ask for: it starts anew.
                self.list[idx].asked_to = hole.from;
            }
            if hole.is_lost || self.list[idx].asked_to == hole.from {
                idx += 1;
                continue;
            }
            if hole.from < from {
                self.split(idx, from, from);
                idx += 1;
            }
            if hole.to > to {
                self.split(idx, to, to);
            }
            self.list[idx].is_lost = true;
            idx += 1;
        }
    }

    /// Cuts `[from, to)` out of the middle of a hole; an empty range just cuts it in two.
    fn split(&mut self, idx: usize, from: u64, to: u64) {
        let hole = self.list[idx];
        self.growths += u64::from(self.list.len() == self.list.capacity());
        self.list[idx].to = from;
        self.list[idx].asked_to = hole.asked_to.min(from);
        let right = Hole {
            from: to,
            asked_to: hole.asked_to.max(to),
            ..hole
        };
        self.list.insert(idx + 1, right);
    }
}
