//! The only place where a foreign protocol is spelled. No policy, and no retry that outlives one call.

pub mod netlink;
pub mod redis;
