//! Chat templates of many families, from messages to a prompt and from the model's text back to a message.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "tests")]

mod bad_inputs;
mod bad_texts;
mod families;
mod limits;
mod memo;
mod models;
mod requests;
mod round_trip;
mod streams;
