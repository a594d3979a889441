//! Bytes to protocol messages and back: borrowed views, no allocation, no I/O.
