//! The program `llama-cli`: parse, call, print.

#![forbid(unsafe_code)]

mod answer;
mod args;
mod batch;
mod chat;
mod commands;
mod demo;
mod env;
mod escapes;
mod exit;
mod gpu;
mod hub;
mod interrupt;
mod logging;
mod markdown;
mod record;
mod replace;
mod settings;
mod start;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    match args::parse(std::env::args_os().collect()) {
        Ok(args) => exit::guarded(|| {
            if !args.takes_settings {
                logging::start_plain();
            }
            args.command.run()
        }),
        Err(error) => exit::after_parsing(&error),
    }
}
