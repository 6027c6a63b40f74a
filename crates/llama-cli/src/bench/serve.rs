//! `--serve-like`: the engine as many clients see it: [`Clients`] starts it, has it asked, and tells how soon tokens came.

mod answers;
mod row;
mod workload;

use std::time::{Duration, Instant};

use anyhow::bail;
use llama_runtime::{EngineConfig, ModelInfo, ModelSpec, Runtime, kernels_in_use};

use super::matrix::Case;
use super::print::Printer;
use super::progress::Progress;
use super::stop::Stop;
use super::subject::{self, Machine, Source};
use super::table::{self, Columns};
use super::{Wanted, lists};
use crate::settings::{Effective, Purpose};
use crate::{demo, gpu, start};
use answers::Round;
use row::ServeRow;
use workload::{MAX_CLIENTS, Recipe, Workload};

/// Clients where nobody says.
const CLIENTS: u32 = 8;

/// Requests for each of them.
const REQUESTS_OF_EACH: u32 = 4;

/// Lengths of prompts and answers where nobody says.
const PROMPTS: [u32; 4] = [32, 64, 128, 256];
const ANSWERS: [u32; 3] = [16, 32, 64];

/// Cells of the KV cache that each client has to spare.
const SPARE: usize = 32;

/// What is asked of which models.
#[derive(Debug)]
pub(super) struct Clients<'a> {
    pub(super) wanted: &'a Wanted<'a>,
    pub(super) effective: &'a Effective,
    pub(super) sources: Vec<Source>,
    pub(super) variants: Vec<bool>,
    pub(super) stop: Stop,
}

/// Where requests are from.
enum Asking {
    Recipe(Recipe),
    File(Workload),
}

/// What stands below the rows, and why requests failed.
#[derive(Debug, Default)]
struct Told {
    isa: Option<&'static str>,
    failed: Vec<String>,
}

/// An engine with our kernels on or off, and what it answered.
struct Side {
    kernels: bool,
    /// The instructions that they use.
    isa: Option<&'static str>,
    runtime: Runtime,
    info: ModelInfo,
    rounds: Vec<Round>,
}

impl Clients<'_> {
    /// Measures each way to compute, and prints a row for each state of our kernels.
    ///
    /// # Errors
    ///
    /// Why the engine cannot be started, and when requests failed; rows are printed before.
    pub(super) fn run(&self, ways: &[Case], printer: &mut Printer) -> anyhow::Result<()> {
        let asking = self.asking()?;
        let mut progress = Progress::new(self.wanted.run.progress);
        let mut told = Told::default();
        let measured = self.all(ways, &asking, &mut progress, (printer, &mut told));
        progress.clear();
        if measured.is_ok() || printer.has_begun() {
            printer.end(&if printer.has_begun() { table::made_by(told.isa) } else { Vec::new() })?;
        }
        measured?;
        match told.failed.first() {
            Some(first) => bail!("{} requests failed, the first one since {first}", told.failed.len()),
            None => Ok(()),
        }
    }

    /// Every way to compute in turn, or those before Ctrl+C. What was told is there also after an error.
    fn all(
        &self,
        ways: &[Case],
        asking: &Asking,
        progress: &mut Progress,
        (printer, told): (&mut Printer, &mut Told),
    ) -> anyhow::Result<()> {
        let columns = Columns::of(ways);
        for way in ways {
            let delay = Duration::from_secs(self.wanted.run.delay.into());
            if !delay.is_zero() {
                progress.part(&format!("waiting {} s", delay.as_secs()));
            }
            if !self.stop.wait_until(Instant::now() + delay) {
                break;
            }
            let sides = self.measure(way, asking, progress)?;
            progress.clear();
            for side in sides.iter().filter(|side| !side.rounds.is_empty()) {
                let row = self.row(way, asking, side);
                told.isa = told.isa.or(row.kernels_isa);
                printer.row(&table::object(&row)?, &row.cells(columns))?;
                told.failed.extend(side.rounds.iter().flat_map(Round::failures).map(str::to_owned));
            }
        }
        Ok(())
    }

    fn asking(&self) -> anyhow::Result<Asking> {
        let serve = self.wanted.serve;
        let once = self.wanted.run.repetitions.is_none_or(|repetitions| repetitions == 1);
        if let Some(flag) =
            serve.workload_out.as_ref().map(|_| "--workload-out").or(serve.workload.as_ref().map(|_| "--workload"))
            && !once
        {
            bail!("{flag} is about the requests of one run, and each repetition has others; leave -r out");
        }
        if let Some(path) = &serve.workload {
            return Ok(Asking::File(Workload::read(path)?));
        }
        let clients = serve.clients.unwrap_or(CLIENTS);
        let lengths = |given: &[lists::List<u32>], default: &[u32], flag: &str| -> anyhow::Result<Vec<usize>> {
            let given = lists::all(given);
            let lengths = if given.is_empty() { default } else { &given };
            match lengths.iter().find(|length| !(1..=1_000_000).contains(*length)) {
                Some(wrong) => bail!("{flag} is {wrong}, must be from 1 to 1000000 with --serve-like"),
                None => Ok(lengths.iter().map(|length| *length as usize).collect()),
            }
        };
        Ok(Asking::Recipe(Recipe {
            seed: serve.seed.unwrap_or(1),
            clients: clients as usize,
            requests: serve.requests.unwrap_or(clients * REQUESTS_OF_EACH) as usize,
            rate: serve.rate,
            shared_prefix: serve.shared_prefix.unwrap_or(0) as usize,
            prompts: lengths(&self.wanted.tests.n_prompt, &PROMPTS, "-p/--n-prompt")?,
            answers: lengths(&self.wanted.tests.n_gen, &ANSWERS, "-n/--n-gen")?,
        }))
    }

    /// All rounds of one way to compute, or those that were whole before Ctrl+C.
    fn measure(&self, way: &Case, asking: &Asking, progress: &mut Progress) -> anyhow::Result<Vec<Side>> {
        let source = &self.sources[way.load.model];
        let mut sides = Vec::new();
        for kernels in &self.variants {
            // A press while the one before was loaded.
            if self.stop.is_set() {
                return Ok(sides);
            }
            progress.loading(&source.name());
            sides.push(self.side(way, asking, *kernels)?);
        }
        let repetitions = self.wanted.run.repetitions.unwrap_or(1);
        for repetition in 0..repetitions {
            for side in &mut sides {
                if self.stop.is_set() {
                    return Ok(sides);
                }
                let workload = asking.workload(repetition, side.info.facts.n_vocab)?;
                if let Some(path) = &self.wanted.serve.workload_out {
                    workload.write(path)?;
                }
                progress.part(&format!(
                    "run {}/{repetitions}, kernels {}: {} requests of {} clients",
                    repetition + 1,
                    if side.kernels { "on" } else { "off" },
                    workload.requests.len(),
                    workload.clients
                ));
                subject::switch(side.kernels);
                let Some(round) = Round::run(&side.runtime, &workload, &self.stop) else { return Ok(sides) };
                side.rounds.push(round);
            }
        }
        Ok(sides)
    }

    /// Starts an engine, and warms it up.
    fn side(&self, way: &Case, asking: &Asking, kernels: bool) -> anyhow::Result<Side> {
        subject::switch(kernels);
        let isa = kernels_in_use();
        let spec = match &self.sources[way.load.model] {
            Source::File(path) => ModelSpec::path(path),
            Source::Demo => ModelSpec::bytes(demo::IMAGE),
        };
        let builder = Runtime::builder().model("model", spec).engine(self.engine(way, asking));
        let runtime = builder.build_blocking().map_err(start::plain)?;
        let info = runtime.load_blocking(None).map_err(start::plain)?;
        gpu::check_loaded(self.effective.settings.model.require_gpu, &info)?;
        if !self.wanted.run.no_warmup {
            Round::warm_up(&runtime, &info, &self.stop);
        }
        Ok(Side { kernels, isa, runtime, info, rounds: Vec::new() })
    }

    fn engine(&self, way: &Case, asking: &Asking) -> EngineConfig {
        let mut config = self.effective.engine_config(Purpose::Job);
        let (load, layout) = (&way.load, &way.layout);
        config.model.gpu_layers = load.gpu_layers;
        config.model.load_mode = load.load_mode;
        config.model.use_extra_buffers = load.repack;
        config.context.cache_k = layout.type_k;
        config.context.cache_v = layout.type_v;
        config.context.flash_attention = layout.flash;
        config.context.offload_kqv = layout.kv_offload;
        config.context.op_offload = layout.op_offload;
        config.context.threads = layout.threads;
        config.context.threads_batch = layout.threads_batch;
        config.batch.step_tokens = layout.at_once();
        let is_set = |key: &str| self.effective.set.contains_key(key);
        if !is_set("batch.min_chunk") {
            config.batch.min_chunk = config.batch.min_chunk.min(config.batch.step_tokens);
        }
        if !is_set("batch.max_sequences") {
            let clients = u32::try_from(asking.clients().min(MAX_CLIENTS)).unwrap_or(CLIENTS);
            config.batch.max_sequences = clients.min(config.batch.step_tokens);
        }
        if !is_set("context.n_ctx") {
            config.context.n_ctx = u32::try_from(asking.cells()).ok();
        }
        config.limits.queue = config.limits.queue.max(asking.clients());
        config
    }

    fn row(&self, way: &Case, asking: &Asking, side: &Side) -> ServeRow {
        let mut row = ServeRow::of(way, &Machine::look(), &side.info, side.isa);
        row.model_filename = self.sources[way.load.model].name();
        row.asked(asking.clients(), asking.seed(), asking.rate(), asking.shared_prefix());
        row.measured(&side.rounds);
        row
    }
}

impl Asking {
    /// The requests of one repetition. They are others each time: those of the one before would be in the cache.
    fn workload(&self, repetition: u32, n_vocab: u32) -> anyhow::Result<Workload> {
        match self {
            Self::Recipe(recipe) => {
                let seed = recipe.seed.wrapping_add(repetition.into());
                Workload::new(&Recipe { seed, ..recipe.clone() }, n_vocab)
            }
            Self::File(workload) if workload.n_vocab > n_vocab => {
                bail!(
                    "the workload was made for a vocabulary of {} tokens, and this model has {n_vocab}",
                    workload.n_vocab
                )
            }
            Self::File(workload) => Ok(workload.clone()),
        }
    }

    fn clients(&self) -> usize {
        match self {
            Self::Recipe(recipe) => recipe.clients,
            Self::File(workload) => workload.clients,
        }
    }

    /// Cells of the KV cache for all clients at once.
    fn cells(&self) -> usize {
        let spare = self.clients() * SPARE;
        spare
            + match self {
                Self::Recipe(recipe) => recipe.cells(),
                Self::File(workload) => workload.cells(),
            }
    }

    fn seed(&self) -> u64 {
        match self {
            Self::Recipe(recipe) => recipe.seed,
            Self::File(workload) => workload.seed,
        }
    }

    fn rate(&self) -> Option<f64> {
        match self {
            Self::Recipe(recipe) => recipe.rate,
            Self::File(workload) => workload.rate,
        }
    }

    fn shared_prefix(&self) -> usize {
        match self {
            Self::Recipe(recipe) => recipe.shared_prefix,
            Self::File(workload) => workload.shared_prefix,
        }
    }
}
