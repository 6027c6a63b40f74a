//! What a file that is not GGUF looks like, so that the message can say what to do.

/// How many of the first bytes are looked at.
pub(super) const SNIFF_BYTES: usize = 256;

/// Says what the first bytes look like and what to try.
pub(super) fn describe(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(head).trim_start().to_ascii_lowercase();
    let starts = |magic: &[u8]| head.starts_with(magic);
    let known = if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
        Some("it looks like a zip archive or a PyTorch checkpoint; unpack it, or convert the model to GGUF first")
    } else if is_safetensors(head) {
        Some("it looks like a safetensors file; convert the model to GGUF first, or get its GGUF release")
    } else if starts(b"\x80\x02") || starts(b"\x80\x03") || starts(b"\x80\x04") {
        Some("it looks like a pickled PyTorch checkpoint; convert the model to GGUF first")
    } else if [&b"lmgg"[..], b"fmgg", b"tjgg", b"algg"].iter().any(|magic| starts(magic)) {
        Some("it is in the old GGML format from before GGUF; get a current GGUF release of the model")
    } else if text.starts_with("version https://git-lfs") {
        Some("it is a Git LFS pointer, not the model itself; run `git lfs pull` in its repository")
    } else if text.starts_with("<!doctype") || text.starts_with("<html") || text.starts_with("<?xml") {
        Some("it is a web page; the download got an error or login page, get the file itself")
    } else if starts(b"\x1f\x8b") || starts(b"\xfd7zXZ") || starts(b"\x28\xb5\x2f\xfd") || starts(b"BZh") {
        Some("it is compressed; unpack it first")
    } else if text.starts_with('{') || text.starts_with('[') {
        Some(
            "it is JSON; the download got an error message, or this is a configuration file: get the .gguf file itself",
        )
    } else {
        None
    };
    known.map_or_else(
        || {
            let magic = head.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
            format!("it starts with the bytes {magic} instead of \"GGUF\"; check that this is a model file")
        },
        str::to_owned,
    )
}

/// The format begins with the length of a JSON header and that header.
fn is_safetensors(head: &[u8]) -> bool {
    let Some((len, rest)) = head.split_first_chunk::<8>() else {
        return false;
    };
    (2..1 << 32).contains(&u64::from_le_bytes(*len)) && rest.first() == Some(&b'{')
}
