//! The program `llama-cli`: parse, call, print.

#![forbid(unsafe_code)]

mod answer;
mod args;
mod commands;
mod demo;
mod exit;
mod interrupt;
mod logging;
mod start;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().collect()) {
        Ok(args) => args,
        Err(error) => return exit::after_parsing(&error),
    };
    logging::start();
    exit::after(commands::run(args))
}
