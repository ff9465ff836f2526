//! What people type.

pub mod config;
pub mod keepalived;
