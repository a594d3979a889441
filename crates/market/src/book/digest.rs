//! A hash that two machines can compare to know that their books are equal.
//!
//! Folded 64 x 64 -> 128 bit multiplication (as in wyhash): deterministic on every machine, good
//! enough against accidents, no defence against an adversary.

/// The salt of an instrument's digest: a hash of its padded symbol, since ids differ by machine.
#[must_use]
pub fn symbol_key(symbol: &[u8; 16]) -> u64 {
    let number = u128::from_le_bytes(*symbol);
    fold(fold(SEED, number as u64), (number >> 64) as u64)
}

/// A hash of two ladders, each given as a visit of `(rank, qty, orders)`, best first.
#[must_use]
pub fn digest_of_ladders(
    key: u64,
    bids: impl FnOnce(&mut dyn FnMut(i64, u64, u32)),
    asks: impl FnOnce(&mut dyn FnMut(i64, u64, u32)),
) -> u64 {
    let mut hash = fold(SEED, key);
    let mut count = 0u64;
    bids(&mut |rank, qty, orders| {
        hash = fold_level(hash, rank, qty, orders);
        count += 1;
    });
    hash = fold(hash, count);
    asks(&mut |rank, qty, orders| {
        hash = fold_level(hash, rank, qty, orders);
        count += 1;
    });
    fold(hash, count)
}

const SEED: u64 = 0xa076_1d64_78bd_642f;
const STEP: u64 = 0xe703_7ed1_a0b4_28db;

fn fold_level(hash: u64, rank: i64, qty: u64, orders: u32) -> u64 {
    fold(
        fold(hash, rank as u64),
        qty ^ u64::from(orders).rotate_left(40),
    )
}

fn fold(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash ^ value ^ STEP) * u128::from(hash.rotate_left(32) | 1);
    (product as u64) ^ (product >> 64) as u64 ^ value.wrapping_mul(STEP)
}
