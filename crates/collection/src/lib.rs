//! Points on one machine: a log that is the database, dense and text search as of any instant.
