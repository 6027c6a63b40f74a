//! One file per command: its arguments, whose doc comments are the help, and `run`.

pub(crate) mod bench;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod devices;
pub(crate) mod doctor;
pub(crate) mod man;
pub(crate) mod models;
pub(crate) mod run;
pub(crate) mod template;
pub(crate) mod tokenize;
