//! Typed values back to the words of the file.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::failover::Follow;
use super::types::VrrpVersion;
use super::value::show_duration;
use crate::model::redis::Grade;

pub(super) fn duration<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&show_duration(*duration))
}

pub(super) fn version<S: Serializer>(version: &VrrpVersion, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u8(match version {
        VrrpVersion::V2 => 2,
        VrrpVersion::V3 => 3,
    })
}

pub(super) fn grades<S: Serializer>(grades: &[Grade], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(grades.iter().map(|grade| grade.word()))
}

pub(super) fn follow<S: Serializer>(follow: &Follow, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match follow {
        Follow::Vip => "vip",
        Follow::Node(name) => name,
    })
}

pub(super) fn optional_path<S: Serializer>(
    path: &Option<PathBuf>,
    to: S,
) -> Result<S::Ok, S::Error> {
    path.clone().unwrap_or_default().serialize(to)
}

pub(super) fn optional_address<S: Serializer>(
    address: &Option<IpAddr>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => to.collect_str(address),
        None => to.serialize_str(""),
    }
}

/// A password in a URL is a secret, and secrets are never shown.
pub(super) fn url<S: Serializer>(url: &reqwest::Url, to: S) -> Result<S::Ok, S::Error> {
    let mut url = url.clone();
    if url.password().is_some() {
        // Fails only for a URL without a host, and http has one.
        let _ = url.set_password(Some("***"));
    }
    to.serialize_str(url.as_str())
}
