//! LoRA adapters and control vectors.

use crate::setup::{any_tokens, apart, context, exact, feed, llama, load, mamba, spm};
use llama_core::{AdapterError, Context, ControlVector, LoraAdapter, SeqId};
use llama_testkit::adapters::{self, Lora};
use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::gguf::{DType, Fill, Gguf, Tensor};
use llama_testkit::models::Llama;
use llama_testkit::mutate::{Defect, truncations};
use std::fs;

fn logits(ctx: &mut Context) -> Vec<f32> {
    ctx.memory().unwrap().clear().unwrap();
    let tokens = any_tokens(ctx.model(), 20, 1);
    feed(ctx, &tokens, SeqId::ZERO)
}

fn lora() -> LoraAdapter {
    LoraAdapter::load(llama(), fixtures::lora()).unwrap()
}

#[test]
fn an_adapter_changes_the_logits_in_proportion() {
    let mut ctx = context(llama(), &exact());
    let plain = logits(&mut ctx);
    let adapter = lora();
    let mut with = |scale| {
        ctx.set_adapters(&[(adapter.clone(), scale)]).unwrap();
        apart(&logits(&mut ctx), &plain)
    };
    let (none, little, full) = (with(0.0), with(0.01), with(1.0));
    assert!(none <= 1e-6, "{none}");
    assert!(little > 1e-5 && full > 3.0 * little, "{little} {full}");
}

#[test]
fn removing_adapters_restores_the_model() {
    let mut ctx = context(llama(), &exact());
    let plain = logits(&mut ctx);
    let (one, two) = (lora(), lora());
    ctx.set_adapters(&[(one.clone(), 1.0)]).unwrap();
    let with_one = logits(&mut ctx);
    ctx.set_adapters(&[(one, 1.0), (two.clone(), 1.0)]).unwrap();
    assert!(apart(&logits(&mut ctx), &with_one) > 1e-3);
    ctx.set_adapters(&[(two, 1.0)]).unwrap();
    assert!(apart(&logits(&mut ctx), &with_one) <= 1e-6, "the same file");
    ctx.set_adapters(&[]).unwrap();
    assert_eq!(logits(&mut ctx), plain);
}

#[test]
fn an_adapter_in_use_outlives_its_handle() {
    let mut ctx = context(llama(), &exact());
    let adapter = lora();
    assert_eq!(adapter.path(), fixtures::lora());
    ctx.set_adapters(&[(adapter.clone(), 1.0)]).unwrap();
    let expected = logits(&mut ctx);
    drop(adapter);
    assert_eq!(logits(&mut ctx), expected);
}

#[test]
fn an_adapter_outlives_the_handles_of_its_model() {
    let model = load(fixtures::tiny_llama());
    let adapter = LoraAdapter::load(&model, fixtures::lora()).unwrap();
    let mut ctx = context(&model, &exact());
    drop(model);
    ctx.set_adapters(&[(adapter.clone(), 1.0)]).unwrap();
    logits(&mut ctx);
    drop(ctx);
    drop(adapter);
}

#[test]
fn an_adapter_of_another_shape_is_an_error() {
    let error = LoraAdapter::load(llama(), fixtures::lora_misfit()).unwrap_err();
    assert!(matches!(&error, AdapterError::Rejected { reason, .. } if reason.contains("shape")), "{error}");
    assert!(error.to_string().contains(&fixtures::lora_misfit().display().to_string()));
    let error = LoraAdapter::load(mamba(), fixtures::lora()).unwrap_err();
    assert!(matches!(&error, AdapterError::Rejected { reason, .. } if reason.contains("arch")), "{error}");
}

#[test]
fn an_adapter_of_another_model_is_an_error() {
    let adapter = lora();
    for other in [spm().clone(), load(fixtures::tiny_llama())] {
        let mut ctx = context(&other, &exact());
        let plain = logits(&mut ctx);
        assert!(matches!(ctx.set_adapters(&[(adapter.clone(), 1.0)]), Err(AdapterError::OtherModel)));
        assert_eq!(logits(&mut ctx), plain);
    }
}

#[test]
fn strengths_that_make_no_sense_are_errors() {
    let mut ctx = context(llama(), &exact());
    let plain = logits(&mut ctx);
    let adapter = lora();
    for scale in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let result = ctx.set_adapters(&[(adapter.clone(), scale)]);
        assert!(matches!(result, Err(AdapterError::InvalidParam { name: "scale", .. })), "{result:?}");
        let result = ControlVector::load(fixtures::control_vector(), scale);
        assert!(matches!(result, Err(AdapterError::InvalidParam { name: "strength", .. })), "{result:?}");
    }
    let twice = ctx.set_adapters(&[(adapter.clone(), 1.0), (adapter, 0.5)]);
    assert!(matches!(twice, Err(AdapterError::InvalidParam { name: "adapters", .. })), "{twice:?}");
    assert_eq!(logits(&mut ctx), plain);
}

#[test]
fn a_model_is_no_adapter() {
    for path in [fixtures::tiny_llama(), fixtures::control_vector(), fixtures::vocab_bpe()] {
        let result = LoraAdapter::load(llama(), path);
        assert!(matches!(result, Err(AdapterError::WrongKind { .. })), "{result:?}");
    }
    for path in [fixtures::tiny_llama(), fixtures::lora(), fixtures::vocab_bpe()] {
        let result = ControlVector::load(path, 1.0);
        assert!(matches!(result, Err(AdapterError::WrongKind { .. })), "{result:?}");
    }
    assert!(matches!(LoraAdapter::load(llama(), "no such file"), Err(AdapterError::File(_))));
    assert!(matches!(ControlVector::load("no such file", 1.0), Err(AdapterError::File(_))));
}

#[test]
fn damaged_adapters_are_errors() {
    let folder = TempModels::new().unwrap();
    for (name, source) in [("lora", fixtures::lora()), ("vector", fixtures::control_vector())] {
        let bytes = fs::read(source).unwrap();
        let cuts = truncations(bytes.len(), 60, 3).map(|len| bytes[..len].to_vec());
        let broken = Defect::ALL.into_iter().filter_map(|defect| defect.apply(&bytes));
        for (i, bad) in cuts.chain(broken).enumerate() {
            let path = folder.write_bytes(&format!("{name}-{i}.gguf"), &bad).unwrap();
            let result = match name {
                "lora" => LoraAdapter::load(llama(), &path).map(drop),
                _ => ControlVector::load(&path, 1.0).map(drop),
            };
            // An unknown entry or an offset inside the file may go unnoticed; what matters is that nothing dies.
            if let Err(error) = result {
                assert!(error.to_string().contains(&path.display().to_string()), "{error}");
            }
        }
    }
    // A control vector for a far layer must not make room for all layers before it.
    let mut file = Gguf::new("controlvector");
    let fill = Fill::Constant(1.0);
    file.tensor(Tensor { name: "direction.512".into(), shape: vec![1 << 20], dtype: DType::F32, fill });
    let path = folder.write("far.gguf", &file).unwrap();
    assert!(matches!(ControlVector::load(path, 1.0), Err(AdapterError::WrongKind { .. })));
}

#[test]
fn adapters_on_which_c_would_assert_are_errors() {
    let folder = TempModels::new().unwrap();
    let change = |name: &str, change: &dyn Fn(&mut Gguf)| {
        let mut file = Lora::for_model(&Llama::tiny()).file();
        change(&mut file);
        let path = folder.write(&format!("{name}.gguf"), &file).unwrap();
        LoraAdapter::load(llama(), path).unwrap_err()
    };
    for (name, key) in [("type", "general.type"), ("kind", "adapter.type"), ("arch", "general.architecture")] {
        let error = change(name, &|file| _ = file.set(key, 7_u32));
        assert!(matches!(error, AdapterError::WrongKind { .. }), "{name}: {error}");
    }
    let error = change("alpha", &|file| _ = file.set("adapter.lora.alpha", "much"));
    assert!(matches!(error, AdapterError::WrongKind { .. }), "{error}");
    change("stacked", &|file| {
        for tensor in file.tensors_mut() {
            tensor.shape.push(3);
            tensor.fill = Fill::Constant(0.0);
        }
    });
    change("rank", &|file| {
        let tensor = &mut file.tensors_mut()[0];
        tensor.shape[1] += 1;
        tensor.fill = Fill::Constant(0.0);
    });
    change("flat", &|file| {
        let tensor = &mut file.tensors_mut()[0];
        tensor.shape = vec![tensor.shape[0]];
        tensor.fill = Fill::Constant(0.0);
    });
    change("half", &|file| _ = file.tensors_mut().pop());
    change("stranger", &|file| file.tensors_mut()[0].name = "nosuch".to_owned());
}

#[test]
fn a_control_vector_changes_the_logits_until_it_is_cleared() {
    let mut ctx = context(llama(), &exact());
    let plain = logits(&mut ctx);
    let vector = ControlVector::load(fixtures::control_vector(), 1.0).unwrap();
    assert_eq!((vector.n_embd(), vector.last_layer()), (32, 1));
    ctx.set_control_vector(&vector, 1..=2).unwrap();
    let with = logits(&mut ctx);
    assert!(apart(&with, &plain) > 1e-3);
    let mut opposite = ControlVector::load(fixtures::control_vector(), -1.0).unwrap();
    opposite.add(&vector).unwrap();
    ctx.set_control_vector(&opposite, 1..=2).unwrap();
    assert!(apart(&logits(&mut ctx), &plain) <= 1e-5, "the two cancel out");
    ctx.set_control_vector(&vector, 2..=2).unwrap();
    assert!(apart(&logits(&mut ctx), &plain) <= 1e-5, "it has no direction for that layer");
    ctx.set_control_vector(&vector, 1..=1).unwrap();
    assert!(apart(&logits(&mut ctx), &with) <= 1e-5);
    ctx.clear_control_vector().unwrap();
    assert_eq!(logits(&mut ctx), plain);
}

#[test]
fn a_control_vector_replaces_a_longer_one_whole() {
    let folder = TempModels::new().unwrap();
    let deep = Llama { n_layer: 4, ..Llama::tiny() };
    let model = load(folder.write("deep.gguf", &deep.file()).unwrap());
    let vector = |layers| {
        let path = folder.write("vector.gguf", &adapters::control_vector(layers, 32, 5)).unwrap();
        ControlVector::load(path, 1.0).unwrap()
    };
    let (long, short) = (vector(4), vector(2));
    let mut ctx = context(&model, &exact());
    ctx.set_control_vector(&short, 1..=4).unwrap();
    let expected = logits(&mut ctx);
    ctx.set_control_vector(&long, 1..=4).unwrap();
    assert!(apart(&logits(&mut ctx), &expected) > 1e-3);
    ctx.set_control_vector(&short, 1..=4).unwrap();
    assert!(apart(&logits(&mut ctx), &expected) <= 1e-6, "nothing of the longer one stayed");
}

#[test]
fn a_control_vector_that_does_not_fit_is_an_error() {
    let mut ctx = context(llama(), &exact());
    let vector = ControlVector::load(fixtures::control_vector(), 1.0).unwrap();
    #[allow(clippy::reversed_empty_ranges, reason = "what a caller may do by mistake")]
    for layers in [0..=1, 1..=3, 2..=1, 0..=0, 1..=u32::MAX] {
        let result = ctx.set_control_vector(&vector, layers);
        assert!(matches!(result, Err(AdapterError::InvalidParam { name: "layers", .. })), "{result:?}");
    }
    let folder = TempModels::new().unwrap();
    let wide = folder.write("wide.gguf", &adapters::control_vector(2, 64, 1)).unwrap();
    let wide = ControlVector::load(wide, 1.0).unwrap();
    let result = ctx.set_control_vector(&wide, 1..=2);
    assert!(matches!(result, Err(AdapterError::InvalidParam { name: "vector", .. })), "{result:?}");
    let mut sum = vector.clone();
    assert!(matches!(sum.add(&wide), Err(AdapterError::InvalidParam { .. })));
    assert_eq!(sum, vector);
}
