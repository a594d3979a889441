//! Which neighbours a vertex keeps, and how a link is written.

use crate::arch::{BLOCK, Codes, Kernels, Range, half};
use crate::code::{Factors, Query, length_squared_about, write_signs};

use super::Graph;
use super::arena::{Arena, LinkBlock};

/// A neighbour of a vertex.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Neighbour {
    /// Squared distance of the rows as bytes.
    pub distance: f32,
    pub slot: u32,
    /// Only fills the block: a nearer neighbour leads there as well.
    pub is_weak: bool,
}

impl Graph {
    /// Chooses at most 32 of `candidates`, sorted nearest first. One that is nearer to a chosen
    /// neighbour than to the vertex (or equal to that neighbour) is left out, as it is reached through that one; places that
    /// stay free are filled with the nearest of those left out, because estimating 32 neighbours
    /// costs what estimating fewer costs.
    pub(super) fn prune(&self, candidates: &[(f32, u32)]) -> Vec<Neighbour> {
        let (mut chosen, mut left): (Vec<Neighbour>, Vec<Neighbour>) = (Vec::new(), Vec::new());
        for &(distance, slot) in candidates {
            if chosen.len() == BLOCK {
                break;
            }
            let own = self.arena.width().own(self.arena.row(slot));
            let limit = distance / self.settings.alpha;
            let is_led_to = chosen
                .iter()
                .any(|other| own.distance(self.kernels, self.arena.row(other.slot)) <= limit);
            let to = if is_led_to { &mut left } else { &mut chosen };
            to.push(Neighbour {
                distance,
                slot,
                is_weak: is_led_to,
            });
        }
        let free = BLOCK - chosen.len();
        chosen.extend(left.into_iter().take(free));
        chosen
    }
}

/// Writes `neighbours` as the links of `vertex`.
pub(super) fn write_all(
    kernels: &Kernels,
    arena: &Arena,
    vertex: u32,
    neighbours: &[Neighbour],
) -> LinkBlock {
    let mut block = LinkBlock::empty(arena);
    for (place, neighbour) in neighbours.iter().enumerate() {
        write(kernels, arena, vertex, place, neighbour.slot, &mut block);
        block.weak |= u32::from(neighbour.is_weak) << place;
    }
    block.count = neighbours.len() as u32;
    block
}

/// Writes `neighbour` as link `place` of `vertex`.
pub(super) fn write(
    kernels: &Kernels,
    arena: &Arena,
    vertex: u32,
    place: usize,
    neighbour: u32,
    block: &mut LinkBlock,
) {
    block.ids_mut()[place] = neighbour;
    let Some(codes) = block.codes_mut() else {
        return;
    };
    let (from, to) = (arena.row(vertex), arena.row(neighbour));
    let mut room = [0u16; crate::DIM_MAX / 16];
    let signs = &mut room[..arena.padded() / 16];
    let sums = kernels.edge((from.0, from.1.step), (to.0, to.1.step), signs);
    let factors = Factors::new(sums, arena.padded());
    codes.add[place] = factors.add;
    codes.mul[place] = factors.mul;
    write_signs(codes.bytes, place, signs);
}

/// A newcomer that chose a vertex as its neighbour and asks for a link back.
pub(super) struct Newcomer<'a> {
    pub slot: u32,
    /// Squared distance to the vertex.
    pub distance: f32,
    /// Its row as a query.
    pub query: &'a Query,
}

impl Graph {
    /// Gives the newcomer a place among the links of `vertex` if it deserves one, and says whether
    /// it got it.
    ///
    /// All 32 neighbours' distances to the newcomer are estimated from their codes at once, and
    /// their lengths are known from the factors: the rule of [`prune`](Self::prune) is
    /// applied to the newcomer without fetching one other row. A compact graph fetches them.
    pub(super) fn link_back(&self, vertex: u32, block: &mut LinkBlock, new: &Newcomer<'_>) -> bool {
        let count = block.count as usize;
        let links = block.links();
        if links.ids[..count].contains(&new.slot) {
            return true;
        }
        let (estimates, lengths) = if self.settings.layout.is_coded() {
            self.estimated(&links.codes, new)
        } else {
            self.compared(vertex, &links.ids[..count], new)
        };
        let alpha = self.settings.alpha;
        let is_led_to =
            (0..count).any(|n| lengths[n] <= new.distance && estimates[n] * alpha <= new.distance);
        let mut beaten = 0u32;
        for n in 0..count {
            let is_beaten = new.distance < lengths[n] && estimates[n] * alpha < lengths[n];
            beaten |= u32::from(is_beaten && !is_led_to) << n;
        }
        let place = if count < BLOCK {
            Some(count)
        } else if let Some(place) = self.deleted.first_of(links.ids) {
            Some(place)
        } else if is_led_to {
            farthest(&lengths, block.weak).filter(|&n| lengths[n] > new.distance)
        } else {
            farthest(&lengths, beaten)
                .or_else(|| farthest(&lengths, block.weak))
                .or_else(|| farthest(&lengths, !0).filter(|&n| lengths[n] > new.distance))
        };
        let Some(place) = place else {
            return false;
        };
        block.weak |= beaten;
        block.weak = block.weak & !(1 << place) | u32::from(is_led_to) << place;
        block.count = block.count.max(place as u32 + 1);
        write(self.kernels, &self.arena, vertex, place, new.slot, block);
        true
    }
}

impl Graph {
    /// Distances of the newcomer to a vertex's neighbours, and of those to the vertex, from the codes.
    fn estimated(&self, codes: &Codes<'_>, new: &Newcomer<'_>) -> ([f32; BLOCK], [f32; BLOCK]) {
        let mut estimates = [0.0; BLOCK];
        let range = Range {
            base: new.distance,
            bound: 0.0,
            ahead: &[],
        };
        let table = new.query.table();
        self.kernels.estimate(codes, &table, &range, &mut estimates);
        let lengths = codes.mul.map(|mul| length_squared_about(half(mul)));
        (estimates, lengths)
    }

    /// The same from the rows, where there are no codes.
    fn compared(
        &self,
        vertex: u32,
        neighbours: &[u32],
        new: &Newcomer<'_>,
    ) -> ([f32; BLOCK], [f32; BLOCK]) {
        let (mut distances, mut lengths) = ([0.0; BLOCK], [0.0; BLOCK]);
        for &slot in neighbours {
            self.arena.prefetch_row(slot);
        }
        let width = self.arena.width();
        let own = width.own(self.arena.row(vertex));
        for (n, &slot) in neighbours.iter().enumerate() {
            let row = self.arena.row(slot);
            distances[n] = width.distance(self.kernels, new.query, row);
            lengths[n] = own.distance(self.kernels, row);
        }
        (distances, lengths)
    }
}

/// The place with the greatest length among those of `mask`.
fn farthest(lengths: &[f32; BLOCK], mask: u32) -> Option<usize> {
    let places = (0..BLOCK).filter(|n| mask >> n & 1 == 1);
    places.max_by(|&a, &b| lengths[a].total_cmp(&lengths[b]))
}
