//! Blocks with the extremes of every field, and scales that are no numbers.

use llama_kernels::oracle;
use llama_kernels::{ColumnType, Kind, Q4_0, Q4K, Q5K, Q6K, Q8_0};

use crate::case::{Case, Matter};
use crate::source::{Source, q8_k};
use crate::{blocks, sets};

/// Half-precision scales: one, its negative, zeros, the smallest, the largest.
const HALVES: [u16; 7] = [0x3C00, 0xBC00, 0, 0x8000, 1, 0x7BFF, 0xFBFF];

/// A block of weights whose every field is `byte`, but for the scales.
fn weights(kind: Kind, byte: u8, scale: u16) -> Vec<u8> {
    let d = scale.to_le_bytes();
    match kind {
        Kind::F16 | Kind::Bf16 => d.to_vec(),
        Kind::Q8_0 => Q8_0 { d, qs: [byte as i8; 32] }.to_bytes(),
        Kind::Q4_0 => Q4_0 { d, qs: [byte; 16] }.to_bytes(),
        Kind::Q4K => Q4K { d, dmin: d, scales: [byte; 12], qs: [byte; 128] }.to_bytes(),
        Kind::Q5K => Q5K { d, dmin: d, scales: [byte; 12], qh: [byte; 32], qs: [byte; 128] }.to_bytes(),
        Kind::Q6K => Q6K { ql: [byte; 128], qh: [byte; 64], scales: [byte as i8; 16], d }.to_bytes(),
    }
}

fn column(kind: Kind, byte: u8, scale: u16) -> Vec<u8> {
    match kind.column_type() {
        ColumnType::F16 | ColumnType::Bf16 => scale.to_le_bytes().to_vec(),
        ColumnType::Q8_0 => Q8_0 { d: scale.to_le_bytes(), qs: [byte as i8; 32] }.to_bytes(),
        ColumnType::Q8K => q8_k(llama_kernels::f16_to_f32(scale), &[byte; 256]),
    }
}

/// With scales of one every sum is a whole number below `2^24`, or a multiple of a large power of two: nothing is rounded, and
/// nothing may saturate.
#[test]
fn extreme_values_are_multiplied_exactly_and_nothing_saturates() {
    let extremes = [0x80, 0x7F, 0xFF, 0x00, 0x01, 0x81, 0x0F, 0xF0, 0x88];
    for kind in [Kind::Q8_0, Kind::Q4_0, Kind::Q6K] {
        for w in extremes {
            let rows = vec![weights(kind, w, 0x3C00).repeat(2); 17];
            let columns = extremes.map(|x| column(kind, x, 0x3C00).repeat(2)).to_vec();
            let case = Case::usual(kind, 2, 17, columns.len());
            let matter = Matter::new(case, rows, columns);
            for isa in sets() {
                for (c, results) in matter.compute(isa).unwrap().iter().enumerate() {
                    let exact = matter.expected(0, c).value;
                    for &actual in results {
                        assert_eq!(f64::from(actual), exact, "{kind:?} {} {w:#x} times {:#x}", isa.name(), extremes[c]);
                    }
                }
            }
        }
    }
}

/// Extreme values with extreme scales, in rows of a few different blocks.
#[test]
fn extreme_values_with_extreme_scales() {
    let extremes = [0x80, 0x7F, 0xFF, 0x00, 0x0F];
    let mut source = Source(5);
    for kind in Kind::ALL {
        let line = |make: fn(Kind, u8, u16) -> Vec<u8>, source: &mut Source| {
            let mut pick = |n: usize| source.next() as usize % n;
            let parts: Vec<_> =
                (0..blocks(kind, 2, 3)).map(|_| make(kind, extremes[pick(5)], HALVES[pick(7)])).collect();
            parts.concat()
        };
        let rows = (0..70).map(|_| line(weights, &mut source)).collect();
        let columns = (0..40).map(|_| line(column, &mut source)).collect();
        let case = Case::usual(kind, blocks(kind, 2, 3), 70, 40);
        Matter::new(case, rows, columns).check().unwrap_or_else(|what| panic!("{kind:?}: {what}"));
    }
}

/// Like ggml: what is multiplied by a scale that is no number is none, and nobody else notices.
#[test]
fn a_scale_that_is_no_number_spoils_its_row_or_column_only() {
    for kind in Kind::ALL {
        let good = Case::usual(kind, blocks(kind, 3, 1), 21, 6).matter();
        // NaN and infinities, in half precision and as brain floats.
        let broken = if kind == Kind::Bf16 { [0x7FC0, 0x7F80, 0xFF80] } else { [0x7E00, 0x7C00, 0xFC00] };
        for (which, scale) in broken.into_iter().enumerate() {
            let (row, column_at) = (2 + 8 * which, 1 + which);
            let spoil = |lines: &[Vec<u8>], at: usize, block: Vec<u8>| {
                let mut lines = lines.to_vec();
                lines[at].splice(block.len()..2 * block.len(), block);
                lines
            };
            let rows = spoil(&good.rows.each, row, weights(kind, 0x2B, scale));
            let in_row = Matter::new(good.case, rows, good.columns.each.clone());
            // As a single-precision scale the half's infinity and NaN are the same.
            let columns = spoil(&good.columns.each, column_at, column(kind, 0x2B, scale));
            let in_column = Matter::new(good.case, good.rows.each.clone(), columns);
            for isa in sets() {
                let before = good.compute(isa).unwrap();
                let [by_row, by_column] = [&in_row, &in_column].map(|matter| matter.compute(isa).unwrap());
                for c in 0..6 {
                    for r in 0..21 {
                        let place = format!("{kind:?} {} {scale:#x} row {r} column {c}", isa.name());
                        judge(by_row[c][r], (r == row, which == 0), before[c][r], &place);
                        judge(by_column[c][r], (c == column_at, which == 0), before[c][r], &place);
                    }
                }
            }
            in_row.check().unwrap();
            in_column.check().unwrap();
        }
    }
}

fn judge(actual: f32, (spoilt, by_nan): (bool, bool), before: f32, place: &str) {
    match (spoilt, by_nan) {
        (true, true) => assert!(actual.is_nan(), "{place}: {actual}"),
        (true, false) => assert!(!actual.is_finite(), "{place}: {actual}"),
        (false, _) => assert_eq!(actual.to_bits(), before.to_bits(), "{place}"),
    }
}

/// Where infinity has a sign, it is the product's.
#[test]
fn an_infinite_scale_keeps_its_sign() {
    for kind in [Kind::Q8_0, Kind::Q4_0, Kind::Q6K] {
        // Values and group scales of one: 0x99 is 1 less its 8 twice; 0x21 with high bits 2 is 1 above 32.
        let block = |d: u16| match kind {
            Kind::Q8_0 => weights(kind, 1, d),
            Kind::Q4_0 => weights(kind, 0x99, d),
            _ => {
                let (ql, qh) = ([0x11; 128], [0xAA; 64]);
                Q6K { ql, qh, scales: [1; 16], d: d.to_le_bytes() }.to_bytes()
            }
        };
        let rows = vec![block(0x7C00), block(0xFC00), block(0x3C00)];
        let columns = vec![column(kind, 3, 0x3C00), column(kind, 0xFD, 0x3C00)];
        let matter = Matter::new(Case::usual(kind, 1, 3, 2), rows, columns);
        let n = kind.block_values() as f32 * 3.0;
        let expected = [[f32::INFINITY, f32::NEG_INFINITY, n], [f32::NEG_INFINITY, f32::INFINITY, -n]];
        for isa in sets() {
            assert_eq!(matter.compute(isa).unwrap(), expected, "{kind:?} {}", isa.name());
        }
    }
}

/// The oracle is right about blocks that are easy to compute by hand, so that it and the kernels cannot be wrong together.
#[test]
fn the_oracle_on_blocks_by_hand() {
    let dot = |kind, row: &[u8], column: &[u8]| oracle::dot(kind, row, column).value;
    let ones = |kind| column(kind, 1, 0x3C00);
    // Value `i` of the block is only in the column at `i`: one of them at a time.
    let unit = |at: usize| {
        let mut values = [0; 256];
        values[at] = 1;
        q8_k(1.0, &values)
    };
    assert_eq!(dot(Kind::Q8_0, &weights(Kind::Q8_0, 0x80, 0x3C00), &ones(Kind::Q8_0)), 32.0 * -128.0);
    // Low half 2, high half 15, each less 8.
    assert_eq!(dot(Kind::Q4_0, &weights(Kind::Q4_0, 0xF2, 0x3C00), &ones(Kind::Q4_0)), 16.0 * (2.0 - 8.0 + 15.0 - 8.0));
    // Group scales 1..=4 in the low six bits, offsets all zero; then groups 4 to 7 get 9 from the low halves of the last
    // four bytes and 2 << 4 from the top bits of the first four.
    let scales = [0x81, 0x82, 0x83, 0x84, 0, 0, 0, 0, 9, 9, 9, 9];
    let one = 0x3C00_u16.to_le_bytes();
    let mut four = Q4K { d: one, dmin: one, scales, qs: [0; 128] };
    four.qs[32 * 2 + 7] = 0xA5;
    let bytes = four.to_bytes();
    assert_eq!(dot(Kind::Q4K, &bytes, &unit(4 * 32 + 7)), f64::from((0x20 + 9) * 5));
    assert_eq!(dot(Kind::Q4K, &bytes, &unit(5 * 32 + 7)), f64::from((0x20 + 9) * 10));
    assert_eq!(dot(Kind::Q4K, &bytes, &unit(7)), 0.0);
    let mut five = Q5K { d: one, dmin: one, scales, qh: [0; 32], qs: four.qs };
    five.qh[7] = 1 << 5 | 1 << 1;
    five.scales[4] = 3;
    let bytes = five.to_bytes();
    assert_eq!(dot(Kind::Q5K, &bytes, &unit(4 * 32 + 7)), f64::from((0x20 + 9) * 5));
    assert_eq!(dot(Kind::Q5K, &bytes, &unit(5 * 32 + 7)), f64::from((0x20 + 9) * (10 + 16)));
    assert_eq!(dot(Kind::Q5K, &bytes, &unit(32 + 7)), 2.0 * 16.0);
    assert_eq!(dot(Kind::Q5K, &bytes, &unit(3)), -3.0, "an offset is subtracted");
    let mut six = Q6K { ql: [0; 128], qh: [0; 64], scales: [0; 16], d: one };
    // Value 128 + 3 * 32 + 5: the high half of byte 64 + 32 + 5, bits 6 and 7 of byte 32 + 5; its group of 16 is 14.
    (six.ql[101], six.qh[37], six.scales[14]) = (0x70, 0x40, -2);
    let bytes = six.to_bytes();
    assert_eq!(dot(Kind::Q6K, &bytes, &unit(229)), f64::from((0x17 - 32) * -2));
    assert_eq!(dot(Kind::Q6K, &bytes, &unit(230)), f64::from(-32 * -2));
    assert_eq!(dot(Kind::Q6K, &bytes, &unit(0)), 0.0);
}
