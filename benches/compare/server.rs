//! Upstream's server with a model, and a workload driven through it: a thread for each client, timed at the client.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::child::{self, Background, ProgramError};
use super::client::{self, Answer};
use super::statistics::percentile;
use super::workload::Workload;
use crate::Failure;

/// A model of this size is loaded in a second.
const START: Duration = Duration::from_secs(60);
/// Somebody else may take the free port before the server does.
const TRIES: usize = 2;

/// A running server; dropping it ends it.
pub(crate) struct Server {
    process: Background,
    address: SocketAddr,
}

/// What clients saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Served {
    /// Tokens per second, all clients together.
    pub(crate) rate: f64,
    /// Milliseconds to the first token, median.
    pub(crate) first: f64,
    /// Milliseconds between two tokens: median, and 99th percentile.
    pub(crate) gaps: [f64; 2],
}

impl Server {
    /// Starts it with room for all clients.
    pub(crate) fn start(program: &Path, home: &Path, model: &Path, settings: &[String]) -> Result<Self, ProgramError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let mut command = child::command(program, home);
            command.arg("-m").arg(model).args(settings).args(["--host", "127.0.0.1"]);
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
            let Ok(address) = free else {
                return Err(child::not_understood(child::shown(&command), "there is no free port on loopback"));
            };
            command.args(["--port", &address.port().to_string()]);
            match Background::start(command)?.until(START, || client::is_ready(address)) {
                Ok(process) => return Ok(Self { process, address }),
                Err(_) if tried < TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs a workload through it.
    pub(crate) fn drive(mut self, workload: &Workload) -> Result<(Self, Served), Failure> {
        match drive(self.address, workload) {
            Ok(served) => Ok((self, served)),
            Err(error) if self.process.is_running() => Err(error),
            Err(error) => Err(self.process.failed(&format!("ended while clients waited ({error})")).into()),
        }
    }
}

/// Each client takes the next request, reads all of its answer, and takes the next one.
fn drive(address: SocketAddr, workload: &Workload) -> Result<Served, Failure> {
    let next = AtomicUsize::new(0);
    let one_client = || -> Result<Vec<Answer>, String> {
        let mut answers = Vec::new();
        while let Some(asked) = workload.requests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let answer = client::complete(address, &asked.body()).map_err(|error| error.to_string())?;
            if answer.tokens.len() != asked.n_predict {
                return Err(format!("{} tokens came instead of {}", answer.tokens.len(), asked.n_predict));
            }
            answers.push(answer);
        }
        Ok(answers)
    };
    let started = Instant::now();
    let answers = thread::scope(|scope| {
        let clients: Vec<_> = (0..workload.clients).map(|_| scope.spawn(one_client)).collect();
        let ended = clients.into_iter().map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".into())));
        ended.collect::<Result<Vec<_>, String>>()
    })?;
    let took = started.elapsed();
    served(&answers.concat(), took).ok_or_else(|| "no answer has two tokens".into())
}

/// The figures of answers.
fn served(answers: &[Answer], took: Duration) -> Option<Served> {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let tokens: usize = answers.iter().map(|answer| answer.tokens.len()).sum();
    let firsts: Vec<f64> =
        answers.iter().filter_map(|answer| Some(ms(*answer.tokens.first()? - answer.asked))).collect();
    let gaps: Vec<f64> =
        answers.iter().flat_map(|answer| answer.tokens.windows(2)).map(|pair| ms(pair[1] - pair[0])).collect();
    #[allow(clippy::cast_precision_loss, reason = "a number of tokens")]
    let rate = tokens as f64 / took.as_secs_f64();
    Some(Served { rate, first: percentile(&firsts, 50.0)?, gaps: [percentile(&gaps, 50.0)?, percentile(&gaps, 99.0)?] })
}

#[cfg(test)]
mod tests {
    use super::super::workload::Size;
    use super::*;

    #[test]
    fn figures_are_those_of_the_clients() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let answers = [
            Answer { asked: start, tokens: vec![at(10), at(20), at(30)] },
            Answer { asked: at(10), tokens: vec![at(40), at(50), at(150)] },
        ];
        let served = served(&answers, Duration::from_millis(500)).expect("there are tokens");
        assert_eq!((served.rate, served.first), (12.0, 20.0));
        // Of 10, 10, 10 and 100 ms.
        let [gap, long_gap] = served.gaps;
        assert!((gap - 10.0).abs() < 1e-9 && (long_gap - 97.3).abs() < 1e-9, "{gap} {long_gap}");
    }

    #[test]
    fn a_client_that_gets_fewer_tokens_than_it_asked_for_is_an_error() {
        let size = Size { clients: 1, requests: 1, shared_prefix: 1, own: [1; 4], answers: [3; 4] };
        let (address, _server) = client::tests::server_of_two_tokens();
        let error = drive(address, &Workload::new(&size, 1000)).expect_err("it sends two");
        assert!(error.to_string().contains("2 tokens came instead of 3"), "{error}");
    }
}
