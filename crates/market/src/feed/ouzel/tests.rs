use proptest::prelude::*;

use super::*;

fn integrity() -> impl Strategy<Value = Integrity> {
    prop_oneof![
        Just(Integrity::Ok),
        Just(Integrity::Suspect),
        Just(Integrity::Recovering),
        Just(Integrity::Stale)
    ]
}

fn any_stamp() -> impl Strategy<Value = Stamp> {
    any::<(u64, u64, u64)>().prop_map(|(seq, event, recv)| stamp(seq, event, recv))
}

fn any_print(id: InstrumentId) -> impl Strategy<Value = TradePrint> {
    let side = prop_oneof![Just(None), Just(Some(Side::Bid)), Just(Some(Side::Ask))];
    let numbers = any::<(i64, u64, bool, u64)>();
    (any_stamp(), numbers, side, integrity()).prop_map(
        move |(stamp, (price, qty, cross, match_id), aggressor, integrity)| TradePrint {
            instrument: id,
            stamp,
            price: Price(price),
            qty: Qty(qty),
            aggressor,
            cross,
            match_id,
            integrity,
        },
    )
}

fn any_book(id: InstrumentId) -> impl Strategy<Value = Frame> {
    let levels = || prop::collection::vec(any::<(i64, u64, u32)>(), 0..=TOP_LEVELS);
    let state = prop_oneof![
        Just(TradingState::Unknown),
        Just(TradingState::Trading),
        Just(TradingState::QuotationOnly),
        Just(TradingState::Paused),
        Just(TradingState::Halted)
    ];
    let last = prop::option::of(any_print(id));
    let flags = (any::<bool>(), any::<bool>(), integrity(), state);
    (any_stamp(), levels(), levels(), flags, last).prop_map(
        move |(stamp, bids, asks, (locked, crossed, integrity, state), last)| {
            let side = |given: &[(i64, u64, u32)]| {
                let mut levels = [Level::default(); TOP_LEVELS];
                for (level, (price, qty, orders)) in levels.iter_mut().zip(given) {
                    *level = Level {
                        price: Price(*price),
                        qty: Qty(*qty),
                        orders: *orders,
                    };
                }
                levels
            };
            Frame::Book(BookTop {
                instrument: id,
                stamp,
                bids: side(&bids),
                asks: side(&asks),
                bid_count: bids.len() as u8,
                ask_count: asks.len() as u8,
                locked,
                crossed,
                integrity,
                state,
                last,
            })
        },
    )
}

fn any_bar(id: InstrumentId) -> impl Strategy<Value = Frame> {
    let prices = any::<(i64, i64, i64, i64)>();
    let rest = any::<(u64, u64, u64, i128, u32)>();
    (prices, rest, integrity()).prop_map(
        move |(
            (open, high, low, close),
            (start_ns, end_ns, volume, notional, trades),
            integrity,
        )| {
            Frame::Bar(Bar {
                instrument: id,
                start_ns,
                end_ns,
                open: Price(open),
                high: Price(high),
                low: Price(low),
                close: Price(close),
                volume: Qty(volume),
                notional,
                trades,
                integrity,
            })
        },
    )
}

fn any_activity(id: InstrumentId) -> impl Strategy<Value = Frame> {
    let rule = prop_oneof![
        any::<u32>().prop_map(BarRule::Ticks),
        any::<u64>().prop_map(|qty| BarRule::Volume(Qty(qty))),
        any::<i128>().prop_map(BarRule::Notional),
        any::<u64>().prop_map(BarRule::Session)
    ];
    (rule, any_bar(id)).prop_map(|(rule, bar)| match bar {
        Frame::Bar(bar) => Frame::Activity(ActivityBar { rule, bar }),
        other => other,
    })
}

fn any_signal(id: InstrumentId) -> impl Strategy<Value = Frame> {
    let jump =
        any::<(i64, i64, u64, i32)>().prop_map(|(from, to, span_ns, move_bp)| SignalKind::Jump {
            from: Price(from),
            to: Price(to),
            span_ns,
            move_bp,
        });
    let halt = any::<[u8; 4]>().prop_map(|reason| SignalKind::Halt { reason });
    let rule =
        ("[A-Za-z0-9_-]{1,24}", any::<i64>()).prop_map(|(name, value_e9)| SignalKind::Rule {
            rule: RuleName::new(&name).expect("a name"),
            value_e9,
        });
    let kind = prop_oneof![jump, halt, Just(SignalKind::Resume), rule];
    (any_stamp(), kind, integrity()).prop_map(move |(stamp, kind, integrity)| {
        Frame::Signal(Signal {
            instrument: id,
            stamp,
            kind,
            integrity,
        })
    })
}

fn any_amendment(id: InstrumentId) -> impl Strategy<Value = Frame> {
    let correction = any::<(i64, u64)>().prop_map(|(price, qty)| AmendmentKind::Correction {
        price: Price(price),
        qty: Qty(qty),
    });
    let kind = prop_oneof![Just(AmendmentKind::Bust), correction];
    (any_stamp(), any::<u64>(), kind, integrity()).prop_map(
        move |(stamp, match_id, kind, integrity)| {
            Frame::Amendment(Amendment {
                instrument: id,
                stamp,
                match_id,
                kind,
                integrity,
            })
        },
    )
}

fn any_feed() -> impl Strategy<Value = Frame> {
    let state = prop_oneof![
        Just(FeedState::Joining),
        Just(FeedState::Live),
        Just(FeedState::Recovering),
        Just(FeedState::Refreshing),
        Just(FeedState::Ended)
    ];
    (state, any::<[u64; 26]>()).prop_map(|(state, n)| {
        let line = |n: &[u64]| LineStatus {
            packets: n[0],
            wins: n[1],
            duplicates: n[2],
            missed: n[3],
            malformed: n[4],
            kernel_drops: n[5],
            last_recv_ns: n[6],
        };
        Frame::Feed(FeedStatus {
            state,
            lines: [line(&n[..7]), line(&n[7..14])],
            next_seq: n[14],
            head_seq: n[15],
            gaps: n[16],
            requested: n[17],
            recovered: n[18],
            lost: n[19],
            rejected: n[20],
            refuted: n[21],
            snapshots_asked: n[22],
            snapshots_failed: n[23],
            refreshed: n[24],
            unresolved: n[25],
        })
    })
}

fn any_frame() -> impl Strategy<Value = Frame> {
    any::<u32>().prop_map(InstrumentId).prop_flat_map(|id| {
        let name = any::<([u8; 16], u8, u8)>().prop_map(move |(symbol, qty, price)| {
            Frame::Instrument(Instrument {
                id,
                symbol,
                qty_decimals: qty,
                price_decimals: price,
                terms: Terms::default(),
            })
        });
        let vwap = (any::<(u64, u64, i128, u64, u32)>(), integrity()).prop_map(
            move |((end_ns, length_ns, notional, volume, trades), integrity)| {
                Frame::Vwap(Vwap {
                    instrument: id,
                    end_ns,
                    length_ns,
                    notional,
                    volume: Qty(volume),
                    trades,
                    integrity,
                })
            },
        );
        prop_oneof![
            name,
            any_book(id),
            any_print(id).prop_map(Frame::Trade),
            any_bar(id),
            any_activity(id),
            vwap,
            any_signal(id),
            any_feed(),
            any_amendment(id),
            any::<(u64, u64, u64)>().prop_map(|(from_seq, to_seq, after_ns)| Frame::Lost(Lost {
                from_seq,
                to_seq,
                after_ns,
            })),
            any::<(u64, u64, u64)>().prop_map(|(seq, after_ns, until_ns)| {
                Frame::Refreshed(Refreshed {
                    seq,
                    after_ns,
                    until_ns,
                })
            }),
            any::<u64>().prop_map(|count| Frame::Dropped { count }),
        ]
    })
}

proptest! {
    #[test]
    fn a_frame_read_back_is_the_frame_written(lane in 0usize..=65_535, frame in any_frame()) {
        let mut buffer = buffer();
        let bytes = write(lane, &frame, &mut buffer).expect("carried");
        prop_assert!(bytes.len() <= 600);
        let message = Message::parse(bytes).expect("just written");
        prop_assert_eq!(read(&message), Some((lane, frame)));
    }
}

#[test]
fn what_a_later_version_says_is_not_trusted_and_not_guessed() {
    let mut buffer = buffer();
    let frame = Frame::Dropped { count: 1 };
    let size = write(0, &frame, &mut buffer).expect("carried").len();
    buffer[0] = 99;
    let message = Message::parse(&buffer[..size]).expect("a head");
    assert_eq!(read(&message), None);
    assert_eq!(integrity_of(4), Integrity::Stale);
}
