use std::vec::Vec;

use proptest::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

use super::*;

fn level(n: i64) -> Level {
    Level {
        price: n.into(),
        qty: (n as u64).into(),
        orders: 1.into(),
    }
}

fn empty_book() -> Book {
    let mut book = Book::read_from_bytes(&[0; size_of::<Book>()]).unwrap();
    book.head = Head::new(KIND_BOOK, 1, 2, 77);
    book
}

#[test]
fn a_book_carries_its_levels_and_last_print() {
    let last = Last::read_from_bytes(&[7; size_of::<Last>()]).unwrap();
    let mut buffer = [0; MESSAGE_SIZE_MAX];
    let written = write_book(
        &mut buffer,
        &empty_book(),
        (1..=3).map(level),
        (4..=5).map(level),
        Some(&last),
    )
    .unwrap();
    let Ok(Message::Book(read)) = Message::parse(written) else {
        panic!("not a book");
    };
    assert_eq!((read.bids.len(), read.asks.len()), (3, 2));
    assert_eq!((read.bids[2].price.get(), read.asks[0].price.get()), (3, 4));
    assert_eq!(
        read.last.map(|l| l.print.seq.get()),
        Some(u64::from_le_bytes([7; 8]))
    );
    assert_eq!(Message::parse(written).unwrap().head().instrument.get(), 77);
    for cut in 0..written.len() {
        assert!(
            matches!(Message::parse(&written[..cut]), Err(Error::Short { have, want, .. }) if have == cut && want > cut),
            "{cut}"
        );
    }
}

#[test]
fn the_largest_book_fits_a_message() {
    let last = Last::read_from_bytes(&[0; size_of::<Last>()]).unwrap();
    let mut buffer = [0; MESSAGE_SIZE_MAX];
    let sides = || (0..LEVELS_MAX as i64).map(level);
    assert!(write_book(&mut buffer, &empty_book(), sides(), sides(), Some(&last)).is_some());
    let too_many = (0..=LEVELS_MAX as i64).map(level);
    assert!(write_book(&mut buffer, &empty_book(), too_many, sides(), None).is_none());
}

#[test]
fn later_versions_are_read_as_far_as_they_are_known() {
    let dropped = Dropped {
        head: Head::new(KIND_DROPPED, 0, 1, 0),
        count: 9.into(),
    };
    let longer = [dropped.as_bytes(), b"later fields"].concat();
    assert!(matches!(Message::parse(&longer), Ok(Message::Dropped(d)) if d.count.get() == 9));
    let unknown = [200, 0, 1, 0, 5, 0, 0, 0, 99];
    assert!(matches!(Message::parse(&unknown), Ok(Message::Unknown(h)) if h.instrument.get() == 5));
}

#[test]
fn too_many_levels_are_refused() {
    let mut book = empty_book();
    book.bid_count = 21;
    let bytes: Vec<u8> = [book.as_bytes(), &[0; 2_000]].concat();
    assert_eq!(
        Message::parse(&bytes).unwrap_err(),
        Error::Levels { count: 21 }
    );
}

proptest! {
    /// Any bytes are a message or a refusal, and a message shows only bytes that are there.
    #[test]
    fn any_bytes_are_safe(kind in 0u8..14, rest in prop::collection::vec(any::<u8>(), 0..600)) {
        let bytes = [&[kind][..], &rest].concat();
        if let Ok(Message::Book(view)) = Message::parse(&bytes) {
            let levels = view.bids.len() + view.asks.len();
            prop_assert!(size_of::<Book>() + levels * size_of::<Level>() <= bytes.len());
        }
    }
}
