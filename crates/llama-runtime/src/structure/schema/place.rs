//! Where something stands in a schema, and the errors that say so: [`Place`].

use crate::structure::StructureError;

/// A place in the schema, as the JSON pointer to it, and how deep it is.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) pointer: String,
    pub(super) depth: usize,
}

impl Place {
    pub(super) fn root() -> Self {
        Self { pointer: String::new(), depth: 0 }
    }

    pub(super) fn step_into(&self, pointer: &str) -> Self {
        Self { pointer: format!("{}{pointer}", self.pointer), depth: self.depth }
    }

    pub(super) fn step(&self, key: &str) -> Self {
        let key = key.replace('~', "~0").replace('/', "~1");
        Self { pointer: format!("{}/{key}", self.pointer), depth: self.depth + 1 }
    }

    pub(super) fn index(&self, index: usize) -> Self {
        Self { pointer: format!("{}/{index}", self.pointer), depth: self.depth }
    }

    pub(super) fn unsupported(&self, what: impl Into<String>, hint: impl Into<String>) -> StructureError {
        StructureError::UnsupportedSchema { pointer: self.pointer.clone(), what: what.into(), hint: hint.into() }
    }

    pub(super) fn invalid(&self, what: impl Into<String>) -> StructureError {
        StructureError::InvalidSchema { pointer: self.pointer.clone(), what: what.into() }
    }

    pub(super) fn unsatisfiable(&self, what: impl Into<String>) -> StructureError {
        StructureError::Unsatisfiable { pointer: self.pointer.clone(), what: what.into() }
    }

    pub(super) fn too_complex(&self, what: impl Into<String>) -> StructureError {
        StructureError::TooComplex { pointer: self.pointer.clone(), what: what.into() }
    }
}
