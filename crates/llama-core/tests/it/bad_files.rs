//! Files that are no model: each is an error of its type, soon, with the path and the reason, and nothing dies.

use crate::setup::{context, demo, exact, llama};
use llama_core::gguf::GgufError;
use llama_core::{Context, LoadError, Model, ModelParams};
use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::models::{Bert, Hybrid, Llama, Mamba};
use llama_testkit::mutate::{self, Defect, truncations};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Loads what must be refused: within a second, with the path in the message.
fn refused(path: &Path) -> LoadError {
    let start = Instant::now();
    let result = Model::load(path, ModelParams::default());
    let took = start.elapsed();
    let Err(error) = result else { panic!("{} was loaded", path.display()) };
    assert!(took < Duration::from_secs(1), "{error} took {took:?}");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "no path in: {text}");
    assert!(text.len() > path.display().to_string().len() + 10, "no reason in: {text}");
    error
}

fn refused_bytes(folder: &TempModels, name: &str, bytes: &[u8]) -> LoadError {
    assert!(Model::from_bytes(bytes, ModelParams::default()).is_err(), "{name} was loaded from memory");
    refused(&folder.write_bytes(name, bytes).unwrap())
}

#[test]
fn an_empty_file_is_an_error() {
    let folder = TempModels::new().unwrap();
    assert!(matches!(refused_bytes(&folder, "empty.gguf", b""), LoadError::File(GgufError::Empty { .. })));
}

#[test]
fn a_file_cut_at_any_place_is_an_error() {
    let folder = TempModels::new().unwrap();
    let tiny = fs::read(fixtures::tiny_llama()).unwrap();
    let demo = fs::read(llama_testkit::golden::demo_model_path()).unwrap();
    for (bytes, count) in [(&tiny, 200), (&demo, 40)] {
        for len in truncations(bytes.len(), count, 11) {
            let error = refused(&folder.write_bytes("cut.gguf", &bytes[..len]).unwrap());
            let LoadError::File(error) = error else { panic!("cut to {len} bytes, llama.cpp was asked: {error}") };
            let typed = matches!(
                error,
                GgufError::Empty { .. }
                    | GgufError::NotGguf { .. }
                    | GgufError::Truncated { .. }
                    | GgufError::Corrupt { .. }
            );
            assert!(typed, "cut to {len} bytes: {error:?}");
        }
    }
}

#[test]
fn every_broken_form_is_an_error() {
    let folder = TempModels::new().unwrap();
    for path in [fixtures::tiny_llama(), fixtures::tiny_llama_spm(), fixtures::tiny_mamba(), fixtures::tiny_embedding()]
    {
        let bytes = fs::read(path).unwrap();
        for defect in Defect::ALL {
            let name = format!("{defect:?}.gguf");
            let error = refused_bytes(&folder, &name, &defect.apply(&bytes).unwrap());
            assert!(matches!(error, LoadError::File(_)), "{defect:?}: {error}");
        }
    }
}

#[test]
fn a_wrong_magic_says_what_the_file_is() {
    let folder = TempModels::new().unwrap();
    for (name, bytes) in [
        ("page.gguf", &b"<!DOCTYPE html><html><body>Not found</body></html>"[..]),
        ("archive.gguf", b"PK\x03\x04 and so on, and so on, and so on"),
        ("pointer.gguf", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        ("zeros.gguf", &[0; 4096]),
        ("short.gguf", b"GGU"),
    ] {
        let error = refused_bytes(&folder, name, bytes);
        assert!(matches!(error, LoadError::File(GgufError::NotGguf { .. } | GgufError::Truncated { .. })), "{error}");
    }
}

#[test]
fn every_model_that_cannot_be_is_an_error() {
    let folder = TempModels::new().unwrap();
    for bad in mutate::unloadable() {
        let bytes = bad.file.to_bytes().unwrap();
        let error = refused_bytes(&folder, &format!("{}.gguf", bad.name), &bytes);
        // What llama.cpp ends the process about must not reach it.
        assert!(!bad.aborts || matches!(error, LoadError::File(_)), "{}: {error}", bad.name);
    }
}

#[test]
fn numbers_changed_anywhere_in_the_metadata_do_no_harm() {
    // Every u32 of the architecture, set to values that a size or a count should not have.
    let folder = TempModels::new().unwrap();
    for (arch, file) in [
        ("llama", Llama::tiny().file()),
        ("mamba", Mamba::tiny().file()),
        ("lfm2", Hybrid::tiny().file()),
        ("bert", Bert::reranker().file()),
    ] {
        for key in [
            "block_count",
            "embedding_length",
            "context_length",
            "feed_forward_length",
            "attention.head_count",
            "attention.head_count_kv",
            "attention.key_length",
            "attention.value_length",
            "rope.dimension_count",
            "vocab_size",
            "ssm.conv_kernel",
            "ssm.inner_size",
            "ssm.state_size",
            "ssm.time_step_rank",
            "pooling_type",
            "shortconv.l_cache",
            "attention.sliding_window",
            "expert_count",
            "expert_used_count",
        ] {
            for value in [0_u32, 1, 3, 31, 33, 1 << 16, i32::MAX as u32, u32::MAX] {
                let mut file = file.clone();
                file.set(format!("{arch}.{key}"), value);
                let path = folder.write("changed.gguf", &file).unwrap();
                let start = Instant::now();
                // Some values are possible; then the model must work, or refuse to.
                if let Ok(model) = Model::load(&path, ModelParams::default())
                    && let Ok(mut ctx) = Context::new(&model, exact())
                {
                    let mut batch =
                        crate::setup::batch_of(&crate::setup::any_tokens(llama(), 4, 1), 0, llama_core::SeqId(0));
                    let _ = ctx.decode(&mut batch);
                }
                assert!(start.elapsed() < Duration::from_secs(2), "{arch}.{key} = {value}");
            }
        }
    }
}

#[test]
fn a_directory_is_an_error() {
    let folder = TempModels::new().unwrap();
    assert!(matches!(refused(folder.path()), LoadError::File(GgufError::IsDirectory { .. })));
}

#[test]
fn nothing_at_a_path_is_an_error() {
    let folder = TempModels::new().unwrap();
    let error = refused(&folder.path().join("no such file.gguf"));
    assert!(matches!(error, LoadError::File(GgufError::NotFound { .. })));
    let error = refused(&fixtures::tiny_llama().join("below a file.gguf"));
    assert!(matches!(error, LoadError::File(GgufError::NotFound { .. })));
    assert!(Model::load("", ModelParams::default()).is_err());
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_an_error() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempModels::new().unwrap();
    let path = folder.write("secret.gguf", &Llama::tiny().file()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        println!("not tested: this user (root) may read every file");
        return;
    }
    assert!(matches!(refused(&path), LoadError::File(GgufError::PermissionDenied { .. })));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_an_error_and_does_not_hang() {
    let folder = TempModels::new().unwrap();
    let path = folder.path().join("pipe.gguf");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if made.is_ok_and(|status| status.success()) {
        assert!(matches!(refused(&path), LoadError::File(GgufError::NotAFile { .. })));
    }
    assert!(matches!(refused(Path::new("/dev/null")), LoadError::File(GgufError::NotAFile { .. })));
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_or_in_a_circle_is_an_error() {
    use std::os::unix::fs::symlink;
    let folder = TempModels::new().unwrap();
    let (nowhere, circle) = (folder.path().join("nowhere.gguf"), folder.path().join("circle.gguf"));
    symlink("no such file", &nowhere).unwrap();
    symlink("circle.gguf", &circle).unwrap();
    assert!(matches!(refused(&nowhere), LoadError::File(GgufError::NotFound { .. })));
    assert!(matches!(refused(&circle), LoadError::File(_)));
}

#[test]
fn a_missing_part_is_an_error_that_names_it() {
    for missing in 0..3 {
        let folder = TempModels::new().unwrap();
        let parts = Llama::tiny().file().save_split(folder.path(), "tiny", 3).unwrap();
        fs::remove_file(&parts[missing]).unwrap();
        for part in parts.iter().filter(|part| part.is_file()) {
            match refused(part) {
                LoadError::File(GgufError::MissingSplit { missing: path, number, count, .. }) => {
                    assert_eq!((path, number as usize, count), (parts[missing].clone(), missing + 1, 3));
                }
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn a_later_part_alone_is_an_error() {
    let folder = TempModels::new().unwrap();
    let parts = Llama::tiny().file().save_split(folder.path(), "tiny", 2).unwrap();
    let renamed = folder.path().join("renamed.gguf");
    fs::copy(&parts[1], &renamed).unwrap();
    assert!(matches!(refused(&renamed), LoadError::File(GgufError::Unloadable { .. })));
}

#[test]
fn parts_that_do_not_belong_together_are_an_error() {
    let folder = TempModels::new().unwrap();
    let parts = Llama::tiny().file().save_split(folder.path(), "tiny", 2).unwrap();
    fs::copy(&parts[0], &parts[1]).unwrap();
    let error = Model::load(&parts[0], ModelParams::default()).unwrap_err();
    assert!(error.to_string().contains(&parts[1].display().to_string()), "the part at fault is named: {error}");
    let parts = Llama::tiny().file().save_split(folder.path(), "tiny", 2).unwrap();
    let bytes = fs::read(&parts[1]).unwrap();
    for len in truncations(bytes.len(), 20, 4) {
        fs::write(&parts[1], &bytes[..len]).unwrap();
        let error = Model::load(&parts[0], ModelParams::default()).unwrap_err();
        assert!(error.to_string().contains(&parts[1].display().to_string()), "the part at fault is named: {error}");
    }
}

#[test]
fn bytes_changed_at_random_do_no_harm() {
    let mut random = llama_testkit::random::Random::new(77);
    let folder = TempModels::new().unwrap();
    for source in
        [fixtures::tiny_llama(), fixtures::tiny_hybrid(), fixtures::tiny_reranker(), fixtures::tiny_llama_spm()]
    {
        let bytes = fs::read(source).unwrap();
        let header = bytes.len() as u64 / 12;
        for _ in 0..60 {
            let mut bytes = bytes.clone();
            for _ in 0..=random.below(3) {
                let at = usize::try_from(random.below(header)).unwrap();
                bytes[at] = random.next_u64() as u8;
            }
            let path = folder.write_bytes("noise.gguf", &bytes).unwrap();
            let start = Instant::now();
            if let Ok(model) = Model::load(&path, ModelParams::default()) {
                let _ = model.vocab().tokenize("Hello world, 1 2 3", llama_core::Specials::Parse);
                if let Ok(mut ctx) = Context::new(&model, exact()) {
                    let n = model.facts().n_vocab.min(20);
                    let tokens: Vec<_> = (0..n.min(4)).map(|i| llama_core::Token(i32::try_from(i).unwrap())).collect();
                    let _ = ctx.decode(&mut crate::setup::batch_of(&tokens, 0, llama_core::SeqId(0)));
                }
            }
            assert!(start.elapsed() < Duration::from_secs(2));
        }
    }
}

#[test]
fn models_that_are_loaded_do_not_mind_bad_files() {
    let folder = TempModels::new().unwrap();
    for bad in mutate::unloadable() {
        let path = folder.write("bad.gguf", &bad.file).unwrap();
        assert!(Model::load(&path, ModelParams::default()).is_err());
    }
    crate::setup::assert_as_good_as_new(&mut context(llama(), &exact()), &exact());
    assert!(demo().facts().n_vocab > 0);
}
