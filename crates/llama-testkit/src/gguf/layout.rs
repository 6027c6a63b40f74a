//! Where things are in a GGUF file's bytes, for changing them in place.

use super::{ALIGNMENT, Kind, aligned};

/// Positions, in bytes from the start of the file, of the parts of a well-formed file such as [`super::Gguf`] writes.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Metadata, in file order.
    pub values: Vec<ValueAt>,
    /// Tensor descriptions, in file order.
    pub tensors: Vec<TensorAt>,
    /// Start of the tensor data.
    pub data_at: usize,
}

/// Where one metadata entry is.
#[derive(Debug, Clone)]
pub struct ValueAt {
    /// The key itself.
    pub key: String,
    /// 64-bit length of the key; the key follows.
    pub key_len_at: usize,
    /// 32-bit type id.
    pub kind_at: usize,
    /// What the type id says.
    pub kind: Kind,
    /// The value. A string starts with a 64-bit length; an array with a 32-bit type id and a 64-bit count.
    pub value_at: usize,
}

/// Where one tensor description is.
#[derive(Debug, Clone)]
pub struct TensorAt {
    /// The name itself.
    pub name: String,
    /// 64-bit length of the name; the name follows.
    pub name_len_at: usize,
    /// 32-bit number of dimensions; the dimensions follow, 64 bits each.
    pub n_dims_at: usize,
    /// 32-bit element type.
    pub type_at: usize,
    /// 64-bit offset from the start of the data section.
    pub offset_at: usize,
}

impl Layout {
    /// Reads the positions; `None` if `bytes` is not a well-formed GGUF v3 file with the default alignment.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor { bytes, at: 0 };
        if cursor.take(4)? != b"GGUF" || cursor.u32()? != 3 {
            return None;
        }
        let (n_tensors, n_values) = (cursor.u64()?, cursor.u64()?);
        let values = (0..n_values).map(|_| cursor.value()).collect::<Option<_>>()?;
        let tensors = (0..n_tensors).map(|_| cursor.tensor()).collect::<Option<_>>()?;
        let data_at = aligned(cursor.at as u64) as usize;
        debug_assert_eq!(data_at as u64 % ALIGNMENT, 0);
        Some(Self { values, tensors, data_at })
    }

    /// First metadata entry of this kind.
    #[must_use]
    pub fn first_of(&self, kind: Kind) -> Option<&ValueAt> {
        self.values.iter().find(|value| value.kind == kind)
    }
}

struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    fn take(&mut self, count: u64) -> Option<&'b [u8]> {
        let end = self.at.checked_add(usize::try_from(count).ok()?)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        let len = self.u64()?;
        String::from_utf8(self.take(len)?.to_vec()).ok()
    }

    fn value(&mut self) -> Option<ValueAt> {
        let key_len_at = self.at;
        let key = self.text()?;
        let kind_at = self.at;
        let kind = Kind::from_id(self.u32()?)?;
        let value_at = self.at;
        self.skip(kind)?;
        Some(ValueAt { key, key_len_at, kind_at, kind, value_at })
    }

    fn skip(&mut self, kind: Kind) -> Option<()> {
        match (kind, kind.size()) {
            (_, Some(size)) => self.take(size).map(drop),
            (Kind::String, None) => self.text().map(drop),
            (_, None) => {
                let inner = Kind::from_id(self.u32()?)?;
                let count = self.u64()?;
                match inner.size() {
                    Some(size) => self.take(count.checked_mul(size)?).map(drop),
                    None => (0..count).try_for_each(|_| self.skip(inner)),
                }
            }
        }
    }

    fn tensor(&mut self) -> Option<TensorAt> {
        let name_len_at = self.at;
        let name = self.text()?;
        let n_dims_at = self.at;
        let n_dims = self.u32()?;
        self.take(u64::from(n_dims) * 8)?;
        let type_at = self.at;
        self.u32()?;
        let offset_at = self.at;
        self.u64()?;
        Some(TensorAt { name, name_len_at, n_dims_at, type_at, offset_at })
    }
}
