//! Writes GGUF bytes for the tests of this module, right or wrong.

/// A value to write.
#[derive(Clone)]
pub(super) enum V {
    U8(u8),
    U16(u16),
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(&'static str),
    U64(u64),
    U32s(Vec<u32>),
    I32s(Vec<i32>),
    Texts(Vec<&'static str>),
}

#[derive(Clone)]
pub(super) struct T {
    pub(super) name: String,
    pub(super) shape: Vec<u64>,
    pub(super) id: u32,
    /// Where the tensor is said to be; by default where it should be.
    pub(super) offset: Option<u64>,
    /// Bytes of data written for it.
    pub(super) bytes: usize,
}

impl T {
    /// An f32 tensor.
    pub(super) fn f32(name: &str, shape: &[u64]) -> Self {
        let bytes = shape.iter().product::<u64>() as usize * 4;
        Self { name: name.to_owned(), shape: shape.to_vec(), id: 0, offset: None, bytes }
    }
}

/// A file to write. The defaults are a llama model that passes every check.
#[derive(Clone)]
pub(super) struct Gguf {
    pub(super) version: u32,
    pub(super) entries: Vec<(String, V)>,
    pub(super) tensors: Vec<T>,
    pub(super) alignment: usize,
}

impl Gguf {
    pub(super) fn empty() -> Self {
        Self { version: 3, entries: Vec::new(), tensors: Vec::new(), alignment: 32 }
    }

    pub(super) fn llama() -> Self {
        let mut file = Self::empty();
        file.set("general.architecture", V::Text("llama"));
        file.set("general.name", V::Text("tiny"));
        file.set("general.file_type", V::U32(0));
        file.set("llama.context_length", V::U32(64));
        file.set("llama.embedding_length", V::U32(8));
        file.set("llama.block_count", V::U32(2));
        file.set("llama.attention.head_count", V::U32(4));
        file.set("llama.attention.head_count_kv", V::U32s(vec![2, 2]));
        file.set("llama.rope.freq_base", V::F32(10000.0));
        file.set("tokenizer.ggml.model", V::Text("llama"));
        file.set("tokenizer.ggml.tokens", V::Texts(vec!["<unk>", "<s>", "", "▁a"]));
        file.set("tokenizer.ggml.token_type", V::I32s(vec![2, 3, 1, 1]));
        file.set("tokenizer.ggml.add_bos_token", V::Bool(true));
        file.set("tokenizer.chat_template", V::Text("{{ messages }}"));
        file.tensors.push(T::f32("token_embd.weight", &[8, 4]));
        file.tensors.push(T::f32("output_norm.weight", &[8]));
        file
    }

    /// Sets an entry, over one that is there already.
    pub(super) fn set(&mut self, key: &str, value: V) -> &mut Self {
        self.entries.retain(|(other, _)| other != key);
        self.entries.push((key.to_owned(), value));
        self
    }

    pub(super) fn without(&mut self, key: &str) -> &mut Self {
        self.entries.retain(|(other, _)| other != key);
        self
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.entries.len() as u64).to_le_bytes());
        for (key, value) in &self.entries {
            text(&mut out, key);
            write_value(&mut out, value);
        }
        let mut place = 0_u64;
        for tensor in &self.tensors {
            text(&mut out, &tensor.name);
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            tensor.shape.iter().for_each(|size| out.extend(size.to_le_bytes()));
            out.extend(tensor.id.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(place).to_le_bytes());
            place += tensor.bytes.next_multiple_of(self.alignment) as u64;
        }
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(self.alignment), 0);
            out.resize(out.len() + tensor.bytes, 1);
        }
        out
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn array(out: &mut Vec<u8>, element: u32, len: usize) {
    out.extend(9_u32.to_le_bytes());
    out.extend(element.to_le_bytes());
    out.extend((len as u64).to_le_bytes());
}

fn write_value(out: &mut Vec<u8>, value: &V) {
    let mut scalar = |id: u32, bytes: &[u8]| {
        out.extend(id.to_le_bytes());
        out.extend(bytes);
    };
    match value {
        V::U8(v) => scalar(0, &v.to_le_bytes()),
        V::U16(v) => scalar(2, &v.to_le_bytes()),
        V::U32(v) => scalar(4, &v.to_le_bytes()),
        V::F32(v) => scalar(6, &v.to_le_bytes()),
        V::Bool(v) => scalar(7, &[u8::from(*v)]),
        V::U64(v) => scalar(10, &v.to_le_bytes()),
        V::Text(v) => {
            out.extend(8_u32.to_le_bytes());
            text(out, v);
        }
        V::U32s(v) => {
            array(out, 4, v.len());
            v.iter().for_each(|number| out.extend(number.to_le_bytes()));
        }
        V::I32s(v) => {
            array(out, 5, v.len());
            v.iter().for_each(|number| out.extend(number.to_le_bytes()));
        }
        V::Texts(v) => {
            array(out, 8, v.len());
            v.iter().for_each(|string| text(out, string));
        }
    }
}
