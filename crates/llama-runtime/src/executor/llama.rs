//! Plans over llama.cpp: [`LlamaExecutor`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use llama_core::{
    AdapterError, Context, ContextError, ContextParams, DecodeError, LoraAdapter, MemoryUse, Model, SampleError, Token,
};

use super::abort::AbortSwitch;
use super::embed::Embedder;
use super::fill::{Cache, Fate, Stop};
use super::pacing::{Asked, Pacing, time_step};
use super::park::Parked;
use super::sample::{Chooser, Masks};
use super::{Abilities, Executor, Output, StepEnd, StepResult, Work, abilities, layout};
use crate::error::GenerateError;
use crate::plan::{BlobId, Piece, Plan, SeqKey};
use crate::saved::PrefixError;
use crate::threads::{ThreadChoice, ThreadCounts};

/// Carries out plans over one model.
#[derive(Debug)]
pub(crate) struct LlamaExecutor {
    model: Model,
    /// Of the generation context.
    params: ContextParams,
    abilities: Abilities,
    generation: Generation,
    embedder: Embedder,
    choosers: HashMap<SeqKey, Chooser>,
    masks: Masks,
    adapters: Vec<(String, LoraAdapter)>,
    parked: Parked,
    abort: AbortSwitch,
    pacing: Pacing,
}

/// What generates.
#[derive(Debug)]
enum Generation {
    /// The model is an encoder.
    None,
    Ready(Box<Cache>),
    /// It failed, and could not be made again.
    Lost,
}

/// Why there is no executor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExecutorError {
    /// A context could not be made.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The context was made, but the model cannot be run in it.
    #[error("the model cannot be run: {0}")]
    Decode(#[from] DecodeError),
}

impl LlamaExecutor {
    /// Makes the context of a model that generates, or the one for embeddings of an encoder, and runs it once.
    ///
    /// `params.n_batch` is the number of tokens of a step, and `running` that of sequences at a time; `params.n_seq_max` is
    /// decided here, see [`layout::generation`].
    pub(crate) fn new(
        model: Model,
        params: &ContextParams,
        running: usize,
        adapters: Vec<(String, LoraAdapter)>,
    ) -> Result<Self, ExecutorError> {
        let generation = layout::generation(model.facts(), params, running);
        let context = generation_context(&model, &generation)?;
        let embedder = Embedder::new(&model, layout::embedding(&model, params, context.is_some()));
        let (abilities, generation_state) = match context {
            Some(mut context) => {
                let partial = layout::is_partial(&mut context, &generation);
                let abilities = abilities::of_context(&mut context, partial, embedder.limit())?;
                let cache = Cache::new(context, abilities.partial, abilities.sequence_limit);
                (abilities, Generation::Ready(Box::new(cache)))
            }
            None => (abilities::of_encoder(embedder.limit()), Generation::None),
        };
        let mut executor = Self {
            model,
            params: generation,
            abilities,
            generation: generation_state,
            embedder,
            choosers: HashMap::new(),
            masks: Masks::new(abilities.slots),
            adapters,
            parked: Parked::default(),
            abort: AbortSwitch::default(),
            pacing: Pacing::default(),
        };
        if !executor.abilities.generates {
            executor.embedder.prepare(|_| {})?;
        }
        executor.clear_abort();
        Ok(executor)
    }

    /// Bytes of the model and its context as llama.cpp counts them; `None` if it does not tell. Without the context for
    /// embeddings of a model that also generates, which is made when it is first needed.
    pub(crate) fn memory(&mut self) -> Option<MemoryUse> {
        let context = match &mut self.generation {
            Generation::Ready(cache) => Some(&*cache.context()),
            Generation::None | Generation::Lost => self.embedder.context().map(|context| &*context),
        };
        context?.memory_use().ok()
    }

    /// Decides how many threads steps get, see [`Pacing::new`]. Nothing has been computed yet.
    pub(crate) fn pace(&mut self, asked: Asked) -> ThreadChoice {
        self.pace_by(asked, |_, _, took| took)
    }

    /// The same, with steps of so many rows and threads that count as having taken what `told` makes of their time.
    pub(super) fn pace_by(&mut self, asked: Asked, told: impl Fn(usize, u32, Duration) -> Duration) -> ThreadChoice {
        let context = match &mut self.generation {
            Generation::Ready(cache) => Some(cache.context()),
            Generation::None | Generation::Lost => None,
        };
        let run = context.map(|context| {
            move |rows, threads| time_step(context, rows, threads).map(|took| told(rows, threads, took))
        });
        self.pacing = Pacing::new(asked, run);
        self.pacing.choice()
    }

    fn compute(&mut self, plan: &Plan, result: &mut StepResult) {
        let Generation::Ready(cache) = &mut self.generation else {
            result.end = match self.generation {
                Generation::Lost => StepEnd::Failed(GenerateError::Crashed),
                _ => StepEnd::Failed(DecodeError::NoSuchPart { part: "decoder" }.into()),
            };
            return;
        };
        let (choosers, adapters, masks) = (&mut self.choosers, &self.adapters, &mut self.masks);
        let pacing = &mut self.pacing;
        let wanted = || {
            let mut opened = plan.pieces.iter().filter_map(|piece| choosers.get(&piece.seq));
            opened.next().map(|chooser| named(adapters, chooser.adapters()))
        };
        if let Err(error) = cache.use_adapters(plan.adapters, wanted) {
            result.outputs = plan.pieces.iter().map(|_| Output::Failed(error.clone())).collect();
            return;
        }
        let fates = cache.fill(&plan.pieces, |piece| choosers.contains_key(&piece.seq));
        let start = Instant::now();
        let outputs = match cache.decode(&plan.pieces, &fates, pacing.threads(&plan.pieces)) {
            Ok(outputs) => {
                pacing.observe(&plan.pieces, start.elapsed());
                outputs
            }
            Err(Stop::NoRoom) => {
                result.end = StepEnd::NoRoom;
                return;
            }
            Err(Stop::Aborted(held)) => {
                result.end = StepEnd::Aborted { held };
                return;
            }
            Err(Stop::Broken(error)) => {
                self.start_over(&error);
                result.end = StepEnd::Failed(error.into());
                return;
            }
        };
        let vocab = self.model.vocab();
        let answer = |(piece, fate): (&Piece, Fate)| match (fate, choosers.get_mut(&piece.seq)) {
            (Fate::Refused(output), _) => output,
            (Fate::Row(row), Some(chooser)) => {
                let row = outputs.row(row).map_err(|error| SampleError::from(error).into());
                row.and_then(|row| chooser.choose(&row, vocab, masks)).map_or_else(Output::Failed, Output::Sampled)
            }
            (Fate::Stored | Fate::Row(_), _) => Output::Stored,
        };
        result.outputs = plan.pieces.iter().zip(fates).map(answer).collect();
        if result.outputs.iter().any(Output::is_no_number) {
            self.start_over(&SampleError::NanLogits);
            result.end = StepEnd::Poisoned;
        }
    }

    /// Makes the generation context anew. The old one goes first: both may not fit.
    fn start_over(&mut self, error: &dyn std::fmt::Display) {
        tracing::error!(%error, "the generation context failed; making a new one");
        self.generation = Generation::Lost;
        match Context::new(&self.model, self.params.clone()) {
            Ok(context) => {
                self.abort.attach(&context);
                let Abilities { partial, sequence_limit, .. } = self.abilities;
                self.generation = Generation::Ready(Box::new(Cache::new(context, partial, sequence_limit)));
            }
            Err(error) => tracing::error!(%error, "the generation context could not be made again"),
        }
    }

    fn embed(&mut self, plan: &Plan, result: &mut StepResult) {
        let abort = &self.abort;
        let made = self.embedder.prepare(|context| abort.attach(context));
        if let Err(error) = made {
            tracing::warn!(%error, "the embedding context could not be made");
            let error = GenerateError::from(error);
            let failed = plan.embeds.iter().map(|piece| (piece.request, piece.input, Err(error.clone())));
            result.embeddings.extend(failed);
            return;
        }
        let stopped = self.embedder.embed(&plan.embeds, &mut result.embeddings);
        // Tokens that were chosen before stay chosen.
        if stopped && plan.pieces.is_empty() {
            result.end = StepEnd::Aborted { held: Vec::new() };
        }
    }

    /// Adapters are asked for by name; names and scales are checked before a sequence is opened.
    fn check_adapters(&self, wanted: &[(String, f32)]) -> Result<(), AdapterError> {
        let invalid = |name, why| Err(AdapterError::InvalidParam { name, why });
        for (i, (name, scale)) in wanted.iter().enumerate() {
            if !self.adapters.iter().any(|(known, _)| known == name) {
                return invalid("adapters", format!("name {name:?}, which is not loaded"));
            }
            if wanted[..i].iter().any(|(other, _)| other == name) {
                return invalid("adapters", format!("name {name:?} twice"));
            }
            if !scale.is_finite() {
                return invalid("scale", format!("is {scale}, must be a finite number"));
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn cache(&mut self) -> &mut Cache {
        match &mut self.generation {
            Generation::Ready(cache) => cache,
            other => panic!("no cache: {other:?}"),
        }
    }

    #[cfg(test)]
    pub(super) fn params(&mut self) -> &mut ContextParams {
        &mut self.params
    }
}

impl Executor for LlamaExecutor {
    fn abilities(&self) -> Abilities {
        self.abilities
    }

    fn open(&mut self, seq: SeqKey, work: &Arc<Work>) -> Result<(), GenerateError> {
        self.check_adapters(&work.adapters)?;
        let chooser = Chooser::new(&self.model, seq, work, &mut self.masks)?;
        self.choosers.insert(seq, chooser);
        Ok(())
    }

    fn close(&mut self, seq: SeqKey) {
        self.choosers.remove(&seq);
    }

    fn step(&mut self, plan: &Plan) -> StepResult {
        let mut result = StepResult {
            end: StepEnd::Done,
            outputs: Vec::new(),
            saved: Vec::new(),
            not_loaded: Vec::new(),
            embeddings: Vec::new(),
        };
        for op in &plan.ops {
            match &mut self.generation {
                Generation::Ready(cache) => cache.apply(op, &mut self.parked, &mut result),
                Generation::None | Generation::Lost => self.parked.skip(op, &mut result),
            }
        }
        if !plan.pieces.is_empty() {
            self.compute(plan, &mut result);
        }
        if !plan.embeds.is_empty() && !matches!(result.end, StepEnd::Aborted { .. }) {
            self.embed(plan, &mut result);
        }
        if let Generation::Ready(cache) = &mut self.generation {
            debug_assert!(cache.agrees(), "the counts of the slots are not those of the context");
        }
        result
    }

    fn import(&mut self, blob: BlobId, bytes: Vec<u8>) -> Result<Vec<Token>, PrefixError> {
        match &mut self.generation {
            Generation::Ready(cache) => Ok(self.parked.import(cache.context(), blob, bytes)?),
            Generation::None => Err(PrefixError::Unsupported),
            Generation::Lost => Err(PrefixError::crashed()),
        }
    }

    fn export(&self, blob: BlobId) -> Option<Vec<u8>> {
        self.parked.bytes(blob).map(<[u8]>::to_vec)
    }

    fn take_out(&mut self, blob: BlobId) -> Option<Vec<u8>> {
        self.parked.take(blob)
    }

    fn abort_switch(&self) -> AbortSwitch {
        self.abort.clone()
    }

    fn threads(&self) -> ThreadCounts {
        self.pacing.choice().counts
    }

    fn clear_abort(&mut self) {
        let generation = match &mut self.generation {
            Generation::Ready(cache) => Some(cache.context()),
            Generation::None | Generation::Lost => None,
        };
        self.abort.clear(generation.into_iter().chain(self.embedder.context()));
    }
}

/// The context, if the model can go on writing a text: it has a memory of what was said, and tokens see what came before only.
fn generation_context(model: &Model, params: &ContextParams) -> Result<Option<Context>, ContextError> {
    let facts = model.facts();
    if facts.has_encoder || !facts.has_decoder || facts.is_diffusion {
        return Ok(None);
    }
    let context = Context::new(model, params.clone())?;
    Ok(Some(context).filter(|context| context.has_memory() && context.is_causal()))
}

/// The loaded adapters of these names.
fn named(adapters: &[(String, LoraAdapter)], wanted: &[(String, f32)]) -> Vec<(LoraAdapter, f32)> {
    let find = |(name, scale): &(String, f32)| {
        let found = adapters.iter().find(|(known, _)| known == name)?;
        Some((found.1.clone(), *scale))
    };
    wanted.iter().filter_map(find).collect()
}
