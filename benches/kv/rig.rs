//! A context with a batch and what is in its cache.

use llama_core::{Batch, Context, ContextParams, FlashAttention, Model, OutputRow, Pos, SeqId, Token, Want};
use llama_rs_benches::{Failure, Spent, time};

/// Cells of a context come in multiples of this.
const CELL_STEP: usize = 256;
const FEWEST_STEPS: usize = 3;
/// A cell for each of these and one more must be free where steps are measured.
pub(crate) const MOST_STEPS: usize = 31;
/// Long against the clock and against what an interruption by another program costs.
const ENOUGH_SECONDS: f64 = 0.04;

/// How a context is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub unified: bool,
    pub flash: bool,
    pub sequences: usize,
    /// Cells for each sequence.
    pub cells: usize,
    pub ubatch: u32,
    pub threads: u32,
}

/// A context with a batch, and how many tokens each sequence holds.
pub(crate) struct Rig {
    pub ctx: Context,
    batch: Batch,
    held: Vec<usize>,
    n_vocab: usize,
}

impl Rig {
    pub(crate) fn new(model: &Model, layout: Layout) -> Result<Self, Failure> {
        let cells = layout.cells.next_multiple_of(CELL_STEP) * layout.sequences;
        let mut params = ContextParams::default();
        params.n_ctx = Some(u32::try_from(cells)?);
        params.n_seq_max = u32::try_from(layout.sequences)?;
        params.n_threads = Some(layout.threads);
        params.n_ubatch = layout.ubatch;
        params.kv_unified = layout.unified;
        params.flash_attention = if layout.flash { FlashAttention::On } else { FlashAttention::Off };
        let ctx = Context::new(model, params)?;
        let batch = Batch::new(ctx.n_batch() as usize);
        let n_vocab = model.facts().n_vocab as usize;
        Ok(Self { ctx, batch, held: vec![0; layout.sequences], n_vocab })
    }

    /// Decodes in one batch the next `n` tokens of each sequence named, and returns what it took. The last token of each
    /// has an output.
    pub(crate) fn decode(&mut self, runs: &[(usize, usize)]) -> Result<Spent, Failure> {
        self.batch.clear();
        for &(seq, n) in runs {
            for i in 0..n {
                let at = self.held[seq] + i;
                let want = if i + 1 == n { Want::Output } else { Want::Nothing };
                let token = text(seq, at, self.n_vocab)?;
                self.batch.push(token, Pos(i32::try_from(at)?), SeqId(i32::try_from(seq)?), want)?;
            }
        }
        let (result, spent) = time(|| self.ctx.decode(&mut self.batch).map(drop));
        result?;
        for &(seq, n) in runs {
            self.held[seq] += n;
        }
        Ok(spent)
    }

    /// Decodes a token of each sequence, after a step that is not counted, and forgets them again: the mean of several
    /// steps, more where they are short.
    pub(crate) fn step(&mut self, seqs: &[usize]) -> Result<Spent, Failure> {
        let runs: Vec<(usize, usize)> = seqs.iter().map(|&seq| (seq, 1)).collect();
        let before = self.held.clone();
        self.decode(&runs)?;
        let mut total = Total::default();
        let mut steps = 0;
        while steps < FEWEST_STEPS || (steps < MOST_STEPS && total.wall < ENOUGH_SECONDS) {
            total.add(self.decode(&runs)?);
            steps += 1;
        }
        for &seq in seqs {
            self.cut(seq, before[seq])?;
        }
        Ok(total.share(steps))
    }

    /// Decodes `runs` in one batch and forgets them again.
    pub(crate) fn once(&mut self, runs: &[(usize, usize)]) -> Result<Spent, Failure> {
        let before = self.held.clone();
        let spent = self.decode(runs)?;
        for &(seq, _) in runs {
            self.cut(seq, before[seq])?;
        }
        Ok(spent)
    }

    /// Gives each of `seqs` cells of its own with the same `n` tokens, computing them once.
    pub(crate) fn fill(&mut self, seqs: &[usize], n: usize) -> Result<(), Failure> {
        let Some((&first, others)) = seqs.split_first() else { return Ok(()) };
        self.decode(&[(first, n)])?;
        let state = self.ctx.save_sequence(seq_id(first)?, &[])?;
        for &seq in others {
            self.ctx.load_sequence(seq_id(seq)?, &state)?;
            self.held[seq] = n;
        }
        Ok(())
    }

    /// Makes `to` a copy of `from`.
    pub(crate) fn copy(&mut self, from: usize, to: usize) -> Result<(), Failure> {
        self.ctx.memory()?.copy(seq_id(from)?, seq_id(to)?, ..)?;
        self.held[to] = self.held[from];
        Ok(())
    }

    pub(crate) fn cut(&mut self, seq: usize, len: usize) -> Result<(), Failure> {
        self.ctx.memory()?.remove(seq_id(seq)?, i32::try_from(len)?..)?;
        self.held[seq] = len;
        Ok(())
    }

    pub(crate) fn clear(&mut self) -> Result<(), Failure> {
        self.ctx.memory()?.clear()?;
        self.held.fill(0);
        Ok(())
    }

    /// Answers `n` requests together: the prompts, `at_once` in a batch, then a token of each per step, the likeliest one.
    pub(crate) fn answer(
        &mut self,
        n: usize,
        at_once: usize,
        (prompt, generated): (usize, usize),
    ) -> Result<Spent, Failure> {
        self.clear()?;
        let (result, spent) = time(|| self.generate(n, at_once, prompt, generated));
        result?;
        Ok(spent)
    }

    fn generate(&mut self, n: usize, at_once: usize, prompt: usize, generated: usize) -> Result<(), Failure> {
        let mut last = Vec::with_capacity(n);
        for start in (0..n).step_by(at_once) {
            self.batch.clear();
            let mut rows = Vec::with_capacity(at_once);
            for seq in start..n.min(start + at_once) {
                let tokens = (0..prompt).map(|at| text(seq, at, self.n_vocab)).collect::<Result<Vec<_>, _>>()?;
                rows.push(self.batch.push_run(&tokens, Pos(0), seq_id(seq)?)?.ok_or("the prompt is empty")?);
            }
            self.compute(&rows, &mut last)?;
        }
        for i in 1..generated {
            self.batch.clear();
            let pos = Pos(i32::try_from(prompt + i - 1)?);
            let mut rows = Vec::with_capacity(n);
            for (seq, token) in last.drain(..).enumerate() {
                rows.push(self.batch.push(token, pos, seq_id(seq)?, Want::Output)?);
            }
            self.compute(&rows, &mut last)?;
        }
        Ok(())
    }

    /// Decodes the batch and adds the likeliest token of each row to `last`.
    fn compute(&mut self, rows: &[OutputRow], last: &mut Vec<Token>) -> Result<(), Failure> {
        let outputs = self.ctx.decode(&mut self.batch)?;
        for &row in rows {
            last.push(likeliest(outputs.row(row)?.logits()?));
        }
        Ok(())
    }
}

/// Times that are added up.
#[derive(Default)]
pub(crate) struct Total {
    wall: f64,
    cpu: f64,
    without_cpu: bool,
}

impl Total {
    pub(crate) fn add(&mut self, spent: Spent) {
        self.wall += spent.wall;
        self.cpu += spent.cpu.unwrap_or(0.0);
        self.without_cpu |= spent.cpu.is_none();
    }

    /// One of `n` equal shares.
    #[allow(clippy::cast_precision_loss, reason = "a number of steps")]
    pub(crate) fn share(&self, n: usize) -> Spent {
        Spent { wall: self.wall / n as f64, cpu: (!self.without_cpu).then_some(self.cpu / n as f64) }
    }
}

pub(crate) fn seq_id(seq: usize) -> Result<SeqId, Failure> {
    Ok(SeqId(i32::try_from(seq)?))
}

/// The token of a sequence at a position: any, but the same in every run, and not the first ones, which may be special.
fn text(seq: usize, at: usize, n_vocab: usize) -> Result<Token, Failure> {
    let special = n_vocab / 8;
    let mixed = (seq * 7919 + at * 104_729 + at * at * 31) % (n_vocab - special);
    Ok(Token(i32::try_from(special + mixed)?))
}

fn likeliest(logits: &[f32]) -> Token {
    let mut best = (0, f32::NEG_INFINITY);
    for (token, &logit) in (0..).zip(logits) {
        if logit > best.1 {
            best = (token, logit);
        }
    }
    Token(best.0)
}
