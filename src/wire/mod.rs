//! The only place where a foreign protocol is spelled. No policy, and no retry that outlives one call.

pub mod http;
pub mod info;
pub mod netlink;
pub mod process;
pub mod redis;
