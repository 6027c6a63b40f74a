//! Loading models, and what they say of themselves.

use crate::setup::{any_tokens, apart, bert, context, exact, feed, hybrid, llama, load, mamba, reranker, tools};
use llama_core::{
    ContextError, DeviceKind, GpuLayers, LoadError, LoadMode, Model, ModelParams, OverrideValue, Progress, SeqId,
    Specials, SplitMode, TokenizeError, VocabKind,
};
use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::models::Llama;
use std::fs;

fn logits_of(model: &Model) -> Vec<f32> {
    feed(&mut context(model, &exact()), &any_tokens(model, 20, 1), SeqId::ZERO)
}

fn with(change: impl FnOnce(&mut ModelParams)) -> ModelParams {
    let mut params = ModelParams::default();
    change(&mut params);
    params
}

fn overriding(key: &str, value: OverrideValue) -> ModelParams {
    with(|p| p.overrides = vec![(key.to_owned(), value)])
}

#[test]
fn metadata_is_text() {
    let model = llama();
    assert_eq!(model.metadata("general.name").as_deref(), Some("testkit llama"));
    assert_eq!(model.metadata("llama.block_count").as_deref(), Some("2"));
    assert_eq!(model.metadata("no.such.key"), None);
    assert_eq!(model.metadata("tokenizer.ggml.tokens"), None, "arrays are left out");
    assert_eq!(model.metadata("a\0b"), None);
    let all = model.all_metadata();
    assert!(all.contains(&("general.architecture".to_owned(), "llama".to_owned())));
    assert!(all.iter().all(|(key, value)| model.metadata(key).as_ref() == Some(value)));
}

#[test]
fn long_metadata_is_whole() {
    let long = "long ".repeat(2000);
    let folder = TempModels::new().unwrap();
    let path = folder.write("long.gguf", Llama::tiny().file().set("general.description", long.as_str())).unwrap();
    assert_eq!(load(path).metadata("general.description"), Some(long));
}

#[test]
fn facts_are_those_of_the_file() {
    let facts = llama().facts();
    assert_eq!(facts.architecture, "llama");
    assert_eq!((facts.n_vocab, facts.n_ctx_train, facts.n_embd, facts.n_embd_out), (320, 256, 32, 32));
    assert_eq!((facts.n_layer, facts.n_head, facts.n_head_kv, facts.n_swa), (2, 2, 1, 0));
    assert_eq!(facts.n_params, Llama::tiny().file().parameter_count());
    assert!(facts.size >= facts.n_params * 4);
    assert!(facts.has_decoder && !facts.has_encoder && !facts.is_recurrent && !facts.is_hybrid);
    assert!(!facts.is_diffusion && !facts.is_mrope && !facts.vocab_only);
    assert_eq!((facts.n_cls_out, facts.cls_labels.len(), facts.decoder_start), (0, 0, None));
    assert!(!facts.description.is_empty());
}

#[test]
fn the_kind_of_memory_is_a_fact() {
    assert!(mamba().facts().is_recurrent);
    assert!(hybrid().facts().is_hybrid && !hybrid().facts().is_recurrent);
    assert!(!bert().facts().is_recurrent && !bert().facts().is_hybrid);
}

#[test]
fn a_reranker_names_its_labels() {
    assert_eq!(reranker().facts().n_cls_out, 2);
    assert_eq!(reranker().facts().cls_labels, ["irrelevant", "relevant"]);
    assert_eq!(bert().facts().n_cls_out, 0);
}

#[test]
fn the_chat_template_is_that_of_the_file() {
    let template = tools().chat_template(None).unwrap();
    assert_eq!(template, llama_testkit::chat::TOOLS);
    assert_eq!(tools().chat_template(Some("nosuch")), None);
    assert_eq!(tools().chat_template(Some("a\0b")), None);
    assert_eq!(llama().chat_template(None), None);
}

#[test]
fn every_load_mode_gives_the_same_logits() {
    let expected = logits_of(llama());
    use LoadMode as M;
    for mode in [M::Auto, M::Read, M::Mmap, M::Mlock, M::MmapMlock, M::DirectIo] {
        let model = Model::load(fixtures::tiny_llama(), with(|p| p.load_mode = mode)).unwrap();
        assert_eq!(logits_of(&model), expected, "{mode:?}");
    }
}

#[test]
fn checking_and_repacking_do_not_change_the_logits() {
    let expected = logits_of(llama());
    for params in [with(|p| p.check_tensors = true), with(|p| p.use_extra_buffers = false)] {
        let model = Model::load(fixtures::tiny_llama(), params).unwrap();
        assert!(apart(&logits_of(&model), &expected) <= 1e-4);
    }
}

#[test]
fn progress_rises_to_one() {
    let mut shares = Vec::new();
    let report = |share| {
        shares.push(share);
        Progress::Continue
    };
    Model::load_with(fixtures::tiny_llama(), ModelParams::default(), report).unwrap();
    assert!(shares.is_sorted(), "{shares:?}");
    assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
    assert_eq!(shares.last(), Some(&1.0));
}

#[test]
fn a_load_can_be_cancelled_at_any_report() {
    let mut reports = 0;
    let count = |_| {
        reports += 1;
        Progress::Continue
    };
    Model::load_with(fixtures::tiny_llama(), ModelParams::default(), count).unwrap();
    assert!(reports > 1);
    for stop in 0..reports {
        let mut seen = 0;
        let result = Model::load_with(fixtures::tiny_llama(), ModelParams::default(), |_| {
            seen += 1;
            if seen > stop { Progress::Cancel } else { Progress::Continue }
        });
        let error = result.unwrap_err();
        assert!(matches!(&error, LoadError::Cancelled { path } if path == fixtures::tiny_llama()), "{error}");
        assert_eq!(seen, stop + 1, "nothing is reported after a cancel");
    }
}

#[test]
fn a_split_model_loads_from_any_of_its_files() {
    let folder = TempModels::new().unwrap();
    let parts = Llama::tiny().file().save_split(folder.path(), "tiny", 3).unwrap();
    let expected = logits_of(llama());
    for part in parts {
        let model = load(&part);
        assert_eq!(logits_of(&model), expected, "{}", part.display());
        assert_eq!(model.facts().n_params, llama().facts().n_params);
    }
}

#[test]
fn a_model_in_memory_is_the_model_in_the_file() {
    let image = fs::read(fixtures::tiny_llama()).unwrap();
    let model = Model::from_bytes(&image, ModelParams::default()).unwrap();
    drop(image);
    assert_eq!(logits_of(&model), logits_of(llama()));
    assert_eq!(model.facts(), llama().facts());
}

#[test]
fn a_vocabulary_alone_tokenizes() {
    let params = with(|p| p.vocab_only = true);
    let of_whole_file = Model::load(fixtures::tiny_llama(), params.clone()).unwrap();
    let of_vocab_file = Model::load(fixtures::vocab_bpe(), params.clone()).unwrap();
    let in_memory = Model::from_bytes(&fs::read(fixtures::vocab_bpe()).unwrap(), params).unwrap();
    let expected = llama().vocab().tokenize("Hello world", Specials::Parse).unwrap();
    for model in [of_whole_file, of_vocab_file, in_memory] {
        assert!(model.facts().vocab_only);
        assert_eq!(model.vocab().tokenize("Hello world", Specials::Parse).unwrap(), expected);
        assert!(matches!(llama_core::Context::new(&model, exact()), Err(ContextError::VocabOnly)));
    }
}

#[test]
fn a_file_with_a_vocabulary_only_does_not_load_whole() {
    let error = Model::load(fixtures::vocab_bpe(), ModelParams::default()).unwrap_err();
    assert!(error.to_string().contains(&fixtures::vocab_bpe().display().to_string()), "{error}");
}

#[test]
fn a_model_may_be_kept_off_every_device() {
    let expected = logits_of(llama());
    for params in [with(|p| p.devices = Some(Vec::new())), with(|p| p.gpu_layers = GpuLayers::AtMost(0))] {
        assert_eq!(logits_of(&Model::load(fixtures::tiny_llama(), params).unwrap()), expected);
    }
}

#[test]
fn the_processor_may_be_named_as_the_device() {
    let devices = llama_core::devices();
    let cpu = devices.iter().find(|device| device.kind == DeviceKind::Cpu).unwrap();
    let params = with(|p| p.devices = Some(vec![cpu.name.clone()]));
    let model = Model::load(fixtures::tiny_llama(), params).unwrap();
    assert!(apart(&logits_of(&model), &logits_of(llama())) <= 1e-4);
}

#[test]
fn an_unknown_device_is_an_error_that_lists_the_known() {
    let params = with(|p| p.devices = Some(vec!["no such device".to_owned()]));
    match Model::load(fixtures::tiny_llama(), params).unwrap_err() {
        LoadError::UnknownDevice { name, known } => {
            assert_eq!(name, "no such device");
            assert!(!known.is_empty());
        }
        other => panic!("{other}"),
    }
}

#[test]
fn tensor_parallelism_without_a_gpu_is_an_error() {
    if llama_core::supports_gpu_offload() {
        return;
    }
    let result = Model::load(fixtures::tiny_llama(), with(|p| p.split_mode = SplitMode::Tensor));
    assert!(matches!(result, Err(LoadError::Rejected { .. })), "{result:?}");
}

#[test]
fn parameters_that_make_no_sense_are_errors_that_name_them() {
    let long = "x".repeat(128);
    let text = |text: &str| OverrideValue::Str(text.to_owned());
    let cases = [
        ("tensor_split", with(|p| p.tensor_split = vec![f32::NAN])),
        ("tensor_split", with(|p| p.tensor_split = vec![1.0, -1.0])),
        ("tensor_split", with(|p| p.tensor_split = vec![f32::INFINITY])),
        ("tensor_split", with(|p| p.tensor_split = vec![1.0; 10_000])),
        ("main_gpu", with(|p| p.main_gpu = u32::MAX)),
        ("overrides", overriding(&long, OverrideValue::Int(1))),
        ("overrides", overriding("", OverrideValue::Int(1))),
        ("overrides", overriding("a\0b", OverrideValue::Int(1))),
        ("overrides", overriding("general.name", text(&long))),
        ("overrides", overriding("general.name", text("a\0b"))),
    ];
    for (field, params) in cases {
        match Model::load(fixtures::tiny_llama(), params) {
            Err(LoadError::InvalidParam { name, .. }) => assert_eq!(name, field),
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn an_override_replaces_the_files_value() {
    let model =
        Model::load(fixtures::tiny_llama(), overriding("llama.context_length", OverrideValue::Int(512))).unwrap();
    assert_eq!(model.facts().n_ctx_train, 512);
    let params = overriding("tokenizer.ggml.add_bos_token", OverrideValue::Bool(true));
    let model = Model::load(fixtures::tiny_llama(), params).unwrap();
    assert!(model.vocab().adds_bos() && !llama().vocab().adds_bos());
    let key = "k".repeat(127);
    Model::load(fixtures::tiny_llama(), overriding(&key, OverrideValue::Float(1.0))).unwrap();
}

#[test]
fn an_override_cannot_bring_in_what_a_file_must_not_say() {
    let text = |text: &str| OverrideValue::Str(text.to_owned());
    let cases = [
        ("llama.block_count", OverrideValue::Int(1_000_000)),
        ("llama.block_count", OverrideValue::Int(0)),
        ("llama.block_count", OverrideValue::Int(-1)),
        ("llama.expert_count", OverrideValue::Int(1_000_000)),
        ("llama.rope.scaling.type", text("nosuch")),
        ("llama.attention.head_count", OverrideValue::Int(0)),
        ("llama.embedding_length", OverrideValue::Int(0)),
        ("general.architecture", text("nosuch")),
        ("tokenizer.ggml.model", text("nosuch")),
    ];
    let image = fs::read(fixtures::tiny_llama()).unwrap();
    for (key, value) in cases {
        let params = overriding(key, value.clone());
        let result = Model::load(fixtures::tiny_llama(), params.clone());
        assert!(matches!(result, Err(LoadError::File(_) | LoadError::Rejected { .. })), "{key} {value:?}: {result:?}");
        assert!(Model::from_bytes(&image, params).is_err(), "{key} {value:?} in memory");
    }
}

#[test]
fn an_override_of_another_type_has_no_effect() {
    for value in [OverrideValue::Float(7.0), OverrideValue::Bool(true), OverrideValue::Str("7".to_owned())] {
        match Model::load(fixtures::tiny_llama(), overriding("llama.block_count", value)) {
            Ok(model) => assert_eq!(model.facts().n_layer, 2),
            Err(error) => assert!(matches!(error, LoadError::Rejected { .. }), "{error}"),
        }
    }
}

#[test]
fn a_model_without_a_vocabulary_computes_and_refuses_text() {
    let mut file = Llama::tiny().file();
    file.set("tokenizer.ggml.model", "none");
    let folder = TempModels::new().unwrap();
    let model = load(folder.write("mute.gguf", &file).unwrap());
    assert_eq!(logits_of(&model), logits_of(llama()));
    let vocab = model.vocab();
    assert_eq!(vocab.kind(), VocabKind::None);
    assert_eq!(vocab.tokenize("x", Specials::Parse), Err(TokenizeError::NoVocabulary));
    assert_eq!(vocab.piece(llama_core::Token(5), Specials::Parse), Err(TokenizeError::NoVocabulary));
    assert_eq!(vocab.detokenize(&[llama_core::Token(5)], Specials::Parse), Err(TokenizeError::NoVocabulary));
    assert!(!vocab.is_control(llama_core::Token(5)) && !vocab.is_eog(llama_core::Token(5)));
    let specials = [vocab.bos(), vocab.eos(), vocab.eot(), vocab.sep(), vocab.newline(), vocab.pad(), vocab.mask()];
    assert!(specials.into_iter().flatten().all(|token| vocab.contains(token)));
    assert!(!vocab.adds_bos() && !vocab.adds_eos());
}

#[test]
fn clones_are_the_same_model() {
    let clone = llama().clone();
    assert!(clone.is_same(llama()));
    assert!(!load(fixtures::tiny_llama()).is_same(llama()));
}

#[test]
fn what_llama_cpp_says_is_in_the_error() {
    let mut file = Llama::tiny().file();
    file.tensors_mut().retain(|tensor| tensor.name != "blk.1.ffn_up.weight");
    let folder = TempModels::new().unwrap();
    let path = folder.write("incomplete.gguf", &file).unwrap();
    let error = Model::load(&path, ModelParams::default()).unwrap_err();
    match &error {
        LoadError::Rejected { reason, .. } => assert!(reason.contains("blk.1.ffn_up.weight"), "{reason}"),
        other => panic!("{other}"),
    }
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

#[test]
fn a_part_in_memory_is_an_error() {
    let parts = Llama::tiny().file().split(2);
    for part in parts {
        assert!(Model::from_bytes(&part.to_bytes().unwrap(), ModelParams::default()).is_err());
    }
}

#[cfg(unix)]
#[test]
fn a_path_that_c_cannot_take_is_an_error() {
    use std::os::unix::ffi::OsStrExt;
    let folder = TempModels::new().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"bad\xff.gguf"));
    if fs::copy(fixtures::tiny_llama(), &path).is_err() {
        return; // Some file systems take no such name.
    }
    let result = Model::load(&path, ModelParams::default());
    assert!(matches!(result, Err(LoadError::BadPath { .. })), "{result:?}");
    assert!(Model::load("a\0b.gguf", ModelParams::default()).is_err());
}
