//! Messages of the order book: an order's life from add to delete (specification 1.3 and 1.4).

use super::field::{argument_type, field_value, getter, message, to_wire, wire_type};

message! {
    /// A new displayed order without attribution (1.3.1).
    AddOrder = b'A', 36;
    /// The order's number, unique for the day.
    order_reference: u64,
    /// Which way the order trades.
    side: side,
    /// Displayed shares.
    shares: u32,
    /// The symbol.
    stock: Stock,
    /// Limit price in 1e-4.
    price: u32,
}

message! {
    /// A new displayed order with the firm's name (1.3.2).
    AddOrderMpid = b'F', 40;
    /// The order's number, unique for the day.
    order_reference: u64,
    /// Which way the order trades.
    side: side,
    /// Displayed shares.
    shares: u32,
    /// The symbol.
    stock: Stock,
    /// Limit price in 1e-4.
    price: u32,
    /// The firm.
    attribution: Mpid,
}

message! {
    /// A resting order traded at its own price (1.4.1).
    OrderExecuted = b'E', 31;
    /// The resting order.
    order_reference: u64,
    /// Shares traded, to be taken off the order.
    executed_shares: u32,
    /// The trade's number, unique for the day.
    match_number: u64,
}

message! {
    /// A resting order traded at another price than its own (1.4.2).
    OrderExecutedWithPrice = b'C', 36;
    /// The resting order.
    order_reference: u64,
    /// Shares traded, to be taken off the order.
    executed_shares: u32,
    /// The trade's number, unique for the day.
    match_number: u64,
    /// `Y` when the trade counts for time-and-sales, `N` when a later bulk print (a cross) holds it.
    printable: code,
    /// Trade price in 1e-4.
    execution_price: u32,
}

message! {
    /// Shares taken off a resting order, which stays (1.4.3).
    OrderCancel = b'X', 23;
    /// The resting order.
    order_reference: u64,
    /// Shares to take off.
    cancelled_shares: u32,
}

message! {
    /// A resting order leaves the book (1.4.4).
    OrderDelete = b'D', 19;
    /// The resting order.
    order_reference: u64,
}

message! {
    /// A resting order is replaced by another and loses its priority (1.4.5). Side, symbol and
    /// attribution stay those of the original.
    OrderReplace = b'U', 35;
    /// The order that leaves.
    original_order_reference: u64,
    /// The order that takes its place.
    new_order_reference: u64,
    /// Displayed shares of the new order.
    shares: u32,
    /// Limit price of the new order, in 1e-4.
    price: u32,
}
