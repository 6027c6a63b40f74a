//! A result depends on its row and its column alone: not on how many others there are, and not on who computes it. What
//! a sequence is told does not change when others join the batch.

use llama_kernels::{Isa, Kind, Product};

use crate::case::{Case, Matter};
use crate::source::Scales;
use crate::{blocks, sets};

fn bits(results: &[f32]) -> Vec<u32> {
    results.iter().map(|result| result.to_bits()).collect()
}

/// Some columns of a product.
fn part(matter: &Matter, isa: Isa, (first, n): (usize, usize)) -> Vec<Vec<u32>> {
    let product = matter.product();
    let columns = &product.columns[first * product.column_stride..];
    let product = Product { columns, n_columns: n, ..product };
    let mut out = vec![0.0; n * product.n_rows];
    product.compute(isa, &mut out, product.n_rows).unwrap();
    out.chunks(product.n_rows).map(bits).collect()
}

#[test]
fn a_column_gives_the_same_bits_with_any_others() {
    for kind in Kind::ALL {
        for scales in [Scales::Usual, Scales::Extreme] {
            let matter = Case { scales, ..Case::usual(kind, blocks(kind, 3, 5), 35, 70) }.matter();
            for isa in sets() {
                let all = part(&matter, isa, (0, 70));
                for n in (1..=17).chain([33, 64, 65]) {
                    // The first, so that each also has another place in its pass.
                    for first in [0, 3] {
                        let some = part(&matter, isa, (first, n));
                        let same = some == all[first..first + n];
                        assert!(same, "{kind:?} {}: {n} columns from {first} on", isa.name());
                    }
                }
            }
        }
    }
}

#[test]
fn a_row_gives_the_same_bits_with_any_others() {
    for kind in Kind::ALL {
        let matter = Case::usual(kind, blocks(kind, 3, 5), 67, 5).matter();
        let product = matter.product();
        for isa in sets() {
            let all = part(&matter, isa, (0, 5));
            for (first, n) in [(0, 1), (1, 1), (66, 1), (0, 15), (16, 17), (3, 64), (50, 17)] {
                let weights = &product.weights[first * product.row_stride..];
                let product = Product { weights, n_rows: n, ..product };
                let mut out = vec![0.0; 5 * n];
                product.compute(isa, &mut out, n).unwrap();
                for (some, all) in out.chunks(n).zip(&all) {
                    assert_eq!(bits(some), all[first..first + n], "{kind:?} {}: {n} rows from {first} on", isa.name());
                }
            }
        }
    }
}
