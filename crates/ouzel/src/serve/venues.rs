//! Venues that speak WebSocket, as the command line names them.

use std::sync::Arc;
use std::time::Duration;

use market::pipeline::PipelineConfig;
use node::{DepthLane, Node};
use server::Probe;
use server::connect::{self, Settings, Status, Venue};
use tokio::sync::watch;

use crate::args::{ServeArgs, VenueArgs};

const INSTRUMENTS_LIMIT: usize = 256;

/// Starts a connector for each venue asked for; the first feeds lane `first`.
pub fn start(
    args: &ServeArgs,
    first: usize,
    node: &Arc<Node>,
    stopped: &watch::Receiver<bool>,
) -> Vec<Probe> {
    let all = settings(&args.venues);
    if first == 0 && !all.is_empty() {
        let labels: Vec<&str> = all.iter().map(|s| s.venue.label()).collect();
        node.market_mut().venue.label = labels.join(", ");
    }
    let start = |(idx, settings): (usize, Settings)| {
        let (venue, lane) = (settings.venue, first + idx);
        let config = PipelineConfig {
            instruments_limit: INSTRUMENTS_LIMIT,
            ..args.windows.config()
        };
        node.market_mut().name_lane(lane, venue.name());
        let lane = DepthLane::new(venue.depth_venue(), venue.name(), &config, lane);
        let status = Arc::new(Status::new(venue.name(), &settings.urls));
        let probe = status.probe();
        let connector = connect::run(Arc::clone(node), lane, settings, status, stopped.clone());
        tokio::spawn(connector);
        probe
    };
    all.into_iter().enumerate().map(start).collect()
}

/// What to connect to, one entry a venue.
fn settings(args: &VenueArgs) -> Vec<Settings> {
    let silence = args.silence.map(Duration::from_secs_f64);
    let is_url = |text: &&String| text.contains("://");
    let is_usdm = |text: &&String| is_url(text) && text.contains("://fstream");
    let spot: Vec<String> = args
        .binance
        .iter()
        .filter(|t| !is_usdm(t))
        .cloned()
        .collect();
    let usdm = args.binance.iter().filter(is_usdm);
    let usdm: Vec<String> = usdm.chain(&args.binance_usdm).cloned().collect();
    let mut all = Vec::new();
    for (venue, given, rest) in [
        (Venue::Binance, spot, &args.binance_rest),
        (Venue::BinanceUsdm, usdm, &args.binance_usdm_rest),
    ] {
        if given.is_empty() {
            continue;
        }
        let symbols: Vec<String> = given.iter().filter(|t| !is_url(t)).cloned().collect();
        let mut urls: Vec<String> = given.iter().filter(is_url).cloned().collect();
        if !symbols.is_empty() {
            urls.push(venue.url(&symbols));
        }
        // An address elsewhere is a stand-in, whose snapshots the venue does not have.
        let is_real = urls.iter().any(|url| url.contains("binance.com"));
        let own = venue.rest().filter(|_| is_real).map(str::to_owned);
        all.push(Settings {
            venue,
            urls,
            symbols: Vec::new(),
            rest: rest.clone().or(own),
            silence,
        });
    }
    for (venue, symbols, url) in [
        (Venue::Kraken, &args.kraken, &args.kraken_url),
        (Venue::Coinbase, &args.coinbase, &args.coinbase_url),
        (Venue::Okx, &args.okx, &args.okx_url),
    ] {
        if symbols.is_empty() {
            continue;
        }
        all.push(Settings {
            venue,
            urls: vec![url.clone().unwrap_or_else(|| venue.url(symbols))],
            symbols: symbols.clone(),
            rest: None,
            silence,
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_and_addresses_become_connections() {
        let args = VenueArgs {
            binance: vec![
                "BTCUSDT".to_owned(),
                "wss://fstream.binance.com/stream?streams=btcusdt@trade".to_owned(),
            ],
            kraken: vec!["XBT/USD".to_owned(), "ETH/USD".to_owned()],
            okx: vec!["BTC-USDT".to_owned()],
            okx_url: Some("ws://127.0.0.1:9/x".to_owned()),
            ..VenueArgs::default()
        };
        let all = settings(&args);
        let venues: Vec<Venue> = all.iter().map(|s| s.venue).collect();
        let want = [
            Venue::Binance,
            Venue::BinanceUsdm,
            Venue::Kraken,
            Venue::Okx,
        ];
        assert_eq!(venues, want);
        assert_eq!(
            all[0].urls,
            ["wss://stream.binance.com:9443/stream?streams=btcusdt@depth@100ms/btcusdt@trade"]
        );
        assert_eq!(all[0].rest.as_deref(), Venue::Binance.rest());
        assert_eq!(all[1].rest.as_deref(), Venue::BinanceUsdm.rest());
        assert_eq!((all[2].urls.len(), all[2].symbols.len()), (1, 2));
        assert_eq!(all[3].urls, ["ws://127.0.0.1:9/x"]);
    }
}
