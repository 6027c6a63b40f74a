//! Which model, and how its weights are loaded.

use llama_runtime::KERNELS_VARIABLE;

use crate::settings::kind::Kind;
use crate::settings::table::{Also, Row};

pub(super) const MODEL: &[Row] = &[
    Row::new("model.path", "model", Kind::Path, "The model: a GGUF file; of a split model, any of its files")
        .short('m')
        .env(&["LLAMA_ARG_MODEL"])
        .unset("the built-in demo model"),
    Row::new(
        "model.hf",
        "hf",
        Kind::Text,
        "A model of the hub, user/repo[:quant], from the cache or downloaded into it",
    )
    .value_name("USER/REPO")
    .aliases(&["hf-repo"])
    .one_dash(&[("hf", "hf"), ("hfr", "hf")])
    .env(&["LLAMA_ARG_HF_REPO"])
    .unset("none"),
    Row::new(
        "model.hf_file",
        "hf-file",
        Kind::Text,
        "A file of that repository, in place of the one that the quant names",
    )
    .one_dash(&[("hff", "hf-file")])
    .env(&["LLAMA_ARG_HF_FILE"])
    .unset("by the quant"),
    Row::new("model.offline", "offline", Kind::Switch, "Use only what is in the cache").env(&["LLAMA_ARG_OFFLINE"]),
    Row::new(
        "model.adapters",
        "lora",
        Kind::Adapters,
        "LoRA adapters: GGUF files; in a settings file also tables with path and scale",
    )
    .also(&[Also::new("lora-scaled", Kind::ScaledAdapters, "LoRA adapters with their scales")])
    .rare(),
    Row::new(
        "model.require_gpu",
        "require-gpu",
        Kind::Switch,
        "Fail where no GPU would be used, instead of computing on the CPU",
    ),
];

pub(super) const HARDWARE: &[Row] = &[
    Row::new(
        "hardware.kernels",
        "kernels",
        Kind::OnOff(&[("on", true), ("off", false)]),
        "Use this program's own matrix kernels where the processor has the instructions for them",
    )
    .env(&[KERNELS_VARIABLE, "LLAMA_ARG_KERNELS"]),
    Row::new(
        "hardware.gpu_layers",
        "gpu-layers",
        Kind::Layers,
        "Layers to keep in GPU memory, counted from the last: a number, all or auto",
    )
    .aliases(&["n-gpu-layers"])
    .one_dash(&[("ngl", "gpu-layers")])
    .env(&["LLAMA_ARG_N_GPU_LAYERS"]),
    Row::new(
        "hardware.devices",
        "device",
        Kind::Names,
        "The devices to use, as `llama-cli devices` names them; none for main memory only",
    )
    .one_dash(&[("dev", "device")])
    .env(&["LLAMA_ARG_DEVICE"])
    .unset("all"),
    Row::new(
        "hardware.split_mode",
        "split-mode",
        Kind::Choice(&[("none", &[]), ("layer", &[]), ("row", &[]), ("tensor", &[])]),
        "How to spread the model over several GPUs",
    )
    .one_dash(&[("sm", "split-mode")])
    .env(&["LLAMA_ARG_SPLIT_MODE"])
    .rare(),
    Row::new(
        "hardware.main_gpu",
        "main-gpu",
        Kind::Int { min: 0, max: 255, unset: &[] },
        "The GPU that holds everything where split_mode is none",
    )
    .one_dash(&[("mg", "main-gpu")])
    .env(&["LLAMA_ARG_MAIN_GPU"])
    .rare(),
    Row::new(
        "hardware.tensor_split",
        "tensor-split",
        Kind::Shares,
        "Share of the model for each GPU, in any unit; empty is by free memory",
    )
    .one_dash(&[("ts", "tensor-split")])
    .env(&["LLAMA_ARG_TENSOR_SPLIT"])
    .rare(),
    Row::new(
        "hardware.load_mode",
        "load-mode",
        Kind::Choice(&[
            ("auto", &[]),
            ("read", &["none"]),
            ("mmap", &[]),
            ("mlock", &[]),
            ("mmap_mlock", &["mmap+mlock"]),
            ("direct_io", &["dio"]),
        ]),
        "How the file gets into memory (upstream's none, mmap+mlock and dio are understood too)",
    )
    .one_dash(&[("lm", "load-mode")])
    .env(&["LLAMA_ARG_LOAD_MODE"])
    .rare(),
    Row::new(
        "hardware.check_tensors",
        "check-tensors",
        Kind::Switch,
        "Check every weight for invalid numbers; costs a pass over the file",
    )
    .rare(),
    Row::new(
        "hardware.use_extra_buffers",
        "repack",
        Kind::Switch,
        "Repack weights for the processor's matrix instructions: faster, but not shared with other processes",
    )
    .one_dash(&[("nr", "no-repack")])
    .env(&["LLAMA_ARG_REPACK"])
    .rare(),
    Row::new(
        "hardware.overrides",
        "override-kv",
        Kind::Overrides,
        "Metadata of the file to replace; in a settings file a table of keys and values",
    )
    .rare(),
];
