//! What can go wrong between here and the hub, whether to try again, and when.

use std::fmt;
use std::io;
use std::time::Duration;

use ureq::http::StatusCode;

/// Attempts without any progress before one gives up.
const ATTEMPTS: u32 = 3;

/// Attempts of one download that together bring less than [`ENOUGH`].
const MOST_ATTEMPTS: u32 = 100;

/// Bytes that are worth as many attempts.
const ENOUGH: u64 = 1 << 20;

/// Before the second attempt; twice that before the third.
const FIRST_DELAY: Duration = Duration::from_millis(500);

/// The longest that a hub may make us wait without a word.
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Trouble {
    told: String,
    again: Again,
}

/// Whether another attempt may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Never,
    Soon,
    /// As the hub asks.
    After(Duration),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told)
    }
}

impl std::error::Error for Trouble {}

impl Trouble {
    /// That no second attempt changes.
    pub(crate) fn lasting(told: impl Into<String>) -> Self {
        Self { told: told.into(), again: Again::Never }
    }

    /// That may be gone the next time.
    pub(crate) fn passing(told: impl Into<String>) -> Self {
        Self { told: told.into(), again: Again::Soon }
    }

    /// A status that is no success. `who` is how we said who we are; `said` the hub's own words.
    pub(crate) fn status(status: StatusCode, delay: Option<Duration>, who: Option<&str>, said: &str) -> Self {
        let code = match status.canonical_reason() {
            Some(reason) => format!("{} {reason}{said}", status.as_u16()),
            None => format!("{}{said}", status.as_u16()),
        };
        match (status.as_u16(), who) {
            (401 | 403, None) => Self::lasting(format!(
                "the hub refuses it ({code}). Check the name. If the model is private or gated, accept its conditions \
                 on its page and set HF_TOKEN to a token that may read it"
            )),
            (401 | 403, Some(source)) => Self::lasting(format!(
                "the hub refuses it ({code}), with the token from {source} too. Check the name. If the model is gated, \
                 accept its conditions on its page; if the token is old or may not read this, make another"
            )),
            (404, _) => Self::lasting(format!("the hub does not have it ({code}). Check the name and the revision")),
            (429, who) => {
                let when = delay.map_or_else(|| "later".to_owned(), |delay| format!("in {} s", delay.as_secs()));
                let advice = if who.is_none() { "; with a token in HF_TOKEN it allows more" } else { "" };
                let again = delay.map_or(Again::Soon, Again::After);
                Self { told: format!("the hub had too many requests ({code}). Try again {when}{advice}"), again }
            }
            (408 | 500..=599, _) => {
                let again = delay.map_or(Again::Soon, Again::After);
                Self { told: format!("the hub has trouble of its own ({code}). Try again later"), again }
            }
            _ => Self::lasting(format!("the hub answers {code}, which makes no sense here. Is this address a hub?")),
        }
    }

    /// No answer at all.
    pub(crate) fn transport(host: &str, error: &ureq::Error) -> Self {
        const OFFLINE: &str = "Check the connection and the proxy; --offline uses what was downloaded before";
        match error {
            ureq::Error::HostNotFound => Self::passing(format!("the host {host} is not known here. {OFFLINE}")),
            ureq::Error::Timeout(what) => Self::passing(format!("{host} was silent for too long ({what}). {OFFLINE}")),
            ureq::Error::Io(error) if is_tls(error) => Self::tls(host, &error.to_string()),
            ureq::Error::Io(error) => Self::passing(format!("cannot talk to {host}: {error}. {OFFLINE}")),
            ureq::Error::ConnectionFailed => Self::passing(format!("cannot connect to {host}. {OFFLINE}")),
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_) => Self::tls(host, &error.to_string()),
            ureq::Error::InvalidProxyUrl | ureq::Error::ConnectProxyFailed(_) => Self::lasting(format!(
                "the proxy does not take us to {host}: {error}. Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"
            )),
            error => Self::lasting(format!("cannot make sense of the answer of {host}: {error}")),
        }
    }

    fn tls(host: &str, error: &str) -> Self {
        Self::lasting(format!(
            "the connection to {host} is not safe: {error}. Check the clock and the certificates of this machine; a \
             proxy that reads along needs its certificate installed"
        ))
    }

    /// The connection broke while an answer came.
    pub(crate) fn broken(error: &io::Error) -> Self {
        Self::passing(format!("the connection broke: {error}"))
    }
}

/// Where rustls hides what it found.
fn is_tls(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// How often, and how long between.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    in_vain: u32,
    all: u32,
    /// Bytes that came since `all` was 0.
    brought: u64,
}

impl Patience {
    /// Bytes came: the next failure is a first one again.
    pub(crate) fn progress(&mut self, bytes: u64) {
        self.in_vain = 0;
        self.brought += bytes;
        if self.brought >= ENOUGH {
            (self.all, self.brought) = (0, 0);
        }
    }

    /// How long to wait before the next attempt; nothing if there is to be none.
    fn delay(&mut self, again: Again) -> Option<Duration> {
        self.in_vain += 1;
        self.all += 1;
        if self.in_vain >= ATTEMPTS || self.all >= MOST_ATTEMPTS {
            return None;
        }
        match again {
            Again::Never => None,
            Again::Soon => Some(FIRST_DELAY * self.in_vain),
            Again::After(delay) => (delay <= LONGEST_DELAY).then_some(delay),
        }
    }

    /// Waits for the next attempt.
    ///
    /// # Errors
    ///
    /// The trouble, if no attempt is left or none would help.
    pub(crate) fn wait(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        tracing::debug!(%trouble, attempt = self.all + 1, "a request failed");
        match self.delay(trouble.again) {
            Some(delay) => {
                back_off(delay);
                Ok(())
            }
            None => Err(trouble),
        }
    }

    /// Asks until there is an answer or no attempt is left.
    ///
    /// # Errors
    ///
    /// The last trouble.
    pub(crate) fn ask<T>(mut self, mut attempt: impl FnMut() -> Result<T, Trouble>) -> Result<T, Trouble> {
        loop {
            match attempt() {
                Ok(answer) => return Ok(answer),
                Err(trouble) => self.wait(trouble)?,
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing happens here that could end the wait; Ctrl+C ends the program")]
fn back_off(delay: Duration) {
    std::thread::sleep(delay);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_attempts_with_growing_delays() {
        let mut patience = Patience::default();
        let delays: Vec<_> = (0..3).map(|_| patience.delay(Again::Soon)).collect();
        assert_eq!(delays, [Some(FIRST_DELAY), Some(FIRST_DELAY * 2), None]);
        assert_eq!(Patience::default().delay(Again::Never), None);
    }

    #[test]
    fn the_hub_may_ask_for_a_short_wait_only() {
        assert_eq!(Patience::default().delay(Again::After(Duration::ZERO)), Some(Duration::ZERO));
        assert_eq!(Patience::default().delay(Again::After(LONGEST_DELAY)), Some(LONGEST_DELAY));
        assert_eq!(Patience::default().delay(Again::After(LONGEST_DELAY * 2)), None);
    }

    #[test]
    fn crumbs_renew_patience_but_not_for_ever() {
        let mut patience = Patience::default();
        let mut attempts = 1;
        while patience.delay(Again::Soon).is_some() {
            attempts += 1;
            patience.progress(1);
        }
        assert_eq!(attempts, MOST_ATTEMPTS);
        let mut patience = Patience::default();
        for _ in 0..2 * MOST_ATTEMPTS {
            assert!(patience.delay(Again::Soon).is_some());
            patience.progress(ENOUGH / 50);
        }
    }

    #[test]
    fn what_helps_is_told() {
        let told =
            |code: u16, delay, who| Trouble::status(StatusCode::from_u16(code).unwrap(), delay, who, "").to_string();
        assert!(told(401, None, None).contains("HF_TOKEN"));
        assert!(told(403, None, Some("HF_TOKEN")).contains("with the token from HF_TOKEN too"));
        assert!(told(429, Some(Duration::from_secs(90)), None).contains("Try again in 90 s; with a token"));
        assert!(told(418, None, None).contains("Is this address a hub?"));
    }
}
