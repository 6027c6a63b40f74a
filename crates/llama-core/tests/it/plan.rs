//! A plan says what will be taken, without taking it.

use crate::setup::OnEvent;
use llama_core::{CacheType, Context, ContextParams, LoadError, LoadMode, MemoryPlan, Model, ModelParams, PlanError};
use llama_testkit::{fixtures, golden};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

fn small(n_ctx: u32, n_seq_max: u32) -> ContextParams {
    let mut params = ContextParams::default();
    params.n_ctx = Some(n_ctx);
    params.n_seq_max = n_seq_max;
    params
}

/// Plans, takes, compares.
fn assert_plan_holds(path: &Path, model: &ModelParams, context: ContextParams) {
    let plan = MemoryPlan::new(path, model, &context).unwrap();
    let loaded = Model::load(path, model.clone()).unwrap();
    let ctx = Context::new(&loaded, context).unwrap();
    let real = ctx.memory_use().unwrap();
    assert_eq!(plan.n_ctx, ctx.n_ctx());
    assert_eq!(plan.n_ctx_train, loaded.facts().n_ctx_train);
    assert_eq!(plan.usage.devices.len(), real.devices.len());
    for (planned, real) in plan.usage.devices.iter().zip(&real.devices) {
        assert_eq!(planned.device, real.device);
        assert_eq!(planned.weights, real.weights, "weights of {}", path.display());
        assert_eq!(planned.context, real.context, "cache of {}", path.display());
        assert_eq!(planned.compute, real.compute, "compute buffers of {}", path.display());
    }
    assert!(real.weights() > 0 && real.compute() > 0);
    assert!(plan.fits(), "a tiny model fits");
}

#[test]
fn a_plan_agrees_with_what_is_then_taken() {
    let mut model = ModelParams::default();
    model.load_mode = LoadMode::Read;
    for path in [fixtures::tiny_llama(), fixtures::tiny_mamba(), fixtures::tiny_hybrid(), &golden::demo_model_path()] {
        assert_plan_holds(path, &model, small(512, 1));
        assert_plan_holds(path, &model, small(2048, 4));
    }
    assert_plan_holds(fixtures::tiny_embedding(), &model, small(256, 1));
}

#[test]
fn a_load_is_told_and_a_plan_is_none() {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let count = || {
        TOLD.fetch_add(1, Ordering::Relaxed);
    };
    let (path, model) = (fixtures::tiny_llama(), ModelParams::default());
    tracing::subscriber::with_default(OnEvent("llama_core::model", count), || {
        MemoryPlan::new(path, &model, &small(512, 1)).unwrap();
        assert_eq!(TOLD.load(Ordering::Relaxed), 0, "nothing is loaded");
        Model::load(path, model.clone()).unwrap();
        assert_eq!(TOLD.load(Ordering::Relaxed), 1);
        Model::from_bytes(&std::fs::read(path).unwrap(), model).unwrap();
        assert_eq!(TOLD.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_plan_agrees_without_repacking_and_with_another_cache() {
    let mut model = ModelParams::default();
    model.load_mode = LoadMode::Read;
    model.use_extra_buffers = false;
    let mut context = small(1024, 2);
    context.kv_unified = true;
    context.cache_k = CacheType::Q8_0;
    assert_plan_holds(&golden::demo_model_path(), &model, context);
}

#[test]
fn a_mapped_file_takes_what_a_file_that_is_read_does() {
    let mut model = ModelParams::default();
    for path in [fixtures::tiny_llama(), &golden::demo_model_path()] {
        let plan = MemoryPlan::new(path, &model, &small(512, 1)).unwrap();
        for mode in [LoadMode::Auto, LoadMode::Mmap] {
            model.load_mode = mode;
            let loaded = Model::load(path, model.clone()).unwrap();
            let real = Context::new(&loaded, small(512, 1)).unwrap().memory_use().unwrap();
            // A mapping may begin and end between tensors.
            assert!(plan.usage.weights().abs_diff(real.weights()) < 1 << 16, "{mode:?}");
            assert_eq!(plan.usage.context(), real.context());
        }
    }
}

#[test]
fn a_context_that_never_fits_is_planned_and_does_not_fit() {
    let model = ModelParams::default();
    let plan = MemoryPlan::new(golden::demo_model_path(), &model, &small(1 << 30, 1)).unwrap();
    let per_cell = MemoryPlan::new(golden::demo_model_path(), &model, &small(1024, 1)).unwrap().usage.context() / 1024;
    assert_eq!(plan.n_ctx, 1 << 30);
    assert_eq!(plan.usage.context(), per_cell << 30);
    assert!(!plan.fits());
    assert!(plan.shortfall() > 0);
}

#[test]
fn the_largest_fitting_context_fits_and_a_much_larger_one_does_not() {
    let model = ModelParams::default();
    for n_seq_max in [1, 3] {
        let plan = MemoryPlan::largest_fitting(golden::demo_model_path(), &model, &small(1 << 30, n_seq_max))
            .unwrap()
            .unwrap();
        assert!(plan.fits(), "{plan:?}");
        assert!(plan.n_ctx < 1 << 30 && plan.n_ctx.is_multiple_of(256 * n_seq_max));
        assert!(
            !MemoryPlan::new(golden::demo_model_path(), &model, &small(plan.n_ctx / 10 * 12, n_seq_max))
                .unwrap()
                .fits()
        );
    }
    let wanted = MemoryPlan::largest_fitting(golden::demo_model_path(), &model, &small(512, 1)).unwrap().unwrap();
    assert_eq!(wanted.n_ctx, 512, "what fits is not made smaller");
}

#[test]
fn a_plan_goes_out_as_json() {
    let plan = MemoryPlan::new(fixtures::tiny_llama(), &ModelParams::default(), &small(256, 1)).unwrap();
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["n_ctx"], 256);
    assert_eq!(json["devices"][0]["device"], "CPU");
    assert_eq!(json["devices"][0]["context"], plan.usage.devices[0].context);
}

#[test]
fn what_cannot_be_loaded_cannot_be_planned() {
    let model = ModelParams::default();
    let missing = MemoryPlan::new("no/such/file.gguf", &model, &small(256, 1));
    assert!(matches!(missing, Err(PlanError::Model(LoadError::File(_)))));
    let absurd = MemoryPlan::new(fixtures::tiny_llama(), &model, &small(256, 0));
    assert!(matches!(absurd, Err(PlanError::Context(_))));
    let mut vocab_only = ModelParams::default();
    vocab_only.vocab_only = true;
    let nothing = MemoryPlan::new(fixtures::tiny_llama(), &vocab_only, &small(256, 1));
    assert!(matches!(nothing, Err(PlanError::Context(llama_core::ContextError::VocabOnly))), "{nothing:?}");
}

/// Highest resident memory of this process so far, in bytes.
#[cfg(target_os = "linux")]
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// In a process of its own, so that other tests do not disturb the figure.
#[cfg(target_os = "linux")]
#[test]
fn a_plan_takes_no_memory_itself() {
    const CHILD: &str = "LLAMA_CORE_TEST_PLAN_CHILD";
    if std::env::var_os(CHILD).is_some() {
        MemoryPlan::new(fixtures::tiny_llama(), &ModelParams::default(), &small(256, 1)).unwrap();
        let before = peak_memory();
        let plan = MemoryPlan::new(fixtures::bench_100m(), &ModelParams::default(), &small(32768, 1)).unwrap();
        let grown = peak_memory() - before;
        println!("planned {} MB, took {} MB", plan.usage.total() >> 20, grown >> 20);
        assert!(plan.usage.weights() > 90 << 20 && plan.usage.context() > 300 << 20, "{plan:?}");
        assert!(grown < 32 << 20, "planning took {grown} bytes");
        return;
    }
    // Written before the child starts, so that writing does not count.
    let _ = fixtures::bench_100m();
    let test = ["--exact", "plan::a_plan_takes_no_memory_itself", "--nocapture"];
    let child =
        std::process::Command::new(std::env::current_exe().unwrap()).args(test).env(CHILD, "1").output().unwrap();
    print!("{}", String::from_utf8_lossy(&child.stdout));
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
}
