//! Which setting a request was refused for: the engine knows what is wrong, and not who asked for it.

use llama_runtime::Rejected;

use super::Effective;

/// The settings that say what an answer has to look like.
const STRUCTURE: [&str; 4] = ["answer.grammar", "answer.grammar_file", "answer.json_schema", "answer.json_schema_file"];

impl Effective {
    /// The error for a person: with the flag, the variable or the line of a file that asked for it, where there is one.
    pub(crate) fn refused(&self, rejected: Rejected) -> anyhow::Error {
        let Rejected::Structure(_) = &rejected else { return rejected.into() };
        let entry = STRUCTURE.iter().find_map(|key| self.set.get(*key));
        let subject = entry.map(|entry| format!("{}, which cannot be used", entry.subject()));
        match subject {
            Some(subject) => anyhow::Error::new(rejected).context(subject),
            None => rejected.into(),
        }
    }

    /// What an answer has to look like was set anew, by nobody whom these layers know.
    pub(crate) fn forget_structure_origin(&mut self) {
        self.set.retain(|key, _| !STRUCTURE.contains(key));
    }
}
