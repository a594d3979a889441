//! Recall against exact search, rows that come and go, and the same bytes whoever does the work.

use stdx::Rng;

use super::*;
use crate::flat::top_k;

/// SYNTHETIC: rows around a few dozen centres, as data with structure has them.
pub(super) fn clustered(rng: &mut Rng, n: usize, dim: usize) -> Vec<f32> {
    let centres: Vec<f32> = (0..40 * dim).map(|_| rng.normal() as f32).collect();
    let mut rows = Vec::with_capacity(n * dim);
    for _ in 0..n {
        let centre = rng.below(40) as usize * dim;
        rows.extend((0..dim).map(|i| centres[centre + i] + 0.5 * rng.normal() as f32));
    }
    rows
}

fn empty(metric: Metric, dim: usize, rows: &[f32]) -> Graph {
    let frame = Frame::new(metric, dim, &rows[..rows.len().min(500 * dim)], 7);
    Graph::new(frame, Settings::default())
}

/// A graph with its rows by slot.
pub(super) struct Twin {
    pub graph: Graph,
    pub rows: Vec<f32>,
    is_live: Vec<bool>,
}

impl Twin {
    fn new(metric: Metric, dim: usize, rows: &[f32], team: &dyn Team) -> Self {
        let mut twin = Self::of(empty(metric, dim, rows));
        twin.insert(rows, team);
        twin
    }

    /// Of an empty graph.
    pub fn of(graph: Graph) -> Self {
        Self {
            graph,
            rows: Vec::new(),
            is_live: Vec::new(),
        }
    }

    pub fn insert(&mut self, rows: &[f32], team: &dyn Team) {
        let dim = self.graph.frame().dim();
        let slots = self.graph.insert(rows, team);
        self.rows.resize(self.graph.slots() * dim, 0.0);
        self.is_live.resize(self.graph.slots(), false);
        for (&slot, row) in slots.iter().zip(rows.chunks(dim)) {
            let at = slot as usize;
            assert!(!self.is_live[at], "a slot is given to one row at a time");
            self.is_live[at] = true;
            self.rows[at * dim..(at + 1) * dim].copy_from_slice(row);
        }
        self.check();
    }

    pub fn delete(&mut self, slots: &[u32], team: &dyn Team) {
        self.graph.delete(slots, team);
        slots
            .iter()
            .for_each(|&slot| self.is_live[slot as usize] = false);
        self.check();
    }

    /// What must hold of every graph.
    fn check(&self) {
        let graph = &self.graph;
        let live = self.is_live.iter().filter(|&&is_live| is_live).count();
        assert_eq!(graph.len(), live);
        let mut links_in = vec![0; graph.slots()];
        for slot in 0..graph.slots() as u32 {
            let neighbours = graph.arena.neighbours(slot);
            let mut distinct = neighbours.to_vec();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), neighbours.len(), "no link twice");
            assert!(!neighbours.contains(&slot), "no link to itself");
            neighbours.iter().for_each(|&n| links_in[n as usize] += 1);
        }
        for (slot, &count) in links_in.iter().enumerate() {
            let header = graph.arena.slot(slot as u32).header;
            assert_eq!(header.links_in, count);
            assert_eq!(header.flags == 0, self.is_live[slot]);
            assert_eq!(
                graph.deleted.has(slot as u32),
                header.flags == arena::DELETED
            );
            assert_eq!(
                graph.free.contains(&(slot as u32)),
                header.flags == arena::FREE
            );
        }
    }

    pub fn recall(&self, queries: &[f32], ef: usize, filter: impl Fn(u32) -> bool) -> f64 {
        let mut scratch = WalkScratch::default();
        let search = |query: &[f32]| self.graph.search(query, 10, ef, &filter, &mut scratch);
        self.recall_of(queries, &filter, search)
    }

    /// As `recall`, with some ordered again by whole rows.
    pub fn recall_reranked(&self, queries: &[f32], effort: (usize, usize)) -> f64 {
        let (dim, mut scratch) = (self.graph.frame().dim(), WalkScratch::default());
        let row = |slot: u32| &self.rows[slot as usize * dim..][..dim];
        let graph = &self.graph;
        let search =
            |query: &[f32]| graph.search_reranked(query, 10, effort, |_| true, row, &mut scratch);
        self.recall_of(queries, |_| true, search)
    }

    fn recall_of(
        &self,
        queries: &[f32],
        filter: impl Fn(u32) -> bool,
        mut search: impl FnMut(&[f32]) -> Vec<Hit>,
    ) -> f64 {
        let (dim, mut hits, mut count) = (self.graph.frame().dim(), 0, 0);
        for query in queries.chunks(dim) {
            let live = |slot: u32| self.is_live[slot as usize] && filter(slot);
            let want = top_k(self.graph.metric(), dim, &self.rows, query, 10, live);
            let got = search(query);
            assert!(got.iter().all(|hit| live(hit.slot)));
            let is_found = |slot: u32| got.iter().any(|hit| hit.slot == slot);
            hits += want.iter().filter(|hit| is_found(hit.slot)).count();
            count += want.len();
        }
        hits as f64 / count as f64
    }
}

/// All of a graph's bytes.
pub(super) fn bytes(graph: &Graph) -> Vec<u8> {
    (0..graph.slots() as u32)
        .flat_map(|slot| graph.arena.bytes(slot).to_vec())
        .collect()
}

/// As many threads as it says.
pub(super) struct Threads(pub usize);

impl Team for Threads {
    fn run(&self, count: usize, job: &(dyn Fn(usize) + Sync)) {
        let next = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.0 {
                scope.spawn(|| {
                    loop {
                        let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if n >= count {
                            break;
                        }
                        job(n);
                    }
                });
            }
        });
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn finds_what_exact_search_finds() {
    for (metric, dim) in [(Metric::L2, 48), (Metric::Cosine, 100), (Metric::L2, 256)] {
        let mut all = clustered(&mut Rng::new(11), 4_100, dim);
        if metric == Metric::Cosine {
            all.chunks_mut(dim)
                .for_each(|row| crate::normalise(row).unwrap());
        }
        let (queries, rows) = all.split_at(100 * dim);
        let twin = Twin::new(metric, dim, rows, &Alone);
        let recall = twin.recall(queries, 100, |_| true);
        assert!(recall > 0.95, "{metric:?} {dim}: {recall}");
        // Scores are the metric's own.
        let mut scratch = WalkScratch::default();
        let query = &queries[..dim];
        let row = |slot: u32| &twin.rows[slot as usize * dim..(slot as usize + 1) * dim];
        let near = twin.graph.search(query, 5, 60, |_| true, &mut scratch);
        let exact = twin
            .graph
            .search_reranked(query, 5, (60, 20), |_| true, row, &mut scratch);
        for (near, exact) in near.iter().zip(&exact) {
            assert!((near.score - exact.score).abs() < 0.02 * exact.score.abs().max(1.0));
        }
        assert_eq!(exact, top_k(metric, dim, &twin.rows, query, 5, |_| true));
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn every_row_is_reached() {
    let dim = 64;
    let rows = clustered(&mut Rng::new(5), 3_000, dim);
    let twin = Twin::new(Metric::L2, dim, &rows, &Alone);
    let mut scratch = WalkScratch::default();
    let missed = rows.chunks(dim).enumerate().filter(|(slot, row)| {
        let hits = twin.graph.search(row, 1, 40, |_| true, &mut scratch);
        hits[0].slot != *slot as u32
    });
    let missed = missed.count();
    assert!(missed <= 3, "{missed} of 3,000");
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn the_same_bytes_at_any_number_of_threads() {
    let dim = 40;
    let mut rng = Rng::new(3);
    let (rows, more) = (
        clustered(&mut rng, 1_500, dim),
        clustered(&mut rng, 400, dim),
    );
    let gone: Vec<u32> = (0..1_500).filter(|slot| slot % 3 == 0).collect();
    let run = |team: &dyn Team| {
        let mut twin = Twin::new(Metric::L2, dim, &rows, team);
        twin.delete(&gone, team);
        twin.insert(&more, team);
        bytes(&twin.graph)
    };
    let alone = run(&Alone);
    assert!(alone == run(&Threads(2)) && alone == run(&Threads(5)));
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn the_same_bytes_with_any_instructions() {
    let dim = 70;
    let rows = clustered(&mut Rng::new(31), 700, dim);
    let all = Kernels::available();
    let mut built = all.iter().map(|kernels| {
        let mut graph = empty(Metric::L2, dim, &rows);
        // As long as the program: tests are few, and so are the kernels.
        graph.kernels = Box::leak(Box::new(*kernels));
        graph.insert(&rows, &Alone);
        graph.delete(&[3, 5, 8], &Alone);
        bytes(&graph)
    });
    let scalar = built.next().expect("scalar is always there");
    assert!(built.all(|other| other == scalar));
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn filters_are_part_of_the_walk() {
    let dim = 48;
    let all = clustered(&mut Rng::new(21), 6_050, dim);
    let (queries, rows) = all.split_at(50 * dim);
    let twin = Twin::new(Metric::L2, dim, rows, &Alone);
    for every in [2, 10, 100] {
        let recall = twin.recall(queries, 60, |slot| slot % every == 0);
        assert!(recall > 0.95, "1 in {every}: {recall}");
    }
    assert_eq!(twin.recall(queries, 60, |slot| slot == 77), 1.0);
}

/// Rows of very different lengths, so that the nearest and the greatest product are not the same.
#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn finds_the_greatest_products() {
    let (mut rng, dim) = (Rng::new(31), 64);
    let mut all = clustered(&mut rng, 3_100, dim);
    for row in all.chunks_exact_mut(dim) {
        let length = (0.4 * rng.normal()).exp() as f32;
        row.iter_mut().for_each(|value| *value *= length);
    }
    let (queries, rows) = all.split_at(100 * dim);
    let twin = Twin::new(Metric::Ip, dim, rows, &Alone);
    let recall = twin.recall(queries, 100, |_| true);
    assert!(recall > 0.95, "{recall}");
    let row = |slot: u32| &twin.rows[slot as usize * dim..(slot as usize + 1) * dim];
    let mut scratch = WalkScratch::default();
    let greatest = rows
        .chunks(dim)
        .map(|row| row.iter().map(|v| v * v).sum::<f32>());
    let greatest = greatest.fold(0.0f32, f32::max).sqrt();
    for query in queries.chunks(dim) {
        let length = query.iter().map(|v| v * v).sum::<f32>().sqrt();
        for hit in twin.graph.search(query, 10, 100, |_| true, &mut scratch) {
            let whole = twin.graph.kernels.dot(query, row(hit.slot));
            assert!(
                (hit.score - whole).abs() < length * greatest / 64.0,
                "{hit:?} {whole}"
            );
        }
    }
    let zero = vec![0.0; dim];
    let hits = twin.graph.search(&zero, 3, 20, |_| true, &mut scratch);
    assert!(hits.len() == 3 && hits.iter().all(|hit| hit.score == 0.0));
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn sketches_tell_which_rows_to_read() {
    for (metric, dim) in [(Metric::L2, 24), (Metric::Cosine, 130), (Metric::L2, 384)] {
        let mut rng = Rng::new(9);
        let mut rows = clustered(&mut rng, 3_000, dim);
        if metric == Metric::Cosine {
            for row in rows.chunks_mut(dim) {
                crate::normalise(row).expect("no row of zeros");
            }
        }
        let mut twin = Twin::new(metric, dim, &rows[..2_900 * dim], &Alone);
        let mut sketch = Sketch::of(&twin.graph);
        let gone: Vec<u32> = (0..2_900).step_by(7).collect();
        twin.delete(&gone, &Alone);
        let slots = twin.graph.insert(&rows[2_900 * dim..], &Alone);
        slots
            .iter()
            .for_each(|&slot| sketch.take(&twin.graph, slot));
        let mut scratch = WalkScratch::default();
        let (mut found, mut read) = (0, 0);
        for query in rows.chunks(dim).step_by(60) {
            let among = || (0..twin.graph.slots() as u32).filter(|slot| slot % 3 != 1);
            let exact = twin.graph.search_among(query, 10, among(), &mut scratch);
            let hits = twin
                .graph
                .search_among_sketched(query, 10, among(), &sketch, &mut scratch);
            assert_eq!(hits.len(), 10);
            found += exact.iter().filter(|hit| hits.contains(hit)).count();
            read += scratch.visits;
        }
        assert!(found >= 490, "{metric:?} {dim}: {found} of 500");
        let most = if dim < 64 { 1_000 } else { 600 };
        assert!(read < 50 * most, "{metric:?} {dim}: {read} rows read");
        let few = twin.graph.search_among_sketched(
            &rows[..dim],
            10,
            [1, 2, 7, 8].into_iter(),
            &sketch,
            &mut scratch,
        );
        assert_eq!(few.len(), 3, "one of them is deleted");
        let none = twin
            .graph
            .search_among_sketched(&rows[..dim], 0, 0..50, &sketch, &mut scratch);
        assert!(none.is_empty());
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn a_walk_gives_up_after_so_many_visits() {
    let mut rng = Rng::new(5);
    let (dim, rows) = (24, clustered(&mut rng, 2_000, 24));
    let twin = Twin::new(Metric::L2, dim, &rows, &Alone);
    let mut scratch = WalkScratch::default();
    let query = &rows[..dim];
    // What is nearest cannot be seen, so the walk has to pass through it.
    let visible = |slot: u32| slot % 50 == 7;
    let found = twin.graph.search(query, 5, 20, visible, &mut scratch);
    let visits = scratch.visits;
    assert!(visits > 40);
    let bounded = |max_visits, scratch: &mut WalkScratch| {
        let effort = (20, max_visits);
        twin.graph
            .search_bounded(query, 5, effort, visible, scratch)
    };
    assert_eq!(bounded(visits, &mut scratch), Some(found));
    assert_eq!(bounded(visits - 1, &mut scratch), None);
    assert_eq!(scratch.visits, visits - 1);
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn given_rows_are_all_compared() {
    let dim = 48;
    let all = clustered(&mut Rng::new(22), 1_020, dim);
    let (queries, rows) = all.split_at(20 * dim);
    let mut twin = Twin::new(Metric::L2, dim, rows, &Alone);
    twin.delete(&[4, 8], &Alone);
    let mut scratch = WalkScratch::default();
    for count in [0, 1, 5, 200, 1_000u32] {
        for query in queries.chunks(dim) {
            let among = (0..1_000).filter(|slot| slot % (1_000 / count.max(1)) == 0 && count > 0);
            let got = twin
                .graph
                .search_among(query, 10, among.clone(), &mut scratch);
            let is_asked = |slot: u32| among.clone().any(|other| other == slot);
            let seen = |slot: u32| twin.is_live[slot as usize] && is_asked(slot);
            let want = top_k(Metric::L2, dim, &twin.rows, query, 10, seen);
            assert_eq!(got.len(), want.len());
            let same = want
                .iter()
                .filter(|w| got.iter().any(|g| g.slot == w.slot))
                .count();
            assert!(
                same + 1 >= want.len(),
                "rows as bytes may swap the last: {same}"
            );
            assert!(got.is_sorted_by(|a, b| a.score <= b.score));
        }
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn rows_leave_and_others_come_and_nothing_is_rebuilt() {
    let dim = 64;
    let mut rng = Rng::new(9);
    let all = clustered(&mut rng, 6_200, dim);
    let (queries, rows) = all.split_at(200 * dim);
    let (first, later) = rows.split_at(4_000 * dim);
    let mut twin = Twin::new(Metric::L2, dim, first, &Alone);
    let before = twin.recall(queries, 60, |_| true);
    let mut later = later.chunks(500 * dim);
    for round in 0..4u32 {
        let live = |slot: &u32| twin.is_live[*slot as usize];
        let gone: Vec<u32> = (0..twin.graph.slots() as u32)
            .filter(|slot| slot % 8 == 2 * round)
            .filter(live)
            .collect();
        twin.delete(&gone, &Alone);
        let recall = twin.recall(queries, 60, |_| true);
        assert!(recall > before - 0.015, "deleted: {before} {recall}");
        twin.insert(later.next().unwrap(), &Alone);
        let recall = twin.recall(queries, 60, |_| true);
        assert!(recall > before - 0.015, "inserted: {before} {recall}");
    }
    // Slots are used again: as many rows came as went.
    assert!(twin.graph.slots() < 4_300, "{}", twin.graph.slots());
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn equal_rows_do_not_close_themselves_off() {
    let dim = 32;
    let mut rng = Rng::new(4);
    let all = clustered(&mut rng, 2_050, dim);
    let (queries, rows) = all.split_at(50 * dim);
    let mut mixed = Vec::new();
    for (n, row) in rows.chunks(dim).enumerate() {
        mixed.extend_from_slice(if n % 2 == 0 { row } else { &rows[..dim] });
    }
    let twin = Twin::new(Metric::L2, dim, &mixed, &Alone);
    let recall = twin.recall(queries, 60, |slot| slot % 2 == 0);
    assert!(recall > 0.95, "{recall}");
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn small_and_odd_graphs() {
    for dim in [1, 3, 65] {
        for n in [0, 1, 2, 33, 300] {
            let rows = clustered(&mut Rng::new(n as u64), n, dim);
            let mut twin = Twin::new(Metric::L2, dim, &rows, &Alone);
            let query = vec![0.25; dim];
            assert!(
                twin.recall(&query, 400, |_| true) > 0.85 || n == 0,
                "{dim} {n}"
            );
            twin.delete(&(0..n as u32).collect::<Vec<_>>(), &Alone);
            assert!(twin.graph.is_empty());
            let hits = twin
                .graph
                .search(&query, 3, 10, |_| true, &mut WalkScratch::default());
            assert!(hits.is_empty());
            twin.insert(&vec![0.0; dim * 5], &Alone);
            assert_eq!(twin.recall(&query, 10, |_| true), 1.0, "zeros {dim} {n}");
        }
    }
}

/// A lock for readers and writers, as a store would have it.
struct Locked(std::sync::RwLock<Graph>);

impl Shared for Locked {
    fn read<R>(&self, look: impl FnOnce(&Graph) -> R) -> R {
        look(&self.0.read().unwrap())
    }

    fn write<R>(&self, change: impl FnOnce(&mut Graph) -> R) -> R {
        change(&mut self.0.write().unwrap())
    }
}

/// Searches while rows come and go see rows that are there, and disturb nothing.
#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn readers_do_not_change_what_is_linked() {
    let dim = 40;
    let mut rng = Rng::new(6);
    let (rows, more) = (
        clustered(&mut rng, 2_000, dim),
        clustered(&mut rng, 900, dim),
    );
    let gone: Vec<u32> = (0..2_000).step_by(4).collect();
    let mut alone = empty(Metric::L2, dim, &rows);
    alone.insert(&rows, &Alone);
    let shared = Locked(std::sync::RwLock::new(empty(Metric::L2, dim, &rows)));
    insert(&shared, &rows, &Alone);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut scratch = WalkScratch::default();
            let (mut asked, mut missed) = (0, 0);
            let queries = rows.chunks(dim).skip(1).step_by(4).cycle();
            for query in queries.take_while(|_| !done.load(std::sync::atomic::Ordering::Acquire)) {
                let find = |graph: &Graph| graph.search(query, 1, 40, |_| true, &mut scratch);
                // Its own row is there all the while.
                (asked, missed) = (
                    asked + 1,
                    missed + usize::from(shared.read(find)[0].score > 0.1),
                );
            }
            assert!(missed * 100 <= asked, "{missed} of {asked}");
        });
        delete(&shared, &gone, &Alone);
        insert(&shared, &more, &Alone);
        done.store(true, std::sync::atomic::Ordering::Release);
    });
    alone.delete(&gone, &Alone);
    alone.insert(&more, &Alone);
    assert!(bytes(&alone) == bytes(&shared.0.read().unwrap()));
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn a_graph_is_its_bytes() {
    let dim = 72;
    let rows = clustered(&mut Rng::new(14), 5_000, dim);
    let mut twin = Twin::new(Metric::L2, dim, &rows[..4_600 * dim], &Alone);
    twin.delete(&(0..900).collect::<Vec<_>>(), &Alone);
    let (head, pieces) = (twin.graph.head(), twin.graph.pieces());
    let pieces: Vec<Vec<u8>> = pieces.map(<[_]>::to_vec).collect();
    let copies = |pieces: &[Vec<u8>]| pieces.iter().map(|piece| Piece::copied(piece)).collect();
    let mut opened = Graph::open(&head, copies(&pieces)).expect("what was written");
    assert!(opened.head() == head && opened.len() == twin.graph.len());
    let mut scratch = WalkScratch::default();
    for query in rows.chunks(dim).step_by(400) {
        let hits = |graph: &Graph, scratch: &mut _| graph.search(query, 10, 50, |_| true, scratch);
        assert_eq!(hits(&opened, &mut scratch), hits(&twin.graph, &mut scratch));
    }
    // And it goes on as if it had never been away.
    let more = &rows[4_600 * dim..];
    assert_eq!(opened.insert(more, &Alone), twin.graph.insert(more, &Alone));
    assert!(bytes(&opened) == bytes(&twin.graph) && opened.head() == twin.graph.head());

    let open = |head: &[u8], pieces: &[Vec<u8>]| Graph::open(head, copies(pieces)).err();
    assert_eq!(open(&head[..60], &pieces), Some(BadGraph::Unknown));
    assert!(matches!(
        open(&head[..head.len() - 4], &pieces),
        Some(BadGraph::Damaged(_))
    ));
    assert!(matches!(
        open(&head, &pieces[1..]),
        Some(BadGraph::Damaged(_))
    ));
    let mut wrong = head.clone();
    let at = wrong.len() - 4;
    wrong[at..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(open(&wrong, &pieces), Some(BadGraph::Damaged(_))));
}

#[test]
#[cfg_attr(
    miri,
    ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
)]
fn damaged_links_are_passed_over() {
    let dim = 64;
    let rows = clustered(&mut Rng::new(15), 1_000, dim);
    let twin = Twin::new(Metric::L2, dim, &rows, &Alone);
    let mut pieces = twin.graph.pieces().map(<[u8]>::to_vec);
    let mut piece = pieces.next().expect("a thousand slots");
    let mut rng = Rng::new(1);
    for line in piece[..1_000 * twin.graph.slot_bytes()].chunks_mut(64) {
        if rng.chance(0.1) {
            line[rng.below(64) as usize] = rng.next_u64() as u8;
        }
    }
    let graph = Graph::open(&twin.graph.head(), vec![Piece::copied(&piece)])
        .expect("only slots are damaged");
    let mut scratch = WalkScratch::default();
    for query in rows.chunks(dim) {
        let hits = graph.search(query, 10, 30, |_| true, &mut scratch);
        assert!(hits.iter().all(|hit| hit.slot < 1_000));
    }
}
