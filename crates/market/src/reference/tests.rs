use super::*;
use proptest::prelude::*;

fn row(line: u32) -> Row {
    Row {
        tick_size: Some(Price(i64::from(line))),
        line,
        ..Row::default()
    }
}

#[test]
fn the_table_speaks_before_the_feed_and_the_old_one_for_the_past() {
    let mut reference = Reference::new(1);
    let id = InstrumentId(0);
    let feed = Row {
        lot_size: Some(Qty(100)),
        currency: *b"USD ",
        ..Row::default()
    };
    reference.list(id, padded("A"), Some(feed));
    assert_eq!(reference.at(id, 5), Some(feed));
    reference.swap(Arc::new(Table::new(1, 0, vec![(padded("A"), row(1))])));
    let now = reference.at(id, 5).expect("a row");
    assert_eq!(
        (now.tick_size, now.lot_size),
        (Some(Price(1)), Some(Qty(100)))
    );
    assert_eq!(now.currency, *b"USD ");
    reference.swap(Arc::new(Table::new(2, 10, vec![(padded("A"), row(2))])));
    assert_eq!(reference.at(id, 9).map(|row| row.revision), Some(1));
    assert_eq!(reference.at(id, 10).map(|row| row.revision), Some(2));
    assert_eq!(reference.at(InstrumentId(1), 10), None);
}

/// Rows by symbol.
type Rows = Vec<([u8; 16], Row)>;

proptest! {
    /// Swaps and look-ups in any order give what a list of all tables would.
    #[test]
    fn equals_a_search_through_all_tables(
        steps in prop::collection::vec((any::<bool>(), 0u32..6, 0u64..50), 1..80),
    ) {
        let symbol = |n: u32| padded(&format!("S{n}"));
        let mut reference = Reference::new(4);
        (0..6).for_each(|n| { reference.list(InstrumentId(n), symbol(n), None); });
        let mut tables: Vec<(u64, Rows)> = vec![(0, vec![]), (0, vec![])];
        for (n, (is_swap, pick, time)) in steps.into_iter().enumerate() {
            if is_swap {
                let rows: Vec<_> = (0..pick).map(|k| (symbol(k % 4), row(n as u32 * 10 + k))).collect();
                let revision = tables.len() as u32 - 1;
                reference.swap(Arc::new(Table::new(revision, time, rows.clone())));
                tables.push((time, rows));
            } else {
                let (since, rows) = &tables[tables.len() - 1];
                let rows = if time < *since { &tables[tables.len() - 2].1 } else { rows };
                let naive = rows.iter().rev().find(|(s, _)| *s == symbol(pick)).map(|(_, row)| row.line);
                prop_assert_eq!(reference.at(InstrumentId(pick), time).map(|row| row.line), naive);
            }
        }
    }
}
