//! A planted move: the fair price runs, stale quotes are taken or pulled, new ones follow.

use crate::placement::Distance;
use crate::script::Shock;
use crate::venue::{Stage, Venue};
use market::event::Side;
use wire::itch50::{LuldAuctionCollar, Reason, StockTradingAction};

/// Between two steps of a move.
const STEP_NS: u64 = 5_000_000;
/// The same while nothing trades.
const PAUSED_STEP_NS: u64 = 100_000_000;
/// Quotes that one step may take or pull; what is left is met by the next.
const SWEEP_LIMIT: usize = 48;

/// A shock under way.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    shock: Shock,
    /// Fair price when it began and when it will be over, 1e-4.
    from: f64,
    to: f64,
    next_ns: u64,
    /// How much of the span has run, ns. Stands still during a pause.
    elapsed_ns: u64,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Until this instant.
    Paused(u64),
    /// The pause is behind it.
    Resumed,
}

impl Venue {
    /// When the next step of any shock is due; `u64::MAX` when none runs.
    pub(crate) fn shock_due(&self) -> u64 {
        self.active
            .iter()
            .map(|active| active.next_ns)
            .min()
            .unwrap_or(u64::MAX)
    }

    /// Begins the shocks whose time has come.
    pub(crate) fn start_shocks(&mut self, until_ns: u64) {
        if self.stage != Stage::Open {
            return;
        }
        while let Some(shock) = self.script.as_mut().and_then(|s| s.next_shock(until_ns)) {
            let quoted = &mut self.quoted[shock.listing];
            if quoted.shocked {
                continue; // A script with few listings may choose one that still moves.
            }
            quoted.shocked = true;
            let from = quoted.fair;
            self.active.push(Active {
                from,
                to: from * (1.0 + f64::from(shock.move_bp) * 1e-4),
                next_ns: shock.at_ns,
                elapsed_ns: 0,
                phase: Phase::Running,
                shock,
            });
        }
    }

    pub(crate) fn shock_step(&mut self, out: &mut impl FnMut(&[u8])) {
        let due = self.shock_due();
        let Some(idx) = self.active.iter().position(|active| active.next_ns == due) else {
            return;
        };
        let mut active = self.active.swap_remove(idx);
        let listing = active.shock.listing;
        if let Phase::Paused(until_ns) = active.phase {
            if due >= until_ns {
                self.resume(listing, out);
                active.phase = Phase::Resumed;
            }
        } else {
            active.elapsed_ns += STEP_NS;
        }
        self.move_fair(&active);
        self.requote(listing, active.shock.move_bp > 0, out);
        let half_way = active.elapsed_ns * 2 >= active.shock.span_ns;
        if let (Phase::Running, true, Some(halt_ns)) =
            (active.phase, half_way, active.shock.halt_ns)
        {
            self.pause(listing, out);
            active.phase = Phase::Paused(due + halt_ns);
        }
        let paused = matches!(active.phase, Phase::Paused(_));
        active.next_ns = due + if paused { PAUSED_STEP_NS } else { STEP_NS };
        if active.elapsed_ns < active.shock.span_ns {
            self.active.push(active);
            return;
        }
        let quoted = &mut self.quoted[listing];
        quoted.anchor = active.to;
        quoted.drifted_ns = self.now_ns;
        quoted.shocked = false;
    }

    /// Along a curve that starts and ends gently, with a little noise that is gone at the end.
    fn move_fair(&mut self, active: &Active) {
        if matches!(active.phase, Phase::Paused(_)) {
            return;
        }
        let progress = (active.elapsed_ns as f64 / active.shock.span_ns.max(1) as f64).min(1.0);
        let curve = progress * progress * (3.0 - 2.0 * progress);
        let noise = self.rng.normal() * 2e-4 * (1.0 - progress);
        self.quoted[active.shock.listing].fair =
            active.from + (active.to - active.from) * curve + active.from * noise;
    }

    /// Takes or pulls what the fair price has passed and quotes anew on both sides.
    fn requote(&mut self, listing: usize, up: bool, out: &mut impl FnMut(&[u8])) {
        for _ in 0..SWEEP_LIMIT {
            let Some(side) = self.offside(listing) else {
                break;
            };
            self.now_ns += 1 + self.rng.below(900);
            let front = self.books.front(listing, side, 0);
            match front {
                Some(slot) if !self.quoted[listing].paused && self.rng.chance(0.5) => {
                    let shares = self.books.order(slot).shares;
                    self.execute(slot, shares, out);
                }
                _ => self.chase(listing, side, out),
            }
        }
        let (following, leading) = if up {
            (Side::Bid, Side::Ask)
        } else {
            (Side::Ask, Side::Bid)
        };
        for side in [following, following, leading] {
            let behind = Distance::Near(self.rng.below(4) as u32);
            for distance in [Distance::Ideal, behind] {
                let reference = self.take_reference();
                self.now_ns += 1 + self.rng.below(900);
                self.add(listing, side, distance, reference, out);
            }
        }
        self.trim(listing, out);
        if self.rng.chance(0.3) {
            self.hidden_trade(listing, out);
        }
    }

    /// Quotes of the move that were left behind are pulled, so that a book does not only grow.
    fn trim(&mut self, listing: usize, out: &mut impl FnMut(&[u8])) {
        for _ in 0..6 {
            let live = self.books.live(listing);
            if live.len() <= self.quoted[listing].target_live {
                return;
            }
            let slot = live[self.rng.below(live.len() as u64) as usize];
            self.delete(slot, out);
        }
    }

    /// A limit-up limit-down pause begins.
    fn pause(&mut self, listing: usize, out: &mut impl FnMut(&[u8])) {
        self.quoted[listing].paused = true;
        self.trading_action(listing, b'P', b"LUDP", out);
        let price = self.mid(listing);
        let collar = LuldAuctionCollar::new(
            self.header(listing),
            self.quoted[listing].stock,
            price,
            price.saturating_add(price / 20),
            price - price / 20,
            0,
        );
        self.say(collar.as_bytes(), out);
        self.imbalance(listing, b'H', out);
    }

    /// The auction prints and trading goes on.
    fn resume(&mut self, listing: usize, out: &mut impl FnMut(&[u8])) {
        self.trading_action(listing, b'Q', b"R4  ", out);
        let shares = self.rng.range(5, 90) * 100;
        self.cross(listing, shares, b'H', out);
        self.quoted[listing].paused = false;
        self.trading_action(listing, b'T', b"R4  ", out);
    }

    fn trading_action(
        &mut self,
        listing: usize,
        state: u8,
        reason: &[u8; 4],
        out: &mut impl FnMut(&[u8]),
    ) {
        let stock = self.quoted[listing].stock;
        let reason = Reason::from_wire(*reason);
        let action = StockTradingAction::new(self.header(listing), stock, state, b' ', reason);
        self.say(action.as_bytes(), out);
    }
}
