//! Every decoder of foreign bytes, each with what must hold whatever it is fed.
//!
//! One text for two readers: the fuzz targets beside this folder, under libFuzzer, and `tests/corpus.rs`, which
//! feeds the seeds and bounded mutations of them on stable. A decoder that breaks a promise panics.

pub mod beside;
pub mod configuration;
pub mod ingest;
pub mod journal;
pub mod views;
pub mod volume;

/// Feeds bytes to one decoder. True if they were understood, as all seeds are that are not named `bad-…`.
pub type Decoder = fn(&[u8]) -> bool;

/// Each target and its decoder; the seeds are in a folder of the same name.
pub const ALL: [(&str, Decoder); 15] = [
    ("entry", journal::entry),
    ("block", journal::block),
    ("frames", journal::frames),
    ("volume", volume::volume),
    ("state", beside::state),
    ("mark", beside::mark),
    ("spool", ingest::spool),
    ("notify", ingest::notify),
    ("info", ingest::info),
    ("config", configuration::config),
    ("keepalived", configuration::keepalived),
    ("import", configuration::import),
    ("blackbox", views::blackbox),
    ("query", views::query),
    ("status", views::status),
];
