//! Choosing a token of a large vocabulary: our samplers, and llama.cpp's chain as its own programs use it.

use llama_core::{Model, ModelParams, Sampler, SamplingParams, Token};
use llama_rs_benches::{Failure, Options, Piece, rounds, time};
use llama_sys as ffi;
use llama_testkit::models::Llama;
use llama_testkit::{fixtures, vocab::Vocab};

/// Tokens of the vocabulary, as Qwen's.
const VOCABULARY: usize = 151_936;
/// Tokens chosen in one run, and rows of logits they are chosen by in turns.
const STEPS: usize = 64;
const ROWS: usize = 4;

/// Prints the table.
///
/// # Errors
///
/// Those of the samplers.
pub(super) fn print(options: &Options) -> Result<(), Failure> {
    let vocabulary = if options.quick { 2000 } else { VOCABULARY };
    let shape = Llama { vocab: Vocab::bpe().padded_to(vocabulary), ..Llama::tiny() };
    let path = fixtures::shared(if options.quick { "step_quick" } else { "step_sampling" }, &shape.file())?;
    let mut params = ModelParams::default();
    params.vocab_only = true;
    let model = Model::load(&path, params)?;
    let rows: Vec<Vec<f32>> = (0..ROWS).map(|row| logits(model.vocab().len(), row as u64 + 1)).collect();
    let count = if options.quick { 1 } else { 3 * options.blocks };
    println!("\nsampling: microseconds to choose one of {} tokens, {count} rounds; CPU time", model.vocab().len());
    println!("  {:<24}{:>10}{:>12}   ours to llama.cpp's", "", "ours", "llama.cpp");
    let mut penalties = SamplingParams::default().seed(1);
    penalties.penalty_repeat = 1.1;
    let cases = [
        ("greedy", SamplingParams::greedy()),
        ("default", SamplingParams::default().seed(1)),
        ("repeat penalty", penalties),
    ];
    for (name, params) in cases {
        let mut ours = Sampler::new(&model, &params)?;
        let theirs = Chain::new(&model, &params);
        let mut buffer = Vec::new();
        let (rows, theirs) = (&rows, &theirs);
        let mut pieces: [Piece<'_>; 2] = [
            Box::new(move || {
                let (done, spent) = time(|| -> Result<(), Failure> {
                    for step in 0..STEPS {
                        let token = ours.sample_logits(&rows[step % ROWS])?;
                        ours.accept(token)?;
                    }
                    Ok(())
                });
                done.map(|()| spent)
            }),
            Box::new(move || {
                let ((), spent) = time(|| (0..STEPS).for_each(|step| theirs.choose(&rows[step % ROWS], &mut buffer)));
                Ok(spent)
            }),
        ];
        let samples = rounds(count, true, &mut pieces)?;
        let [median, low, high] = samples[0].over(&samples[1]);
        let [ours, theirs] = [&samples[0], &samples[1]].map(|all| all.median() / STEPS as f64 * 1e6);
        println!("  {name:<24}{ours:>10.1}{theirs:>12.1}   {median:.3} [{low:.3}, {high:.3}]");
    }
    Ok(())
}

/// Numbers like logits: most in the middle, a few far up, no order.
fn logits(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32
    };
    (0..n).map(|_| (0..6).map(|_| uniform()).sum::<f32>() * 4.0 - 12.0).collect()
}

/// The chain that llama.cpp's programs build from the same settings.
struct Chain(*mut ffi::llama_sampler);

impl Chain {
    fn new(model: &Model, params: &SamplingParams) -> Self {
        let n_vocab = i32::try_from(model.vocab().len()).unwrap_or(i32::MAX);
        // SAFETY: constructors without preconditions; the chain owns what is added.
        unsafe {
            let mut chain_params = ffi::llama_sampler_chain_default_params();
            chain_params.no_perf = true;
            let chain = ffi::llama_sampler_chain_init(chain_params);
            if params.temperature <= 0.0 {
                ffi::llama_sampler_chain_add(chain, ffi::llama_sampler_init_greedy());
                return Self(chain);
            }
            for stage in [
                ffi::llama_sampler_init_penalties(n_vocab, 64, params.penalty_repeat, 0.0, 0.0),
                ffi::llama_sampler_init_top_k(40),
                ffi::llama_sampler_init_top_p(params.top_p, 0),
                ffi::llama_sampler_init_min_p(params.min_p, 0),
                ffi::llama_sampler_init_temp(params.temperature),
                ffi::llama_sampler_init_dist(1),
            ] {
                ffi::llama_sampler_chain_add(chain, stage);
            }
            Self(chain)
        }
    }

    /// As `llama_sampler_sample` does with a row of a context.
    fn choose(&self, row: &[f32], buffer: &mut Vec<ffi::llama_token_data>) {
        buffer.clear();
        buffer.extend((0..).zip(row).map(|(id, logit)| ffi::llama_token_data { id, logit: *logit, p: 0.0 }));
        let mut array =
            ffi::llama_token_data_array { data: buffer.as_mut_ptr(), size: buffer.len(), selected: -1, sorted: false };
        // SAFETY: the chain is live, the array is over `buffer`, and the last stage selects one of it.
        unsafe {
            ffi::llama_sampler_apply(self.0, &raw mut array);
            let chosen = Token((*array.data.offset(array.selected as isize)).id);
            ffi::llama_sampler_accept(self.0, std::hint::black_box(chosen).0);
        }
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        // SAFETY: made in `new`, freed once.
        unsafe { ffi::llama_sampler_free(self.0) };
    }
}
