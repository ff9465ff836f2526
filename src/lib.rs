//! rha keeps a Redis pair alive behind a keepalived VIP, and can prove afterwards what it did and why.
//!
//! ```text
//!  keepalived ──notify FIFO──> rha-event ──spool──┐
//!  Redis <──probe── prober, pidfd watch ──────────┤                    ┌── journal (sled): append + flush
//!  peers, netlink(VIP), clock, operator ──────────┴─> Event ─> step() ─┤   one record: event, decision, effects
//!                                                      pure, no I/O    └──> effects: Redis, track files, alarms
//!                                                         ^                            │
//!                                                         └────── Outcome = Event ─────┘
//! ```
//!
//! The modules, in flow order: [`model`] is the data, [`config`] what the operator wants,
//! [`keepalived`] the text of its configuration, [`ingest`] turns the world into events,
//! [`journal`] keeps them, [`machine`] decides, [`effects`] acts, [`rescue`] keeps what would be overwritten, [`wire`] spells foreign protocols,
//! [`agent`] runs the loop, [`views`] folds the journal for readers, [`replay`] re-runs it, [`postmortem`] tells one
//! incident from the journals of all nodes, and [`cli`] is what people type; [`text`] makes what they read safe to print.

pub mod agent;
pub mod cli;
pub mod config;
pub mod effects;
pub mod ingest;
pub mod journal;
pub mod keepalived;
pub mod machine;
#[path = "../migrations/mod.rs"]
pub mod migrations;
pub mod model;
pub mod postmortem;
pub mod replay;
pub mod rescue;
pub mod text;
pub mod views;
pub mod wire;
