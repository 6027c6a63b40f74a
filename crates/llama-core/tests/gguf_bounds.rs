//! Reading a hostile GGUF file takes bounded memory and time. A binary of its own, since it counts every allocation.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail by unwrapping and print their figures")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use llama_core::gguf::{GgufError, GgufFile};

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// Counts the bytes each thread holds, so that tests side by side do not disturb each other.
struct Counting;

fn count(bytes: isize) {
    // A thread that ends frees after its counters are gone.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: every call goes to the system's allocator with the same arguments; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `alloc`, which is the system allocator's too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: `pointer` came from `System` with this layout, since `alloc` takes it from there.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most bytes this thread held at once while `work` ran, beyond what it held before, and how long it ran.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize, Duration) {
    let before = LIVE.get();
    PEAK.set(before);
    let start = Instant::now();
    let result = work();
    (result, usize::try_from(PEAK.get() - before).unwrap(), start.elapsed())
}

fn header(tensors: u64, entries: u64) -> Vec<u8> {
    let mut out = b"GGUF\x03\0\0\0".to_vec();
    out.extend(tensors.to_le_bytes());
    out.extend(entries.to_le_bytes());
    out
}

fn array_entry(out: &mut Vec<u8>, element: u32, len: u64) {
    out.extend(1_u64.to_le_bytes());
    out.push(b'k');
    out.extend(9_u32.to_le_bytes());
    out.extend(element.to_le_bytes());
    out.extend(len.to_le_bytes());
}

/// Everything a header of `bytes` bytes may cost: itself, with room for a growing buffer, and the read buffer.
fn allowed(bytes: usize) -> usize {
    4 * bytes + (2 << 20)
}

#[test]
fn lengths_that_lie_allocate_nothing() {
    for value in [1 << 12, 1 << 30, 1 << 40, u64::MAX / 8, i64::MAX as u64, u64::MAX] {
        let mut files = vec![header(value, 0), header(0, value), header(1 << 18, 1 << 16)];
        for element in 0..13 {
            let mut file = header(0, 1);
            array_entry(&mut file, element, value);
            file.extend([0; 64]);
            files.push(file);
        }
        for file in files {
            let (result, peak, _) = peak_of(|| GgufFile::from_bytes(&file));
            assert!(matches!(
                result,
                Err(GgufError::Truncated { .. } | GgufError::Absurd { .. } | GgufError::Corrupt { .. })
            ));
            assert!(peak <= 1 << 17, "{peak} bytes for a count of {value}");
        }
    }
}

#[test]
fn a_sparse_file_of_a_terabyte_is_refused_at_once() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut bytes = header(0, 1);
    array_entry(&mut bytes, 0, 1 << 39);
    file.write_all(&bytes).unwrap();
    // Not every file system takes so large a file; a smaller one says the same.
    let len = [1 << 40, 1 << 33, 1 << 30].into_iter().find(|&len| file.as_file().set_len(len).is_ok());
    file.seek(SeekFrom::Start(0)).unwrap();
    let (result, peak, time) = peak_of(|| GgufFile::open(file.path()));
    match result {
        Err(GgufError::Absurd { limit, .. }) => assert!(len == Some(1 << 40) && limit <= 1 << 28),
        Err(GgufError::Truncated { .. }) => assert_ne!(len, Some(1 << 40)),
        other => panic!("{other:?}"),
    }
    assert!(peak <= 1 << 17, "{peak} bytes");
    assert!(time < Duration::from_secs(1), "{time:?}");
}

#[test]
fn a_large_vocabulary_takes_about_its_own_size() {
    let tokens = 200_000_u64;
    let mut file = header(0, 1);
    array_entry(&mut file, 8, tokens);
    for token in 0..tokens {
        let text = format!("token{token}");
        file.extend((text.len() as u64).to_le_bytes());
        file.extend(text.as_bytes());
    }
    let (result, peak, time) = peak_of(|| GgufFile::from_bytes(&file));
    let result = result.unwrap();
    assert_eq!(result.get("k").unwrap().as_array().unwrap().strings().unwrap().count() as u64, tokens);
    assert!(peak <= allowed(file.len()), "{peak} bytes for a header of {}", file.len());
    assert!(time < Duration::from_secs(1), "{time:?}");
    println!("{} bytes of header: {time:?}, {peak} bytes of memory at most", file.len());
}

#[test]
fn damage_anywhere_never_takes_more_than_the_file_allows() {
    let mut file = header(1, 2);
    array_entry(&mut file, 8, 2);
    for text in ["a", "bc"] {
        file.extend((text.len() as u64).to_le_bytes());
        file.extend(text.as_bytes());
    }
    file.extend(20_u64.to_le_bytes());
    file.extend(b"general.architecture");
    file.extend(8_u32.to_le_bytes());
    file.extend(5_u64.to_le_bytes());
    file.extend(b"llama");
    file.extend(1_u64.to_le_bytes());
    file.extend(b"t");
    file.extend(1_u32.to_le_bytes());
    file.extend(8_u64.to_le_bytes());
    file.extend([0; 12]);
    file.resize(file.len().next_multiple_of(32) + 32, 0);
    GgufFile::from_bytes(&file).unwrap();
    for at in 0..file.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = file.clone();
            damaged[at] = value;
            let (_, peak, _) = peak_of(|| GgufFile::from_bytes(&damaged).and_then(|file| file.preflight()));
            assert!(peak <= allowed(damaged.len()), "{peak} bytes with {value} at {at}");
        }
    }
}
