//! Telling models apart by what decides their numbers, not by where they lie.

use crate::digest::digest;
use crate::gguf::{Array, GgufFile, ModelFiles, Value};
use crate::model::ModelParams;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Tensors whose weights are looked at.
const SAMPLES: usize = 16;
/// Bytes looked at in each.
const SAMPLE_BYTES: usize = 256;

/// The fingerprint of a model on disk: a few reads of 256 bytes.
pub(super) fn of_files(files: &ModelFiles, params: &ModelParams) -> u64 {
    of(files.metadata(), files.files(), params, |part, offset, sample| {
        let path = files.files()[part].path().ok_or(io::ErrorKind::NotFound)?;
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(sample)
    })
}

/// The fingerprint of a model in memory; the same as that of its file.
pub(super) fn of_image(file: &GgufFile, image: &[u8], params: &ModelParams) -> u64 {
    of(file, std::slice::from_ref(file), params, |_, offset, sample| {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let bytes = image.get(start..).and_then(|rest| rest.get(..sample.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        sample.copy_from_slice(bytes);
        Ok(())
    })
}

/// What decides the numbers: the architecture's parameters with their overrides, the tensors, and a sample of the
/// weights, since fine-tunes differ in nothing else.
fn of(
    metadata: &GgufFile,
    parts: &[GgufFile],
    params: &ModelParams,
    mut read: impl FnMut(usize, u64, &mut [u8]) -> io::Result<()>,
) -> u64 {
    let architecture = metadata.architecture().unwrap_or_default();
    let mut facts = architecture.as_bytes().to_vec();
    let prefix = format!("{architecture}.");
    for (key, value) in metadata.metadata().filter(|(key, _)| key.starts_with(&prefix)) {
        facts.extend_from_slice(key.as_bytes());
        add_value(&mut facts, value);
    }
    if !params.overrides.is_empty() {
        facts.extend_from_slice(format!("{:?}", params.overrides).as_bytes());
    }
    let tensors: Vec<_> =
        parts.iter().enumerate().flat_map(|(part, file)| file.tensors().iter().map(move |t| (part, file, t))).collect();
    for (_, _, tensor) in &tensors {
        facts.extend_from_slice(tensor.name().as_bytes());
        facts.extend_from_slice(&tensor.tensor_type().id().to_le_bytes());
        for n in tensor.shape() {
            facts.extend_from_slice(&n.to_le_bytes());
        }
    }
    for i in 0..SAMPLES.min(tensors.len()) {
        let (part, file, tensor) = tensors[i * tensors.len() / SAMPLES.min(tensors.len())];
        let len = tensor.byte_len().min(SAMPLE_BYTES as u64);
        let mut sample = vec![0; usize::try_from(len).unwrap_or(SAMPLE_BYTES)];
        let offset = file.data_offset() + tensor.offset() + (tensor.byte_len() - len) / 2;
        // A file that cannot be read fails in the load that follows, with a better message.
        if read(part, offset, &mut sample).is_ok() {
            facts.extend_from_slice(&sample);
        }
    }
    digest(&facts)
}

fn add_value(facts: &mut Vec<u8>, value: &Value) {
    if let Some(text) = value.as_str() {
        facts.extend_from_slice(text.as_bytes());
    } else if let Some(number) = value.as_f64() {
        facts.extend_from_slice(&number.to_bits().to_le_bytes());
    } else if let Some(array) = value.as_array() {
        facts.extend_from_slice(&(array.len() as u64).to_le_bytes());
        Array::iter(array).for_each(|item| add_value(facts, &item));
    } else {
        facts.extend_from_slice(format!("{value:?}").as_bytes());
    }
}
