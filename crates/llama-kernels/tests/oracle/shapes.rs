//! Sizes, strides and addresses.

use std::collections::BTreeMap;

use llama_kernels::Kind;
use proptest::prelude::*;

use crate::blocks;
use crate::case::Case;
use crate::source::Scales;

/// More columns than are computed together.
const MOST_COLUMNS: usize = 70;

/// What passes are made of, and one more than each.
const COLUMNS: [usize; 20] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 33, 65, MOST_COLUMNS];

fn case() -> impl Strategy<Value = Case> {
    let kind = prop::sample::select(Kind::ALL.to_vec());
    let scales = prop::sample::select(vec![Scales::Usual, Scales::Extreme, Scales::Tiny, Scales::Broken]);
    let few_or_many = prop_oneof![9 => 1..=16_usize, 1 => 17..=MOST_COLUMNS];
    let sizes = (1_usize..9, 0_usize..32, 1_usize..70, few_or_many);
    let memory = ([0_usize..4, 0_usize..4], [0_usize..70, 0_usize..7]);
    (kind, sizes, memory, scales, any::<u64>()).prop_map(
        |(kind, (n_blocks, tail, rows, columns), (shift, gap), scales, seed)| Case {
            kind,
            blocks: blocks(kind, n_blocks, tail),
            rows,
            columns,
            shift,
            gap,
            scales,
            seed,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_instruction_set_agrees_with_the_oracle(case in case()) {
        case.matter().check().map_err(TestCaseError::fail)?;
    }
}

#[test]
fn every_number_of_rows_around_a_tile() {
    for kind in Kind::ALL {
        for (i, rows) in (1..=17).chain(31..=33).chain(63..=65).enumerate() {
            let mut case = Case::usual(kind, blocks(kind, 1 + i % 3, i), rows, 1 + i % 5);
            case.gap = [i % 7, 0];
            case.matter().check().unwrap_or_else(|what| panic!("{case:?}: {what}"));
        }
    }
}

#[test]
fn every_number_of_columns_of_a_pass() {
    for kind in Kind::ALL {
        for columns in COLUMNS {
            // An odd number of blocks, rows for a whole tile of any set and for a part of one.
            let case = Case::usual(kind, blocks(kind, 3, 5), 19, columns);
            case.matter().check().unwrap_or_else(|what| panic!("{case:?}: {what}"));
        }
    }
}

#[test]
fn every_number_of_blocks_and_every_tail() {
    for kind in Kind::ALL {
        for n_blocks in 1..=if kind.block_values() == 1 { 70 } else { 9 } {
            let case = Case::usual(kind, n_blocks, 17, 3);
            case.matter().check().unwrap_or_else(|what| panic!("{case:?}: {what}"));
        }
    }
}

/// Rows so long that 70 columns are not all prepared at once.
#[test]
fn columns_that_are_prepared_in_turns() {
    for kind in Kind::ALL {
        let case = Case::usual(kind, (1 << 15) / kind.block_values(), 19, MOST_COLUMNS);
        case.matter().check().unwrap_or_else(|what| panic!("{case:?}: {what}"));
    }
}

#[test]
fn every_address() {
    for kind in Kind::ALL {
        for shift in 0..16 {
            let mut case = Case::usual(kind, blocks(kind, 2, 7), 18, 5);
            (case.shift, case.gap) = ([shift / 4, shift % 4], [shift % 5, shift % 3]);
            case.matter().check().unwrap_or_else(|what| panic!("{case:?}: {what}"));
        }
    }
}

/// Shown, so that it can be seen how far results are from what the bound allows.
#[test]
fn rows_as_long_as_in_a_model_stay_within_the_bound() {
    for kind in Kind::ALL {
        let mut largest = BTreeMap::new();
        let mut bound = 0.0_f64;
        for seed in 0..8 {
            let n_blocks = if kind.block_values() == 1 { 1536 } else { 2048 / kind.block_values() };
            let matter = Case { seed, ..Case::usual(kind, n_blocks, 33, 3) }.matter();
            let expected = matter.expected(0, 0);
            bound = bound.max(expected.bound() / expected.size);
            for (isa, error) in matter.check().unwrap() {
                let most = largest.entry(isa.name()).or_insert(0.0_f64);
                *most = most.max(error);
            }
        }
        let unit = f64::from(f32::EPSILON) / 2.0;
        let shown: Vec<_> = largest.iter().map(|(isa, error)| format!("{isa} {:.2}", error / unit)).collect();
        println!(
            "{kind:?}: largest error in units of 2^-24 of the terms' sizes: {} (bound {:.0})",
            shown.join(", "),
            bound / unit
        );
    }
}
