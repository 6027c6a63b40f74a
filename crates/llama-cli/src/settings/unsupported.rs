//! Flags of llama.cpp that are no settings here: those that ask for what happens anyway, and those that are refused with
//! what to use instead.

/// A flag that is accepted and changes nothing, since what it asks for is what happens.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// Without dashes.
    pub(crate) long: &'static str,
    /// The values for which this is so; empty for a flag without a value.
    pub(crate) values: &'static [&'static str],
    /// The commands that accept it; empty for all.
    pub(crate) commands: &'static [&'static str],
    /// Why nothing has to be done.
    pub(crate) why: &'static str,
}

const fn accepted(long: &'static str, why: &'static str) -> Accepted {
    Accepted { long, values: &[], commands: &[], why }
}

pub(crate) const ACCEPTED: &[Accepted] = &[
    accepted("jinja", "templates are always Jinja"),
    accepted("cont-batching", "requests always join the running batch"),
    accepted("kv-unified", "all sequences always share one cache"),
    accepted("no-context-shift", "the context is never shifted"),
    accepted("no-warmup", "no model is warmed up"),
    accepted("no-mmproj", "no projector is ever loaded"),
    accepted("no-mmproj-auto", "no projector is ever loaded"),
    accepted("no-perf", "llama.cpp's own timers are always off"),
    accepted("no-backend-sampling", "tokens are always chosen on the CPU"),
    accepted("log-prefix", "each log line begins with its level"),
    accepted("no-display-prompt", "the prompt is no part of the output"),
    accepted("simple-io", "input and output are plain wherever they are no terminal"),
    Accepted { long: "fit", values: &["off"], commands: &[], why: "no setting is changed to make a model fit" },
    Accepted { long: "color", values: &["auto"], commands: &[], why: "colours are for terminals" },
    Accepted { long: "spec-type", values: &["none"], commands: &[], why: "decoding is never speculative" },
    Accepted { long: "parallel", values: &["1"], commands: &["chat"], why: "chat answers one message at a time" },
    Accepted { long: "conversation", values: &[], commands: &["chat"], why: "chat is a conversation" },
    Accepted { long: "interactive", values: &[], commands: &["chat"], why: "chat is interactive" },
    Accepted {
        long: "interactive-first",
        values: &[],
        commands: &["chat"],
        why: "without -p, chat waits for input first",
    },
];

/// Flags that are refused.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Without dashes; one that ends in `*` is the beginning of several, and one that begins with it their end.
    pub(crate) longs: &'static [&'static str],
    /// Upstream's spellings with one dash.
    pub(crate) one_dash: &'static [&'static str],
    /// What to do instead, as a sentence without its beginning.
    pub(crate) remedy: &'static str,
}

const fn refused(longs: &'static [&'static str], one_dash: &'static [&'static str], remedy: &'static str) -> Refused {
    Refused { longs, one_dash, remedy }
}

pub(crate) const REFUSED: &[Refused] = &[
    refused(&["mmap"], &[], "use --load-mode mmap"),
    refused(&["no-mmap"], &[], "use --load-mode read"),
    refused(&["direct-io"], &[], "use --load-mode direct_io"),
    refused(&["tg-separate"], &[], "leave it out: sequences are computed together; `bench -npl 1` measures one alone"),
    refused(&["mlock"], &[], "use --load-mode mlock, or mmap_mlock to map the file too"),
    refused(
        &["draft", "draft-*", "*-draft", "spec-*", "model-draft", "lookup-cache-*", "mtp", "dflash", "eagle3"],
        &["md", "hfd", "hfrd", "ngld", "devd", "ctkd", "ctvd", "td", "tbd", "cmoed", "ncmoed", "otd", "lcs", "lcd"],
        "leave it out: decoding is not speculative here, and the answers are the same without",
    ),
    refused(
        &["context-shift"],
        &[],
        "leave it out: chat forgets the oldest turns when the context is full; -c N makes it larger",
    ),
    refused(&["keep"], &[], "leave it out: the context is never shifted, so all of it is kept; -c N makes it larger"),
    refused(
        &["model-url"],
        &["mu"],
        "download the file and give it with -m FILE, or name its repository with -hf user/repo",
    ),
    refused(&["docker-repo"], &["dr"], "name a repository of the hub with -hf user/repo, or give a file with -m FILE"),
    refused(&["hf-token"], &["hft"], "set the variable HF_TOKEN: everybody on this machine can read a command line"),
    refused(
        &["mmproj", "mmproj-*", "image", "image-*", "audio", "video", "video-*", "mtmd-*"],
        &["mm", "mmu", "mmdev"],
        "leave it out: models read only text here",
    ),
    refused(&["rpc"], &[], "run on the machine that has the devices: others cannot be used from here"),
    refused(
        &[
            "server-base",
            "host",
            "port",
            "api-*",
            "ssl-*",
            "cors-*",
            "threads-http",
            "metrics",
            "slots",
            "slot-*",
            "timeout",
        ],
        &["to", "sps"],
        "leave it out: this program is no server and asks none",
    ),
    refused(&["no-jinja"], &[], "use `run --raw` to go without a template: templates are always Jinja"),
    refused(
        &["cpu-mask*", "cpu-range*", "cpu-strict*", "prio", "prio-*", "poll", "poll-*", "numa"],
        &["C", "Cr", "Cb", "Crb"],
        "use the system's tools (taskset, nice, numactl), and --threads for how many",
    ),
    refused(
        &["override-tensor", "cpu-moe", "n-cpu-moe", "n-cpu-ffn"],
        &["ot", "cmoe", "ncmoe", "ncffn"],
        "use --gpu-layers N to keep fewer layers on the GPU",
    ),
    refused(
        &["fit", "fit-*"],
        &["fit", "fitt", "fitc", "fitp"],
        "use --gpu-layers and --ctx-size; `llama-cli models show` tells what fits",
    ),
    refused(&["lazy-mode"], &["lzm"], "use --load-mode to choose how the file is read"),
    refused(&["no-host"], &[], "leave it out: llama.cpp chooses its buffers"),
    refused(&["control-vector*", "lora-init-without-apply"], &[], "use --lora FILE, or --lora-scaled FILE:SCALE"),
    refused(&["alias", "tags"], &["a"], "leave it out: there is one model, and it needs no other name"),
    refused(
        &[
            "kv-unified-per-slot",
            "no-kv-unified",
            "ctx-checkpoints",
            "swa-checkpoints",
            "checkpoint-*",
            "cache-idle-slots",
            "no-cache-idle-slots",
            "cache-reuse",
            "no-cont-batching",
            "defrag-thold",
        ],
        &["no-kvu", "ctxcp", "cms", "nocb", "dt"],
        "leave it out: the engine lays out its cache itself; --no-cache-prompt turns reuse off",
    ),
    refused(
        &["yarn-ext-factor", "yarn-attn-factor", "yarn-beta-*", "grp-attn-*"],
        &["gan", "gaw"],
        "use --rope-scaling yarn with --rope-scale and --yarn-orig-ctx",
    ),
    refused(&["backend-sampling"], &["bs"], "leave it out: tokens are chosen on the CPU"),
    refused(
        &["skip-chat-parsing"],
        &[],
        "use --no-reasoning-split to leave the thinking in the answer, or `run --raw`",
    ),
    refused(
        &["prefill-assistant", "no-prefill-assistant"],
        &[],
        "write the beginning of the answer into the prompt with `run --raw`",
    ),
    refused(
        &["verbose-prompt", "print-token-count"],
        &["ptc"],
        "use `llama-cli template render` and `llama-cli tokenize`",
    ),
    refused(&["prompt-cache", "prompt-cache-*"], &[], "use `chat --session FILE`, which keeps conversation and cache"),
    refused(
        &["in-prefix", "in-suffix", "in-prefix-bos"],
        &[],
        "write what surrounds the prompt into it with `run --raw`",
    ),
    refused(&["color"], &["co"], "set the variable NO_COLOR to turn colours off"),
    refused(&["display-prompt"], &[], "use `run --echo`"),
    refused(&["perf"], &[], "use --show-timings"),
    refused(&["warmup"], &[], "leave it out: the first answer warms the model up"),
    refused(&["no-log-prefix"], &[], "use --log-json for lines that are easy to take apart"),
    refused(&["log-prompts-dir"], &[], "use `chat -o FILE` for a transcript"),
    refused(
        &["embedding*", "rerank*", "pooling", "attention", "embd-*", "spm-infill"],
        &[],
        "leave it out: this program answers and makes no embeddings",
    ),
    refused(
        &["gpt-oss-*", "fim-qwen-*", "vision-gemma-*"],
        &[],
        "name the model with -hf user/repo, and keep its settings in a profile",
    ),
    refused(&["conversation", "interactive", "interactive-first"], &["cnv", "i", "if"], "use `llama-cli chat`"),
    refused(&["no-conversation"], &["no-cnv"], "use `llama-cli run --raw`"),
    refused(
        &["ui", "no-ui", "webui", "no-webui", "tools-*", "mcp-*", "agent", "no-agent"],
        &["ag", "no-ag"],
        "leave it out: there is no web page, and no tool is run",
    ),
    refused(&["models-*", "no-models-autoload"], &[], "use `llama-cli models list`: one model is loaded at a time"),
];

/// What to do in place of a flag, given without dashes.
pub(crate) fn remedy(long: &str) -> Option<&'static str> {
    let fits = |pattern: &str| match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
        (Some(start), _) => long.starts_with(start),
        (None, Some(end)) => long.ends_with(end),
        (None, None) => long == pattern,
    };
    REFUSED.iter().find(|refused| refused.longs.iter().any(|pattern| fits(pattern))).map(|refused| refused.remedy)
}

/// What to do in place of a flag with one dash, given without it.
pub(crate) fn remedy_of_one_dash(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|refused| refused.one_dash.contains(&name)).map(|refused| refused.remedy)
}

/// Variables of upstream's that are about what this program does not do: they may be set for other programs.
pub(crate) fn is_variable(name: &str) -> bool {
    const OTHERS: &[&str] =
        &["HOST", "PORT", "MODELS_", "MMPROJ", "SPEC_", "UI", "SSL_", "CORS_", "ENDPOINT_", "LOG_PREFIX"];
    let rest = name.strip_prefix("LLAMA_ARG_").unwrap_or(name);
    let rest = rest.strip_prefix("NO_").unwrap_or(rest);
    let long = rest.to_lowercase().replace('_', "-");
    let accepted = ACCEPTED.iter().any(|accepted| accepted.long == long);
    accepted || OTHERS.iter().any(|other| rest.starts_with(other)) || remedy(&long).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::table::rows;

    #[test]
    fn patterns_find_flags() {
        assert_eq!(remedy("mmap"), Some("use --load-mode mmap"));
        for long in ["draft", "draft-max", "spec-type", "cache-type-k-draft", "cpu-mask-batch", "image", "api-key"] {
            assert!(remedy(long).is_some(), "{long}");
        }
        assert_eq!(remedy("tempe"), None);
        assert!(remedy_of_one_dash("md").is_some());
    }

    #[test]
    fn no_setting_is_refused_or_accepted_for_nothing() {
        for row in rows() {
            let also = row.also.iter().flat_map(|also| std::iter::once(also.long).chain(also.aliases.iter().copied()));
            for long in std::iter::once(row.long).chain(row.aliases.iter().copied()).chain(also) {
                assert_eq!(remedy(long), None, "{long}");
                let accepted = ACCEPTED.iter().find(|accepted| accepted.long == long);
                assert!(accepted.is_none_or(|accepted| accepted.commands == row.not_in), "{long}");
            }
            for (name, _) in row.one_dash {
                assert_eq!(remedy_of_one_dash(name), None, "{name}");
            }
        }
    }
}
