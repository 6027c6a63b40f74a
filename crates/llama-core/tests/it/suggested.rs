//! What a model's file suggests for sampling, however the model is loaded.

use crate::setup::{llama, load};
use llama_core::{Mirostat, Model, ModelParams, SamplingParams, Stage, SuggestedSampling};
use llama_testkit::fixtures::TempModels;
use llama_testkit::gguf::Gguf;
use llama_testkit::models::Llama;

/// Values of several types: files have been written with all of them.
fn suggesting() -> Gguf {
    let mut file = Llama::tiny().file();
    file.set("general.sampling.sequence", "top_k;min_p;temperature")
        .set("general.sampling.top_k", 20_u32)
        .set("general.sampling.top_p", 0.85_f32)
        .set("general.sampling.min_p", "0.01")
        .set("general.sampling.xtc_probability", 0.25_f32)
        .set("general.sampling.xtc_threshold", 0.2_f32)
        .set("general.sampling.temp", 0.6_f32)
        .set("general.sampling.penalty_last_n", 128_i32)
        .set("general.sampling.penalty_repeat", 1.05_f32)
        .set("general.sampling.mirostat", 2_i32)
        .set("general.sampling.mirostat_tau", 4.5_f32)
        .set("general.sampling.mirostat_eta", 0.2_f32);
    file
}

fn assert_read(model: &Model, how: &str) {
    let suggested = SuggestedSampling::of(model);
    let near = |value: Option<f32>, expected: f32| value.is_some_and(|value| (value - expected).abs() < 1e-6);
    assert_eq!(suggested.stages.as_deref(), Some(&[Stage::TopK, Stage::MinP, Stage::Temperature][..]), "{how}");
    assert_eq!((suggested.top_k, suggested.penalty_last_n), (Some(20), Some(128)), "{how}");
    assert!(near(suggested.top_p, 0.85) && near(suggested.min_p, 0.01), "{how}: {suggested:?}");
    assert!(near(suggested.xtc_probability, 0.25) && near(suggested.xtc_threshold, 0.2), "{how}: {suggested:?}");
    assert!(near(suggested.temperature, 0.6) && near(suggested.penalty_repeat, 1.05), "{how}: {suggested:?}");
    assert_eq!(suggested.mirostat, Some(Mirostat::V2), "{how}");
    assert!(near(suggested.mirostat_tau, 4.5) && near(suggested.mirostat_eta, 0.2), "{how}: {suggested:?}");
    let applied = suggested.apply(SamplingParams::default(), |_| false);
    assert_eq!(applied.validate(), Ok(()), "{how}");
    assert_eq!((applied.top_k, applied.stages.len()), (20, 3), "{how}");
}

#[test]
fn it_is_read_from_a_file_from_memory_and_from_any_part_of_a_split_model() {
    let folder = TempModels::new().unwrap();
    let path = folder.write("suggesting.gguf", &suggesting()).unwrap();
    assert_read(&load(&path), "a file");
    let image = std::fs::read(&path).unwrap();
    assert_read(&Model::from_bytes(&image, ModelParams::default()).unwrap(), "memory");
    for part in suggesting().save_split(folder.path(), "split", 3).unwrap() {
        assert_read(&load(&part), "a split model");
    }
}

#[test]
fn a_file_that_says_nothing_or_nonsense_suggests_nothing() {
    assert_eq!(SuggestedSampling::of(llama()), SuggestedSampling::default());
    let mut file = Llama::tiny().file();
    file.set("general.sampling.top_k", vec![1_u32, 2])
        .set("general.sampling.temp", f32::NAN)
        .set("general.sampling.top_p", true)
        .set("general.sampling.min_p", 7_u32)
        .set("general.sampling.sequence", 3_u32)
        .set("general.sampling.penalty_repeat", "strong");
    let folder = TempModels::new().unwrap();
    let model = load(folder.write("nonsense.gguf", &file).unwrap());
    assert_eq!(SuggestedSampling::of(&model), SuggestedSampling::default());
}
