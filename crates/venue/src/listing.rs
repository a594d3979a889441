//! Who is listed: well-known US tickers, so that a simulated day reads like a day.
//!
//! Only tickers, company names and sectors are real. Prices, orders, trades and news are simulated
//! and say nothing about the companies. Rows stand in order of activity: leveraged and index funds
//! lead a real tape, not the big companies, and row 0 is the busiest.

use std::borrow::Cow;

/// What a company does, as far as news needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sector {
    /// Exchange-traded fund: no company news, never shocked.
    Fund,
    /// Software and internet.
    Software,
    /// Chips and the machines that make them.
    Semiconductors,
    /// Computers, phones and network gear.
    Hardware,
    /// Drugs, devices, care.
    Health,
    /// Cars and their makers.
    Auto,
    /// Food, drinks, brands.
    Consumer,
    /// Shops, on streets and online.
    Retail,
    /// Banks, cards, brokers.
    Finance,
    /// Oil, gas, power.
    Energy,
    /// Planes, machines, freight.
    Industrial,
    /// Films, games, telephones.
    Media,
}

impl Sector {
    /// The sector's name in a sentence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fund => "funds",
            Self::Software => "software",
            Self::Semiconductors => "semiconductor",
            Self::Hardware => "hardware",
            Self::Health => "health care",
            Self::Auto => "automotive",
            Self::Consumer => "consumer goods",
            Self::Retail => "retail",
            Self::Finance => "financial",
            Self::Energy => "energy",
            Self::Industrial => "industrial",
            Self::Media => "media and telecom",
        }
    }
}

/// One listed instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The ticker, at most 8 bytes.
    pub symbol: Cow<'static, str>,
    /// The company or fund.
    pub name: Cow<'static, str>,
    /// What it does.
    pub sector: Sector,
    /// The simulated price at the start, in cents.
    pub start_cents: u32,
}

/// The first `count` listings, busiest first. Past the end of the table come invented tickers of
/// five letters (`ZAAAA`, ...), so that a load test can have thousands.
#[must_use]
pub fn listings(count: usize) -> Vec<Listing> {
    let known = TABLE
        .iter()
        .map(|&(symbol, name, sector, start_cents)| Listing {
            symbol: Cow::Borrowed(symbol),
            name: Cow::Borrowed(name),
            sector,
            start_cents,
        });
    let invented = (0..count.saturating_sub(TABLE.len())).map(invented);
    known.take(count).chain(invented).collect()
}

fn invented(idx: usize) -> Listing {
    let mut symbol = String::from("Z");
    let mut rest = idx;
    for _ in 0..4 {
        symbol.push(char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    Listing {
        name: Cow::Owned(format!("Simulated Company {}", idx + 1)),
        symbol: Cow::Owned(symbol),
        sector: INVENTED_SECTORS[idx % INVENTED_SECTORS.len()],
        start_cents: 1_000 + (idx as u32).wrapping_mul(7_919) % 24_000,
    }
}

const INVENTED_SECTORS: [Sector; 4] = [
    Sector::Software,
    Sector::Health,
    Sector::Industrial,
    Sector::Finance,
];

use Sector::{
    Auto, Consumer, Energy, Finance, Fund, Hardware, Health, Industrial, Media, Retail,
    Semiconductors, Software,
};

#[rustfmt::skip]
const TABLE: [(&str, &str, Sector, u32); 100] = [
    ("TQQQ", "ProShares UltraPro QQQ", Fund, 7_412),
    ("QQQ", "Invesco QQQ Trust", Fund, 49_236),
    ("SPY", "SPDR S&P 500 ETF Trust", Fund, 57_118),
    ("SQQQ", "ProShares UltraPro Short QQQ", Fund, 3_187),
    ("AAPL", "Apple", Hardware, 22_654),
    ("NVDA", "NVIDIA", Semiconductors, 13_472),
    ("TSLA", "Tesla", Auto, 25_108),
    ("AMZN", "Amazon", Retail, 18_693),
    ("MSFT", "Microsoft", Software, 41_837),
    ("META", "Meta Platforms", Software, 57_621),
    ("AMD", "Advanced Micro Devices", Semiconductors, 15_562),
    ("GOOGL", "Alphabet", Software, 16_449),
    ("INTC", "Intel", Semiconductors, 2_273),
    ("MU", "Micron Technology", Semiconductors, 10_851),
    ("AVGO", "Broadcom", Semiconductors, 17_326),
    ("NFLX", "Netflix", Media, 70_914),
    ("QCOM", "Qualcomm", Semiconductors, 16_987),
    ("CSCO", "Cisco Systems", Hardware, 5_342),
    ("MRVL", "Marvell Technology", Semiconductors, 7_213),
    ("AMAT", "Applied Materials", Semiconductors, 20_318),
    ("IWM", "iShares Russell 2000 ETF", Fund, 21_847),
    ("PYPL", "PayPal", Finance, 7_788),
    ("UBER", "Uber Technologies", Software, 7_456),
    ("CMCSA", "Comcast", Media, 4_158),
    ("SBUX", "Starbucks", Consumer, 9_712),
    ("COST", "Costco Wholesale", Retail, 88_640),
    ("PEP", "PepsiCo", Consumer, 17_034),
    ("TXN", "Texas Instruments", Semiconductors, 20_557),
    ("ADBE", "Adobe", Software, 51_790),
    ("LRCX", "Lam Research", Semiconductors, 8_164),
    ("TXT", "Textron", Industrial, 8_823),
    ("BAC", "Bank of America", Finance, 3_968),
    ("JPM", "JPMorgan Chase", Finance, 21_086),
    ("XOM", "Exxon Mobil", Energy, 11_722),
    ("F", "Ford Motor", Auto, 1_056),
    ("GM", "General Motors", Auto, 4_484),
    ("BA", "Boeing", Industrial, 15_204),
    ("DIS", "Walt Disney", Media, 9_619),
    ("PFE", "Pfizer", Health, 2_894),
    ("T", "AT&T", Media, 2_200),
    ("WMT", "Walmart", Retail, 8_075),
    ("KO", "Coca-Cola", Consumer, 7_186),
    ("MRK", "Merck", Health, 11_356),
    ("CVX", "Chevron", Energy, 14_727),
    ("C", "Citigroup", Finance, 6_260),
    ("WFC", "Wells Fargo", Finance, 5_649),
    ("JNJ", "Johnson & Johnson", Health, 16_206),
    ("AMGN", "Amgen", Health, 32_221),
    ("GILD", "Gilead Sciences", Health, 8_384),
    ("MRNA", "Moderna", Health, 6_683),
    ("BIIB", "Biogen", Health, 19_384),
    ("REGN", "Regeneron Pharmaceuticals", Health, 105_122),
    ("VRTX", "Vertex Pharmaceuticals", Health, 46_508),
    ("ABBV", "AbbVie", Health, 19_748),
    ("LLY", "Eli Lilly", Health, 88_594),
    ("BMY", "Bristol-Myers Squibb", Health, 5_174),
    ("UNH", "UnitedHealth Group", Health, 58_468),
    ("ISRG", "Intuitive Surgical", Health, 49_127),
    ("MDT", "Medtronic", Health, 9_003),
    ("CRM", "Salesforce", Software, 27_371),
    ("ORCL", "Oracle", Software, 17_040),
    ("NOW", "ServiceNow", Software, 89_439),
    ("PANW", "Palo Alto Networks", Software, 34_180),
    ("CRWD", "CrowdStrike", Software, 28_047),
    ("SNOW", "Snowflake", Software, 11_486),
    ("SHOP", "Shopify", Software, 8_014),
    ("PLTR", "Palantir Technologies", Software, 3_720),
    ("DDOG", "Datadog", Software, 11_506),
    ("INTU", "Intuit", Software, 62_100),
    ("ASML", "ASML Holding", Semiconductors, 83_325),
    ("KLAC", "KLA", Semiconductors, 77_441),
    ("ADI", "Analog Devices", Semiconductors, 23_017),
    ("NXPI", "NXP Semiconductors", Semiconductors, 24_001),
    ("ON", "ON Semiconductor", Semiconductors, 7_261),
    ("DELL", "Dell Technologies", Hardware, 11_854),
    ("HPQ", "HP", Hardware, 3_587),
    ("SMCI", "Super Micro Computer", Hardware, 4_164),
    ("WDC", "Western Digital", Hardware, 6_829),
    ("ANET", "Arista Networks", Hardware, 9_596),
    ("HD", "Home Depot", Retail, 40_520),
    ("LOW", "Lowe's", Retail, 27_085),
    ("TGT", "Target", Retail, 15_586),
    ("NKE", "Nike", Consumer, 8_840),
    ("MCD", "McDonald's", Consumer, 30_451),
    ("LULU", "Lululemon Athletica", Retail, 27_135),
    ("MDLZ", "Mondelez International", Consumer, 7_367),
    ("PG", "Procter & Gamble", Consumer, 17_320),
    ("V", "Visa", Finance, 27_495),
    ("MA", "Mastercard", Finance, 49_380),
    ("GS", "Goldman Sachs", Finance, 49_511),
    ("MS", "Morgan Stanley", Finance, 10_424),
    ("SCHW", "Charles Schwab", Finance, 6_481),
    ("CAT", "Caterpillar", Industrial, 39_112),
    ("GE", "GE Aerospace", Industrial, 18_858),
    ("HON", "Honeywell", Industrial, 20_671),
    ("UPS", "United Parcel Service", Industrial, 13_634),
    ("DAL", "Delta Air Lines", Industrial, 5_079),
    ("COP", "ConocoPhillips", Energy, 10_528),
    ("SLB", "Schlumberger", Energy, 4_195),
    ("TMUS", "T-Mobile US", Media, 20_636),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn symbols_are_unique_and_fit_the_wire() {
        let all = listings(3_000);
        assert_eq!(all.len(), 3_000);
        let unique: HashSet<_> = all.iter().map(|l| l.symbol.clone()).collect();
        assert_eq!(unique.len(), 3_000);
        assert!(
            all.iter()
                .all(|l| (1..=8).contains(&l.symbol.len()) && l.start_cents >= 1_000)
        );
    }

    #[test]
    fn every_sector_has_a_rival() {
        for row in TABLE.iter().filter(|row| row.2 != Fund) {
            assert!(
                TABLE
                    .iter()
                    .any(|other| other.2 == row.2 && other.0 != row.0),
                "{}",
                row.0
            );
        }
    }
}
