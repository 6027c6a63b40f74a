//! The program `llama-cli`: parse, call, print.

#![forbid(unsafe_code)]

mod ahead;
mod answer;
mod args;
mod batch;
mod bench;
mod calendar;
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
mod threads;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let _ahead = ahead::Ahead::begin(&args);
    match args::parse(args) {
        Ok(args) => exit::guarded(|| {
            if !args.takes_settings {
                logging::start_plain();
            }
            args.command.run()
        }),
        Err(error) => exit::after_parsing(&error),
    }
}
