use super::*;
use crate::random::fnv1a;

fn checksum(file: &Gguf) -> u64 {
    file.to_bytes().map_or(0, |bytes| fnv1a(&bytes))
}

/// Pinned bytes: a change here is a change of every number other tests have measured on these models.
#[test]
fn models_have_the_same_bytes_everywhere() {
    let actual = [
        ("llama", checksum(&Llama::tiny().file())),
        ("llama spm", checksum(&Llama::tiny_spm().file())),
        ("llama f16", checksum(&Llama { dtype: DType::F16, ..Llama::tiny() }.file())),
        ("llama q8_0", checksum(&Llama { dtype: DType::Q8_0, ..Llama::tiny() }.file())),
        ("mamba", checksum(&Mamba::tiny().file())),
        ("hybrid", checksum(&Hybrid::tiny().file())),
        ("embedding", checksum(&Bert::embedding().file())),
        ("reranker", checksum(&Bert::reranker().file())),
        ("vocabulary", checksum(&vocab_only(&Vocab::wpm()))),
    ];
    let expected = [
        ("llama", 0x8918_5AA9_80E4_5A66),
        ("llama spm", 0xDE6B_F2E0_3EA0_04EF),
        ("llama f16", 0xB830_CD28_289A_C7C1),
        ("llama q8_0", 0x5EBF_E6FA_0D97_4854),
        ("mamba", 0xB7E9_AF83_0056_6FF1),
        ("hybrid", 0x0BCD_6BE4_A066_4148),
        ("embedding", 0x10B6_7A2F_48FE_48FE),
        ("reranker", 0x7FB3_CD93_B43D_8396),
        ("vocabulary", 0x4615_44B5_D280_FD09),
    ];
    assert_eq!(actual, expected, "{actual:#x?}");
}

#[test]
fn tiny_models_are_tiny() {
    for file in [
        Llama::tiny().file(),
        Llama::tiny_spm().file(),
        Llama::tiny_tools().file(),
        Mamba::tiny().file(),
        Hybrid::tiny().file(),
        Bert::embedding().file(),
        Bert::reranker().file(),
    ] {
        let name = file.get("general.name").cloned();
        assert!((20_000..240_000).contains(&file.byte_len()), "{name:?}: {} bytes", file.byte_len());
    }
}

#[test]
fn the_bench_model_has_about_100_million_parameters() {
    let file = Llama::bench_100m().file();
    assert!((95_000_000..105_000_000).contains(&file.parameter_count()), "{}", file.parameter_count());
    assert!((100_000_000..115_000_000).contains(&file.byte_len()), "{}", file.byte_len());
}

#[test]
fn another_seed_gives_other_weights_of_the_same_size() {
    let (one, two) = (Llama::tiny().file(), Llama { seed: 99, ..Llama::tiny() }.file());
    assert_eq!(one.byte_len(), two.byte_len());
    assert_ne!(checksum(&one), checksum(&two));
}
