//! A simulated venue: order flow calibrated by real sessions, spoken as ITCH 5.0.
