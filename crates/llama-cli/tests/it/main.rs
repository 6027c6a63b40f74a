//! The built program from outside: what it prints where, and how it ends. One module per command.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod about;
mod batch;
mod batch_formats;
#[cfg(unix)]
mod batch_kill;
mod batch_resume;
#[cfg(unix)]
mod batch_stop;
mod bench;
mod bench_serve;
mod chat;
mod chat_files;
#[cfg(unix)]
mod chat_interrupt;
#[cfg(unix)]
mod chat_terminal;
mod devices;
mod docs;
mod doctor;
mod flags;
mod hub_server;
#[cfg(unix)]
mod interrupt;
mod kernels;
mod models;
mod models_cache;
mod models_errors;
mod models_run;
mod models_transfer;
mod parity;
mod program;
#[cfg(unix)]
mod pty;
mod reference;
mod run;
mod run_output;
mod run_prompt;
mod settings;
mod shells;
mod template;
mod threads;
mod tokenize;
