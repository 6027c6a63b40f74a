//! Which types may go to, and be seen from, other threads. Checked when this compiles.

use llama_core::gguf::{GgufFile, ModelFiles};
use llama_core::{
    AbortHandle, AdapterError, Batch, Context, ContextError, ContextParams, ControlVector, DecodeError, Device,
    LoadError, LoraAdapter, Memory, MemoryError, Model, ModelFacts, ModelParams, OutputError, OutputRow, Outputs, Row,
    Token, TokenizeError, Vocab,
};

const fn is_send<T: Send>() {}
const fn is_sync<T: Sync>() {}
const fn is_clone<T: Clone>() {}
const fn is_error<T: std::error::Error + Send + Sync + 'static>() {}

/// Compiles only if the type does not have the trait: with it, the call below could mean either implementation.
macro_rules! is_not {
    ($type:ty: $trait:path) => {
        const _: fn() = || {
            trait Ambiguous<A> {
                fn check() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct HasIt;
            impl<T: ?Sized + $trait> Ambiguous<HasIt> for T {}
            <$type as Ambiguous<_>>::check();
        };
    };
}

const _: () = {
    is_send::<Model>();
    is_sync::<Model>();
    is_clone::<Model>();
    is_send::<Vocab<'static>>();
    is_sync::<Vocab<'static>>();
    is_clone::<Vocab<'static>>();
    is_send::<LoraAdapter>();
    is_sync::<LoraAdapter>();
    is_clone::<LoraAdapter>();
    is_send::<ControlVector>();
    is_sync::<ControlVector>();
    is_send::<Context>();
    is_send::<AbortHandle>();
    is_sync::<AbortHandle>();
    is_clone::<AbortHandle>();
    is_send::<Batch>();
    is_sync::<Batch>();
    is_send::<OutputRow>();
    is_sync::<OutputRow>();
    is_send::<ModelFacts>();
    is_sync::<ModelFacts>();
    is_send::<ModelParams>();
    is_sync::<ModelParams>();
    is_send::<ContextParams>();
    is_sync::<ContextParams>();
    is_send::<Device>();
    is_sync::<Device>();
    is_send::<Token>();
    is_sync::<Token>();
    is_send::<GgufFile>();
    is_sync::<GgufFile>();
    is_send::<ModelFiles>();
    is_sync::<ModelFiles>();
    is_error::<LoadError>();
    is_error::<ContextError>();
    is_error::<DecodeError>();
    is_error::<OutputError>();
    is_error::<MemoryError>();
    is_error::<AdapterError>();
    is_error::<TokenizeError>();
    is_error::<llama_core::BatchFull>();
    is_error::<llama_core::gguf::GgufError>();
};

// One call at a time runs in a context, whatever borrows it.
is_not!(Context: Sync);
is_not!(Context: Clone);
is_not!(Outputs<'static>: Sync);
is_not!(Row<'static>: Send);
is_not!(Row<'static>: Sync);
is_not!(Memory<'static>: Send);
is_not!(Memory<'static>: Sync);

#[test]
fn auto_traits_are_pinned() {
    // The assertions above are the test; this makes it visible in a run.
}
