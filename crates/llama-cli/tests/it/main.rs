//! The built program from outside: what it prints where, and how it ends. One module per command.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod about;
mod chat;
#[cfg(unix)]
mod interrupt;
mod program;
mod run;
mod tokenize;
