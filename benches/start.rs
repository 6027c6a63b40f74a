//! How long the program takes to be there: `cargo bench --bench start`, see `README.md`.
//!
//! Runs the program that was built beside this one (`cargo build --release -p llama-cli`) in a real terminal, and measures from the
//! start of the process to the prompt of `chat`, to the first character of an answer and to the end of a `run`.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

#[cfg(not(unix))]
fn main() {
    println!("this bench needs a terminal of a Unix system");
}

#[cfg(unix)]
fn main() -> Result<(), llama_rs_benches::Failure> {
    terminal::main()
}

#[cfg(unix)]
mod terminal {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::time::Instant;

    use expectrl::process::Process;
    use expectrl::process::unix::UnixProcess;
    use llama_rs_benches::{Failure, Options, Percentiles, load_warning};
    use llama_testkit::fixtures::TempModels;

    /// What the program asks a terminal to learn where the cursor is, and an answer.
    const WHERE: (&[u8], &[u8]) = (b"\x1b[6n", b"\x1b[1;1R");

    /// More than the program prints until then, on any path.
    const MOST: usize = 1 << 16;

    pub(super) fn main() -> Result<(), Failure> {
        let options = Options::parse(std::env::args().skip(1))?;
        let own = std::env::current_exe()?;
        let program = own.parent().and_then(Path::parent).ok_or("this program is in no folder")?.join("llama-cli");
        if !program.is_file() {
            println!("there is no program to measure; build it first: cargo build --release -p llama-cli");
            return if options.quick { Ok(()) } else { Err("no program".into()) };
        }
        let rounds = if options.quick { 1 } else { 20 * options.blocks };
        if let Some(warning) = load_warning().filter(|_| !options.quick) {
            println!("  {warning}");
        }
        println!("milliseconds from the start of the process, {rounds} times in turns, demo model, one thread");
        let cases: [(&str, &[&str], &[u8]); 3] = [
            ("chat: the prompt", &["chat", "-t", "1"], b"> "),
            ("run: the first character", &["run", "-t", "1", "--temp", "0", "-p", "Who are you?"], b"I"),
            ("run: the whole answer", &["run", "-t", "1", "--temp", "0", "-p", "Who are you?"], b"itself."),
        ];
        let mut times = vec![Vec::new(); cases.len()];
        for _ in 0..rounds {
            for ((_, args, until), times) in cases.iter().zip(&mut times) {
                times.push(once(&program, args, until)?);
            }
        }
        println!("  {:<28}{:>8}{:>8}{:>8}", "to", "p50", "p90", "p99");
        for ((name, ..), times) in cases.iter().zip(times) {
            let times = Percentiles::of(times);
            let [p50, p90, p99] = [50.0, 90.0, 99.0].map(|percent| times.at(percent) * 1e3);
            println!("  {name:<28}{p50:>8.1}{p90:>8.1}{p99:>8.1}");
        }
        Ok(())
    }

    /// Starts the program with a home of its own, and waits until it has printed `until` after its notice.
    fn once(program: &PathBuf, args: &[&str], until: &[u8]) -> Result<std::time::Duration, Failure> {
        let home = TempModels::new()?;
        let mut command = Command::new(program);
        command.args(args).env("HOME", home.path()).env("TERM", "xterm-256color").current_dir(home.path());
        let started = Instant::now();
        let mut process = UnixProcess::spawn_command(command)?;
        let (mut from, mut to): (File, File) = (process.get_raw_handle()?, process.get_raw_handle()?);
        let (mut seen, mut answered) = (Vec::new(), 0);
        let mut piece = [0; 4096];
        let took = loop {
            let read = from.read(&mut piece)?;
            seen.extend_from_slice(&piece[..read]);
            let asked = seen.windows(WHERE.0.len()).filter(|window| *window == WHERE.0).count();
            for _ in answered..asked {
                to.write_all(WHERE.1)?;
            }
            answered = asked;
            // The notice about the demo model is the first line.
            let after = seen.iter().position(|byte| *byte == b'\n').map_or(seen.len(), |end| end + 1);
            if seen[after..].windows(until.len()).any(|window| window == until) {
                break started.elapsed();
            }
            if read == 0 || seen.len() > MOST {
                return Err(format!("the program printed {:?}", String::from_utf8_lossy(&seen)).into());
            }
        };
        process.exit(true)?;
        Ok(took)
    }
}
