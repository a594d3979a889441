//! Who is listed: invented companies named after birds, since news planted for real ones would be
//! lies about them. Tickers that a US exchange uses were left out.
//!
//! Rows stand in order of activity: leveraged and index funds lead a real tape, not the big
//! companies, and row 0 is the busiest.

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

/// The first `count` listings, busiest first. Past the end of the table come tickers of five
/// letters (`ZAAAA`, ...), so that a load test can have thousands.
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
    ("ZTTX", "Simulated Technology 3x Fund", Fund, 7_412),
    ("ZTFX", "Simulated Technology Fund", Fund, 49_236),
    ("ZBMX", "Simulated Broad Market Fund", Fund, 57_118),
    ("ZTSX", "Simulated Technology Short 3x Fund", Fund, 3_187),
    ("CURL", "Curlew Devices", Hardware, 22_654),
    ("PLOV", "Plover Semiconductor", Semiconductors, 13_472),
    ("DUNL", "Dunlin Motors", Auto, 25_108),
    ("GODW", "Godwit Stores", Retail, 18_693),
    ("WHIM", "Whimbrel Software", Software, 41_837),
    ("SISK", "Siskin Cloud", Software, 57_621),
    ("LINN", "Linnet Microdevices", Semiconductors, 15_562),
    ("BUNT", "Bunting Data Systems", Software, 16_449),
    ("WAGT", "Wagtail Semiconductor", Semiconductors, 2_273),
    ("FIEL", "Fieldfare Microdevices", Semiconductors, 10_851),
    ("REDW", "Redwing Semiconductor", Semiconductors, 17_326),
    ("NUTH", "Nuthatch Media", Media, 70_914),
    ("TRCR", "Treecreeper Microdevices", Semiconductors, 16_987),
    ("WHEA", "Wheatear Networks", Hardware, 5_342),
    ("STON", "Stonechat Semiconductor", Semiconductors, 7_213),
    ("WHIN", "Whinchat Microdevices", Semiconductors, 20_318),
    ("ZSCX", "Simulated Small Companies Fund", Fund, 21_847),
    ("PIPI", "Pipit Financial", Finance, 7_788),
    ("WDLR", "Woodlark Software", Software, 7_456),
    ("GLDC", "Goldcrest Telecom", Media, 4_158),
    ("FIRE", "Firecrest Foods", Consumer, 9_712),
    ("BRAM", "Brambling Retail", Retail, 88_640),
    ("CHAF", "Chaffinch Brands", Consumer, 17_034),
    ("GREE", "Greenfinch Semiconductor", Semiconductors, 20_557),
    ("BLLF", "Bullfinch Cloud", Software, 51_790),
    ("CROS", "Crossbill Microdevices", Semiconductors, 8_164),
    ("HAWF", "Hawfinch Industries", Industrial, 8_823),
    ("YELL", "Yellowhammer Bancorp", Finance, 3_968),
    ("SHRI", "Shrike Financial", Finance, 21_086),
    ("WAXW", "Waxwing Energy", Energy, 11_722),
    ("JCKD", "Jackdaw Motors", Auto, 1_056),
    ("CHOU", "Chough Motors", Auto, 4_484),
    ("GOSH", "Goshawk Aerospace", Industrial, 15_204),
    ("LAPW", "Lapwing Media", Media, 9_619),
    ("DOTT", "Dotterel Therapeutics", Health, 2_894),
    ("TURN", "Turnstone Telecom", Media, 2_200),
    ("SAND", "Sanderling Stores", Retail, 8_075),
    ("REDS", "Redshank Foods", Consumer, 7_186),
    ("GRNS", "Greenshank Pharma", Health, 11_356),
    ("AVOC", "Avocet Power", Energy, 14_727),
    ("OYST", "Oystercatcher Bancorp", Finance, 6_260),
    ("PUFF", "Puffin Financial", Finance, 5_649),
    ("RAZO", "Razorbill Medical", Health, 16_206),
    ("GUIL", "Guillemot Therapeutics", Health, 32_221),
    ("FULM", "Fulmar Pharma", Health, 8_384),
    ("GANN", "Gannet Medical", Health, 6_683),
    ("BITT", "Bittern Therapeutics", Health, 19_384),
    ("SPOO", "Spoonbill Pharma", Health, 105_122),
    ("WIGE", "Wigeon Medical", Health, 46_508),
    ("GADW", "Gadwall Therapeutics", Health, 19_748),
    ("PINT", "Pintail Pharma", Health, 88_594),
    ("SHOV", "Shoveler Medical", Health, 5_174),
    ("POCH", "Pochard Therapeutics", Health, 58_468),
    ("SCOT", "Scoter Pharma", Health, 49_127),
    ("EIDE", "Eider Medical", Health, 9_003),
    ("GOLE", "Goldeneye Data Systems", Software, 27_371),
    ("SMEW", "Smew Software", Software, 17_040),
    ("MERG", "Merganser Cloud", Software, 89_439),
    ("GREB", "Grebe Data Systems", Software, 34_180),
    ("MOOR", "Moorhen Software", Software, 28_047),
    ("CORE", "Corncrake Cloud", Software, 11_486),
    ("PTAR", "Ptarmigan Data Systems", Software, 8_014),
    ("CPRC", "Capercaillie Software", Software, 3_720),
    ("NIGH", "Nightjar Cloud", Software, 11_506),
    ("WRYN", "Wryneck Data Systems", Software, 62_100),
    ("HOOP", "Hoopoe Semiconductor", Semiconductors, 83_325),
    ("BLUE", "Bluethroat Microdevices", Semiconductors, 77_441),
    ("RDST", "Redstart Semiconductor", Semiconductors, 23_017),
    ("GARG", "Garganey Microdevices", Semiconductors, 24_001),
    ("PHAL", "Phalarope Semiconductor", Semiconductors, 7_261),
    ("DABC", "Dabchick Devices", Hardware, 11_854),
    ("KTTW", "Kittiwake Networks", Hardware, 3_587),
    ("PETR", "Petrel Devices", Hardware, 4_164),
    ("SHEA", "Shearwater Networks", Hardware, 6_829),
    ("SKUA", "Skua Devices", Hardware, 9_596),
    ("BUST", "Bustard Retail", Retail, 40_520),
    ("PRAT", "Pratincole Stores", Retail, 27_085),
    ("ORTO", "Ortolan Retail", Retail, 15_586),
    ("SERI", "Serin Brands", Consumer, 8_840),
    ("TWIT", "Twite Foods", Consumer, 30_451),
    ("REDP", "Redpoll Stores", Retail, 27_135),
    ("DUNN", "Dunnock Brands", Consumer, 7_367),
    ("CHIF", "Chiffchaff Foods", Consumer, 17_320),
    ("WHIT", "Whitethroat Bancorp", Finance, 27_495),
    ("BLAC", "Blackcap Financial", Finance, 49_380),
    ("SANE", "Sandgrouse Bancorp", Finance, 49_511),
    ("STIL", "Stilt Financial", Finance, 10_424),
    ("SNDP", "Sandpiper Bancorp", Finance, 6_481),
    ("TYST", "Tystie Industries", Industrial, 39_112),
    ("JACA", "Jacana Aerospace", Industrial, 18_858),
    ("TURA", "Turaco Industries", Industrial, 20_671),
    ("MOTM", "Motmot Aerospace", Industrial, 13_634),
    ("MANA", "Manakin Industries", Industrial, 5_079),
    ("TANA", "Tanager Energy", Energy, 10_528),
    ("TROG", "Trogon Power", Energy, 4_195),
    ("JCMR", "Jacamar Media", Media, 20_636),
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
