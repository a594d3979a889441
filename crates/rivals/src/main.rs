//! rivals
fn main() {}
