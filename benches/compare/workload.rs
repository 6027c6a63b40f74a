//! What clients ask for, the same for our runtime and for upstream's server: a file that `llama-cli bench --serve-like
//! --workload` reads, and requests for `/completion`.

use std::path::Path;

use serde::Serialize;

use crate::Failure;

/// Requests, and how many of them are under way together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Workload {
    version: u32,
    seed: u64,
    n_vocab: u32,
    pub(crate) clients: usize,
    /// Clients never wait: each sends its next request when it has an answer.
    rate: Option<f64>,
    pub(crate) shared_prefix: usize,
    pub(crate) requests: Vec<Asked>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Asked {
    at_ms: f64,
    pub(crate) prompt: Vec<u32>,
    pub(crate) n_predict: usize,
}

/// How large a workload is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) clients: usize,
    pub(crate) requests: usize,
    pub(crate) shared_prefix: usize,
    /// Tokens that a prompt has of its own, and those of the answer, in turns.
    pub(crate) own: [usize; 4],
    pub(crate) answers: [usize; 4],
}

/// Tokens before this one may be special.
const FIRST: u32 = 400;
/// Clients at most, so that each has a token of its own in a warm-up.
const MOST_CLIENTS: usize = 64;

impl Workload {
    /// The same for the same size.
    pub(crate) fn new(size: &Size, n_vocab: u32) -> Self {
        let mut next = FIRST;
        let mut token = || {
            // Steps that share no divisor with the range go through all of it.
            next = FIRST + (next - FIRST + 7919) % (n_vocab - FIRST);
            next
        };
        let shared: Vec<u32> = (0..size.shared_prefix).map(|_| token()).collect();
        let requests = (0..size.requests)
            .map(|i| {
                let mut prompt = shared.clone();
                prompt.extend((0..size.own[i % size.own.len()]).map(|_| token()));
                // Out of step with the lengths of prompts.
                Asked { at_ms: 0.0, prompt, n_predict: size.answers[(i / 3) % size.answers.len()] }
            })
            .collect();
        let shared_prefix = size.shared_prefix;
        let clients = size.clients.min(MOST_CLIENTS);
        Self { version: 1, seed: 0, n_vocab, clients, rate: None, shared_prefix, requests }
    }

    /// A request of each client that only has the prefix computed, wherever the server keeps it.
    pub(crate) fn warm_up(&self) -> Self {
        let prefix = self.requests.first().map_or(&[][..], |asked| &asked.prompt[..self.shared_prefix]);
        let request = |client| Asked { at_ms: 0.0, prompt: [prefix, &[FIRST - 1 - client]].concat(), n_predict: 2 };
        let requests = (0..self.clients).filter_map(|client| u32::try_from(client).ok()).map(request).collect();
        Self { requests, ..self.clone() }
    }

    /// The file for our program.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        Ok(std::fs::write(path, serde_json::to_string(self)? + "\n")?)
    }

    /// Tokens of the answers.
    pub(crate) fn answer_tokens(&self) -> usize {
        self.requests.iter().map(|asked| asked.n_predict).sum()
    }

    /// Cells that each client needs.
    pub(crate) fn longest(&self) -> usize {
        self.requests.iter().map(|asked| asked.prompt.len() + asked.n_predict).max().unwrap_or(0)
    }
}

impl Asked {
    /// The body for upstream's `/completion`: greedy, and never ended by the model.
    pub(crate) fn body(&self) -> String {
        serde_json::json!({
            "prompt": self.prompt,
            "n_predict": self.n_predict,
            "ignore_eos": true,
            "temperature": 0,
            "samplers": ["top_k"],
            "top_k": 1,
            "cache_prompt": true,
            "stream": true,
            "return_tokens": true,
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_begin_alike_and_go_on_differently() {
        let size = Size { clients: 2, requests: 6, shared_prefix: 10, own: [3, 5, 3, 5], answers: [4, 8, 4, 8] };
        let workload = Workload::new(&size, 1000);
        let shared = &workload.requests[0].prompt[..10];
        for asked in &workload.requests {
            assert!(asked.prompt.starts_with(shared) && asked.prompt.iter().all(|token| (400..1000).contains(token)));
            assert!(asked.body().contains("\"cache_prompt\":true"));
        }
        assert_ne!(workload.requests[0].prompt[10], workload.requests[1].prompt[10]);
        let warm_up = workload.warm_up();
        assert_eq!(warm_up.requests.len(), 2);
        assert!(warm_up.requests.iter().all(|asked| asked.prompt.len() == 11 && asked.prompt.starts_with(shared)));
        assert_eq!((workload.answer_tokens(), workload.longest()), (3 * 4 + 3 * 8, 10 + 5 + 8));
    }
}
