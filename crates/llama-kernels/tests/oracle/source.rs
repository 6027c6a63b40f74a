//! Blocks of weights and columns from a seed.

use llama_kernels::{ColumnType, Kind, f32_to_bf16, f32_to_f16};

/// How wild the scales are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scales {
    /// As in a model.
    Usual,
    /// Zeros, subnormal numbers, the largest ones, of both signs.
    Extreme,
    /// Nothing but subnormal numbers.
    Tiny,
    /// Also infinities and NaN.
    Broken,
}

/// A small generator: cases shrink by their sizes, the contents follow from a seed.
#[derive(Debug)]
pub(crate) struct Source(pub(crate) u64);

impl Source {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.next() as usize % from.len()]
    }

    /// Random bytes, with runs of the extreme ones.
    fn bytes(&mut self, n: usize) -> Vec<u8> {
        let same = self.pick(&[None, None, None, Some(0), Some(0x80), Some(0x7F), Some(0xFF)]);
        (0..n).map(|_| same.unwrap_or(self.next() as u8)).collect()
    }

    fn usual(&mut self) -> f32 {
        (self.next() % 2000) as f32 * 1e-4 - 0.1
    }

    fn half(&mut self, scales: Scales) -> [u8; 2] {
        let usual = f32_to_f16(self.usual());
        let bits = match scales {
            Scales::Usual => usual,
            // Zeros, the smallest and the largest subnormal, the smallest normal, the largest number, one.
            Scales::Extreme => self.pick(&[0, 0x8000, 1, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x3C00, usual]),
            Scales::Tiny => self.next() as u16 & 0x83FF,
            Scales::Broken => self.pick(&[0x7C00, 0xFC00, 0x7E00, 0xFE01, 0, usual, usual, usual]),
        };
        bits.to_le_bytes()
    }

    fn brain(&mut self, scales: Scales) -> [u8; 2] {
        let usual = f32_to_bf16(self.usual());
        let bits = match scales {
            Scales::Usual => usual,
            Scales::Extreme => self.pick(&[0, 0x8000, 1, 0x807F, 0x0080, 0x5F00, 0xDF00, 0x3F80, usual]),
            Scales::Tiny => self.next() as u16 & 0x807F,
            Scales::Broken => self.pick(&[0x7F80, 0xFF80, 0x7FC0, 0x7F7F, 0xFF7F, 0, usual, usual]),
        };
        bits.to_le_bytes()
    }

    fn single(&mut self, scales: Scales) -> [u8; 4] {
        let value = match scales {
            Scales::Usual => self.usual(),
            Scales::Extreme => self.pick(&[0.0, -0.0, 1e-45, -1e-39, 1e-30, 1e27, -1e24, 1.0]),
            Scales::Tiny => f32::from_bits(self.next() as u32 & 0x807F_FFFF),
            Scales::Broken => self.pick(&[f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, 0.0, 1.0, 1.0, 1.0]),
        };
        value.to_le_bytes()
    }

    pub(crate) fn row(&mut self, kind: Kind, n_values: usize, scales: Scales) -> Vec<u8> {
        let mut row = Vec::new();
        for _ in 0..n_values / kind.block_values() {
            match kind {
                Kind::F16 => row.extend(self.half(scales)),
                Kind::Bf16 => row.extend(self.brain(scales)),
                Kind::Q8_0 | Kind::Q4_0 => {
                    row.extend(self.half(scales));
                    row.extend(self.bytes(kind.block_bytes() - 2));
                }
                Kind::Q4K | Kind::Q5K => {
                    row.extend(self.half(scales));
                    row.extend(self.half(scales));
                    row.extend(self.bytes(12));
                    row.extend(self.bytes(kind.block_bytes() - 16));
                }
                Kind::Q6K => {
                    row.extend(self.bytes(192));
                    row.extend(self.bytes(16));
                    row.extend(self.half(scales));
                }
            }
        }
        row
    }

    pub(crate) fn column(&mut self, kind: Kind, n_values: usize, scales: Scales) -> Vec<u8> {
        let mut column = Vec::new();
        for _ in 0..n_values / kind.block_values() {
            match kind.column_type() {
                ColumnType::F16 => column.extend(self.half(scales)),
                ColumnType::Bf16 => column.extend(self.brain(scales)),
                ColumnType::Q8_0 => {
                    column.extend(self.half(scales));
                    column.extend(self.bytes(32));
                }
                ColumnType::Q8K => {
                    let (d, values) = (self.single(scales), self.bytes(256));
                    column.extend(q8_k(f32::from_le_bytes(d), &values));
                }
            }
        }
        column
    }
}

/// A block of a column for K-quants, with the sums that belong to its values.
pub(crate) fn q8_k(d: f32, values: &[u8]) -> Vec<u8> {
    let sum = |part: &[u8]| part.iter().map(|&byte| i16::from(byte as i8)).sum::<i16>();
    let mut block = d.to_le_bytes().to_vec();
    block.extend(values);
    block.extend(values.chunks(16).flat_map(|part| sum(part).to_le_bytes()));
    block
}
