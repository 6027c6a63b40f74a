//! Reads the header of a GGUF file: metadata and tensor descriptions, in one pass, never the tensor data.
//!
//! Nothing in the file is believed. Before anything is allocated for a count or a length, it is checked that the file has
//! that many bytes left and that the header stays below [`MAX_HEADER_BYTES`]; so memory is bounded by both.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use super::error::{GgufError, Origin, shown};
use super::sniff;
use super::tensor::{self, MAX_DIMS, TensorInfo, TensorType};
use super::value::{Array, Value, ValueType};

/// The most bytes before the tensor data. Vocabularies of a quarter of a million tokens take about 20 MB.
pub(super) const MAX_HEADER_BYTES: u64 = 128 << 20;
/// The most metadata entries. Real models have fewer than a hundred.
pub(super) const MAX_ENTRIES: u64 = 1 << 16;
/// The most tensors. llama.cpp keeps about half a kilobyte for each.
pub(super) const MAX_TENSORS: u64 = 1 << 18;
/// The longest key the format allows, in bytes.
pub(super) const MAX_KEY_BYTES: u64 = (1 << 16) - 1;
/// The longest tensor name, in bytes: llama.cpp keeps 64 with the closing zero.
pub(super) const MAX_NAME_BYTES: u64 = 63;

const DEFAULT_ALIGNMENT: u64 = 32;
const READ_PART: u64 = 1 << 20;
/// The fewest bytes of an entry: the length of its key, one letter, the type, one byte.
const MIN_ENTRY_BYTES: u64 = 8 + 1 + 4 + 1;
/// The fewest bytes of a tensor description: the length of its name, the number of dimensions, type, offset.
const MIN_TENSOR_BYTES: u64 = 8 + 4 + 4 + 8;

/// Everything before the tensor data.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) entries: Vec<(String, Value)>,
    pub(super) entry_index: HashMap<String, usize>,
    pub(super) tensors: Vec<TensorInfo>,
    pub(super) alignment: u64,
    pub(super) data_offset: u64,
    pub(super) file_len: u64,
}

/// Reads and checks a whole header.
pub(super) fn read(source: impl Read + Seek, origin: &Origin) -> Result<Header, GgufError> {
    let mut cursor = Cursor::new(source, origin)?;
    let version = read_version(&mut cursor)?;
    let tensor_count = cursor.count("the number of tensors", MAX_TENSORS)?;
    let entry_count = cursor.count("the number of metadata entries", MAX_ENTRIES)?;
    cursor.need(u64::from(entry_count) * MIN_ENTRY_BYTES, || format!("a list of {entry_count} metadata entries"))?;

    let mut entries = Vec::with_capacity(entry_count as usize);
    let mut entry_index = HashMap::new();
    for _ in 0..entry_count {
        let at = cursor.at;
        let (key, value) = read_entry(&mut cursor)?;
        if entry_index.insert(key.clone(), entries.len()).is_some() {
            return Err(cursor.corrupt(at, format!("the metadata key `{}` is there twice", shown(&key))));
        }
        entries.push((key, value));
    }
    let alignment = match entry_index.get("general.alignment").map(|&index| &entries[index].1) {
        None => DEFAULT_ALIGNMENT,
        Some(&Value::U32(alignment)) if alignment.is_power_of_two() => alignment.into(),
        Some(other) => {
            let found = other.as_u64().map_or_else(|| other.value_type().to_string(), |number| number.to_string());
            let problem = format!("general.alignment is {found}, but must be a power of two of type u32");
            return Err(cursor.corrupt(cursor.at, problem));
        }
    };

    let tensors = read_tensors(&mut cursor, tensor_count)?;
    let data_offset = if tensors.is_empty() { cursor.at } else { cursor.at.next_multiple_of(alignment) };
    let header = Header { version, entries, entry_index, tensors, alignment, data_offset, file_len: cursor.len };
    check_places(&header, origin)?;
    Ok(header)
}

fn read_version<R: Read>(cursor: &mut Cursor<'_, R>) -> Result<u32, GgufError> {
    let source = cursor.origin;
    let origin = || source.clone();
    if cursor.len == 0 {
        return Err(GgufError::Empty { origin: origin() });
    }
    let head = cursor.peek()?;
    if !head.starts_with(b"GGUF") && !b"GGUF".starts_with(&head[..]) {
        return Err(GgufError::NotGguf { origin: origin(), found: sniff::describe(&head) });
    }
    let magic: [u8; 4] = cursor.number("the magic number")?;
    if magic != *b"GGUF" {
        return Err(GgufError::NotGguf { origin: origin(), found: sniff::describe(&magic) });
    }
    let version = cursor.u32("the version")?;
    match version {
        2 | 3 => Ok(version),
        // Versions are small, so a version in the upper half is one written by a machine of the other byte order.
        _ if version != 0 && version & 0xffff == 0 => Err(GgufError::BigEndian { origin: origin() }),
        _ => Err(GgufError::UnsupportedVersion { origin: origin(), version }),
    }
}

fn read_entry<R: Read>(cursor: &mut Cursor<'_, R>) -> Result<(String, Value), GgufError> {
    let at = cursor.at;
    let key = cursor.text("a metadata key", MAX_KEY_BYTES)?;
    if key.is_empty() {
        return Err(cursor.corrupt(at, "a metadata key is empty".to_owned()));
    }
    let ty = read_type(cursor, &key)?;
    let value = match ty {
        ValueType::String => {
            let len = cursor.u64("the length of a string")?;
            Value::string(cursor.bytes(len, || format!("the text of `{}`", shown(&key)))?)
        }
        ValueType::Array => read_array(cursor, &key)?,
        _ => read_scalar(cursor, ty, &key)?,
    };
    Ok((key, value))
}

fn read_type<R: Read>(cursor: &mut Cursor<'_, R>, key: &str) -> Result<ValueType, GgufError> {
    let at = cursor.at;
    let id = cursor.u32("the type of a value")?;
    ValueType::from_id(id)
        .ok_or_else(|| cursor.corrupt(at, format!("`{}` has the unknown value type {id}", shown(key))))
}

fn read_scalar<R: Read>(cursor: &mut Cursor<'_, R>, ty: ValueType, key: &str) -> Result<Value, GgufError> {
    let at = cursor.at;
    let size = ty.byte_size().unwrap_or(0) as u64;
    let bytes = cursor.bytes(size, || format!("the value of `{}`", shown(key)))?;
    Value::scalar(ty, &bytes).ok_or_else(|| cursor.corrupt(at, format!("`{}` has no value", shown(key))))
}

fn read_array<R: Read>(cursor: &mut Cursor<'_, R>, key: &str) -> Result<Value, GgufError> {
    let at = cursor.at;
    let element_type = read_type(cursor, key)?;
    let len_at = cursor.at;
    let len = cursor.u64("the length of an array")?;
    let what = || format!("the {len} elements of `{}`", shown(key));
    let bytes = match element_type.byte_size() {
        Some(size) => cursor.bytes(len.saturating_mul(size as u64), what)?,
        None if element_type == ValueType::String => {
            cursor.need(len.saturating_mul(8), what)?;
            read_strings(cursor, len, key)?
        }
        None => {
            return Err(
                cursor.corrupt(at, format!("`{}` is an array of arrays, which llama.cpp does not read", shown(key)))
            );
        }
    };
    // Bounded by the header's limit, as each element takes at least one byte; so this only fails for no bytes at all.
    let Ok(len) = usize::try_from(len) else {
        return Err(cursor.absurd(len_at, what(), len, MAX_HEADER_BYTES));
    };
    Ok(Value::Array(Array::new(element_type, len, bytes)))
}

/// Reads strings with their lengths into one run of bytes.
fn read_strings<R: Read>(cursor: &mut Cursor<'_, R>, count: u64, key: &str) -> Result<Vec<u8>, GgufError> {
    let mut bytes = Vec::new();
    for index in 0..count {
        let len = cursor.u64("the length of a string in an array")?;
        bytes.extend_from_slice(&len.to_le_bytes());
        cursor.append(len, &mut bytes, || format!("string {index} of `{}`", shown(key)))?;
    }
    bytes.shrink_to_fit();
    Ok(bytes)
}

fn read_tensors<R: Read>(cursor: &mut Cursor<'_, R>, count: u32) -> Result<Vec<TensorInfo>, GgufError> {
    cursor.need(u64::from(count) * MIN_TENSOR_BYTES, || format!("a list of {count} tensors"))?;
    let mut tensors: Vec<TensorInfo> = Vec::with_capacity(count as usize);
    let mut names = HashSet::new();
    for _ in 0..count {
        let at = cursor.at;
        let tensor = read_tensor(cursor)?;
        if !names.insert(tensor.name.clone()) {
            return Err(cursor.corrupt(at, format!("the tensor `{}` is there twice", shown(&tensor.name))));
        }
        tensors.push(tensor);
    }
    Ok(tensors)
}

fn read_tensor<R: Read>(cursor: &mut Cursor<'_, R>) -> Result<TensorInfo, GgufError> {
    let at = cursor.at;
    let name = cursor.text("a tensor name", MAX_NAME_BYTES)?;
    if name.contains('\0') {
        return Err(cursor.corrupt(at, format!("the tensor name `{}` has a zero byte in it", shown(&name))));
    }
    let dims_at = cursor.at;
    let dims = cursor.u32("the number of dimensions")?;
    if dims as usize > MAX_DIMS {
        let what = format!("the number of dimensions of tensor `{}`", shown(&name));
        return Err(cursor.absurd(dims_at, what, dims.into(), MAX_DIMS as u64));
    }
    let shape = (0..dims).map(|_| cursor.u64("a dimension")).collect::<Result<Vec<u64>, _>>()?;
    let type_at = cursor.at;
    let id = cursor.u32("the type of a tensor")?;
    let Some(tensor_type) = TensorType::from_id(id) else {
        let what = format!("tensor `{}` has the type {id}, which is unknown or no longer in use", shown(&name));
        return Err(cursor.corrupt(type_at, what));
    };
    let (elements, bytes) = tensor::measure(&shape, tensor_type)
        .map_err(|problem| cursor.corrupt(dims_at, format!("tensor `{}`: {problem}", shown(&name))))?;
    let offset = cursor.u64("the place of a tensor")?;
    Ok(TensorInfo { name, shape, tensor_type, offset, elements, bytes })
}

/// Checks that the tensors follow each other without gaps, as llama.cpp demands, and end within the file.
fn check_places(header: &Header, origin: &Origin) -> Result<(), GgufError> {
    let mut expected = 0_u64;
    for tensor in &header.tensors {
        let corrupt = |what| GgufError::Corrupt { origin: origin.clone(), at: header.data_offset, what };
        if tensor.offset != expected {
            return Err(corrupt(format!(
                "tensor `{}` is at {} in the data section, but the one before it ends at {expected}",
                shown(&tensor.name),
                tensor.offset
            )));
        }
        let end =
            tensor.bytes.checked_next_multiple_of(header.alignment).and_then(|padded| expected.checked_add(padded));
        let Some(end) = end else {
            return Err(corrupt(format!("tensor `{}` ends beyond what 64 bits can address", shown(&tensor.name))));
        };
        let at = header.data_offset.saturating_add(tensor.offset);
        let have = header.file_len.saturating_sub(at);
        if tensor.bytes > have || at > header.file_len {
            let what = format!("the data of tensor `{}`", shown(&tensor.name));
            return Err(GgufError::Truncated { origin: origin.clone(), what, at, needed: tensor.bytes, have });
        }
        expected = end;
    }
    Ok(())
}

/// The unread part of the file, with its end in sight.
struct Cursor<'o, R: Read> {
    source: BufReader<R>,
    origin: &'o Origin,
    at: u64,
    len: u64,
}

impl<'o, R: Read> Cursor<'o, R> {
    fn new(mut source: R, origin: &'o Origin) -> Result<Self, GgufError>
    where
        R: Seek,
    {
        let len = source.seek(SeekFrom::End(0)).and_then(|len| source.seek(SeekFrom::Start(0)).map(|_| len));
        let len = len.map_err(|error| GgufError::from_io(origin, 0, error))?;
        Ok(Self { source: BufReader::with_capacity(1 << 16, source), origin, at: 0, len })
    }

    /// The next few bytes, without taking them: at least one if there is one.
    fn peek(&mut self) -> Result<Vec<u8>, GgufError> {
        loop {
            match self.source.fill_buf() {
                Ok(buffered) => {
                    return Ok(buffered.iter().copied().take(sniff::SNIFF_BYTES).collect());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(GgufError::from_io(self.origin, self.at, error)),
            }
        }
    }

    /// Checks that the file has `bytes` more, and that reading them keeps the header within its limit.
    fn need(&self, bytes: u64, what: impl Fn() -> String) -> Result<(), GgufError> {
        let have = self.len.saturating_sub(self.at);
        if bytes > have {
            return Err(self.truncated(what(), bytes, have));
        }
        if self.at + bytes > MAX_HEADER_BYTES {
            return Err(self.absurd(self.at, format!("the header with {}", what()), self.at + bytes, MAX_HEADER_BYTES));
        }
        Ok(())
    }

    fn append(&mut self, bytes: u64, out: &mut Vec<u8>, what: impl Fn() -> String) -> Result<(), GgufError> {
        self.need(bytes, &what)?;
        let mut left = bytes;
        while left > 0 {
            // By parts, so that a file whose length is a lie costs no more memory than it has bytes.
            let part = left.min(READ_PART);
            let start = out.len();
            out.resize(start + part as usize, 0);
            self.read_exact(&mut out[start..], &what)?;
            left -= part;
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: u64, what: impl Fn() -> String) -> Result<Vec<u8>, GgufError> {
        let mut out = Vec::new();
        self.append(bytes, &mut out, what)?;
        out.shrink_to_fit();
        Ok(out)
    }

    fn number<const N: usize>(&mut self, what: &str) -> Result<[u8; N], GgufError> {
        let mut out = [0; N];
        self.need(N as u64, || what.to_owned())?;
        self.read_exact(&mut out, || what.to_owned())?;
        Ok(out)
    }

    fn read_exact(&mut self, out: &mut [u8], what: impl Fn() -> String) -> Result<(), GgufError> {
        let needed = out.len() as u64;
        self.source.read_exact(out).map_err(|error| match error.kind() {
            // The file became shorter while it was read.
            io::ErrorKind::UnexpectedEof => self.truncated(what(), needed, 0),
            _ => GgufError::from_io(self.origin, self.at, error),
        })?;
        self.at += needed;
        Ok(())
    }

    fn u32(&mut self, what: &str) -> Result<u32, GgufError> {
        self.number(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> Result<u64, GgufError> {
        self.number(what).map(u64::from_le_bytes)
    }

    fn count(&mut self, what: &str, limit: u64) -> Result<u32, GgufError> {
        let at = self.at;
        let value = self.u64(what)?;
        let small = u32::try_from(value).ok().filter(|_| value <= limit);
        small.ok_or_else(|| self.absurd(at, what.to_owned(), value, limit))
    }

    /// Reads a name of the format's own: UTF-8 of limited length.
    fn text(&mut self, what: &str, limit: u64) -> Result<String, GgufError> {
        let at = self.at;
        let len = self.u64(what)?;
        if len > limit {
            return Err(self.absurd(at, format!("the length of {what}"), len, limit));
        }
        let bytes = self.bytes(len, || what.to_owned())?;
        String::from_utf8(bytes).map_err(|_| self.corrupt(at, format!("{what} is not UTF-8")))
    }

    fn truncated(&self, what: String, needed: u64, have: u64) -> GgufError {
        GgufError::Truncated { origin: self.origin.clone(), what, at: self.at, needed, have }
    }

    fn absurd(&self, at: u64, what: String, value: u64, limit: u64) -> GgufError {
        GgufError::Absurd { origin: self.origin.clone(), what, at, value, limit }
    }

    fn corrupt(&self, at: u64, what: String) -> GgufError {
        GgufError::Corrupt { origin: self.origin.clone(), at, what }
    }
}
