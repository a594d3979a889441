//! Runs that take turns, and what is said of them: median, least, most.
//!
//! Two contestants measured one after the other also measure what else the machine did meanwhile.
//! So every figure and what stands beside it run alternately on the same input, and the ratio is
//! the median of the ratios of neighbours.

use std::time::Instant;

/// One contestant: does the work once and says how long it took, or whatever it counts.
pub type Run<'a> = Box<dyn FnMut() -> f64 + 'a>;

/// Every contestant once to warm up, then `rounds` rounds in which each runs once. One list of
/// values a contestant, in the order given.
pub fn interleave(rounds: usize, contestants: &mut [Run<'_>]) -> Vec<Vec<f64>> {
    for contestant in contestants.iter_mut() {
        contestant();
    }
    let mut values = vec![Vec::with_capacity(rounds); contestants.len()];
    for _ in 0..rounds {
        for (contestant, values) in contestants.iter_mut().zip(&mut values) {
            values.push(contestant());
        }
    }
    values
}

/// Nanoseconds that `work` takes; its result is kept from being optimised away.
pub fn time_ns<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed().as_nanos() as f64
}

/// The middle value; of an even number the mean of the two in the middle. 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// The least value; 0 of none.
pub fn least(values: &[f64]) -> f64 {
    values.iter().copied().reduce(f64::min).unwrap_or(0.0)
}

/// The greatest value; 0 of none.
pub fn most(values: &[f64]) -> f64 {
    values.iter().copied().reduce(f64::max).unwrap_or(0.0)
}

/// The value at share `q` of the sorted values, by nearest rank; 0 of none.
pub fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * q).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contestants_take_turns_after_one_warm_up_each() {
        let order = std::cell::RefCell::new(Vec::new());
        let run = |name: char, value: f64| -> Run<'_> {
            let order = &order;
            Box::new(move || {
                order.borrow_mut().push(name);
                value
            })
        };
        let values = interleave(2, &mut [run('a', 1.0), run('b', 2.0)]);
        assert_eq!(values, [vec![1.0; 2], vec![2.0; 2]]);
        assert_eq!(String::from_iter(order.into_inner()), "ababab");
    }

    #[test]
    fn the_middle_and_the_ends() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
        assert_eq!((least(&[2.0, 1.0]), most(&[2.0, 1.0])), (1.0, 2.0));
        let mut hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(quantile(&mut hundred, 0.99), 99.0);
        assert_eq!(quantile(&mut [], 0.5), 0.0);
    }
}
