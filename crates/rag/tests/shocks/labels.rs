//! Stories of Reuters-21578 (their NEWID) by what their headline would do to the company's price, labelled by hand before
//! anything was run, out of a random draw of stories whose headline has one ticker. Results and dividends were left out: they
//! say little without what was expected.

/// Good news of the company.
#[rustfmt::skip]
pub const UP: [u32; 37] = [
    5331, 3321, 3777, 1074, 1781, 2082, 10517, 2050, 6539, 1575, 767, 984, 10224, 1606, 3692, 11056, 11318, 10909, 12722,
    3229, 3632, 11125, 2405, 2888, 5474, 9677, 3846, 3896, 3025, 6561, 11074, 8561, 4962, 4017, 5714, 8889, 6166,
];

/// Bad news of it.
#[rustfmt::skip]
pub const DOWN: [u32; 37] = [
    11130, 10400, 10512, 2797, 4197, 1114, 12292, 4997, 9062, 1186, 4496, 10067, 808, 2671, 6590, 11081, 4542, 8782, 7230,
    12074, 3316, 6672, 10169, 1121, 2644, 96, 5106, 4520, 2860, 4369, 1336, 3383, 4143, 3158, 11988, 7665, 2400,
];

/// News that explains no jump.
#[rustfmt::skip]
pub const ROUTINE: [u32; 48] = [
    3544, 6565, 762, 3220, 8540, 6766, 7898, 11617, 1417, 5668, 10051, 9999, 6664, 5007, 1741, 4802, 10986, 4796, 747, 3415,
    1587, 6918, 2592, 2235, 8914, 4360, 12622, 10991, 11142, 5347, 5590, 6200, 2422, 12238, 6842, 10457, 10437, 2835, 6916,
    5457, 1297, 474, 10202, 10792, 8235, 4888, 12579, 997,
];
