//! Each record against bytes laid out by hand, and all of them against any bytes.

use std::format;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const HEADER: Header = Header {
    locate: 0x0102,
    tracking: 0x0304,
    timestamp_ns: 0x0506_0708_090A,
};

/// The specification's byte layout, written out without the records.
struct Layout(Vec<u8>);

impl Layout {
    fn of(kind: u8) -> Self {
        Self([&[kind][..], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]].concat())
    }
    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }
    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }
    fn text(mut self, text: &str) -> Self {
        self.0.extend(text.as_bytes());
        self
    }
}

fn stock() -> Stock {
    Stock::new("BRK.A").expect("fits")
}

/// The record writes exactly `layout`, and reading `layout` gives the record and its fields back.
fn check(written: &[u8], layout: &Layout, shown: &str) {
    assert_eq!(written, layout.0, "{shown}");
    let message = decode(&layout.0).expect("a whole message");
    assert_eq!(message.as_bytes(), layout.0);
    assert_eq!(message.header(), HEADER);
    assert_eq!(
        (message.locate(), message.timestamp_ns()),
        (HEADER.locate, HEADER.timestamp_ns)
    );
    assert_eq!(message.kind(), layout.0[0]);
    let mut fields = Vec::new();
    message.fields(|name, value| {
        fields.push(match value {
            Field::Number(number) => format!("{name}={number}"),
            Field::Code(code) => format!("{name}={}", char::from(code)),
            Field::Text(text) => format!("{name}={text}"),
        });
    });
    assert_eq!(
        format!("{} {}", message.name(), fields.join(" ")).trim_end(),
        shown
    );
    assert!(format!("{message:?}").contains(message.name()));
}

#[test]
fn system_messages_lie_as_specified() {
    check(
        SystemEvent::new(HEADER, b'Q').as_bytes(),
        &Layout::of(b'S').text("Q"),
        "SystemEvent event_code=Q",
    );
    let subtype = IssueSubtype::new("Z").expect("fits");
    check(
        StockDirectory::new(
            HEADER,
            stock(),
            b'N',
            b'D',
            100,
            b'Y',
            b'C',
            subtype,
            b'P',
            b'A',
            b'B',
            b'1',
            b'E',
            3,
            b'I',
        )
        .as_bytes(),
        &Layout::of(b'R')
            .text("BRK.A   ND")
            .u32(100)
            .text("YCZ PAB1E")
            .u32(3)
            .text("I"),
        "StockDirectory stock=BRK.A market_category=N financial_status=D round_lot_size=100 \
         round_lots_only=Y issue_classification=C issue_subtype=Z authenticity=P \
         short_sale_threshold=A ipo_flag=B luld_tier=1 etp_flag=E etp_leverage=3 \
         inverse_indicator=I",
    );
    let reason = Reason::new("T1").expect("fits");
    check(
        StockTradingAction::new(HEADER, stock(), b'H', b' ', reason).as_bytes(),
        &Layout::of(b'H').text("BRK.A   H T1  "),
        "StockTradingAction stock=BRK.A trading_state=H reserved=  reason=T1",
    );
    check(
        RegShoRestriction::new(HEADER, stock(), b'1').as_bytes(),
        &Layout::of(b'Y').text("BRK.A   1"),
        "RegShoRestriction stock=BRK.A action=1",
    );
    let mpid = Mpid::new("GSCO").expect("fits");
    check(
        MarketParticipantPosition::new(HEADER, mpid, stock(), b'Y', b'N', b'A').as_bytes(),
        &Layout::of(b'L').text("GSCOBRK.A   YNA"),
        "MarketParticipantPosition mpid=GSCO stock=BRK.A primary_market_maker=Y \
         market_maker_mode=N participant_state=A",
    );
}

#[test]
fn market_wide_and_auction_messages_lie_as_specified() {
    check(
        MwcbDeclineLevel::new(HEADER, 7, 8, u64::MAX).as_bytes(),
        &Layout::of(b'V').u64(7).u64(8).u64(u64::MAX),
        "MwcbDeclineLevel level_1=7 level_2=8 level_3=18446744073709551615",
    );
    check(
        MwcbStatus::new(HEADER, b'2').as_bytes(),
        &Layout::of(b'W').text("2"),
        "MwcbStatus breached_level=2",
    );
    check(
        IpoQuotingPeriodUpdate::new(HEADER, stock(), 34_200, b'A', 5).as_bytes(),
        &Layout::of(b'K')
            .text("BRK.A   ")
            .u32(34_200)
            .text("A")
            .u32(5),
        "IpoQuotingPeriodUpdate stock=BRK.A release_time_s=34200 release_qualifier=A price=5",
    );
    check(
        LuldAuctionCollar::new(HEADER, stock(), 1, 2, 3, 4).as_bytes(),
        &Layout::of(b'J')
            .text("BRK.A   ")
            .u32(1)
            .u32(2)
            .u32(3)
            .u32(4),
        "LuldAuctionCollar stock=BRK.A reference_price=1 upper_price=2 lower_price=3 extension=4",
    );
    check(
        OperationalHalt::new(HEADER, stock(), b'Q', b'H').as_bytes(),
        &Layout::of(b'h').text("BRK.A   QH"),
        "OperationalHalt stock=BRK.A market_code=Q halt_action=H",
    );
    check(
        Noii::new(HEADER, 1, 2, b'B', stock(), 3, 4, 5, b'O', b'L').as_bytes(),
        &Layout::of(b'I')
            .u64(1)
            .u64(2)
            .text("BBRK.A   ")
            .u32(3)
            .u32(4)
            .u32(5)
            .text("OL"),
        "Noii paired_shares=1 imbalance_shares=2 imbalance_direction=B stock=BRK.A far_price=3 \
         near_price=4 reference_price=5 cross_type=O price_variation=L",
    );
    check(
        RetailPriceImprovement::new(HEADER, stock(), b'A').as_bytes(),
        &Layout::of(b'N').text("BRK.A   A"),
        "RetailPriceImprovement stock=BRK.A interest_flag=A",
    );
    check(
        DirectListingPriceDiscovery::new(HEADER, stock(), b'Y', 1, 2, 3, 4, 5, 6).as_bytes(),
        &Layout::of(b'O')
            .text("BRK.A   Y")
            .u32(1)
            .u32(2)
            .u32(3)
            .u64(4)
            .u32(5)
            .u32(6),
        "DirectListingPriceDiscovery stock=BRK.A open_eligibility=Y minimum_price=1 \
         maximum_price=2 near_execution_price=3 near_execution_time_ns=4 lower_price=5 \
         upper_price=6",
    );
}

#[test]
fn order_messages_lie_as_specified() {
    check(
        AddOrder::new(HEADER, 9, Side::Buy, 100, stock(), 77).as_bytes(),
        &Layout::of(b'A')
            .u64(9)
            .text("B")
            .u32(100)
            .text("BRK.A   ")
            .u32(77),
        "AddOrder order_reference=9 side=B shares=100 stock=BRK.A price=77",
    );
    let mpid = Mpid::new("NITE").expect("fits");
    check(
        AddOrderMpid::new(HEADER, 9, Side::Sell, 100, stock(), 77, mpid).as_bytes(),
        &Layout::of(b'F')
            .u64(9)
            .text("S")
            .u32(100)
            .text("BRK.A   ")
            .u32(77)
            .text("NITE"),
        "AddOrderMpid order_reference=9 side=S shares=100 stock=BRK.A price=77 attribution=NITE",
    );
    check(
        OrderExecuted::new(HEADER, 9, 50, 4).as_bytes(),
        &Layout::of(b'E').u64(9).u32(50).u64(4),
        "OrderExecuted order_reference=9 executed_shares=50 match_number=4",
    );
    check(
        OrderExecutedWithPrice::new(HEADER, 9, 50, 4, b'N', 78).as_bytes(),
        &Layout::of(b'C').u64(9).u32(50).u64(4).text("N").u32(78),
        "OrderExecutedWithPrice order_reference=9 executed_shares=50 match_number=4 printable=N \
         execution_price=78",
    );
    check(
        OrderCancel::new(HEADER, 9, 5).as_bytes(),
        &Layout::of(b'X').u64(9).u32(5),
        "OrderCancel order_reference=9 cancelled_shares=5",
    );
    check(
        OrderDelete::new(HEADER, 9).as_bytes(),
        &Layout::of(b'D').u64(9),
        "OrderDelete order_reference=9",
    );
    check(
        OrderReplace::new(HEADER, 9, 10, 5, 79).as_bytes(),
        &Layout::of(b'U').u64(9).u64(10).u32(5).u32(79),
        "OrderReplace original_order_reference=9 new_order_reference=10 shares=5 price=79",
    );
}

#[test]
fn trade_messages_lie_as_specified() {
    check(
        Trade::new(HEADER, 0, Side::Buy, 100, stock(), 77, 4).as_bytes(),
        &Layout::of(b'P')
            .u64(0)
            .text("B")
            .u32(100)
            .text("BRK.A   ")
            .u32(77)
            .u64(4),
        "Trade order_reference=0 side=B shares=100 stock=BRK.A price=77 match_number=4",
    );
    check(
        CrossTrade::new(HEADER, 1 << 40, stock(), 77, 4, b'O').as_bytes(),
        &Layout::of(b'Q')
            .u64(1 << 40)
            .text("BRK.A   ")
            .u32(77)
            .u64(4)
            .text("O"),
        "CrossTrade shares=1099511627776 stock=BRK.A cross_price=77 match_number=4 cross_type=O",
    );
    check(
        BrokenTrade::new(HEADER, 4).as_bytes(),
        &Layout::of(b'B').u64(4),
        "BrokenTrade match_number=4",
    );
}

#[test]
fn lengths_are_those_of_the_specification() {
    let table = [
        (b'S', 12),
        (b'R', 39),
        (b'H', 25),
        (b'Y', 20),
        (b'L', 26),
        (b'V', 35),
        (b'W', 12),
        (b'K', 28),
        (b'J', 35),
        (b'h', 21),
        (b'A', 36),
        (b'F', 40),
        (b'E', 31),
        (b'C', 36),
        (b'X', 23),
        (b'D', 19),
        (b'U', 35),
        (b'P', 44),
        (b'Q', 40),
        (b'B', 19),
        (b'I', 50),
        (b'N', 20),
        (b'O', 48),
    ];
    assert_eq!(KINDS, table.map(|(kind, _)| kind));
    for kind in 0..=u8::MAX {
        let want = table
            .iter()
            .find(|(known, _)| *known == kind)
            .map(|(_, length)| *length);
        assert_eq!(length_of(kind), want);
    }
}

#[test]
fn a_wrong_length_is_told() {
    assert_eq!(decode(&[]), Err(DecodeError::Empty));
    assert_eq!(decode(b"T1234"), Err(DecodeError::UnknownType(b'T')));
    for &kind in KINDS {
        let want = length_of(kind).expect("a known kind");
        for have in (1..64).filter(|&have| have != want) {
            let mut bytes = vec![0; have];
            bytes[0] = kind;
            assert_eq!(
                decode(&bytes),
                Err(DecodeError::Length { kind, want, have })
            );
        }
    }
    let shown = format!(
        "{}",
        DecodeError::Length {
            kind: b'A',
            want: 36,
            have: 35
        }
    );
    assert!(
        shown.starts_with("ITCH message 'A' has 35 bytes where its type has 36"),
        "{shown}"
    );
}

#[test]
fn text_is_padded_ascii() {
    assert_eq!(
        Stock::new("AAPL").map(|text| *text.wire()),
        Some(*b"AAPL    ")
    );
    assert_eq!(Stock::new("").map(|text| *text.wire()), Some([b' '; 8]));
    assert_eq!(Stock::new("123456789"), None);
    assert_eq!(Stock::new("Ä"), None);
    assert_eq!(Stock::new("A\0"), None);
    assert_eq!(Stock::from_wire(*b"AB\xFFCDEFG").as_str(), "AB");
    assert_eq!(Stock::from_wire(*b" A  B   ").as_str(), " A  B");
}

#[test]
fn a_side_that_is_none_is_none() {
    let mut bytes = AddOrder::new(HEADER, 9, Side::Sell, 100, stock(), 77)
        .as_bytes()
        .to_vec();
    let side = |bytes: &[u8]| match decode(bytes) {
        Ok(Message::AddOrder(order)) => order.side(),
        other => panic!("{other:?}"),
    };
    assert_eq!(side(&bytes), Some(Side::Sell));
    bytes[19] = b'?';
    assert_eq!(side(&bytes), None);
}

#[test]
fn time_keeps_48_bits() {
    let last_ns = 86_400_000_000_000 - 1;
    for (given, kept) in [(0, 0), (last_ns, last_ns), (1 << 48 | 5, 5)] {
        let message = SystemEvent::new(
            Header {
                timestamp_ns: given,
                ..HEADER
            },
            b'O',
        );
        assert_eq!(message.timestamp_ns(), kept);
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..70)) {
        if let Ok(message) = decode(&bytes) {
            prop_assert_eq!(message.as_bytes(), &bytes[..]);
            message.fields(|_, _| ());
        }
    }

    #[test]
    fn bytes_of_the_right_length_are_seen_unchanged(
        pick in 0..KINDS.len(), mut bytes in prop::collection::vec(any::<u8>(), 50),
    ) {
        bytes.truncate(length_of(KINDS[pick]).unwrap_or_default());
        bytes[0] = KINDS[pick];
        let message = decode(&bytes).expect("known kind, exact length");
        prop_assert_eq!(message.as_bytes(), &bytes[..]);
        let shown = format!("{message:?}");
        prop_assert!(shown.contains(message.name()));
    }
}
