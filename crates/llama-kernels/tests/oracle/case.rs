//! A product made from a few numbers, and the comparison of its results with the oracle's.

use llama_kernels::oracle::{self, Dot};
use llama_kernels::{Isa, Kind, Product};

use crate::source::{Scales, Source};

/// What results are before they are computed, and after where nothing may be written.
pub(crate) const UNTOUCHED: f32 = -7.5;

/// Floats between the columns of results.
const OUT_GAP: usize = 3;

/// Sizes of a product, and what is odd about its memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) blocks: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Bytes before the rows, and before the columns.
    pub(crate) shift: [usize; 2],
    /// Bytes between rows, and between columns.
    pub(crate) gap: [usize; 2],
    pub(crate) scales: Scales,
    pub(crate) seed: u64,
}

/// Rows or columns one after the other, as a product wants them.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) each: Vec<Vec<u8>>,
    pub(crate) bytes: Vec<u8>,
    shift: usize,
    pub(crate) stride: usize,
}

impl Lines {
    fn new(each: Vec<Vec<u8>>, shift: usize, gap: usize) -> Self {
        let mut bytes = vec![0xA5; shift];
        for line in &each {
            bytes.extend(line);
            bytes.extend(vec![0xA5; gap]);
        }
        // No byte after the last: a read past it would be past the vector.
        bytes.truncate(bytes.len() - gap);
        let stride = each[0].len() + gap;
        Self { each, bytes, shift, stride }
    }

    pub(crate) fn used(&self) -> &[u8] {
        &self.bytes[self.shift..]
    }
}

/// The rows and columns of a case.
#[derive(Debug)]
pub(crate) struct Matter {
    pub(crate) case: Case,
    pub(crate) rows: Lines,
    pub(crate) columns: Lines,
}

impl Case {
    /// Blocks as in a model, one after the other.
    pub(crate) fn usual(kind: Kind, blocks: usize, rows: usize, columns: usize) -> Self {
        let seed = (blocks * 31 + rows * 7 + columns) as u64;
        Self { kind, blocks, rows, columns, shift: [0; 2], gap: [0; 2], scales: Scales::Usual, seed }
    }

    pub(crate) fn n_values(&self) -> usize {
        self.blocks * self.kind.block_values()
    }

    pub(crate) fn matter(self) -> Matter {
        let mut source = Source(self.seed);
        let rows = (0..self.rows).map(|_| source.row(self.kind, self.n_values(), self.scales)).collect();
        let columns = (0..self.columns).map(|_| source.column(self.kind, self.n_values(), self.scales)).collect();
        Matter::new(self, rows, columns)
    }
}

impl Matter {
    pub(crate) fn new(case: Case, rows: Vec<Vec<u8>>, columns: Vec<Vec<u8>>) -> Self {
        let rows = Lines::new(rows, case.shift[0], case.gap[0]);
        let columns = Lines::new(columns, case.shift[1], case.gap[1]);
        Self { case, rows, columns }
    }

    pub(crate) fn product(&self) -> Product<'_> {
        Product {
            kind: self.case.kind,
            n_values: self.case.n_values(),
            n_rows: self.rows.each.len(),
            n_columns: self.columns.each.len(),
            weights: self.rows.used(),
            row_stride: self.rows.stride,
            columns: self.columns.used(),
            column_stride: self.columns.stride,
        }
    }

    /// The results, column by column; nothing between them is written.
    pub(crate) fn compute(&self, isa: Isa) -> Result<Vec<Vec<f32>>, String> {
        let rows = self.rows.each.len();
        let stride = rows + OUT_GAP;
        let mut out = vec![UNTOUCHED; stride * self.columns.each.len()];
        self.product().compute(isa, &mut out, stride).map_err(|error| error.to_string())?;
        for column in out.chunks(stride) {
            if column[rows..].iter().any(|&rest| rest != UNTOUCHED) {
                return Err(format!("{} wrote past the rows", isa.name()));
            }
        }
        Ok(out.chunks(stride).map(|column| column[..rows].to_vec()).collect())
    }

    pub(crate) fn expected(&self, row: usize, column: usize) -> Dot {
        oracle::dot(self.case.kind, &self.rows.each[row], &self.columns.each[column])
    }

    /// Compares the results of every set. Gives the largest errors, in parts of the sum of the terms' sizes.
    pub(crate) fn check(&self) -> Result<Vec<(Isa, f64)>, String> {
        let expected: Vec<Vec<Dot>> = (0..self.columns.each.len())
            .map(|column| (0..self.rows.each.len()).map(|row| self.expected(row, column)).collect())
            .collect();
        let mut errors = Vec::new();
        for isa in crate::sets() {
            let mut largest = 0.0_f64;
            for (c, (actual, expected)) in self.compute(isa)?.iter().zip(&expected).enumerate() {
                for (r, (&actual, expected)) in actual.iter().zip(expected).enumerate() {
                    if !expected.admits(actual) {
                        let bound = expected.bound();
                        return Err(format!(
                            "{} row {r} column {c}: {actual} is not within {bound} of {expected:?}",
                            isa.name()
                        ));
                    }
                    if expected.size > 1e-30 && expected.size < 1e30 && actual.is_finite() {
                        largest = largest.max((f64::from(actual) - expected.value).abs() / expected.size);
                    }
                }
            }
            errors.push((isa, largest));
        }
        Ok(errors)
    }
}
