//! Requests together and alone: what they gain from each other, and what one pays for the runtime.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use crate::server::{Server, likeliest};
use crate::{Setting, cpu_ratio, ratio};
use llama_core::{Context, ContextParams, Model, ModelParams, Session};
use llama_rs_benches::{Failure, Piece, rounds_by_both, time_all_threads};
use llama_runtime::{Finished, Request};
use std::cell::{Cell, RefCell};

/// Requests that are answered together.
const TOGETHER: usize = 8;

/// Eight requests at the same time, against one after the other.
pub(crate) fn requests(setting: &Setting) -> Result<(), Failure> {
    println!("  {TOGETHER} requests together, in the time of the same one after the other; the target is 0.75");
    println!("  prompt  answer  time that passed, quartiles   CPU time, quartiles         in turn s   same answers");
    let server = Server::new(&setting.path, setting.threads, |_| {})?;
    for &(prompt, answer) in setting.scale.requests {
        let asked =
            || (0..TOGETHER).map(|number| server.request(number, prompt, answer)).collect::<Result<Vec<_>, _>>();
        let answers: [RefCell<Vec<String>>; 2] = Default::default();
        let mut pieces: Vec<Piece<'_>> = Vec::new();
        for way in 0..2 {
            let (server, answers, asked) = (&server, &answers[way], &asked);
            pieces.push(Box::new(move || {
                let requests = asked()?;
                let (all, spent) = time_all_threads(|| match way {
                    0 => server.in_turn(requests),
                    _ => server.together(requests),
                });
                *answers.borrow_mut() = all?.into_iter().map(text).collect();
                Ok(spent)
            }));
        }
        let (wall, cpu) = rounds_by_both(setting.rounds, &mut pieces)?;
        drop(pieces);
        let same = answers[0].borrow().iter().zip(&*answers[1].borrow()).filter(|(a, b)| a == b).count();
        println!(
            "  {prompt:>6}{answer:>8}  {:<30}{:<28}{:>8.2}{same:>10} of {TOGETHER}",
            ratio(&wall[1], &wall[0]),
            cpu_ratio(cpu[1].as_ref(), cpu[0].as_ref()),
            wall[0].median(),
        );
    }
    Ok(())
}

fn text(finished: Finished) -> String {
    finished.choices.into_iter().next().map(|choice| choice.text).unwrap_or_default()
}

/// Eight requests at the same time that begin alike, with sharing and without. Nobody has computed the beginning before.
pub(crate) fn prefix(setting: &Setting) -> Result<(), Failure> {
    let (shared, own, answer) = setting.scale.prefix;
    println!("  {TOGETHER} requests, {shared} tokens that all begin with and {own} of their own, {answer} of answer");
    println!("  sharing  prompt tokens computed  fewer, target 6  time that passed, quartiles   CPU time, quartiles");
    let computed: [Cell<usize>; 2] = Default::default();
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for (sharing, computed) in [false, true].into_iter().zip(&computed) {
        let server = Server::new(&setting.path, setting.threads, |config| config.cache.prefix_reuse = sharing)?;
        let mut round = 0;
        pieces.push(Box::new(move || {
            round += 1;
            let requests = alike(&server, round, (shared, own, answer))?;
            let (all, spent) = time_all_threads(|| server.together(requests));
            computed.set(all?.iter().map(|finished| finished.usage.prompt - finished.usage.reused).sum());
            Ok(spent)
        }));
    }
    let (wall, cpu) = rounds_by_both(setting.rounds, &mut pieces)?;
    drop(pieces);
    #[allow(clippy::cast_precision_loss, reason = "a number of tokens")]
    let fewer = computed[0].get() as f64 / computed[1].get() as f64;
    println!("  no     {:>24}", computed[0].get());
    println!(
        "  yes    {:>24}{fewer:>17.2}  {:<30}{}",
        computed[1].get(),
        ratio(&wall[1], &wall[0]),
        cpu_ratio(cpu[1].as_ref(), cpu[0].as_ref())
    );
    Ok(())
}

/// Requests that begin alike, and like those of no other round.
fn alike(server: &Server, round: usize, (shared, own, answer): (usize, usize, usize)) -> Result<Vec<Request>, Failure> {
    let one = |number: usize| {
        let beginning = (0..shared).map(|at| server.token(1000 + round, at + round));
        let rest = (0..own).map(|at| server.token(10 + number, at + number));
        let prompt = beginning.chain(rest).collect::<Result<Vec<_>, _>>()?;
        Ok(Request::tokens(prompt).sampling(likeliest()).max_tokens(answer))
    };
    (0..TOGETHER).map(one).collect()
}

/// One request alone, against the same through a session: what threads, queue, mailbox and scheduler cost.
pub(crate) fn single(setting: &Setting) -> Result<(), Failure> {
    let (prompt, answer) = setting.scale.single;
    println!("  one request, {prompt} tokens of prompt and {answer} of answer: tokens a second, of those of a session");
    let server = Server::new(&setting.path, setting.threads, |config| config.context.n_ctx = Some(512))?;
    let mut session = session(setting)?;
    let tokens = (0..prompt).map(|at| server.token(0, at)).collect::<Result<Vec<_>, _>>()?;
    let server = &server;
    let mut pieces: Vec<Piece<'_>> = vec![
        Box::new(move || {
            session.clear()?;
            let (done, spent) = time_all_threads(|| {
                session.ingest(&tokens)?;
                (0..answer).try_for_each(|_| session.decode_one().map(drop))
            });
            done?;
            Ok(spent)
        }),
        Box::new(move || {
            let request = server.request(0, prompt, answer)?;
            let (done, spent) = time_all_threads(|| server.in_turn(vec![request]));
            done?;
            Ok(spent)
        }),
    ];
    let (wall, cpu) = rounds_by_both(setting.rounds, &mut pieces)?;
    println!(
        "  by time that passed {}, by CPU time {}; the session takes {:.1} ms",
        ratio(&wall[0], &wall[1]),
        cpu_ratio(cpu[0].as_ref(), cpu[1].as_ref()),
        wall[0].median() * 1000.0
    );
    Ok(())
}

fn session(setting: &Setting) -> Result<Session, Failure> {
    let model = Model::load(&setting.path, ModelParams::default())?;
    let mut params = ContextParams::default();
    params.n_ctx = Some(512);
    params.n_threads = Some(setting.threads);
    Ok(Session::new(Context::new(&model, params)?, likeliest())?)
}
