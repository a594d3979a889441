//! How fast the venue speaks, in memory: `cargo run --release -p venue --example speed -- 5000000`.
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::time::Instant;
use venue::{Venue, VenueConfig};

fn main() {
    let wanted = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(5_000_000);
    let midnight = 1_795_392_000_000_000_000;
    let mut venue = Venue::new(VenueConfig {
        rate: 1_000_000.0,
        opening_peak: 0.0,
        ..VenueConfig::new(1, midnight + 34_200_000_000_000, midnight)
    });
    let (mut bytes, mut until) = (0u64, midnight + 34_200_000_000_000);
    let start = Instant::now();
    while venue.seq() < wanted {
        until += 10_000_000;
        venue.step(until, &mut |message: &[u8]| bytes += message.len() as u64);
    }
    let seconds = start.elapsed().as_secs_f64();
    let (count, live) = (venue.seq(), venue.live_orders());
    let rate = count as f64 / seconds / 1e6;
    println!("{count} messages, {bytes} bytes, {live} live orders: {rate:.2} M messages/s");
}
