//! What stands at a voter for one instance: who leads, or who gave that back last.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Wish;
use crate::model::quorum::Vote;
use crate::wire::etcd::{self, Entry, Etcd};
use crate::wire::redis::{Link, Target};

/// How the text begins that stands there while somebody leads, and when he has given that back.
const HELD_BY: &str = "held by ";
const RELEASED_BY: &str = "released by ";

/// Who votes.
#[derive(Debug, Clone)]
pub enum Voter {
    /// All members of an etcd, as one.
    Etcd(Arc<Etcd>),
    /// A Redis that is none of the nodes'.
    Witness {
        /// Where, and how to log in.
        target: Target,
        /// How long it may take to answer.
        timeout: Duration,
    },
}

/// One voter's ballot for one instance.
#[derive(Debug)]
pub struct Ballot {
    voter: Voter,
    key: String,
    node: String,
    ttl: Duration,
    /// The lease that was asked for last.
    lease: Option<i64>,
    link: Option<Link>,
    /// It was given back by who had it before.
    handed: bool,
}

impl Ballot {
    /// At `key`, for `node`.
    #[must_use]
    pub fn new(voter: Voter, key: String, node: String, ttl: Duration) -> Self {
        Self {
            voter,
            key,
            node,
            ttl,
            lease: None,
            link: None,
            handed: false,
        }
    }

    /// Asks once, and says for whom the voter stands then.
    ///
    /// # Errors
    /// One line: it does not answer, or does not do it.
    pub(super) async fn ask(&mut self, wish: Wish) -> Result<Vote, String> {
        match &self.voter {
            Voter::Etcd(etcd) => {
                let etcd = Arc::clone(etcd);
                self.ask_etcd(&etcd, wish)
                    .await
                    .map_err(|error| error.to_string())
            }
            Voter::Witness {
                target,
                timeout: patience,
            } => {
                let (target, patience) = (target.clone(), *patience);
                let asked = timeout(patience, self.ask_witness(&target, patience, wish));
                let vote = asked
                    .await
                    .unwrap_or_else(|_| Err("no answer in time".to_owned()));
                if vote.is_err() {
                    self.link = None;
                }
                vote
            }
        }
    }

    async fn ask_etcd(&mut self, etcd: &Etcd, wish: Wish) -> Result<Vote, etcd::Error> {
        let found = etcd.get(&self.key).await?;
        let held = self.held();
        match (&found, wish) {
            (Some(entry), _) if entry.value == held && entry.lease != 0 => {
                self.lease = Some(entry.lease);
                self.keep_lease(etcd, entry, wish).await
            }
            (Some(entry), _) if entry.value.starts_with(HELD_BY) && entry.value != held => {
                Ok(theirs(&entry.value))
            }
            (_, Wish::Lead) => {
                let lease = match self.lease.take() {
                    Some(lease) if etcd.keep_alive(lease).await? => lease,
                    _ => etcd.grant(self.ttl).await?,
                };
                self.lease = Some(lease);
                // Also where the answer is not waited for, and the next look finds it written.
                self.handed = found.is_some();
                let took = etcd
                    .put_if(&self.key, found.as_ref(), &held, Some(lease))
                    .await?;
                match took {
                    true => Ok(Vote::Ours {
                        handed: self.handed,
                    }),
                    // Somebody was faster: the next look says who.
                    false => Ok(Vote::Free),
                }
            }
            _ => Ok(Vote::Free),
        }
    }

    /// The key is this node's: it is kept, or given back, or left alone.
    async fn keep_lease(
        &mut self,
        etcd: &Etcd,
        entry: &Entry,
        wish: Wish,
    ) -> Result<Vote, etcd::Error> {
        match wish {
            Wish::AsItIs | Wish::Lead => match etcd.keep_alive(entry.lease).await? {
                true => Ok(Vote::Ours {
                    handed: self.handed,
                }),
                false => {
                    (self.lease, self.handed) = (None, false);
                    Ok(Vote::Free)
                }
            },
            Wish::Release => {
                etcd.put_if(&self.key, Some(entry), &self.released(), None)
                    .await?;
                self.handed = false;
                // The next lead has a lease of its own.
                if let Some(lease) = self.lease.take() {
                    etcd.revoke(lease).await?;
                }
                Ok(Vote::Free)
            }
            Wish::Nothing => Ok(Vote::Free),
        }
    }

    async fn ask_witness(
        &mut self,
        target: &Target,
        patience: Duration,
        wish: Wish,
    ) -> Result<Vote, String> {
        let said = |error: crate::wire::redis::Error| error.to_string();
        let link = match &self.link {
            Some(link) => link.clone(),
            None => Link::connect(target, patience).await.map_err(said)?,
        };
        self.link = Some(link.clone());
        let (held, key) = (self.held(), self.key.clone());
        let found = link.vote(&key).await.map_err(said)?;
        let is_ours = found.as_ref() == Some(&held);
        match (found, wish) {
            (Some(found), _) if found.starts_with(HELD_BY) && !is_ours => Ok(theirs(&found)),
            (_, Wish::Release) if is_ours => {
                let released = self.released();
                let given = link.give_vote_back(&key, &held, &released);
                given.await.map_err(said)?;
                self.handed = false;
                Ok(Vote::Free)
            }
            (found, Wish::Lead) => {
                if found.is_none() && link.uptime().await.map_err(said)? <= self.ttl {
                    // It may have given its vote before it was restarted, and has forgotten.
                    return Ok(Vote::Free);
                }
                self.handed &= is_ours;
                self.take_from_witness(&link).await.map_err(said)
            }
            (_, Wish::AsItIs) if is_ours => self.take_from_witness(&link).await.map_err(said),
            _ => Ok(Vote::Free),
        }
    }

    async fn take_from_witness(&mut self, link: &Link) -> Result<Vote, crate::wire::redis::Error> {
        let held = self.held();
        let before = link
            .take_vote(&self.key, &held, RELEASED_BY, self.ttl)
            .await?;
        match before {
            Some(before) if before == held => {}
            Some(before) if before.starts_with(HELD_BY) => return Ok(theirs(&before)),
            before => self.handed = before.is_some(),
        }
        Ok(Vote::Ours {
            handed: self.handed,
        })
    }

    fn held(&self) -> String {
        format!("{HELD_BY}{}", self.node)
    }

    fn released(&self) -> String {
        format!("{RELEASED_BY}{}", self.node)
    }
}

fn theirs(text: &str) -> Vote {
    // Who can write there may have written anything.
    let holder = text.strip_prefix(HELD_BY).unwrap_or(text);
    let holder = holder
        .chars()
        .filter(|c| !c.is_control())
        .take(64)
        .collect();
    Vote::Theirs { holder }
}
