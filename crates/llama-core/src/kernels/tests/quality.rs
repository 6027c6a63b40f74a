//! Perplexity on a fixed text, with and without our kernels, for every type of weights.

use super::{Switch, context, load, logits_of_each, quantized};
use crate::backend::set_kernels;
use crate::ids::Token;
use llama_testkit::golden;
use std::path::Path;

/// Types as `llama_ftype` counts them, and whether all matrices get the same.
const TYPES: [(&str, u32, bool); 8] = [
    ("F16", 1, true),
    ("BF16", 32, true),
    ("Q8_0", 7, true),
    ("Q4_0", 2, true),
    ("Q4_K", 14, true),
    ("Q5_K", 16, true),
    ("Q6_K", 18, true),
    ("Q4_K_M", 15, false),
];

/// How the text is read, in tokens at a time: other kernels of llama.cpp each time, for attention too.
const WIDTHS: [usize; 3] = [1, 8, 64];

/// Mean surprise at the golden conversations, prompts and answers.
fn surprise(path: &Path, kernels: bool, width: usize) -> f64 {
    set_kernels(kernels);
    let model = load(path);
    let (mut sum, mut n) = (0.0, 0);
    for entry in &golden::demo().entries {
        let tokens: Vec<Token> = entry.prompt_tokens.iter().chain(&entry.tokens).copied().map(Token).collect();
        let rows = logits_of_each(&mut context(&model), &tokens, width);
        for (logits, next) in rows.iter().zip(&tokens[1..]) {
            let largest = logits.iter().copied().fold(f32::MIN, f32::max);
            let total: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
            sum += f64::from(total.ln() + largest - logits[usize::try_from(next.0).unwrap()]);
            n += 1;
        }
    }
    sum / f64::from(n)
}

/// Read once, such a short text varies by about as much as is asked for, because a step of an activation more or less
/// moves all that follows: llama.cpp's own kernels are up to 0.05 % apart with other widths. So it is read in three ways.
#[test]
fn perplexity_is_the_same_for_every_type() {
    let Some(_switch) = Switch::take() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (name, ftype, pure) in TYPES {
        let path = folder.path().join(format!("{name}.gguf"));
        quantized(&golden::demo_model_path(), &path, ftype, pure);
        let mut totals = [0.0; 2];
        for width in WIDTHS {
            let both = [true, false].map(|kernels| surprise(&path, kernels, width));
            let [with, without] = both.map(f64::exp);
            let change = (with / without - 1.0) * 100.0;
            println!("{name}, {width} at a time: {with:.5} with, {without:.5} without, {change:+.4} %");
            assert!(change.abs() < 0.25, "{name}, {width} at a time");
            totals = [totals[0] + both[0], totals[1] + both[1]];
        }
        let [with, without] = totals.map(|total| (total / WIDTHS.len() as f64).exp());
        let change = (with / without - 1.0) * 100.0;
        println!("{name}: {with:.5} with, {without:.5} without, {change:+.4} %");
        assert!(change.abs() < 0.1, "{name}: {with} instead of {without}");
    }
}
