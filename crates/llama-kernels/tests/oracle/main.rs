//! Every instruction set that this machine has gives what the oracle gives: for random and adversarial blocks, all tails,
//! any number of columns, at any address.
//!
//! `-- --nocapture` shows the sets that were tested and the largest error of each.
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]
#![allow(clippy::print_stdout, reason = "figures that are shown, not judged")]

mod case;
#[cfg(unix)]
mod guard;
mod hostile;
mod same;
mod shapes;
mod source;

use llama_kernels::{Isa, Kind, Product};

/// The sets of this machine; [`Isa::Plain`] is always one.
fn sets() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.is_available())
}

/// Blocks of a row that is about as long for every kind: floats have blocks of one value, and `tail` more than whole
/// vectors.
fn blocks(kind: Kind, blocks: usize, tail: usize) -> usize {
    if kind.block_values() == 1 { blocks * 32 + tail } else { blocks }
}

#[test]
fn sizes_that_do_not_go_together_are_refused() {
    let (weights, columns) = (vec![0; 34 * 4], vec![0; 34 * 2]);
    let good = Product {
        kind: Kind::Q8_0,
        n_values: 32,
        n_rows: 4,
        n_columns: 2,
        weights: &weights,
        row_stride: 34,
        columns: &columns,
        column_stride: 34,
    };
    let mut out = [0.0; 8];
    good.compute(Isa::Plain, &mut out, 4).unwrap();
    let bad = [
        Product { n_values: 33, ..good },
        Product { n_values: 64, ..good },
        Product { n_values: 0, ..good },
        Product { n_rows: 5, ..good },
        Product { n_columns: 3, ..good },
        Product { n_columns: 0, ..good },
        Product { row_stride: 33, ..good },
        Product { row_stride: usize::MAX, ..good },
        Product { column_stride: 35, ..good },
    ];
    for product in bad {
        assert!(product.compute(Isa::Plain, &mut out, 4).is_err(), "{product:?}");
    }
    assert!(good.compute(Isa::Plain, &mut out, 5).is_err(), "the second column of results ends after the slice");
    assert!(good.compute(Isa::Plain, &mut out, 3).is_err(), "columns of results overlap");
    for isa in Isa::ALL {
        assert_eq!(good.compute(isa, &mut out, 4).is_ok(), isa.is_available(), "{}", isa.name());
    }
}

#[test]
fn the_best_set_is_one_that_is_tested() {
    let tested: Vec<_> = sets().collect();
    println!("tested: {}", tested.iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", "));
    assert_eq!(tested[0], Isa::best());
    assert!(tested.contains(&Isa::Plain));
}
