//! Names for what the runtime counts: [`RequestId`].

/// An accepted request; unique within a runtime, in the order of acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RequestId(pub(crate) u64);
