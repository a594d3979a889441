//! Fields whose value may hold any byte, SOH too: their length stands in the field before them.

/// The tag of the data field that must follow the length field `tag`; `None` when `tag` is none.
///
/// The fields of type *data* and *XMLData* of FIX 4.4 and 5.0SP2 up to extension pack 269, those of
/// the component blocks from 40000 on apart: their values are read like text, up to the first SOH.
#[must_use]
#[inline]
pub const fn data_tag_of(tag: u32) -> Option<u32> {
    match tag {
        // Most fields of a market-data message have tags below or between these.
        0..90 | 97..212 | 213..348 => None,
        93 => Some(89),
        90 | 95 | 212 | 348 | 350 | 352 | 354 | 356 | 358 | 360 | 362 | 364 | 445 | 618 | 621
        | 1184 | 1277 | 1280 | 1282 | 1397 | 1401 | 1403 | 1468 | 1578 | 1620 | 1664 | 1733
        | 1871 | 1874 | 2072 | 2074 | 2111 | 2179 | 2287 | 2351 | 2481 | 2637 | 2651 | 2665
        | 2715 | 2718 | 2721 | 2797 => Some(tag + 1),
        1525 => Some(1527),
        1678 => Some(1697),
        2372 => Some(2371),
        2494 => Some(2493),
        2522 => Some(2521),
        2802 => Some(2801),
        2809 => Some(2808),
        2815 => Some(2814),
        _ => None,
    }
}
