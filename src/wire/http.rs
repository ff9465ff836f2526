//! HTTP: a JSON document posted to a URL.

use std::error::Error as _;
use std::sync::OnceLock;
use std::time::Duration;

use serde::Serialize;

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request can never work: the URL is none, or TLS cannot be set up.
    #[error("{0}")]
    Impossible(String),
    /// No answer this time: no route, refused, reset, no answer before the deadline.
    #[error("{0}")]
    Unanswered(String),
}

/// Posts `body` as JSON and returns the status code of the answer (RFC 9110 section 15). Redirects are not
/// followed: a POST that is answered by one went to the wrong URL.
///
/// # Errors
/// [`Error::Impossible`] and [`Error::Unanswered`]; neither text contains the URL, which may hold a token.
pub async fn post_json(
    url: &str,
    body: &(impl Serialize + Sync),
    timeout: Duration,
) -> Result<u16, Error> {
    let request = client()?.post(url).timeout(timeout).json(body);
    match request.send().await {
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(error) if error.is_builder() => Err(Error::Impossible(describe(error))),
        Err(error) => Err(Error::Unanswered(describe(error))),
    }
}

/// One client for the process, built at the first request: the certificate store costs megabytes that a
/// node without alarms need not pay.
fn client() -> Result<&'static reqwest::Client, Error> {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client);
    }
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        // Alarms are hours apart: a kept connection would only be found dead.
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| Error::Impossible(describe(error)))?;
    Ok(CLIENT.get_or_init(|| client))
}

/// The error and the innermost reason, such as "Connection refused", without the URL.
pub(super) fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut reason = error.source();
    while let Some(deeper) = reason.and_then(std::error::Error::source) {
        reason = Some(deeper);
    }
    match reason {
        Some(reason) => format!("{error}: {reason}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_is_none_is_impossible_and_a_closed_port_unanswered() {
        let second = Duration::from_secs(1);
        let error = post_json("no url", &1, second).await.unwrap_err();
        assert!(matches!(error, Error::Impossible(_)), "{error}");
        let error = post_json("http://127.0.0.1:1/?token=secret", &1, second)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Unanswered(_)), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
