//! Stops answers before they are done: `cargo run -p llama-rs-examples --example stream_with_cancel [MODEL.gguf]`.
//!
//! A request ends early when its deadline passes, when any thread uses its [`CancelHandle`](llama_runtime::CancelHandle),
//! or when its stream is dropped. What was written until then is delivered, the KV cache is free again at once, and the
//! runtime goes on with the next request.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use llama_runtime::{Event, Message, ModelSpec, Request, Runtime};

/// The demo model of this repository.
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/llama-cli/assets/demo-q8_0.gguf");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| DEMO.to_owned());
    let runtime = Runtime::builder().model("default", ModelSpec::path(path)).build_blocking()?;

    println!("By another thread, as a button or a signal handler would:");
    let mut answer = runtime.submit(story())?.blocking();
    let cancel = answer.cancel_handle();
    let (press, button) = mpsc::sync_channel(1);
    let other = thread::spawn(move || button.recv().map(|()| cancel.cancel()));
    for (n, event) in answer.by_ref().enumerate() {
        match event {
            Event::Text(text) => print!("{text}"),
            Event::Finished(end) => println!("\n[{:?} after {} tokens]", end.reason, end.usage.generated),
            _ => {}
        }
        if n == 10 {
            press.send(())?;
        }
    }
    drop(press);
    let _ = other.join().map_err(|_| "the other thread panicked")?;

    println!("\nBy a deadline:");
    let end = runtime.submit(story().deadline(Duration::from_millis(20)))?.blocking().finish();
    println!("[{:?} after {:.0?}]", end.reason, end.timings.total);

    println!("\nBy leaving the loop, which drops the answer:");
    for event in runtime.submit(story())?.blocking().take(5) {
        println!("{event:?}");
    }

    println!("\nAnd the runtime is as good as new:");
    let end = runtime.submit(Request::chat([Message::user("What is the capital of France?")]))?.blocking().finish();
    println!("{}", end.choices[0].text);
    Ok(())
}

fn story() -> Request {
    Request::chat([Message::user("Tell me a story.")]).seed(1)
}
