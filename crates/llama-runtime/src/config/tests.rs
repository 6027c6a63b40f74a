use super::*;
use crate::priority::Priority;
use llama_core::{CacheType, FlashAttention, GpuLayers, LoadMode, Mirostat, OverrideValue, RopeScalingKind, SplitMode};
use proptest::prelude::*;

/// Nothing in it is a default.
const EVERYTHING: &str = r#"
memory_budget = "12GiB"
idle_timeout = "10m"
max_models = 2

[engine.model]
gpu_layers = 12
devices = ["GPU0"]
split_mode = "row"
main_gpu = 1
tensor_split = [3.0, 1.0]
load_mode = "mmap_mlock"
check_tensors = true
use_extra_buffers = false
chat_template = "{{ messages[0].content }}"

[engine.model.overrides]
"llama.context_length" = 4096
"llama.rope.scale" = 0.5
"tokenizer.ggml.add_bos_token" = false
"general.name" = "other"

[engine.context]
n_ctx = 4096
auto_ctx_limit = 1024
threads = 3
threads_batch = 4
flash_attention = "on"
cache_k = "iq4_nl"
cache_v = "bf16"
pooling = "mean"
swa_full = true
offload_kqv = false
op_offload = false

[engine.context.rope]
freq_base = 5000.0
freq_scale = 0.5
kind = "yarn"
yarn_original_context = 2048

[engine.batch]
step_tokens = 256
step_time = "20ms"
min_chunk = 16
max_sequences = 32

[engine.cache]
prefix_reuse = false
min_prefix = 64
host_memory = 0

[engine.limits]
queue = 3
overload = "wait"
event_buffer = 7
park_after = "500ms"
slow_consumer_timeout = 12
stall_timeout = "2m"
max_prompt_tokens = 100
max_sequence_tokens = 200
max_choices = 4
aging = "1.5s"

[engine.defaults]
max_tokens = 10
queue_deadline = "3s"
first_token_deadline = "4s"
total_deadline = "1h"
priority = "background"

[engine.defaults.sampling]
seed = { fixed = 7 }
temperature = 0.1
mirostat = "v2"
"#;

#[test]
fn every_field_can_be_written_in_a_file() {
    let config: RuntimeConfig = toml::from_str(EVERYTHING).unwrap();
    config.validate().unwrap();
    assert_eq!(config.memory_budget, Some(Bytes(12 << 30)));
    assert_eq!(config.idle_timeout, Some(Duration::from_secs(600)));
    let EngineConfig { model, context, batch, cache, limits, defaults } = &config.engine;
    assert_eq!(
        (model.gpu_layers, model.split_mode, model.load_mode),
        (GpuLayers::AtMost(12), SplitMode::Row, LoadMode::MmapMlock)
    );
    assert_eq!(model.chat_template.as_deref(), Some("{{ messages[0].content }}"));
    let overrides: Vec<_> = model.overrides.values().cloned().collect();
    let expected = [
        OverrideValue::Str("other".into()),
        OverrideValue::Int(4096),
        OverrideValue::Float(0.5),
        OverrideValue::Bool(false),
    ];
    assert_eq!(overrides, expected);
    assert_eq!(
        (context.cache_k, context.cache_v, context.flash_attention),
        (CacheType::IQ4_NL, CacheType::BF16, FlashAttention::On)
    );
    assert_eq!(context.rope.kind, Some(RopeScalingKind::Yarn));
    assert_eq!((batch.step_time, batch.max_sequences), (Duration::from_millis(20), 32));
    assert_eq!((cache.prefix_reuse, cache.host_memory), (false, Bytes(0)));
    assert_eq!((limits.overload, limits.aging), (OverloadPolicy::Wait, Duration::from_millis(1500)));
    assert_eq!((defaults.priority, defaults.sampling.mirostat), (Priority::Background, Mirostat::V2));
}

#[test]
fn what_is_written_is_read_again() {
    let all: RuntimeConfig = toml::from_str(EVERYTHING).unwrap();
    for config in [RuntimeConfig::default(), all] {
        let written = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<RuntimeConfig>(&written).unwrap(), config, "{written}");
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<RuntimeConfig>(&written).unwrap(), config, "{written}");
    }
    assert_eq!(toml::from_str::<RuntimeConfig>("").unwrap(), RuntimeConfig::default());
    assert_eq!(serde_json::from_str::<EngineConfig>("{}").unwrap(), EngineConfig::default());
}

#[test]
fn an_unknown_key_is_an_error_that_names_it() {
    for text in [
        "gpu_layer = 1",
        "engine.gpu_layer = 1",
        "engine.model.gpu_layer = 1",
        "engine.context.gpu_layer = 1",
        "engine.context.rope.gpu_layer = 1",
        "engine.batch.gpu_layer = 1",
        "engine.cache.gpu_layer = 1",
        "engine.limits.gpu_layer = 1",
        "engine.defaults.gpu_layer = 1",
        "engine.defaults.sampling.gpu_layer = 1",
    ] {
        let error = toml::from_str::<RuntimeConfig>(text).unwrap_err().to_string();
        assert!(error.contains("unknown field `gpu_layer`"), "{text}: {error}");
    }
}

#[test]
fn a_word_that_is_no_choice_is_an_error_that_lists_the_choices() {
    for (text, choice) in [
        ("limits.overload = \"panic\"", "`shed_lowest`"),
        ("model.gpu_layers = \"some\"", "\"all\" or a number"),
        ("model.gpu_layers = -1", "\"all\" or a number"),
        ("context.cache_k = \"f17\"", "`q8_0`"),
        ("defaults.priority = \"urgent\"", "`interactive`"),
        ("limits.aging = \"long\"", "ms"),
        ("cache.host_memory = \"much\"", "MiB"),
    ] {
        let error = toml::from_str::<EngineConfig>(text).unwrap_err().to_string();
        assert!(error.contains(choice), "{text}: {error}");
    }
}

/// Fields, a value on each side of their range where there is one, and the range as the error shows it.
const RANGES: [(&str, &[&str], &str); 33] = [
    ("memory_budget", &["1023"], "1MiB to "),
    ("idle_timeout", &["\"999ms\"", "\"31d\""], "1s to 30d"),
    ("max_models", &["0", "65"], "1 to 64"),
    ("engine.model.devices", &["[\"\"]"], "names of devices"),
    ("engine.model.main_gpu", &["256"], "0 to 255"),
    ("engine.model.tensor_split", &["[-1.0]", "[nan]", "[inf]"], "a positive number or 0"),
    ("engine.model.tensor_split", &["[0.0, 0.0]"], "above 0 for at least one GPU"),
    ("engine.model.overrides", &["{ \"\" = 1 }", "{ \"a\\u0000\" = 1 }"], "1 to 127 bytes"),
    ("engine.model.chat_template", &["\"\"", "\" \\n\"", "\"a\\u0000\""], "1 byte to 1 MiB"),
    ("engine.context.n_ctx", &["0", "2147483392"], "1 to 2147483391"),
    ("engine.context.auto_ctx_limit", &["0", "4294967295"], "1 to 2147483391"),
    ("engine.context.threads", &["0", "513"], "1 to 512"),
    ("engine.context.threads_batch", &["0", "513"], "1 to 512"),
    ("engine.context.rope.freq_base", &["0.0", "-1.0", "nan", "inf"], "a positive number"),
    ("engine.context.rope.freq_scale", &["0.0", "inf"], "a positive number"),
    ("engine.context.rope.yarn_original_context", &["0"], "1 to 2147483391"),
    ("engine.batch.step_tokens", &["0", "65537"], "1 to 65536"),
    ("engine.batch.step_time", &["\"999us\"", "\"61s\""], "1ms to 1m"),
    ("engine.batch.min_chunk", &["0", "513"], "1 to 512"),
    ("engine.batch.max_sequences", &["0", "257"], "1 to 256"),
    ("engine.cache.min_prefix", &["0"], "1 to 2147483391"),
    ("engine.limits.queue", &["0", "65537"], "1 to 65536"),
    ("engine.limits.event_buffer", &["0", "65537"], "1 to 65536"),
    ("engine.limits.park_after", &["\"25h\""], "0s to 1d"),
    ("engine.limits.slow_consumer_timeout", &["0", "\"25h\""], "1ms to 1d"),
    ("engine.limits.stall_timeout", &["0", "\"25h\""], "1ms to 1d"),
    ("engine.limits.max_prompt_tokens", &["0"], "1 to 2147483391"),
    ("engine.limits.max_sequence_tokens", &["0"], "1 to 2147483391"),
    ("engine.limits.max_choices", &["0", "257"], "1 to 256"),
    ("engine.limits.aging", &["0", "\"25h\""], "1ms to 1d"),
    ("engine.defaults.max_tokens", &["0", "2147483392"], "1 to 2147483391"),
    ("engine.defaults.queue_deadline", &["0", "\"8d\""], "1ms to 7d"),
    ("engine.defaults.sampling.top_p", &["1.5", "nan"], "within 0 and 1"),
];

#[test]
fn a_value_out_of_its_range_is_refused_by_name_and_with_the_range() {
    for (field, values, range) in RANGES {
        for value in values {
            let config: RuntimeConfig = toml::from_str(&format!("{field} = {value}")).unwrap();
            let error = config.validate().unwrap_err();
            assert!(
                matches!(&error, ConfigError::OutOfRange { field: named, .. } if named == field),
                "{value}: {error}"
            );
            assert!(error.to_string().contains(range), "{error}");
        }
    }
}

#[test]
fn a_chat_template_has_a_bound() {
    let mut config = ModelConfig { chat_template: Some("x".repeat(1 << 20)), ..ModelConfig::default() };
    assert_eq!(config.check(), Ok(()));
    config.chat_template = Some("x".repeat((1 << 20) + 1));
    let error = config.check().unwrap_err().to_string();
    assert!(error.starts_with("chat_template is 1048577 bytes long"), "{error}");
}

#[test]
fn the_other_times_are_checked_too() {
    for field in ["limits.aging", "defaults.first_token_deadline", "defaults.total_deadline"] {
        let config: EngineConfig = toml::from_str(&format!("{field} = \"8d\"")).unwrap();
        assert!(config.validate().unwrap_err().to_string().starts_with(&format!("{field} is 8d")), "{field}");
    }
}

#[test]
fn values_that_do_not_fit_each_other_are_refused_with_both_names() {
    for (text, field, other) in [
        ("batch = { step_tokens = 4, min_chunk = 4 }", "batch.max_sequences", "batch.step_tokens"),
        ("batch.step_time = \"30s\"\nlimits.stall_timeout = \"30s\"", "batch.step_time", "limits.stall_timeout"),
        ("limits.park_after = \"31s\"", "limits.park_after", "limits.slow_consumer_timeout"),
        ("context = { cache_v = \"q8_0\", flash_attention = \"off\" }", "context.cache_v", "context.flash_attention"),
        ("defaults.sampling.stages = [\"top_k\", \"top_k\"]", "defaults.sampling.stages", "twice"),
    ] {
        let error = toml::from_str::<EngineConfig>(text).unwrap().validate().unwrap_err();
        assert!(matches!(&error, ConfigError::Conflict { field: named, .. } if named == field), "{error}");
        assert!(error.to_string().contains(other), "{error}");
    }
}

#[test]
fn the_defaults_are_valid_and_so_are_the_ends_of_the_ranges() {
    RuntimeConfig::default().validate().unwrap();
    for text in [
        "batch = { step_tokens = 1, min_chunk = 1, max_sequences = 1, step_time = 60 }\nlimits.stall_timeout = \"1d\"",
        "batch = { step_tokens = 65536, min_chunk = 65536, max_sequences = 256 }",
        "limits = { queue = 65536, event_buffer = 1, park_after = 0, slow_consumer_timeout = \"1ms\" }",
        "context = { n_ctx = 2147483391, threads = 512, cache_v = \"q4_0\" }",
    ] {
        toml::from_str::<EngineConfig>(text).unwrap().validate().unwrap();
    }
}

#[test]
fn the_parameters_of_the_layer_below_are_what_was_set() {
    let config = toml::from_str::<RuntimeConfig>(EVERYTHING).unwrap().engine;
    let model = config.model.to_params();
    assert_eq!((model.gpu_layers, model.main_gpu, model.use_extra_buffers), (GpuLayers::AtMost(12), 1, false));
    assert_eq!((model.tensor_split.as_slice(), model.overrides.len()), ([3.0, 1.0].as_slice(), 4));
    assert_eq!(model.devices.as_deref(), Some(["GPU0".to_owned()].as_slice()));
    let context = config.context.to_params(&config.batch, 100_000);
    assert_eq!((context.n_ctx, context.n_batch, context.n_seq_max), (Some(4096), 256, 32));
    assert_eq!((context.n_threads, context.n_threads_batch), (Some(3), Some(4)));
    assert_eq!((context.swa_full, context.offload_kqv, context.op_offload), (true, false, false));
    assert_eq!((context.cache_k, context.rope), (CacheType::IQ4_NL, config.context.rope));
}

#[test]
fn without_a_size_the_context_is_what_the_model_knows_up_to_the_limit() {
    let config = EngineConfig::default();
    let n_ctx = |trained| config.context.to_params(&config.batch, trained).n_ctx;
    assert_eq!((n_ctx(2048), n_ctx(131_072)), (Some(2048), Some(8192)));
}

proptest! {
    #[test]
    fn reading_and_checking_never_panics(text in "((engine\\.)?(limits|batch|defaults)\\.[a-z_]{1,12} = [0-9a-z\"-]{1,9}\n){0,4}") {
        if let Ok(config) = toml::from_str::<RuntimeConfig>(&text) {
            let _ = config.validate();
        }
    }
}
