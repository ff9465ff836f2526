//! Those whose votes are needed to lead, made from the configuration.

use std::sync::Arc;

use crate::config::{ETCD, Quorum};
use crate::ingest::quorum::Voter;
use crate::wire::etcd::{Etcd, Login};
use crate::wire::redis::{Secret, Target};

/// Each by its name.
///
/// # Errors
/// The password file cannot be read, or TLS cannot be set up.
pub(super) fn of(quorum: &Quorum) -> anyhow::Result<Vec<(String, Voter)>> {
    let password = quorum
        .password()?
        .map(|secret| Secret(secret.expose().to_owned()));
    let name = Some(quorum.username.clone()).filter(|name| !name.is_empty());
    if !quorum.etcd.is_empty() {
        let login = name
            .zip(password)
            .map(|(name, password)| Login { name, password });
        let etcd = Etcd::new(quorum.etcd.clone(), login, quorum.patience())?;
        return Ok(vec![(ETCD.to_owned(), Voter::Etcd(Arc::new(etcd)))]);
    }
    let witnesses = quorum.witnesses.iter().map(|witness| {
        let target = Target {
            endpoint: witness.clone(),
            username: name.clone(),
            password: password.clone(),
        };
        let timeout = quorum.patience();
        (witness.to_string(), Voter::Witness { target, timeout })
    });
    Ok(witnesses.collect())
}
