//! Two data sets, key by key: what one has and the other lacks, or has otherwise.

use std::collections::HashSet;

use crate::wire::redis::{Dumped, Error, Key, Link};

/// Keys that are compared at once: as many values of each side are in memory.
const BATCH: usize = 64;

/// A key whose value is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its database.
    pub db: u32,
    /// Any bytes.
    pub key: Key,
    /// The type of the saved value.
    pub kind: String,
    /// How long the saved value lives, in milliseconds; `None` for ever.
    pub ttl_ms: Option<i64>,
    /// The other one lacks it; else it has another value there, or it lives for ever there and not here, or the other way
    /// round.
    pub missing: bool,
}

/// Compares what `saved` has with what `present` has, and hands each difference to `found`, which says whether to go on.
/// `looked` is told of progress. Returns how many keys were compared.
///
/// # Errors
/// Either does not answer, or refuses.
pub async fn compare(
    saved: &Link,
    present: &Link,
    mut found: impl FnMut(Difference) -> anyhow::Result<bool>,
    mut looked: impl FnMut(u64),
) -> anyhow::Result<u64> {
    let mut compared = 0;
    for (db, _) in saved.databases().await? {
        saved.select(db).await?;
        present.select(db).await?;
        let mut cursor = "0".to_owned();
        loop {
            let (next, keys) = saved.scan(&cursor, BATCH).await?;
            // Nothing writes there: a key that comes twice does so at once, or when its table shrinks.
            let mut once = HashSet::new();
            let keys: Vec<Key> = keys
                .into_iter()
                .filter(|key| once.insert(key.clone()))
                .collect();
            compared += keys.len() as u64;
            looked(compared);
            for difference in batch(saved, present, db, keys).await? {
                if !found(difference)? {
                    return Ok(compared);
                }
            }
            if next == "0" {
                break;
            }
            cursor = next;
        }
    }
    Ok(compared)
}

async fn batch(
    saved: &Link,
    present: &Link,
    db: u32,
    keys: Vec<Key>,
) -> Result<Vec<Difference>, Error> {
    let (here, there) = tokio::try_join!(saved.dumps(&keys), present.dumps(&keys))?;
    let mut differences = Vec::new();
    for ((key, here), there) in keys.into_iter().zip(here).zip(there) {
        // It has expired meanwhile.
        let Some(here) = here else { continue };
        let kind = match &there {
            Some(there) if is_same(&here, there) => continue,
            Some(there) => {
                let kind = saved.type_of(&key).await?;
                let lives = here.ttl_ms.is_some() == there.ttl_ms.is_some();
                if lives && consists_of_the_same(saved, present, &key, &kind).await? {
                    continue;
                }
                kind
            }
            None => saved.type_of(&key).await?,
        };
        differences.push(Difference {
            db,
            key,
            kind,
            ttl_ms: here.ttl_ms,
            missing: there.is_none(),
        });
    }
    Ok(differences)
}

fn is_same(one: &Dumped, other: &Dumped) -> bool {
    one.value == other.value && one.ttl_ms.is_some() == other.ttl_ms.is_some()
}

/// Equal values may be dumped differently: in another version, in another encoding, in another order of a hash table.
async fn consists_of_the_same(
    saved: &Link,
    present: &Link,
    key: &Key,
    kind: &str,
) -> Result<bool, Error> {
    if present.type_of(key).await? != kind {
        return Ok(false);
    }
    let parts = tokio::try_join!(saved.parts(key, kind), present.parts(key, kind))?;
    Ok(matches!(parts, (Some(here), Some(there)) if here == there))
}
