use proptest::prelude::*;

use super::super::{FileType, GgufError, GgufFile, TensorType, Value, ValueType};
use super::bytes::{Gguf, T, V};

fn error_of(bytes: &[u8]) -> GgufError {
    GgufFile::from_bytes(bytes).unwrap_err()
}

#[test]
fn a_good_file_tells_its_facts() {
    let file = GgufFile::from_bytes(&Gguf::llama().write()).unwrap();
    assert_eq!((file.version(), file.alignment()), (3, 32));
    assert_eq!((file.architecture(), file.name()), (Some("llama"), Some("tiny")));
    assert_eq!((file.context_length(), file.embedding_length(), file.block_count()), (Some(64), Some(8), Some(2)));
    assert_eq!((file.parameter_count(), file.tensor_bytes()), (40, 160));
    assert_eq!(file.file_type(), Some(FileType(0)));
    assert_eq!(file.main_tensor_type(), Some(TensorType::F32));
    assert_eq!((file.chat_template(), file.tokenizer_model()), (Some("{{ messages }}"), Some("llama")));
    assert_eq!((file.vocab_size(), file.split()), (Some(4), None));
    assert_eq!(file.data_offset() % 32, 0);
    assert_eq!(file.tensor("output_norm.weight").map(|tensor| (tensor.offset(), tensor.byte_len())), Some((128, 32)));
    let line = file.summary().to_string();
    assert_eq!(line, "tiny: llama, 40 parameters, F32, 160 B of tensors, 2 layers, context of 64, 4 tokens (llama)");
    assert_eq!(file.path(), None);
}

#[test]
fn values_of_every_kind_come_back() {
    let mut source = Gguf::empty();
    source.version = 2;
    source.set("a", V::U8(7)).set("b", V::U16(300)).set("c", V::U64(1 << 40)).set("d", V::F32(0.5));
    source
        .set("e", V::Bool(true))
        .set("f", V::Text("hé"))
        .set("g", V::I32s(vec![-1, 2]))
        .set("h", V::Texts(vec!["x", "", "yz"]));
    let file = GgufFile::from_bytes(&source.write()).unwrap();
    assert_eq!(file.metadata().map(|(key, _)| key).collect::<String>(), "abcdefgh");
    let int = |key| file.get(key).unwrap().as_u64();
    assert_eq!((int("a"), int("b"), int("c"), int("f")), (Some(7), Some(300), Some(1 << 40), None));
    assert_eq!(file.get("d").unwrap().as_f64(), Some(0.5));
    assert_eq!(file.get("e").unwrap().as_bool(), Some(true));
    assert_eq!(file.get("f").unwrap().as_str(), Some("hé"));
    let numbers = file.get("g").unwrap().as_array().unwrap();
    assert_eq!(numbers.iter().collect::<Vec<_>>(), [Value::I32(-1), Value::I32(2)]);
    let strings = file.get("h").unwrap().as_array().unwrap();
    assert_eq!((strings.element_type(), strings.len()), (ValueType::String, 3));
    assert_eq!(strings.strings().unwrap().collect::<Vec<_>>(), [&b"x"[..], b"", b"yz"]);
    assert_eq!(strings.iter().count(), 3);
    assert_eq!(file.get("i"), None);
}

#[test]
fn text_that_is_not_utf8_is_kept_as_bytes() {
    let mut bytes = Gguf::empty().set("k", V::Text("ab")).write();
    *bytes.last_mut().unwrap() = 0xff;
    let file = GgufFile::from_bytes(&bytes).unwrap();
    assert_eq!(file.get("k"), Some(&Value::Bytes(b"a\xff".to_vec())));
}

#[test]
fn a_file_cut_anywhere_is_truncated() {
    let bytes = Gguf::llama().write();
    for len in 1..bytes.len() {
        match error_of(&bytes[..len]) {
            GgufError::Truncated { at, needed, have, .. } => {
                assert!((have == 0 || at + have <= len as u64) && needed > have, "{len}");
            }
            other => panic!("cut to {len}: {other}"),
        }
    }
    assert!(matches!(error_of(&[]), GgufError::Empty { .. }));
}

#[test]
fn a_length_beyond_the_file_is_refused_before_it_is_used() {
    let good = Gguf::empty().set("k", V::Texts(vec!["x"])).write();
    // Behind the fixed part: key length, key, array type, element type, count, string length.
    for (at, what) in [(24, "length"), (41, "elements"), (49, "string")] {
        for value in [u64::MAX, i64::MAX as u64, u64::from(u32::MAX), 1 << 20] {
            let mut bytes = good.clone();
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            let error = error_of(&bytes);
            assert!(matches!(error, GgufError::Truncated { .. } | GgufError::Absurd { .. }), "{error}");
            assert!(error.to_string().contains(what), "{error}");
        }
    }
    for at in [8, 16] {
        let mut bytes = good.clone();
        bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(error_of(&bytes), GgufError::Absurd { .. }));
    }
}

#[test]
fn other_kinds_of_files_are_named() {
    let cases: [(&[u8], &str); 9] = [
        (b"PK\x03\x04....", "zip"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n<html><body>404", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\x10\0\0\0\0\0\0\0{\"a\":{}}", "safetensors"),
        (b"lmgg\x01\0\0\0", "old GGML"),
        (b"{\"error\":\"gone\"}", "JSON"),
        (b"\x1f\x8b\x08\0", "compressed"),
        (b"\x01\x02\x03\x04", "01 02 03 04"),
    ];
    for (bytes, hint) in cases {
        let error = error_of(bytes);
        assert!(matches!(error, GgufError::NotGguf { .. }) && error.to_string().contains(hint), "{error}");
    }
}

#[test]
fn other_versions_and_byte_orders_are_named() {
    let with = |version: u32| {
        let mut file = Gguf::empty();
        file.version = version;
        error_of(&file.write())
    };
    assert!(matches!(with(1), GgufError::UnsupportedVersion { version: 1, .. }));
    assert!(matches!(with(0), GgufError::UnsupportedVersion { version: 0, .. }));
    assert!(matches!(with(4), GgufError::UnsupportedVersion { version: 4, .. }));
    assert!(matches!(with(3_u32.swap_bytes()), GgufError::BigEndian { .. }));
}

#[test]
fn what_the_format_forbids_is_corrupt() {
    let tensor = |change: fn(&mut T)| {
        let mut file = Gguf::llama();
        change(&mut file.tensors[1]);
        file.write()
    };
    let mut twice = Gguf::llama();
    twice.entries.push(("general.name".to_owned(), V::U8(0)));
    let mut nested = Gguf::empty().set("k", V::Texts(vec!["12345678"])).write();
    nested[37] = 9;
    let cases = [
        (twice.write(), "general.name` is there twice"),
        (nested, "array of arrays"),
        (Gguf::llama().set("general.alignment", V::U32(24)).write(), "power of two"),
        (Gguf::llama().set("general.alignment", V::U32(0)).write(), "power of two"),
        (Gguf::llama().set("general.alignment", V::U64(32)).write(), "power of two"),
        (Gguf::empty().set("", V::U16(0)).write(), "empty"),
        (tensor(|t| t.name = "token_embd.weight".to_owned()), "is there twice"),
        (tensor(|t| t.name = "a\0b".to_owned()), "zero byte"),
        (tensor(|t| t.id = 4), "type 4"),
        (tensor(|t| t.id = 43), "type 43"),
        (tensor(|t| t.id = 2), "whole blocks of 32"),
        (tensor(|t| t.shape = vec![1 << 32, 1 << 32]), "more elements"),
        (tensor(|t| t.shape = vec![u64::MAX]), "more elements"),
        (tensor(|t| t.shape = vec![1 << 62, 0, 1 << 62]), "more elements"),
        (tensor(|t| t.shape = vec![1 << 62]), "more bytes"),
        (tensor(|t| t.offset = Some(0)), "the one before it ends at 128"),
        (tensor(|t| t.offset = Some(u64::MAX)), "the one before it ends at 128"),
    ];
    for (bytes, hint) in cases {
        let error = error_of(&bytes);
        assert!(matches!(error, GgufError::Corrupt { .. }) && error.to_string().contains(hint), "{hint}: {error}");
    }
    let error = error_of(&tensor(|t| t.shape = vec![1; 5]));
    assert!(matches!(error, GgufError::Absurd { value: 5, limit: 4, .. }), "{error}");
    let error = error_of(&tensor(|t| t.name = "n".repeat(64)));
    assert!(matches!(error, GgufError::Absurd { value: 64, limit: 63, .. }), "{error}");
    let error = error_of(&tensor(|t| t.shape = vec![1 << 40]));
    assert!(matches!(error, GgufError::Truncated { needed: 4_398_046_511_104, .. }), "{error}");
}

#[test]
fn sizes_of_types_are_those_of_whole_blocks() {
    let mut file = Gguf::empty();
    let cases = [(TensorType::Q4_K, 144), (TensorType::MXFP4, 136), (TensorType::NVFP4, 144), (TensorType::Q1_0, 36)];
    for (ty, bytes) in cases {
        file.tensors.push(T { name: ty.to_string(), shape: vec![256], id: ty.id(), offset: None, bytes });
    }
    let file = GgufFile::from_bytes(&file.write()).unwrap();
    assert_eq!(file.tensors().iter().map(|t| t.byte_len()).collect::<Vec<_>>(), [144, 136, 144, 36]);
    for &ty in TensorType::ALL {
        assert_eq!(TensorType::from_id(ty.id()), Some(ty));
        assert_eq!(256 % ty.block_elements(), 0);
    }
    assert_eq!(TensorType::ALL.len(), 43 - 8);
}

#[test]
fn only_aligned_tensors_can_be_mapped() {
    let mut file = Gguf::llama();
    let mapped = |file: &Gguf| GgufFile::from_bytes(&file.write()).unwrap().supports_mmap();
    assert!(mapped(&file));
    file.alignment = 4;
    file.tensors.insert(0, T::f32("odd.weight", &[1]));
    assert!(!mapped(file.set("general.alignment", V::U32(4))));
}

#[test]
fn names_in_messages_are_short_and_plain() {
    let long = format!("\u{1b}[31m{}", "k".repeat(60_000));
    let mut file = Gguf::empty();
    file.entries = vec![(long.clone(), V::U8(0)), (long, V::U8(0))];
    let message = error_of(&file.write()).to_string();
    assert!(message.len() < 400 && !message.contains('\u{1b}'), "{message}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400), magic in any::<bool>()) {
        if magic {
            bytes.splice(0..0, *b"GGUF\x03\0\0\0");
        }
        let _ = GgufFile::from_bytes(&bytes).map(|file| file.preflight());
    }

    #[test]
    fn changed_files_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let mut bytes = Gguf::llama().write();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(file) = GgufFile::from_bytes(&bytes) {
            let _ = file.preflight();
            let _ = (file.summary().to_string(), file.split(), file.chat_template());
            for (_, value) in file.metadata() {
                let _ = value.as_array().map(|array| array.iter().count());
            }
        }
    }
}
