//! Runs market state machines on pinned threads: sockets, lanes, capture files, rings.
