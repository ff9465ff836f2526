//! Does another node serve? Asked while the VIP here leads nowhere: what is known of the others may be a second old.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use crate::model::redis::RedisRole;
use crate::wire::redis::{Link, Target};

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(50);
/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// Returns when the Redis of one of `others` is a master; at once where none can be asked.
pub(super) async fn served(others: Vec<Target>) {
    if others.is_empty() {
        return;
    }
    while !join_all(others.iter().map(serves)).await.contains(&true) {
        sleep(LOOK).await;
    }
}

async fn serves(other: &Target) -> bool {
    let asked = async { Link::connect(other, PATIENCE).await?.role().await };
    match timeout(PATIENCE, asked).await {
        Ok(Ok(standing)) => standing.role == RedisRole::Master,
        // It lives and does not let us see more: it is not waited for.
        Ok(Err(error)) => !error.is_broken(),
        Err(_) => false,
    }
}
