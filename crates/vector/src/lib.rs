//! Distances and exact search over borrowed slices.
