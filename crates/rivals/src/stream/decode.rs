//! Decoding beside itch5, beside the bare walk over the frames, and beside reading the bytes.

use itch5::Parser;
use wire::itch50::{self, Message, Scan};
use wire::itchfile::Frames;

use super::fields::{Nothing, Theirs, of_ours, of_scan};
use super::input::Input;
use crate::measure::{Run, interleave, time_ns};
use crate::report::{Better, Figure};

const ROUNDS: usize = 9;
const ITCH5: &str = "itch5 0.1.5";

/// Times all readers over the same bytes.
///
/// # Panics
/// When two readers of the same fields disagree: then no time of theirs means anything.
pub fn measure(input: &Input) -> Vec<Figure> {
    let file = input.file.as_slice();
    let (ours, theirs) = (book_fields(file), their_book_fields(file));
    assert_eq!(ours, theirs, "our decoder and itch5 read different values");
    let each = input.messages as f64;
    assert_eq!(
        scanned(file),
        ours,
        "the scan and the views read different values"
    );
    let mut contestants: [Run<'_>; 7] = [
        Box::new(|| time_ns(|| sum_of_words(file)) / each),
        Box::new(|| time_ns(|| walk(file)) / each),
        Box::new(|| time_ns(|| kinds(file)) / each),
        Box::new(|| time_ns(|| Parser::new(file).parse_stream(&mut Nothing).is_ok()) / each),
        Box::new(|| time_ns(|| book_fields(file)) / each),
        Box::new(|| time_ns(|| their_book_fields(file)) / each),
        Box::new(|| time_ns(|| scanned(file)) / each),
    ];
    let values = interleave(ROUNDS, &mut contestants);
    let [read, walk, kinds, nothing, views, their_fields, fields] = values.as_slice() else {
        unreachable!("one list of values a contestant")
    };
    let near = in_cache(file);
    let near_values = interleave(
        ROUNDS,
        &mut [
            Box::new(|| repeated(near.0, near.1, scanned)),
            Box::new(|| repeated(near.0, near.1, their_book_fields)),
            Box::new(|| repeated(near.0, near.1, |file| self::walk(file) as u64)),
        ],
    );
    let words = input.words();
    let less = |name: &str, values: &[f64]| {
        Figure::new(
            format!("stream.decode.{name}"),
            "ns/message",
            Better::Less,
            values.to_vec(),
        )
    };
    let speed =
        |ns: &[f64]| -> Vec<f64> { ns.iter().map(|ns| file.len() as f64 / each / ns).collect() };
    vec![
        less("book_fields", fields).beside(format!("{ITCH5}, same fields"), their_fields).note(
            format!("{words}; every field a book needs is read and summed, sums compared; both check length and type, neither checks values"),
        ),
        less("book_fields_by_views", views).beside(format!("{ITCH5}, same fields"), their_fields).note(
            "as book_fields, through the typed views: a switch on the type of each message",
        ),
        less("book_fields_near", &near_values[0]).beside(format!("{ITCH5}, same fields"), &near_values[1]).note(
            "as book_fields, over messages that stay in the second cache: what decoding itself costs",
        ),
        less("book_fields_near_to_walk", &near_values[0])
            .beside("walk over the frames, nothing read", &near_values[2])
            .note("a limit, in the second cache"),
        less("views", kinds).beside(format!("{ITCH5}, no-op handler"), nothing).note(
            "length and type checked, a typed view given, no field read; itch5 has no iterator, its handler is called per message",
        ),
        less("book_fields_to_walk", fields)
            .beside("walk over the frames, nothing read", walk)
            .note("a limit: the next message is found only through the length of this one"),
        Figure::new("stream.decode.bytes", "GB/s", Better::More, speed(fields))
            .beside("memory read (sum of u64)", &speed(read))
            .note("a limit: the same bytes, 8 at a time, one thread"),
    ]
}

/// Whole frames of the file's middle that fit the second cache, and how many.
fn in_cache(file: &[u8]) -> (&[u8], usize) {
    let mut scan = Scan::new(file);
    let skipped: usize = scan.by_ref().take_while(|s| s.fields.kind == 0).count();
    let start = file.len() - scan.rest().len();
    let count = scan.by_ref().take(8_000).count();
    let end = file.len() - scan.rest().len();
    assert!(skipped + count > 0, "the input has orders");
    (&file[start..end], count)
}

/// Nanoseconds a message of `work` done often enough to be timed.
fn repeated(file: &[u8], count: usize, work: impl Fn(&[u8]) -> u64) -> f64 {
    const TIMES: usize = 200;
    let sums = || (0..TIMES).fold(0u64, |sum, _| sum ^ work(std::hint::black_box(file)));
    time_ns(sums) / (TIMES * count) as f64
}

fn sum_of_words(file: &[u8]) -> u64 {
    let mut sums = [0u64; 8];
    for line in file.chunks_exact(64) {
        for (sum, word) in sums.iter_mut().zip(line.chunks_exact(8)) {
            let word = word
                .first_chunk()
                .map_or(0, |word| u64::from_le_bytes(*word));
            *sum = sum.wrapping_add(word);
        }
    }
    sums.into_iter().fold(0, u64::wrapping_add)
}

/// Follows the lengths and does nothing else: how many frames.
fn walk(file: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some(length) = file.get(at..).and_then(|rest| rest.first_chunk::<2>()) {
        at += 2 + usize::from(u16::from_be_bytes(*length));
        count += 1;
    }
    count
}

/// What `of` says of every message, added up. A message that cannot be read would change the sum.
#[inline]
fn sum_of(file: &[u8], of: impl Fn(&Message<'_>) -> u64) -> u64 {
    let mut sum = 0u64;
    for frame in Frames::new(file) {
        let Ok(frame) = frame else { return !sum };
        match itch50::decode(frame) {
            Ok(message) => sum = sum.wrapping_add(of(&message)),
            Err(_) => return !sum,
        }
    }
    sum
}

fn kinds(file: &[u8]) -> u64 {
    sum_of(file, |message| u64::from(message.kind()))
}

fn book_fields(file: &[u8]) -> u64 {
    sum_of(file, of_ours)
}

/// The same sum without a switch on the type.
fn scanned(file: &[u8]) -> u64 {
    Scan::new(file).fold(0, |sum: u64, scanned| sum.wrapping_add(of_scan(&scanned)))
}

fn their_book_fields(file: &[u8]) -> u64 {
    let mut handler = Theirs::default();
    match Parser::new(file).parse_stream(&mut handler) {
        Ok(()) => handler.0,
        // Unequal to any sum of ours, so that the comparison fails.
        Err(_) => !handler.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_decoders_read_the_same_values() {
        let input = Input::generate(300_000);
        assert_eq!(walk(&input.file), input.messages);
        assert_ne!(book_fields(&input.file), 0);
        assert_eq!(book_fields(&input.file), their_book_fields(&input.file));
    }
}
