//! The sign at each local Redis that this node's agent leads there, or does not. No order: it says what is decided already,
//! and who reads it are the other nodes' agents.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::board::Board;
use super::hands::own_target;
use crate::config::{Config, SecretError};
use crate::model::redis::Sign;
use crate::wire::redis::{Error, SignPost, Target};

/// Deadline of one attempt.
const TIMEOUT: Duration = Duration::from_secs(1);
/// From the end of a connection to the next.
const PAUSE: Duration = Duration::from_secs(1);
/// Until a Redis that refused is asked again: an operator may have granted the right.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// The signs of all instances; dropping them takes them down.
pub struct Signs {
    wanted: BTreeMap<String, watch::Sender<Sign>>,
    _tasks: JoinSet<()>,
}

impl Signs {
    /// A sign at each instance's Redis, as the board says.
    ///
    /// # Errors
    /// A password file cannot be read.
    pub fn start(config: &Config, board: &Board) -> Result<Self, SecretError> {
        let mut tasks = JoinSet::new();
        let mut wanted = BTreeMap::new();
        for instance in &config.instances {
            let state = board.states.get(&instance.name);
            let sign = state.map_or(Sign::Stands, |state| state.sign());
            let (sender, receiver) = watch::channel(sign);
            tasks.spawn(show(instance.name.clone(), own_target(instance)?, receiver));
            wanted.insert(instance.name.clone(), sender);
        }
        Ok(Self {
            wanted,
            _tasks: tasks,
        })
    }

    /// Shows what is decided now.
    pub fn follow(&self, board: &Board) {
        for (name, wanted) in &self.wanted {
            let Some(state) = board.states.get(name) else {
                continue;
            };
            let sign = state.sign();
            wanted.send_if_modified(|shown| std::mem::replace(shown, sign) != sign);
        }
    }
}

/// Keeps the sign up for as long as somebody says which.
async fn show(instance: String, target: Target, mut wanted: watch::Receiver<Sign>) {
    let mut said = false;
    loop {
        let sign = *wanted.borrow_and_update();
        let pause = match SignPost::raise(&target, sign, TIMEOUT).await {
            Ok(post) => match hold(post, &mut wanted).await {
                Ok(()) => PAUSE,
                Err(_) => return,
            },
            Err(error @ Error::Reply { .. }) => {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(
                        instance,
                        "{error}: the other nodes cannot see whether this one leads (ACL: +subscribe +unsubscribe +pubsub|numsub &rha:*)"
                    );
                }
                REFUSED_PAUSE
            }
            // The health checks tell of that.
            Err(_) => PAUSE,
        };
        tokio::time::sleep(pause).await;
    }
}

/// Until the connection ends.
///
/// # Errors
/// Nobody says any more what to show.
async fn hold(
    mut post: SignPost,
    wanted: &mut watch::Receiver<Sign>,
) -> Result<(), watch::error::RecvError> {
    loop {
        tokio::select! {
            () = post.gone() => return Ok(()),
            changed = wanted.changed() => changed?,
        }
        let sign = *wanted.borrow_and_update();
        if post.change(sign, TIMEOUT).await.is_err() {
            return Ok(());
        }
    }
}
