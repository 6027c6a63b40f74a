//! What `Vocab::tokenize` costs above `llama_tokenize`: `cargo bench --bench tokenize`, see `README.md`.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use llama_core::{Model, ModelParams, Specials};
use llama_rs_benches::raw::RawModel;
use llama_rs_benches::{Contender, Failure, Measured, Options, Plan, load_warning, print_ratios};
use llama_sys as ffi;
use llama_testkit::{fixtures, golden};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

const LOOPS: [&str; 2] = ["raw", "core"];
const SENTENCE: &str = "Once upon a time there was a small boat that wanted to see the sea. ";
/// Characters that one run takes in, over and over in texts of one length.
const RUN_CHARS: usize = 400_000;

fn main() -> Result<ExitCode, Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    llama_core::system_info();
    let full = !options.quick;
    if let Some(warning) = load_warning().filter(|_| full) {
        println!("{warning}");
    }
    let models = [("demo-q8_0", golden::demo_model_path()), ("tiny_llama", fixtures::tiny_llama().to_owned())];
    for (name, path) in models.iter().filter(|(name, _)| options.wants_model(name)) {
        for sentences in [1, 60] {
            let text = SENTENCE.repeat(sentences);
            let repeats = if full { RUN_CHARS / text.len() } else { 2 };
            let plan = if full {
                Plan { placements: options.placements, blocks: options.blocks }
            } else {
                Plan { placements: 1, blocks: 1 }
            };
            let title = format!("{name}, a text of {} bytes", text.len());
            let measured = compare(path, text, repeats, plan)?;
            if full {
                print_ratios(&title, &LOOPS, &measured, true, false);
            } else {
                println!("{title}: both agree; nothing was measured");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(path: &Path, text: String, repeats: usize, plan: Plan) -> Result<Measured, Failure> {
    let text = Rc::new(text);
    let mut params = ModelParams::default();
    params.vocab_only = true;
    let tokens = Model::load(path, params.clone())?.vocab().tokenize(&text, Specials::Parse)?.len() * repeats;
    plan.measure(LOOPS.len(), tokens, |i| {
        let text = Rc::clone(&text);
        Ok(match i {
            0 => Box::new(RawTokenizer { model: RawModel::load(path, true)?, text, repeats }),
            _ => Box::new(CoreTokenizer { model: Model::load(path, params.clone())?, text, repeats }),
        })
    })
}

struct RawTokenizer {
    model: RawModel,
    text: Rc<String>,
    repeats: usize,
}

impl Contender for RawTokenizer {
    fn rewind(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn run(&mut self) -> Result<Vec<i32>, Failure> {
        let vocab = self.model.vocab();
        let len = i32::try_from(self.text.len())?;
        let mut last = Vec::new();
        for _ in 0..self.repeats {
            let mut tokens: Vec<ffi::llama_token> = vec![0; self.text.len() + 8];
            let capacity = i32::try_from(tokens.len())?;
            // SAFETY: the text is readable for `len` bytes, `tokens` writable for `capacity` ids, the vocabulary live.
            let n = unsafe {
                ffi::llama_tokenize(vocab, self.text.as_ptr().cast(), len, tokens.as_mut_ptr(), capacity, true, true)
            };
            tokens.truncate(usize::try_from(n).map_err(|_| "more tokens than bytes")?);
            last = tokens;
        }
        Ok(last)
    }
}

struct CoreTokenizer {
    model: Model,
    text: Rc<String>,
    repeats: usize,
}

impl Contender for CoreTokenizer {
    fn rewind(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn run(&mut self) -> Result<Vec<i32>, Failure> {
        let vocab = self.model.vocab();
        let mut last = Vec::new();
        for _ in 0..self.repeats {
            last = vocab.tokenize(&self.text, Specials::Parse)?;
        }
        Ok(last.iter().map(|token| token.0).collect())
    }
}
