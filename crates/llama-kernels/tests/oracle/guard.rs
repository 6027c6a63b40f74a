//! Memory whose neighbours cannot be touched: the process ends where a kernel reads or writes outside of its product.

use std::ffi::c_void;
use std::ptr::null_mut;

use llama_kernels::{Kind, Product};

use crate::case::Case;
use crate::{blocks, sets};

/// Bytes between two pages that have no access, at the very end or the very start of what lies between.
struct Fenced {
    base: *mut c_void,
    all: usize,
    start: *mut u8,
    len: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Against {
    End,
    Start,
}

impl Fenced {
    fn new(len: usize, against: Against) -> Self {
        // SAFETY: asks for a number; then for memory of our own that nobody else knows, whose inner pages are given access.
        unsafe {
            let page = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).unwrap();
            let inner = len.next_multiple_of(page);
            let all = inner + 2 * page;
            let base = libc::mmap(null_mut(), all, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANON, -1, 0);
            assert_ne!(base, libc::MAP_FAILED);
            let first = base.cast::<u8>().add(page);
            assert_eq!(libc::mprotect(first.cast(), inner, libc::PROT_READ | libc::PROT_WRITE), 0);
            let start = if against == Against::End { first.add(inner - len) } else { first };
            Self { base, all, start, len }
        }
    }

    fn holding(bytes: &[u8], against: Against) -> Self {
        let mut fenced = Self::new(bytes.len(), against);
        fenced.bytes_mut().copy_from_slice(bytes);
        fenced
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: mapped, zeros from the start, and ours until drop.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }

    /// The same as floats; they begin at a page or end at one, so they are aligned.
    fn floats_mut(&mut self) -> &mut [f32] {
        assert!(self.start.cast::<f32>().is_aligned());
        // SAFETY: aligned, any bytes are floats, and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.cast(), self.len / size_of::<f32>()) }
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, which nothing borrows any more.
        unsafe { libc::munmap(self.base, self.all) };
    }
}

#[test]
fn no_kernel_reads_or_writes_past_rows_columns_and_results() {
    for kind in Kind::ALL {
        for (rows, columns) in [(1, 1), (3, 2), (15, 8), (16, 1), (17, 16), (20, 17), (33, 5)] {
            for (n_blocks, gap) in [(1, 0), (3, 6)] {
                let mut case = Case::usual(kind, blocks(kind, n_blocks, rows % 16), rows, columns);
                case.gap = [gap, gap];
                let matter = case.matter();
                for against in [Against::End, Against::Start] {
                    let weights = Fenced::holding(matter.rows.used(), against);
                    let inputs = Fenced::holding(matter.columns.used(), against);
                    let product = Product { weights: weights.bytes(), columns: inputs.bytes(), ..matter.product() };
                    for isa in sets() {
                        let mut out = Fenced::new(rows * columns * size_of::<f32>(), against);
                        product.compute(isa, out.floats_mut(), rows).unwrap();
                        let expected = matter.compute(isa).unwrap().concat();
                        assert_eq!(out.floats_mut(), expected, "{kind:?} {} {case:?}", isa.name());
                    }
                }
            }
        }
    }
}
