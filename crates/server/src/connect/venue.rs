//! What a connector must know of each venue to stay connected: its address, requests and signs of
//! life. Sources: the venues' WebSocket documentation, as `docs/formats` names them.

use std::time::Duration;

use market::pipeline::DepthVenue;
use serde_json::{Value, json};

/// Levels of each side that are subscribed to at Kraken: 10, 25, 100, 500 or 1,000.
const KRAKEN_DEPTH: u32 = 100;

/// A venue whose public feed is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Venue {
    /// Binance spot.
    Binance,
    /// Binance USD-M futures.
    BinanceUsdm,
    /// Kraken.
    Kraken,
    /// Coinbase Exchange.
    Coinbase,
    /// OKX.
    Okx,
}

/// What keeps a connection alive and how its end is noticed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    /// A venue that is silent this long is taken for dead.
    pub(super) silence: Duration,
    /// After this long without a word, something is said to be answered.
    pub(super) ping_after: Option<Duration>,
}

impl Venue {
    /// Its name in logs, metrics and before symbols.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::BinanceUsdm => "binance-usdm",
            Self::Kraken => "kraken",
            Self::Coinbase => "coinbase",
            Self::Okx => "okx",
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Binance => "Binance",
            Self::BinanceUsdm => "Binance USD-M",
            Self::Kraken => "Kraken",
            Self::Coinbase => "Coinbase",
            Self::Okx => "OKX",
        }
    }

    /// Whose messages they are.
    #[must_use]
    pub fn depth_venue(self) -> DepthVenue {
        match self {
            Self::Binance | Self::BinanceUsdm => DepthVenue::Binance,
            Self::Kraken => DepthVenue::Kraken,
            Self::Coinbase => DepthVenue::Coinbase,
            Self::Okx => DepthVenue::Okx,
        }
    }

    /// The public address, where symbols are asked for by requests; Binance has them in its address.
    #[must_use]
    pub fn url(self, symbols: &[String]) -> String {
        let streams = || {
            let of = |symbol: &String| {
                let symbol = symbol.to_ascii_lowercase();
                format!("{symbol}@depth@100ms/{symbol}@trade")
            };
            symbols.iter().map(of).collect::<Vec<_>>().join("/")
        };
        match self {
            Self::Binance => format!("wss://stream.binance.com:9443/stream?streams={}", streams()),
            Self::BinanceUsdm => format!("wss://fstream.binance.com/stream?streams={}", streams()),
            Self::Kraken => "wss://ws.kraken.com".to_owned(),
            Self::Coinbase => "wss://ws-feed.exchange.coinbase.com".to_owned(),
            Self::Okx => "wss://ws.okx.com:8443/ws/v5/public".to_owned(),
        }
    }

    /// Where snapshots are answered over HTTP, where that is how they come.
    #[must_use]
    pub fn rest(self) -> Option<&'static str> {
        match self {
            Self::Binance => Some("https://api.binance.com/api/v3/depth"),
            Self::BinanceUsdm => Some("https://fapi.binance.com/fapi/v1/depth"),
            Self::Kraken | Self::Coinbase | Self::Okx => None,
        }
    }

    pub(super) fn signs(self) -> Signs {
        let seconds = Duration::from_secs;
        let (silence, ping_after) = match self {
            // The venue pings every 20 s (spot) or 3 minutes (futures), and is never silent so long
            // while anything trades.
            Self::Binance => (seconds(60), None),
            Self::BinanceUsdm => (seconds(240), None),
            // A heartbeat a second, each.
            Self::Kraken => (seconds(10), Some(seconds(5))),
            Self::Coinbase => (seconds(10), None),
            // The venue closes what is silent for 30 s and answers `ping`.
            Self::Okx => (seconds(30), Some(seconds(20))),
        };
        Signs {
            silence,
            ping_after,
        }
    }

    /// What to say to be answered.
    pub(super) fn ping(self) -> Option<String> {
        match self {
            Self::Kraken => Some(json!({"event": "ping"}).to_string()),
            Self::Okx => Some("ping".to_owned()),
            Self::Binance | Self::BinanceUsdm | Self::Coinbase => None,
        }
    }

    /// Requests for everything, after connecting.
    pub(super) fn subscribe(self, symbols: &[String]) -> Vec<String> {
        if symbols.is_empty() {
            return Vec::new();
        }
        let requests = match self {
            Self::Binance | Self::BinanceUsdm => Vec::new(),
            Self::Kraken => vec![
                kraken("subscribe", symbols, &kraken_book()),
                kraken("subscribe", symbols, &json!({"name": "trade"})),
            ],
            Self::Coinbase => {
                let channels = ["level2_batch", "matches", "heartbeat"];
                vec![json!({"type": "subscribe", "product_ids": symbols, "channels": channels})]
            }
            Self::Okx => vec![okx("subscribe", &["trades", "books"], symbols)],
        };
        requests.iter().map(Value::to_string).collect()
    }

    /// Requests that make the venue send the whole book of one symbol again.
    pub(super) fn resubscribe(self, symbol: &str) -> Vec<String> {
        let symbols = [symbol.to_owned()];
        let both = ["unsubscribe", "subscribe"];
        let requests = match self {
            Self::Binance | Self::BinanceUsdm => Vec::new(),
            Self::Kraken => both
                .map(|verb| kraken(verb, &symbols, &kraken_book()))
                .to_vec(),
            Self::Coinbase => both
                .map(|verb| json!({"type": verb, "product_ids": symbols, "channels": ["level2_batch"]}))
                .to_vec(),
            Self::Okx => both.map(|verb| okx(verb, &["books"], &symbols)).to_vec(),
        };
        requests.iter().map(Value::to_string).collect()
    }
}

fn kraken_book() -> Value {
    json!({"name": "book", "depth": KRAKEN_DEPTH})
}

fn kraken(verb: &str, pairs: &[String], subscription: &Value) -> Value {
    json!({"event": verb, "pair": pairs, "subscription": subscription})
}

fn okx(verb: &str, channels: &[&str], symbols: &[String]) -> Value {
    let of_channel = |channel: &&str| {
        let channel = (*channel).to_owned();
        let args = symbols
            .iter()
            .map(move |symbol| json!({"channel": channel, "instId": symbol}));
        args.collect::<Vec<_>>()
    };
    let args: Vec<Value> = channels.iter().flat_map(of_channel).collect();
    json!({"op": verb, "args": args})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_as_documented() {
        let check = |venue: Venue, symbol: &str, want: &[&str]| {
            assert_eq!(venue.subscribe(&[symbol.to_owned()]), want);
        };
        check(
            Venue::Kraken,
            "XBT/USD",
            &[
                r#"{"event":"subscribe","pair":["XBT/USD"],"subscription":{"depth":100,"name":"book"}}"#,
                r#"{"event":"subscribe","pair":["XBT/USD"],"subscription":{"name":"trade"}}"#,
            ],
        );
        check(
            Venue::Coinbase,
            "BTC-USD",
            &[
                r#"{"channels":["level2_batch","matches","heartbeat"],"product_ids":["BTC-USD"],"type":"subscribe"}"#,
            ],
        );
        check(
            Venue::Okx,
            "BTC-USDT",
            &[
                r#"{"args":[{"channel":"trades","instId":"BTC-USDT"},{"channel":"books","instId":"BTC-USDT"}],"op":"subscribe"}"#,
            ],
        );
        let again = Venue::Okx.resubscribe("BTC-USDT");
        assert!(again[0].contains("unsubscribe") && !again[0].contains("trades"));
        let symbols = ["BTCUSDT".to_owned(), "ETHUSDT".to_owned()];
        assert_eq!(
            Venue::BinanceUsdm.url(&symbols),
            "wss://fstream.binance.com/stream?streams=btcusdt@depth@100ms/btcusdt@trade/\
             ethusdt@depth@100ms/ethusdt@trade"
        );
    }
}
