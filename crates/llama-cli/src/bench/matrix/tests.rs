use clap::{Args, Command, FromArgMatches};

use super::*;

/// The arguments of a command line, as clap reads them.
fn parsed<T: Args + FromArgMatches>(line: &str) -> T {
    let command = T::augment_args(Command::new("bench").no_binary_name(true));
    let matches = command.try_get_matches_from(line.split_whitespace()).unwrap();
    T::from_arg_matches(&matches).unwrap()
}

fn made(tests: &str) -> anyhow::Result<Vec<Case>> {
    let ways = ways(&parsed(""), &Effective::default(), 1)?;
    cases(&parsed(tests), ways)
}

/// Name and width of each test.
fn named(line: &str) -> Vec<String> {
    let cases = made(line).unwrap();
    cases.iter().map(|case| format!("{} x{}", case.test.name(), case.test.n_parallel)).collect()
}

#[test]
fn without_flags_it_is_what_upstream_measures() {
    assert_eq!(named(""), ["pp512 x1", "tg128 x1"]);
    let case = &made("").unwrap()[0];
    assert_eq!((case.layout.n_batch, case.layout.n_ubatch), (2048, 512));
    assert_eq!((case.layout.type_k, case.load.gpu_layers), (CacheType::F16, GpuLayers::All));
}

#[test]
fn each_prompt_and_answer_is_a_test_at_each_depth_and_width() {
    assert_eq!(named("-p 8,16 -n 4"), ["pp8 x1", "pp16 x1", "tg4 x1"]);
    assert_eq!(named("-p 0 -n 4 --n-parallel 1-4*2"), ["tg4 x1", "tg4 x2", "tg4 x4"]);
    assert_eq!(named("-p 8 -n 0 -d 0,32"), ["pp8 x1", "pp8 @ d32 x1"]);
    assert_eq!(named("-p 0 -n 0 --pg 8,4 --pg 16,0"), ["pp8+tg4 x1", "pp16 x1"]);
    assert_eq!(named("--pg 8,4"), ["pp512 x1", "tg128 x1", "pp8+tg4 x1"]);
}

#[test]
fn answers_of_batched_bench_begin_where_the_prompt_ends() {
    assert_eq!(named("--n-pp 8,16 --n-tg 4 --n-parallel 2"), ["pp8 x2", "tg4 @ d8 x2", "pp16 x2", "tg4 @ d16 x2"]);
    assert_eq!(named("--n-tg 4"), ["tg4 x1"]);
    assert_eq!(named("-p 3 --n-tg 4"), ["pp3 x1", "tg4 x1"]);
}

#[test]
fn tokens_and_cells_are_those_of_all_sequences_and_a_shared_prompt_counts_once() {
    let test = Test { n_prompt: 10, n_gen: 3, n_depth: 5, n_parallel: 4, shared: false, unified: false };
    assert_eq!((test.tokens(), test.cells()), (52, 72));
    let shared = Test { shared: true, ..test };
    assert_eq!((shared.tokens(), shared.cells()), (22, 76));
    assert_eq!(Test { unified: true, ..shared }.cells(), 27);
}

#[test]
fn ways_are_crossed_and_models_are_outermost() {
    let args: ComputeArgs = parsed("-t 1,2 --flash-attn on,off --gpu-layers -1,0");
    let ways = ways(&args, &Effective::default(), 2).unwrap();
    assert_eq!(ways.len(), 16);
    let first: Vec<_> = ways.iter().map(|way| (way.load.model, way.load.gpu_layers)).take(5).collect();
    assert_eq!(first[..4], [(0, GpuLayers::All); 4]);
    assert_eq!(first[4], (0, GpuLayers::AtMost(0)));
    assert_eq!(ways[1].layout.threads, Some(2));
}

#[test]
fn threads_for_prompts_from_a_file_give_way_to_a_list_of_threads() {
    let mut effective = Effective::default();
    effective.settings.context.threads_batch = Some(8);
    let of = |line: &str, effective: &Effective| {
        let ways = ways(&parsed(line), effective, 1).unwrap();
        ways.iter().map(|way| (way.layout.threads, way.layout.threads_batch)).collect::<Vec<_>>()
    };
    assert_eq!(of("", &effective), [(None, Some(8))]);
    assert_eq!(of("-t 1,2", &effective), [(Some(1), None), (Some(2), None)]);
    effective.settings.context.threads = Some(3);
    assert_eq!(of("", &effective), [(Some(3), Some(8))]);
}

#[test]
fn the_settings_are_what_is_not_given() {
    let mut effective = Effective::default();
    effective.settings.context.threads = Some(3);
    effective.settings.context.cache_k = CacheType::Q8_0;
    let way = &ways(&parsed(""), &effective, 1).unwrap()[0];
    assert_eq!((way.layout.threads, way.layout.type_k), (Some(3), CacheType::Q8_0));
    let way = &ways(&parsed("-t 1 --cache-type-k f16 --no-kv-offload 1"), &effective, 1).unwrap()[0];
    assert_eq!((way.layout.threads, way.layout.type_k, way.layout.kv_offload), (Some(1), CacheType::F16, false));
}

#[test]
fn what_cannot_be_measured_is_refused_with_its_flag() {
    for (line, expected) in [
        ("-p 0 -n 0", "nothing to measure"),
        ("--n-parallel 0", "-npl/--n-parallel is 0, must be from 1 to 256"),
        ("--n-parallel 257", "-npl/--n-parallel is 257"),
        ("-p 99999999", "-p/--n-prompt is 99999999"),
        ("-p 16777216 --n-parallel 256", "cells of the KV cache"),
        ("-p 1-1000 -n 1-1000 --n-parallel 1-8", "more than 10000 tests"),
    ] {
        let error = made(line).unwrap_err().to_string();
        assert!(error.contains(expected), "{line}: {error}");
    }
    let threads: ComputeArgs = parsed("-t 0");
    assert_eq!(
        ways(&threads, &Effective::default(), 1).unwrap_err().to_string(),
        "-t/--threads is 0, must be from 1 to 512"
    );
}
