//! Products of quantized matrices with a few columns, on CPUs, over the weights as a GGUF file has them.
//!
//! Decoding reads every weight once per step, so several sequences should cost about as much as one. These kernels
//! take as many rows at once as the processor has lanes, bring a block of each into registers, turn it so that a lane
//! is a row, and use it for up to sixteen columns before the next block is read. Nothing is stored: no second copy
//! of the weights, and memory-mapped files stay mapped.
//!
//! [`Product`] is the safe entry; [`hook`] is what ggml's CPU backend calls. The columns are in the format that ggml
//! brings them to ([`Kind::column_type`]); where they are few, the hook quantizes them itself. [`oracle`] computes the
//! same without any of it, and is what the tests compare with.
//!
//! `unsafe` is in this crate only where rows are read by address and where processor instructions are named
//! (`simd`), in the code generic over those (`quant`, `float`) and what calls it (`product`), where bytes are seen as blocks
//! (`block`), and at the border to C (`hook`).

mod block;
mod columns;
mod float;
mod half;
pub mod hook;
mod kind;
pub mod oracle;
mod pieces;
mod product;
mod quant;
mod quantize;
mod simd;
mod tile;

pub use block::{Q4_0, Q4K, Q5K, Q6K, Q8_0, Q8K};
pub use half::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};
pub use kind::{ColumnType, Kind};
pub use pieces::Pieces;
pub use product::{Product, ShapeError};
pub use simd::Isa;
