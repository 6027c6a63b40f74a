//! What `--serve-like` asks for: [`Workload`], made from a seed, and the file in which it can be given to another server.
//!
//! The same seed, lengths and vocabulary make the same requests on every machine. The file (`--workload-out FILE`, read again by
//! `--workload FILE`) is one JSON object:
//!
//! ```json
//! {
//!   "version": 1,
//!   "seed": 1,
//!   "n_vocab": 32000,
//!   "clients": 8,
//!   "rate": null,
//!   "shared_prefix": 2,
//!   "requests": [
//!     { "at_ms": 0.0, "prompt": [17, 4, 901], "n_predict": 32 },
//!     { "at_ms": 0.0, "prompt": [17, 4, 77, 5], "n_predict": 16 }
//!   ]
//! }
//! ```
//!
//! - `clients` is how many requests are under way at most. Each client takes the next request of the list, in order, waits
//!   until its `at_ms` has passed since the start, sends it, reads all of the answer, and takes the next one.
//! - `rate` is `null` where clients never wait (closed loop): every `at_ms` is 0. Otherwise it is how many requests arrive each
//!   second on average, at random (Poisson), and `at_ms` is when. One that finds no client free is late, and its waiting counts.
//! - `prompt` is tokens as they are, nothing added; the first `shared_prefix` are those of all. `n_predict` tokens are answered,
//!   whatever the model would like: greedy, and the end of the answer is ignored. Both are the names that llama.cpp's
//!   `/completion` takes; with `"ignore_eos": true, "temperature": 0, "cache_prompt": true` it does the same.

use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::bench::random::Random;
use crate::ui;

/// What a file says that is like this.
const VERSION: u32 = 1;

/// Most requests of a workload.
pub(super) const MAX_REQUESTS: usize = 100_000;

/// Most clients.
pub(super) const MAX_CLIENTS: usize = 256;

/// Most tokens of all prompts and answers together.
const MAX_TOKENS: usize = 1 << 26;

/// Most tokens of an answer.
const MAX_ANSWER: usize = 1_000_000;

/// Milliseconds within which all requests come: a day.
const MAX_TIME: f64 = 86_400_000.0;

/// Most bytes of a file, so that each one that [`Workload::write`] wrote can be read: a token is ten digits and a comma at most,
/// and what else a request and the object have is shorter than this.
const MAX_FILE: u64 = MAX_TOKENS as u64 * 11 + (MAX_REQUESTS as u64 + 1) * 256;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Workload {
    version: u32,
    pub(super) seed: u64,
    pub(super) n_vocab: u32,
    pub(super) clients: usize,
    pub(super) rate: Option<f64>,
    pub(super) shared_prefix: usize,
    pub(super) requests: Vec<Asked>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// When it comes, in milliseconds from the start.
    pub(super) at_ms: f64,
    /// Tokens.
    pub(super) prompt: Vec<i32>,
    /// Tokens of the answer.
    pub(super) n_predict: usize,
}

impl Asked {
    /// Those of prompt and answer.
    fn tokens(&self) -> usize {
        self.prompt.len() + self.n_predict
    }
}

/// What a workload is made from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recipe {
    pub(super) seed: u64,
    pub(super) clients: usize,
    pub(super) requests: usize,
    pub(super) rate: Option<f64>,
    pub(super) shared_prefix: usize,
    /// Lengths of what each prompt has of its own; each request gets one of them, by chance.
    pub(super) prompts: Vec<usize>,
    /// Lengths of answers, the same way.
    pub(super) answers: Vec<usize>,
}

impl Recipe {
    /// Tokens that all sequences have at most.
    pub(super) fn cells(&self) -> usize {
        self.clients * (self.longest() + self.answers.iter().max().copied().unwrap_or(0))
    }

    /// Tokens of the longest prompt.
    fn longest(&self) -> usize {
        self.shared_prefix + self.prompts.iter().max().copied().unwrap_or(0)
    }
}

impl Workload {
    /// Requests for a model with so many tokens.
    ///
    /// # Errors
    ///
    /// When it would be too large, or its requests would come over more than a day.
    pub(super) fn new(recipe: &Recipe, n_vocab: u32) -> anyhow::Result<Self> {
        let longest = recipe.longest() + recipe.answers.iter().max().copied().unwrap_or(0);
        if longest.saturating_mul(recipe.requests) > MAX_TOKENS {
            bail!(
                "{} requests of up to {longest} tokens are more than {MAX_TOKENS} tokens; give a smaller --requests, -p, -n \
                 or --shared-prefix",
                recipe.requests
            );
        }
        let mut random = Random::new(recipe.seed);
        let shared = tokens(&mut random, recipe.shared_prefix, n_vocab);
        let mut at_ms = 0.0;
        let mut requests = Vec::with_capacity(recipe.requests);
        for _ in 0..recipe.requests {
            let (own, n_predict) = (random.one_of(&recipe.prompts), random.one_of(&recipe.answers));
            if let Some(rate) = recipe.rate {
                at_ms += random.exponential() * 1000.0 / rate;
                if at_ms > MAX_TIME {
                    bail!(
                        "{} requests come over more than a day; give a larger --rate or a smaller --requests",
                        recipe.requests
                    );
                }
            }
            // To the microsecond, which every reader of JSON reads as it was written.
            let at_ms = (at_ms * 1000.0).round() / 1000.0;
            let mut prompt = shared.clone();
            prompt.extend(tokens(&mut random, own, n_vocab));
            requests.push(Asked { at_ms, prompt, n_predict });
        }
        Ok(Self {
            version: VERSION,
            seed: recipe.seed,
            n_vocab,
            clients: recipe.clients,
            rate: recipe.rate,
            shared_prefix: recipe.shared_prefix,
            requests,
        })
    }

    /// Reads a file that [`Self::write`] wrote.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let text = ui::file_text_up_to(path, MAX_FILE)?;
        let workload: Self = serde_json::from_str(&text)
            .with_context(|| format!("{name} is no workload; make one with --workload-out"))?;
        workload.check().with_context(|| format!("{name} is no workload that can be run"))?;
        Ok(workload)
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.version != VERSION {
            bail!("it is of version {}, and this program knows {VERSION}", self.version);
        }
        if !(1..=MAX_CLIENTS).contains(&self.clients) || !(1..=MAX_REQUESTS).contains(&self.requests.len()) {
            bail!("it needs 1 to {MAX_CLIENTS} clients and 1 to {MAX_REQUESTS} requests");
        }
        for (number, asked) in self.requests.iter().enumerate() {
            let known = |token: &i32| u32::try_from(*token).is_ok_and(|token| token < self.n_vocab);
            if asked.prompt.is_empty() || !asked.prompt.iter().all(known) {
                bail!("request {number} needs tokens, and all of them below n_vocab");
            }
            if !(1..=MAX_ANSWER).contains(&asked.n_predict) {
                bail!("request {number} has an n_predict of {}, must be from 1 to {MAX_ANSWER}", asked.n_predict);
            }
            // Not a number, and what is longer than a day, is none.
            if !(0.0..=MAX_TIME).contains(&asked.at_ms) {
                bail!("request {number} has an at_ms that is no time of one day");
            }
        }
        let tokens: usize = self.requests.iter().map(Asked::tokens).sum();
        if tokens > MAX_TOKENS {
            bail!(
                "its requests have {tokens} tokens, answers among them, and {MAX_TOKENS} is the most; leave some out"
            );
        }
        Ok(())
    }

    /// Writes it, so that another server can be asked for the same.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string(self)? + "\n";
        std::fs::write(path, text).map_err(|error| ui::cannot_write(&path.display().to_string(), error))
    }

    /// Tokens that all sequences have at most: those of the longest requests, as many as there are clients.
    pub(super) fn cells(&self) -> usize {
        let mut lengths: Vec<usize> = self.requests.iter().map(Asked::tokens).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.iter().take(self.clients).sum()
    }
}

/// Any tokens but the first ones, which may be special.
fn tokens(random: &mut Random, count: usize, n_vocab: u32) -> Vec<i32> {
    let special = n_vocab / 8;
    let token = |random: &mut Random| special + random.below(n_vocab - special);
    (0..count).map(|_| i32::try_from(token(random)).unwrap_or(i32::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        Recipe {
            seed: 7,
            clients: 3,
            requests: 50,
            rate: None,
            shared_prefix: 5,
            prompts: vec![3, 9],
            answers: vec![2, 4],
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_requests_and_another_one_others() {
        let workload = Workload::new(&recipe(), 100).unwrap();
        assert_eq!(workload, Workload::new(&recipe(), 100).unwrap());
        assert_ne!(workload, Workload::new(&Recipe { seed: 8, ..recipe() }, 100).unwrap());
        assert_eq!(workload.requests.len(), 50);
        let shared = &workload.requests[0].prompt[..5];
        for asked in &workload.requests {
            assert!(matches!(asked.prompt.len(), 8 | 14) && matches!(asked.n_predict, 2 | 4) && asked.at_ms == 0.0);
            assert!(asked.prompt.starts_with(shared) && asked.prompt.iter().all(|token| (12..100).contains(token)));
        }
        for length in [8, 14] {
            assert!(workload.requests.iter().any(|asked| asked.prompt.len() == length), "{length}");
        }
        assert_eq!(workload.cells(), 3 * (14 + 4));
    }

    #[test]
    fn requests_that_arrive_by_chance_come_in_order_and_about_as_often_as_asked() {
        let workload = Workload::new(&Recipe { rate: Some(100.0), requests: 1000, ..recipe() }, 100).unwrap();
        let times: Vec<f64> = workload.requests.iter().map(|asked| asked.at_ms).collect();
        assert!(times.is_sorted() && times[0] > 0.0);
        assert!((9_000.0..11_000.0).contains(&times[999]), "{}", times[999]);
    }

    #[test]
    fn a_file_is_read_as_it_was_written_and_a_wrong_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("workload.json");
        let workload = Workload::new(&Recipe { rate: Some(3.0), ..recipe() }, 100).unwrap();
        workload.write(&path).unwrap();
        assert_eq!(Workload::read(&path).unwrap(), workload);
        for (change, expected) in [
            (("\"version\":1", "\"version\":2"), "of version 2"),
            (("\"clients\":3", "\"clients\":0"), "clients"),
            (("\"n_predict\":4", "\"n_predict\":0"), "n_predict of 0, must be from 1 to 1000000"),
            (("\"n_predict\":4", "\"n_predict\":18446744073709551615"), "n_predict of 18446744073709551615, must be"),
            (("\"n_vocab\":100", "\"n_vocab\":12"), "below n_vocab"),
            (("\"seed\":7", "\"seeds\":7"), "make one with --workload-out"),
        ] {
            let text = serde_json::to_string(&workload).unwrap().replacen(change.0, change.1, 1);
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", Workload::read(&path).unwrap_err());
            assert!(error.contains(expected) && error.contains("workload.json"), "{change:?}: {error}");
        }
    }

    #[test]
    fn a_workload_that_fills_the_memory_or_takes_days_is_refused() {
        let large = Recipe { requests: MAX_REQUESTS, prompts: vec![1000], ..recipe() };
        assert!(Workload::new(&large, 100).unwrap_err().to_string().contains("smaller --requests"));
        let slow = Recipe { rate: Some(0.001), requests: 1000, ..recipe() };
        assert!(
            Workload::new(&slow, 100).unwrap_err().to_string().contains("a larger --rate"),
            "it could not be read again"
        );
        let mut long = Workload::new(&Recipe { requests: 70, ..recipe() }, 100).unwrap();
        long.requests.iter_mut().for_each(|asked| asked.n_predict = MAX_ANSWER);
        assert!(long.check().unwrap_err().to_string().contains("67108864 is the most"));
    }

    #[test]
    fn the_longest_token_and_request_have_room_in_the_largest_file() {
        let (prompt, n_predict) = (vec![i32::MAX; 3], MAX_ANSWER);
        let request = Asked { at_ms: 86_399_999.999, prompt, n_predict };
        let workload = Workload {
            seed: u64::MAX,
            n_vocab: u32::MAX,
            clients: MAX_CLIENTS,
            rate: Some(99_999.123_456_789),
            ..Workload::new(&recipe(), 100).unwrap()
        };
        let size = |requests: Vec<Asked>| {
            serde_json::to_string(&Workload { requests, ..workload.clone() }).unwrap().len() as u64
        };
        let (none, one, more) =
            (size(vec![]), size(vec![request.clone()]), size(vec![Asked { prompt: vec![i32::MAX; 4], ..request }]));
        assert_eq!(more - one, MAX_FILE / MAX_TOKENS as u64);
        assert!(none < 256 && one - none < 256 + 3 * 11);
    }
}
