//! Bad files: well-formed models broken in one known way each.
//!
//! [`Defect::ALL`] is for table tests ("each is refused with a typed error"); [`truncations`] for cutting a file at many
//! places; [`unloadable`] for files whose form is right and whose content is not.

mod unloadable;

pub use unloadable::{Unloadable, unloadable};

use crate::gguf::{Kind, Layout};
use crate::random::Random;

/// A number no count, length or size can honestly have; doubled or multiplied it overflows.
const ABSURD: u64 = 0x7FFF_FFFF_FFFF_FFF0;

/// Positions of the header's fields, in bytes.
const VERSION_AT: usize = 4;
const N_TENSORS_AT: usize = 8;
const N_VALUES_AT: usize = 16;

/// One way to break the bytes of a file that [`Gguf`](crate::gguf::Gguf) wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Defect {
    /// No bytes at all.
    Empty,
    /// The four bytes `GGUF` are `GGML`.
    WrongMagic,
    /// Version 0.
    VersionZero,
    /// Version 1, which llama.cpp dropped.
    VersionOne,
    /// Version 4, which does not exist.
    VersionFuture,
    /// The version's bytes are in the other order, as on a big-endian machine.
    OtherEndian,
    /// An absurd number of tensors.
    HugeTensorCount,
    /// A number of tensors that is negative as a signed number.
    NegativeTensorCount,
    /// One tensor more than there is.
    OneTensorTooMany,
    /// An absurd number of metadata entries.
    HugeValueCount,
    /// An absurd length of the first key.
    HugeKeyLength,
    /// An empty first key.
    EmptyKey,
    /// An absurd length of the first string value.
    HugeStringLength,
    /// An absurd length of the first array.
    HugeArrayLength,
    /// A length of the first array that is plausible and needs tens of gigabytes.
    LargeArrayLength,
    /// A metadata type id that does not exist.
    UnknownValueType,
    /// A tensor type id that does not exist.
    UnknownTensorType,
    /// An absurd length of the first tensor's name.
    HugeTensorName,
    /// More dimensions than llama.cpp has.
    TooManyDimensions,
    /// A negative first dimension.
    NegativeDimension,
    /// Dimensions whose product overflows 64 bits.
    OverflowingDimensions,
    /// One dimension far larger than the file.
    HugeDimension,
    /// A tensor that starts past the end of the file.
    OffsetPastEnd,
    /// A tensor that does not start at a multiple of the alignment.
    MisalignedOffset,
    /// Two tensors at the same place.
    OverlappingTensors,
    /// The data section ends in the middle of the last tensor.
    DataCutShort,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::Empty,
        Self::WrongMagic,
        Self::VersionZero,
        Self::VersionOne,
        Self::VersionFuture,
        Self::OtherEndian,
        Self::HugeTensorCount,
        Self::NegativeTensorCount,
        Self::OneTensorTooMany,
        Self::HugeValueCount,
        Self::HugeKeyLength,
        Self::EmptyKey,
        Self::HugeStringLength,
        Self::HugeArrayLength,
        Self::LargeArrayLength,
        Self::UnknownValueType,
        Self::UnknownTensorType,
        Self::HugeTensorName,
        Self::TooManyDimensions,
        Self::NegativeDimension,
        Self::OverflowingDimensions,
        Self::HugeDimension,
        Self::OffsetPastEnd,
        Self::MisalignedOffset,
        Self::OverlappingTensors,
        Self::DataCutShort,
    ];

    /// A copy of `bytes` with this defect.
    ///
    /// `None` if `bytes` is not a GGUF file, or lacks what would be broken: a string, an array, two matrices.
    #[must_use]
    pub fn apply(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let layout = Layout::of(bytes)?;
        let mut out = bytes.to_vec();
        match self {
            Self::Empty => out.clear(),
            Self::WrongMagic => out[..4].copy_from_slice(b"GGML"),
            Self::VersionZero => put32(&mut out, VERSION_AT, 0),
            Self::VersionOne => put32(&mut out, VERSION_AT, 1),
            Self::VersionFuture => put32(&mut out, VERSION_AT, 4),
            Self::OtherEndian => put32(&mut out, VERSION_AT, 3_u32.swap_bytes()),
            Self::HugeTensorCount => put64(&mut out, N_TENSORS_AT, ABSURD),
            Self::NegativeTensorCount => put64(&mut out, N_TENSORS_AT, u64::MAX),
            Self::OneTensorTooMany => put64(&mut out, N_TENSORS_AT, layout.tensors.len() as u64 + 1),
            Self::HugeValueCount => put64(&mut out, N_VALUES_AT, ABSURD),
            Self::HugeKeyLength => put64(&mut out, layout.values.first()?.key_len_at, ABSURD),
            Self::EmptyKey => put64(&mut out, layout.values.first()?.key_len_at, 0),
            Self::HugeStringLength => put64(&mut out, layout.first_of(Kind::String)?.value_at, ABSURD),
            Self::HugeArrayLength => put64(&mut out, layout.first_of(Kind::Array)?.value_at + 4, ABSURD),
            Self::LargeArrayLength => put64(&mut out, layout.first_of(Kind::Array)?.value_at + 4, 1 << 31),
            Self::UnknownValueType => put32(&mut out, layout.values.first()?.kind_at, 99),
            Self::UnknownTensorType => put32(&mut out, layout.tensors.first()?.type_at, 9999),
            Self::HugeTensorName => put64(&mut out, layout.tensors.first()?.name_len_at, ABSURD),
            Self::TooManyDimensions => put32(&mut out, layout.tensors.first()?.n_dims_at, 9),
            Self::NegativeDimension => put64(&mut out, layout.tensors.first()?.n_dims_at + 4, u64::MAX),
            Self::OverflowingDimensions => {
                let dims_at = matrix(&layout, bytes)?;
                put64(&mut out, dims_at, 1 << 40);
                put64(&mut out, dims_at + 8, 1 << 40);
            }
            Self::HugeDimension => {
                let dims_at = matrix(&layout, bytes)?;
                put64(&mut out, dims_at + 8, 1 << 40);
            }
            Self::OffsetPastEnd => put64(&mut out, layout.tensors.last()?.offset_at, 1 << 40),
            Self::MisalignedOffset => put64(&mut out, layout.tensors.get(1)?.offset_at, 33),
            Self::OverlappingTensors => put64(&mut out, layout.tensors.get(1)?.offset_at, 0),
            Self::DataCutShort => out.truncate(layout.data_at + (out.len() - layout.data_at) / 2),
        }
        Some(out)
    }
}

/// `count` lengths to cut a file of `len` bytes to: 0, 1, and the rest random below `len`, half of them within its first
/// 4096 bytes, where the structure is.
pub fn truncations(len: usize, count: usize, seed: u64) -> impl Iterator<Item = usize> {
    let mut random = Random::new(seed);
    (0..count).map(move |i| match i {
        0 | 1 => i.min(len),
        _ => {
            let bound = if i % 2 == 0 { len.min(4096) } else { len };
            random.below(bound as u64) as usize
        }
    })
}

/// Position of the dimensions of the first tensor with two.
fn matrix(layout: &Layout, bytes: &[u8]) -> Option<usize> {
    let two = 2_u32.to_le_bytes();
    let found =
        layout.tensors.iter().find(|tensor| bytes.get(tensor.n_dims_at..tensor.n_dims_at + 4) == Some(&two[..]))?;
    Some(found.n_dims_at + 4)
}

fn put32(out: &mut [u8], at: usize, value: u32) {
    out[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn put64(out: &mut [u8], at: usize, value: u64) {
    out[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;
    use crate::gguf::Gguf;
    use crate::models::Llama;
    use std::collections::HashSet;

    #[test]
    fn every_defect_changes_the_file_in_its_own_way() {
        let bytes = Llama::tiny().file().to_bytes().unwrap();
        let mut seen = HashSet::from([bytes.clone()]);
        for defect in Defect::ALL {
            assert!(seen.insert(defect.apply(&bytes).unwrap()), "{defect:?}");
        }
    }

    #[test]
    fn a_defect_of_what_is_not_there_is_none() {
        assert_eq!(Defect::WrongMagic.apply(b"not a model"), None);
        let bare = Gguf::new("llama").to_bytes().unwrap();
        assert_eq!(Defect::OffsetPastEnd.apply(&bare), None);
        assert!(Defect::HugeStringLength.apply(&bare).is_some());
    }

    #[test]
    fn truncations_stay_below_the_length() {
        let cuts: Vec<usize> = truncations(100_000, 200, 1).collect();
        assert_eq!(cuts.len(), 200);
        assert!(cuts.iter().all(|cut| *cut < 100_000));
        assert!(cuts.iter().any(|cut| *cut > 4096));
        assert!(truncations(0, 5, 1).all(|cut| cut == 0));
    }
}
