//! Safe types over llama.cpp.

mod digest;
pub mod gguf;
mod ids;
mod raw;
pub mod stop;
pub mod text;

pub use ids::{Pos, SeqId, Token};
