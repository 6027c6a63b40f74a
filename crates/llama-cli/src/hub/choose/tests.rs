//! The rules as tables.

use super::*;

fn owned(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

fn chosen(paths: &[&str], quant: Option<&str>, exact: Option<&str>) -> Result<Vec<String>, String> {
    choose(&owned(paths), quant, exact).map_err(|error| error.to_string())
}

const MANY: &[&str] = &[
    "README.md",
    "imatrix.gguf",
    "mmproj-m-Q8_0.gguf",
    "m-mmproj-Q4_K_M.gguf",
    "mtp-m-Q4_K_M.gguf",
    "eagle3-m-Q4_K_M.gguf",
    "dflash-m-Q4_K_M.gguf",
    "dspark-m-Q4_K_M.gguf",
    "m-BF16.gguf",
    "m-F16.gguf",
    "m-IQ2_XXS.gguf",
    "m-Q4_0.gguf",
    "m-Q4_0_8_8.gguf",
    "m-Q4_K_M.gguf",
    "m-Q8_0.gguf",
    "UD/m-UD-Q5_K_XL.gguf",
];

#[test]
fn the_first_path_with_the_quant_is_chosen() {
    for (quant, expected) in [
        (None, "m-Q4_K_M.gguf"),
        (Some("Q4_K_M"), "m-Q4_K_M.gguf"),
        (Some("q4_k_m"), "m-Q4_K_M.gguf"),
        (Some("Q8_0"), "m-Q8_0.gguf"),
        (Some("Q4_0"), "m-Q4_0.gguf"),
        (Some("F16"), "m-F16.gguf"),
        (Some("bf16"), "m-BF16.gguf"),
        (Some("iq2_xxs"), "m-IQ2_XXS.gguf"),
        (Some("Q5_K_XL"), "UD/m-UD-Q5_K_XL.gguf"),
        (Some("UD-Q5_K_XL"), "UD/m-UD-Q5_K_XL.gguf"),
        (Some("K_M"), "m-Q4_K_M.gguf"),
    ] {
        assert_eq!(chosen(MANY, quant, None).unwrap(), [expected], "{quant:?}");
    }
}

#[test]
fn without_a_quant_there_is_an_order_that_does_not_depend_on_the_listing() {
    for (paths, expected) in [
        (&["b-Q8_0.gguf", "a-Q4_K_S.gguf", "c-q4_k_m.gguf"][..], "c-q4_k_m.gguf"),
        (&["b-Q8_0.gguf", "a-Q4_K_S.gguf"], "b-Q8_0.gguf"),
        (&["b-Q6_K.gguf", "a-Q4_K_S.gguf"], "a-Q4_K_S.gguf"),
        (&["z/model.GGUF", "y.txt"], "z/model.GGUF"),
        // Only the file's own name makes a companion.
        (&["mmproj/m.gguf"], "mmproj/m.gguf"),
    ] {
        let mut reversed = paths.to_vec();
        reversed.reverse();
        assert_eq!(chosen(paths, None, None).unwrap(), [expected]);
        assert_eq!(chosen(&reversed, None, None).unwrap(), [expected]);
    }
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let error = |paths: &[&str], quant, exact| chosen(paths, quant, exact).unwrap_err();
    assert_eq!(
        error(MANY, Some("Q3_K"), None),
        "has no Q3_K; it has: BF16, F16, IQ2_XXS, Q4_0, Q4_0_8_8, Q4_K_M, Q5_K_XL, Q8_0"
    );
    assert_eq!(
        error(&["b.gguf", "a.gguf", "c.bin"], None, Some("c.gguf")),
        "has no file c.gguf; it has: a.gguf, b.gguf"
    );
    assert!(error(&["model.safetensors"], None, None).starts_with("has no GGUF file"));
    assert_eq!(error(&["mmproj-x.gguf"], None, None), "has no model, only files that go with one: mmproj-x.gguf");
    assert!(error(&[], None, None).starts_with("has no GGUF file"));
    let many: Vec<String> = (0..100).map(|n| format!("m{n:03}.gguf")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(error(&many, Some("Q4"), None).ends_with("m039 and 60 more"));
}

#[test]
fn an_exact_file_may_be_anything_that_is_there() {
    assert_eq!(chosen(MANY, None, Some("mmproj-m-Q8_0.gguf")).unwrap(), ["mmproj-m-Q8_0.gguf"]);
    assert_eq!(chosen(MANY, Some("Q4_0"), Some("m-F16.gguf")).unwrap(), ["m-F16.gguf"]);
}

#[test]
fn a_split_model_is_all_of_its_files() {
    let part = |n| format!("Q4_K_M/m-Q4_K_M-0000{n}-of-00003.gguf");
    let all: Vec<String> = (1..=3).map(part).collect();
    let mut paths = all.clone();
    paths.reverse();
    assert_eq!(choose(&paths, None, None).unwrap(), all);
    assert_eq!(choose(&paths, Some("Q4_K_M"), None).unwrap(), all);
    assert_eq!(choose(&paths, None, Some(&part(2))).unwrap(), all);
    paths.remove(1);
    let error = choose(&paths, None, None).unwrap_err().to_string();
    assert_eq!(
        error,
        "lacks 1 of the 3 parts of Q4_K_M/m-Q4_K_M-00001-of-00003.gguf: Q4_K_M/m-Q4_K_M-00002-of-00003.gguf"
    );
    for odd in ["m-0001-of-00003.gguf", "m-00004-of-00003.gguf", "m-00000-of-00003.gguf", "m.gguf", ".gguf"] {
        assert_eq!(Shard::of(odd), None, "{odd}");
    }
}

#[test]
fn labels_are_the_quant_or_the_name() {
    for (path, expected) in [
        ("x/m-Q4_K_M.gguf", "Q4_K_M"),
        ("m.q8_0.gguf", "Q8_0"),
        ("m-bf16-00001-of-00002.gguf", "BF16"),
        ("m-IQ3_XS-v2.gguf", "IQ3_XS"),
        ("m-MXFP4_MOE.gguf", "MXFP4_MOE"),
        ("stories.gguf", "stories"),
        ("Qwen-small.gguf", "Qwen-small"),
        ("größe 1.gguf", "größe 1"),
    ] {
        assert_eq!(label(path), expected);
    }
}
