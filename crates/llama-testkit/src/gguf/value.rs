//! Metadata values and how GGUF v3 stores them (little endian).

/// One metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Unsigned 8 bits.
    U8(u8),
    /// Signed 8 bits.
    I8(i8),
    /// Unsigned 16 bits.
    U16(u16),
    /// Signed 16 bits.
    I16(i16),
    /// Unsigned 32 bits: what llama.cpp wants for nearly every count and id.
    U32(u32),
    /// Signed 32 bits.
    I32(i32),
    /// 32-bit float.
    F32(f32),
    /// One byte, 0 or 1.
    Bool(bool),
    /// Length and UTF-8 bytes, no terminator.
    String(String),
    /// Elements of one kind; see [`Array`].
    Array(Array),
    /// Unsigned 64 bits.
    U64(u64),
    /// Signed 64 bits.
    I64(i64),
    /// 64-bit float.
    F64(f64),
}

/// What a [`Value`] is; the number is the type id in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[allow(missing_docs, reason = "the variants are those of Value, documented there")]
pub enum Kind {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl Kind {
    /// Kind with this type id, if there is one.
    #[must_use]
    pub fn from_id(id: u32) -> Option<Self> {
        const ALL: [Kind; 13] = [
            Kind::U8,
            Kind::I8,
            Kind::U16,
            Kind::I16,
            Kind::U32,
            Kind::I32,
            Kind::F32,
            Kind::Bool,
            Kind::String,
            Kind::Array,
            Kind::U64,
            Kind::I64,
            Kind::F64,
        ];
        ALL.get(id as usize).copied()
    }

    /// Bytes of one value, or `None` for strings and arrays, whose length is in the file.
    #[must_use]
    pub fn size(self) -> Option<u64> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::String | Self::Array => None,
        }
    }
}

/// An array: a kind and elements of that kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    kind: Kind,
    items: Vec<Value>,
}

impl Array {
    /// Makes an array; `None` if an element is not of `kind`.
    ///
    /// `kind` may be [`Kind::Array`]: GGUF's grammar allows nested arrays, llama.cpp refuses them.
    #[must_use]
    pub fn new(kind: Kind, items: Vec<Value>) -> Option<Self> {
        items.iter().all(|item| item.kind() == kind).then_some(Self { kind, items })
    }

    /// Elements, in file order.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        &self.items
    }
}

impl Value {
    /// Kind of this value.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::U8(_) => Kind::U8,
            Self::I8(_) => Kind::I8,
            Self::U16(_) => Kind::U16,
            Self::I16(_) => Kind::I16,
            Self::U32(_) => Kind::U32,
            Self::I32(_) => Kind::I32,
            Self::F32(_) => Kind::F32,
            Self::Bool(_) => Kind::Bool,
            Self::String(_) => Kind::String,
            Self::Array(_) => Kind::Array,
            Self::U64(_) => Kind::U64,
            Self::I64(_) => Kind::I64,
            Self::F64(_) => Kind::F64,
        }
    }

    /// Appends the value without its type id.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::U8(v) => out.push(*v),
            Self::I8(v) => out.extend(v.to_le_bytes()),
            Self::U16(v) => out.extend(v.to_le_bytes()),
            Self::I16(v) => out.extend(v.to_le_bytes()),
            Self::U32(v) => out.extend(v.to_le_bytes()),
            Self::I32(v) => out.extend(v.to_le_bytes()),
            Self::F32(v) => out.extend(v.to_le_bytes()),
            Self::Bool(v) => out.push(u8::from(*v)),
            Self::String(v) => encode_string(v, out),
            Self::Array(v) => {
                out.extend((v.kind as u32).to_le_bytes());
                out.extend((v.items.len() as u64).to_le_bytes());
                for item in &v.items {
                    item.encode(out);
                }
            }
            Self::U64(v) => out.extend(v.to_le_bytes()),
            Self::I64(v) => out.extend(v.to_le_bytes()),
            Self::F64(v) => out.extend(v.to_le_bytes()),
        }
    }
}

/// Appends a string as GGUF stores it: 64-bit length, bytes.
pub(super) fn encode_string(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }

        impl From<Vec<$from>> for Value {
            fn from(values: Vec<$from>) -> Self {
                Self::Array(Array { kind: Kind::$variant, items: values.into_iter().map(Self::from).collect() })
            }
        }
    )*};
}

value_from! {
    u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, u64 => U64, i64 => I64,
    f32 => F32, f64 => F64, bool => Bool, String => String, &str => String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_refuses_an_element_of_another_kind() {
        assert!(Array::new(Kind::U8, vec![Value::U8(1), Value::I8(1)]).is_none());
        assert!(Array::new(Kind::U8, vec![]).is_some());
    }

    #[test]
    fn kinds_and_ids_agree() {
        for id in 0..13 {
            assert_eq!(Kind::from_id(id).map(|kind| kind as u32), Some(id));
        }
        assert_eq!(Kind::from_id(13), None);
    }

    #[test]
    fn a_string_array_is_kind_count_and_strings() {
        let mut out = Vec::new();
        Value::from(vec!["a", "bc"]).encode(&mut out);
        let mut expected = vec![8, 0, 0, 0];
        expected.extend([2, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0, b'a']);
        expected.extend([2, 0, 0, 0, 0, 0, 0, 0, b'b', b'c']);
        assert_eq!(out, expected);
    }
}
