use super::*;
use crate::event::{Price, Qty, Side};
use proptest::prelude::*;

const LIMITS: Limits = Limits {
    collar_bp: 500,
    reference_age_ns: 1_000,
    qty_max: Qty(20),
    notional_max: 1_500,
    rate_per_s: 100_000_000,
    burst: 3,
    position_max: Qty(30),
    gross_max: 4_000,
};

fn order(account: u32, instrument: u32, side: Side, price: i64, qty: u64) -> Order {
    Order {
        account: AccountId(account),
        instrument,
        side,
        price: Price(price),
        qty: Qty(qty),
    }
}

fn reason(gate: &mut Gate, order: &Order, now: u64) -> Option<Reason> {
    let record = gate.check(order, now).expect("within the tables");
    match record.action {
        Action::Checked(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_check_refuses_for_its_own_reason() {
    let mut gate = Gate::new(LIMITS, 2, 2, 100);
    let buy = |price, qty| order(0, 0, Side::Bid, price, qty);
    assert_eq!(
        reason(&mut gate, &buy(100, 5), 0),
        Some(Reason::NoReference)
    );
    gate.mark(0, Price(100), 10).expect("known");
    assert_eq!(reason(&mut gate, &buy(100, 0), 1_000), Some(Reason::Size));
    assert_eq!(reason(&mut gate, &buy(100, 21), 1_000), Some(Reason::Size));
    assert_eq!(reason(&mut gate, &buy(106, 5), 1_000), Some(Reason::Collar));
    assert_eq!(reason(&mut gate, &buy(105, 5), 1_000), Some(Reason::Rate));
    assert_eq!(
        reason(&mut gate, &buy(105, 15), 1_010),
        Some(Reason::Notional)
    );
    assert_eq!(
        reason(&mut gate, &buy(100, 5), 1_020),
        Some(Reason::NoReference)
    );
    gate.mark(0, Price(100), 1_020).expect("known");
    assert_eq!(reason(&mut gate, &buy(100, 15), 1_030), None);
    assert_eq!(reason(&mut gate, &buy(100, 15), 1_040), None);
    assert_eq!(
        reason(&mut gate, &buy(100, 1), 1_050),
        Some(Reason::Position)
    );
    gate.mark(1, Price(150), 1_050).expect("known");
    let other = order(0, 1, Side::Ask, 150, 7);
    assert_eq!(reason(&mut gate, &other, 1_060), Some(Reason::Gross));
    gate.cancel(AccountId(0), 0, Side::Bid, Qty(10))
        .expect("open");
    assert_eq!(reason(&mut gate, &other, 1_070), None);
    assert!(gate.fill(AccountId(0), 0, Side::Bid, Qty(21)).is_err());
    gate.fill(AccountId(0), 0, Side::Bid, Qty(20))
        .expect("open");
    assert_eq!(gate.holding(AccountId(0), 0), Ok((20, 0, 0)));
    gate.kill(true, Some(AccountId(0)), 1_080).expect("known");
    assert_eq!(reason(&mut gate, &other, 1_090), Some(Reason::Killed));
    assert_eq!(
        reason(&mut gate, &order(1, 0, Side::Bid, 100, 1), 1_090),
        None
    );
    gate.kill(true, None, 1_100).expect("all");
    assert_eq!(
        reason(&mut gate, &order(1, 0, Side::Bid, 100, 1), 1_110),
        Some(Reason::Killed)
    );
    assert!(gate.check(&order(2, 0, Side::Bid, 100, 1), 1_110).is_err());
}

#[test]
fn orders_are_held_to_ticks_and_lots_where_these_are_known() {
    let mut gate = Gate::new(Limits { burst: 9, ..LIMITS }, 1, 2, 9);
    gate.mark(0, Price(100), 0).expect("known");
    let buy = |price, qty| order(0, 0, Side::Bid, price, qty);
    assert_eq!(reason(&mut gate, &buy(101, 5), 1), None);
    let units = Units {
        tick: Some(Price(2)),
        lot: Some(Qty(5)),
    };
    gate.set_units(0, units).expect("known");
    assert_eq!(reason(&mut gate, &buy(101, 5), 2), Some(Reason::Tick));
    assert_eq!(reason(&mut gate, &buy(102, 4), 3), Some(Reason::Lot));
    assert_eq!(reason(&mut gate, &buy(102, 5), 4), None);
    // Told before the want of a reference price: it is known without one.
    gate.set_units(1, units).expect("known");
    let other = order(0, 1, Side::Ask, 99, 5);
    assert_eq!(reason(&mut gate, &other, 5), Some(Reason::Tick));
    assert!(gate.set_units(2, units).is_err());
}

#[test]
fn records_are_numbered_and_their_digest_covers_all() {
    let run = |qty| {
        let mut gate = Gate::new(LIMITS, 1, 1, 2);
        gate.mark(0, Price(100), 0).expect("known");
        for _ in 0..3 {
            gate.check(&order(0, 0, Side::Bid, 100, qty), 5)
                .expect("known");
        }
        let kept: Vec<u64> = gate.records(0).map(|record| record.seq).collect();
        assert_eq!(kept, [2, 3]);
        assert_eq!(gate.records(3).count(), 1);
        assert_eq!(gate.records(9).count(), 0);
        gate.digest()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).1, run(2).1);
}

/// What happened to the gate, as a list: the naive twin goes through all of it for each order.
#[derive(Clone, Copy, Debug)]
enum Past {
    Open(Order),
    Fill(u32, u32, Side, u64),
    Cancel(u32, u32, Side, u64),
    /// Instrument, price; all marks are fresh here.
    Mark(u32, i64),
    Token(u32, u64),
}

/// Position, open to buy, open to sell, and exposure at the mark of the last change.
fn holding(past: &[Past], account: u32, instrument: u32) -> (i128, i128, i128, i128) {
    let (mut position, mut buy, mut sell, mut mark, mut exposure) =
        (0i128, 0i128, 0i128, 0i128, 0i128);
    for event in past {
        let changed = match *event {
            Past::Open(o) if (o.account.0, o.instrument) == (account, instrument) => {
                let open = if o.side == Side::Bid {
                    &mut buy
                } else {
                    &mut sell
                };
                *open += i128::from(o.qty.0);
                true
            }
            Past::Fill(a, i, side, qty) if (a, i) == (account, instrument) => {
                let qty = i128::from(qty);
                if side == Side::Bid {
                    (buy, position) = (buy - qty, position + qty);
                } else {
                    (sell, position) = (sell - qty, position - qty);
                }
                true
            }
            Past::Cancel(a, i, side, qty) if (a, i) == (account, instrument) => {
                let open = if side == Side::Bid {
                    &mut buy
                } else {
                    &mut sell
                };
                *open -= i128::from(qty);
                true
            }
            Past::Mark(i, price) if i == instrument => {
                mark = i128::from(price);
                false
            }
            _ => false,
        };
        if changed {
            exposure = (position + buy).abs().max((position - sell).abs()) * mark;
        }
    }
    (position, buy, sell, exposure)
}

fn naive(past: &[Past], order: &Order, now: u64) -> Option<Reason> {
    // Tokens: as many as burst, refilled one in ten nanoseconds.
    let (mut level, mut at) = (30u64, 0u64);
    for event in past {
        if let Past::Token(account, time) = *event
            && account == order.account.0
        {
            level = (level + time - at).min(30);
            at = time;
            level -= if level >= 10 { 10 } else { 0 };
        }
    }
    if (level + now - at).min(30) < 10 {
        return Some(Reason::Rate);
    }
    if order.qty.0 == 0 || order.qty.0 > 20 {
        return Some(Reason::Size);
    }
    // The second instrument has ticks of 2 and lots of 3.
    if order.instrument == 1 && order.price.0 % 2 != 0 {
        return Some(Reason::Tick);
    }
    if order.instrument == 1 && !order.qty.0.is_multiple_of(3) {
        return Some(Reason::Lot);
    }
    let marked = past.iter().rev().find_map(|event| match *event {
        Past::Mark(instrument, price) if instrument == order.instrument => Some(price),
        _ => None,
    });
    let Some(mark) = marked else {
        return Some(Reason::NoReference);
    };
    if (order.price.0 - mark).abs() * 10_000 > mark * 500 {
        return Some(Reason::Collar);
    }
    if order.price.0 * order.qty.0 as i64 > 1_500 {
        return Some(Reason::Notional);
    }
    let mut after = past.to_vec();
    after.push(Past::Open(*order));
    let (position, buy, sell, _) = holding(&after, order.account.0, order.instrument);
    if (position + buy).abs().max((position - sell).abs()) > 30 {
        return Some(Reason::Position);
    }
    let gross: i128 = (0..2).map(|i| holding(&after, order.account.0, i).3).sum();
    (gross > 4_000).then_some(Reason::Gross)
}

proptest! {
    #[test]
    fn equals_a_look_through_the_whole_past(
        steps in prop::collection::vec((0u8..8, 0u32..2, 0u32..2, any::<bool>(), 94i64..107, 0u64..23, 0u64..20), 1..120),
    ) {
        let limits = Limits { reference_age_ns: u64::MAX, ..LIMITS };
        let mut gate = Gate::new(limits, 2, 2, 16);
        let units = Units { tick: Some(Price(2)), lot: Some(Qty(3)) };
        gate.set_units(1, units).expect("known");
        let (mut past, mut now) = (Vec::new(), 0);
        for (kind, account, instrument, buys, price, qty, gap) in steps {
            now += gap;
            let side = if buys { Side::Bid } else { Side::Ask };
            let (_, buy, sell, _) = holding(&past, account, instrument);
            let open = if buys { buy } else { sell };
            let some = qty.min(open as u64);
            match kind {
                0 => {
                    gate.fill(AccountId(account), instrument, side, Qty(some)).expect("open");
                    past.push(Past::Fill(account, instrument, side, some));
                }
                1 => {
                    gate.cancel(AccountId(account), instrument, side, Qty(some)).expect("open");
                    past.push(Past::Cancel(account, instrument, side, some));
                }
                2 => {
                    gate.mark(instrument, Price(price), now).expect("known");
                    past.push(Past::Mark(instrument, price));
                }
                _ => {
                    let order = order(account, instrument, side, price, qty);
                    let expected = naive(&past, &order, now);
                    prop_assert_eq!(reason(&mut gate, &order, now), expected);
                    past.push(Past::Token(account, now));
                    if expected.is_none() {
                        past.push(Past::Open(order));
                    }
                }
            }
            let (position, buy, sell, _) = holding(&past, account, instrument);
            let got = gate.holding(AccountId(account), instrument).expect("known");
            prop_assert_eq!((i128::from(got.0), i128::from(got.1), i128::from(got.2)), (position, buy, sell));
        }
    }
}
