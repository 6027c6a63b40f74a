#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use super::*;

fn sample() -> Gguf {
    let mut file = Gguf::new("llama");
    file.set("a.u8", 1_u8).set("b.array", vec![1_i32, -1]).set("c.text", "héllo");
    file.tensor(Tensor {
        name: "first".into(),
        shape: vec![3],
        dtype: DType::F32,
        fill: Fill::Values(vec![1.0, 2.0, 3.0]),
    });
    file.tensor(Tensor {
        name: "second".into(),
        shape: vec![32, 2],
        dtype: DType::Q8_0,
        fill: Fill::uniform(1, -1.0, 1.0),
    });
    file
}

#[test]
fn byte_len_is_what_is_written_and_aligned() {
    let bytes = sample().to_bytes().unwrap();
    assert_eq!(bytes.len() as u64, sample().byte_len());
    assert_eq!(bytes.len() as u64 % ALIGNMENT, 0);
}

#[test]
fn tensors_start_aligned() {
    let bytes = sample().to_bytes().unwrap();
    let layout = Layout::of(&bytes).unwrap();
    assert_eq!(layout.data_at as u64 % ALIGNMENT, 0);
    assert_eq!(bytes[layout.data_at..layout.data_at + 4], 1.0_f32.to_le_bytes());
    let second = &layout.tensors[1];
    let offset = u64::from_le_bytes(bytes[second.offset_at..second.offset_at + 8].try_into().unwrap());
    assert_eq!(offset, 32, "twelve bytes, then padding");
}

#[test]
fn bytes_never_change() {
    assert_eq!(fnv1a(&sample().to_bytes().unwrap()), 0x3964_C8AC_0042_EE60);
}

#[test]
fn setting_a_key_twice_keeps_its_place() {
    let mut file = sample();
    file.set("a.u8", 2_u8);
    assert_eq!(file.get("a.u8"), Some(&Value::U8(2)));
    assert_eq!(file.byte_len(), sample().byte_len());
}

#[test]
fn a_fill_that_does_not_fit_is_refused_before_writing() {
    let mut file = sample();
    file.tensors_mut()[0].shape = vec![4];
    let mut out = Vec::new();
    let error = file.write_to(&mut out).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("first"), "{error}");
    assert!(out.is_empty());

    let mut file = sample();
    file.tensors_mut()[1].shape = vec![31, 2];
    assert_eq!(file.to_bytes().unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn the_recipe_hash_follows_metadata_and_fill() {
    let original = sample().recipe_hash();
    assert_eq!(sample().recipe_hash(), original);
    let mut other = sample();
    other.set("a.u8", 9_u8);
    assert_ne!(other.recipe_hash(), original);
    let mut other = sample();
    other.tensors_mut()[1].fill = Fill::uniform(2, -1.0, 1.0);
    assert_ne!(other.recipe_hash(), original);
}
