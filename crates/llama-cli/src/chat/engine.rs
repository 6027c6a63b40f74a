//! The model while it is loaded in the background, and then.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use llama_runtime::blocking::block_on;
use llama_runtime::{ModelInfo, ModelSpec, Progress, Runtime};

use super::session::{SavedModel, read_kv};
use crate::exit::{self, Ended};
use crate::interrupt::{self, Interrupts};
use crate::settings::{Effective, Purpose};
use crate::threads::Kept;
use crate::{gpu, start, ui};

/// More news than there can be: each percent once, the end, and a few presses of Ctrl+C.
const MAX_NEWS: usize = 256;

/// How long a prompt waits for what may be there at once, and is better told before it: small models, broken files.
const QUICK: Duration = Duration::from_millis(10);

/// How long it takes at most to find that a file is not there.
const MISSING: Duration = Duration::from_secs(60);

/// How long a load that was given up may take to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// A model, or one that is on its way.
#[derive(Debug)]
pub(crate) struct Engine {
    runtime: Arc<Runtime>,
    name: String,
    state: State,
    /// A person is at the prompt: whoever finds that the model cannot be loaded says so and ends the program.
    at_prompt: Arc<Mutex<bool>>,
}

#[derive(Debug)]
enum State {
    Loading {
        news: Receiver<News>,
        sender: SyncSender<News>,
        given_up: Arc<AtomicBool>,
    },
    Ready(Box<ModelInfo>),
    /// Its end was told.
    Failed,
}

/// What is heard of a load.
enum News {
    Percent(u32),
    Ended(anyhow::Result<Loaded>),
    Interrupted,
}

struct Loaded {
    info: Box<ModelInfo>,
    /// What became of the KV state.
    remark: Option<String>,
}

/// A KV state to take up, and the model that it is of.
#[derive(Debug, Clone)]
pub(crate) struct Kv {
    pub(crate) path: PathBuf,
    pub(crate) model: SavedModel,
}

impl Engine {
    /// Starts to load the model, and waits only where it cannot take long: a file that is not there.
    ///
    /// # Errors
    ///
    /// Why there is no such model.
    pub(crate) fn start(effective: &Effective, kv: Option<Kv>) -> anyhow::Result<Self> {
        let (spec, kept) = start::spec(effective)?;
        let (sender, news) = sync_channel(MAX_NEWS);
        let given_up = Arc::new(AtomicBool::new(false));
        let at_prompt = Arc::new(Mutex::new(false));
        let runtime = Arc::new(runtime(effective, spec, &sender, &given_up)?);
        let load = Load {
            runtime: Arc::clone(&runtime),
            requires_gpu: effective.settings.model.require_gpu,
            kv,
            kept,
            sender: sender.clone(),
            at_prompt: Arc::clone(&at_prompt),
        };
        let thread = std::thread::Builder::new().name("load".to_owned());
        thread.spawn(move || load.run()).context("cannot start a thread")?;
        let state = State::Loading { news, sender, given_up };
        let mut engine = Self { runtime, name: name(effective), state, at_prompt };
        let is_missing = effective.settings.model.path.as_ref().is_some_and(|path| !path.exists());
        engine.wait_briefly(if is_missing { MISSING } else { QUICK })?;
        Ok(engine)
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What it is, once it is loaded.
    pub(crate) fn info(&self) -> Option<&ModelInfo> {
        match &self.state {
            State::Ready(info) => Some(info),
            _ => None,
        }
    }

    /// For people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What a file says about it.
    pub(crate) fn saved(&self) -> Option<SavedModel> {
        self.info().map(|info| SavedModel::of(self.name.clone(), info))
    }

    /// Waits for a short time, so that a failure that is quick is told before anything else.
    ///
    /// # Errors
    ///
    /// Why it cannot be loaded.
    fn wait_briefly(&mut self, patience: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + patience;
        while let State::Loading { news, .. } = &self.state {
            match news.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(News::Ended(ended)) => self.ended(ended)?,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => self.ended(Err(crashed()))?,
            }
        }
        Ok(())
    }

    /// Waits until it is loaded; on a terminal the progress is shown. Ctrl+C gives it up.
    ///
    /// # Errors
    ///
    /// Why it cannot be loaded; [`Ended`] after Ctrl+C.
    pub(crate) fn wait(&mut self, interrupts: &Interrupts) -> anyhow::Result<&ModelInfo> {
        if let State::Loading { sender, .. } = &self.state {
            let sender = sender.clone();
            interrupts.telling(move |presses| {
                // A channel that is full has news to end with, or the second press ends it.
                if presses > 1 || sender.try_send(News::Interrupted).is_err() {
                    interrupt::leave(exit::INTERRUPTED);
                }
            });
            let shown = Shown::begin();
            let waited = self.hear(&shown);
            shown.end();
            waited?;
            interrupts.idle(exit::INTERRUPTED);
        }
        self.info().ok_or_else(|| anyhow!("the model could not be loaded"))
    }

    fn hear(&mut self, shown: &Shown) -> anyhow::Result<()> {
        while let State::Loading { news, .. } = &self.state {
            match news.recv() {
                Ok(News::Percent(percent)) => shown.percent(percent),
                Ok(News::Ended(ended)) => self.ended(ended)?,
                Ok(News::Interrupted) => {
                    self.give_up();
                    return Err(Ended(exit::INTERRUPTED).into());
                }
                Err(_) => self.ended(Err(crashed()))?,
            }
        }
        Ok(())
    }

    /// A person is asked for a line, or has answered.
    ///
    /// # Errors
    ///
    /// Why the model cannot be loaded, if that is known by now.
    pub(crate) fn at_prompt(&mut self, there: bool) -> anyhow::Result<()> {
        if there {
            self.wait_briefly(Duration::ZERO)?;
        }
        let mut at_prompt = lock(&self.at_prompt);
        *at_prompt = there;
        // It may have ended since it was looked at.
        if there && let State::Loading { news, .. } = &self.state {
            while let Ok(heard) = news.try_recv() {
                if let News::Ended(ended) = heard {
                    *at_prompt = ended.is_ok();
                    drop(at_prompt);
                    return self.ended(ended);
                }
            }
        }
        Ok(())
    }

    /// The program ends: a load that goes on is given up, and waited for as long as that may take. One that waits for a
    /// device that says nothing ends with the process.
    pub(crate) fn give_up(&mut self) {
        let State::Loading { news, given_up, .. } = &self.state else { return };
        given_up.store(true, Ordering::Relaxed);
        let until = Instant::now() + PATIENCE;
        while let Ok(heard) = news.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if matches!(heard, News::Ended(_)) {
                break;
            }
        }
        self.state = State::Failed;
    }

    fn ended(&mut self, ended: anyhow::Result<Loaded>) -> anyhow::Result<()> {
        self.state = State::Failed;
        let Loaded { info, remark } = ended?;
        if !info.has_chat_template {
            ui::note("This model has no chat template. ChatML is used, which it may not have been trained on.");
        }
        if let Some(remark) = remark {
            ui::note(&remark);
        }
        self.state = State::Ready(info);
        Ok(())
    }
}

fn crashed() -> anyhow::Error {
    anyhow!("the model was not loaded: its thread ended")
}

fn runtime(
    effective: &Effective,
    spec: ModelSpec,
    sender: &SyncSender<News>,
    given_up: &Arc<AtomicBool>,
) -> anyhow::Result<Runtime> {
    let (sender, given_up) = (sender.clone(), Arc::clone(given_up));
    let last = AtomicU32::new(0);
    let builder = Runtime::builder().model("model", spec.on_demand()).on_load(move |_, share| {
        let percent = start::percent(share);
        if last.swap(percent, Ordering::Relaxed) != percent {
            // What nobody hears in time is not worth to wait for.
            let _ = sender.try_send(News::Percent(percent));
        }
        if given_up.load(Ordering::Relaxed) { Progress::Cancel } else { Progress::Continue }
    });
    builder.engine(effective.engine_config(Purpose::OnePerson)).build_blocking().map_err(start::plain)
}

/// The thread that waits for the load.
struct Load {
    runtime: Arc<Runtime>,
    requires_gpu: bool,
    kv: Option<Kv>,
    kept: Option<Kept>,
    sender: SyncSender<News>,
    at_prompt: Arc<Mutex<bool>>,
}

impl Load {
    fn run(self) {
        let Self { runtime, requires_gpu, kv, kept, sender, at_prompt } = self;
        let ended = runtime
            .load_blocking(None)
            .map_err(start::plain)
            .and_then(|info| gpu::check_loaded(requires_gpu, &info).map(|()| info))
            .inspect(|info| kept.iter().for_each(|kept| kept.write(&info.threads)))
            .map(|info| Loaded { remark: kv.and_then(|kv| restore(&runtime, &info, &kv)), info: Box::new(info) });
        // Whoever drops it last waits for the engine, and that must not be this thread.
        drop(runtime);
        let at_prompt = lock(&at_prompt);
        match ended {
            Err(error) if *at_prompt => {
                ui::leave_terminal();
                let _ = exit::after(Err(error));
                interrupt::leave(exit::FAILED);
            }
            // If nobody listens any more, the program is about to end.
            ended => drop(sender.try_send(News::Ended(ended))),
        }
    }
}

/// Takes up a KV state. Returns what a person should know about it: the conversation does not depend on it.
fn restore(runtime: &Runtime, info: &ModelInfo, kv: &Kv) -> Option<String> {
    let why = if SavedModel::of(String::new(), info).fingerprint != kv.model.fingerprint {
        format!("it is of another model ({})", kv.model.name)
    } else {
        match read_kv(&kv.path) {
            Ok(None) => return None,
            Ok(Some(bytes)) => match block_on(runtime.restore_prefix(None, &bytes)) {
                Ok(_) => return None,
                Err(error) => error.to_string(),
            },
            Err(error) => format!("{error:#}"),
        }
    };
    Some(format!("[ The KV state was not restored: {why}; the conversation was. ]"))
}

/// What to call a model.
fn name(effective: &Effective) -> String {
    let source = &effective.settings.model;
    let file = |path: &PathBuf| path.file_name().map_or_else(|| path.as_path(), Path::new).display().to_string();
    source.path.as_ref().map(file).or_else(|| source.hf.clone()).unwrap_or_else(|| "the built-in demo model".to_owned())
}

/// The line that tells how far it is.
struct Shown {
    terminal: bool,
}

impl Shown {
    fn begin() -> Self {
        let shown = Self { terminal: ui::stderr_is_terminal() && !ui::terminal_is_dumb() };
        if shown.terminal {
            ui::ask("Loading the model ..");
        }
        shown
    }

    fn percent(&self, percent: u32) {
        if self.terminal {
            ui::ask(&format!("\rLoading the model: {percent} %"));
        }
    }

    fn end(&self) {
        if self.terminal {
            // Back to the start of the line, and clear it.
            ui::ask("\r\x1b[K");
        }
    }
}

fn lock(at_prompt: &Mutex<bool>) -> MutexGuard<'_, bool> {
    at_prompt.lock().unwrap_or_else(PoisonError::into_inner)
}
