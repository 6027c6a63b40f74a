//! How long the program takes to be there: `cargo bench --bench start`, see `README.md`.
//!
//! Runs the program that was built beside this one (`cargo build --release -p llama-cli`) in a real terminal, and measures from the
//! start of the process to the prompt of `chat`, to the first character of an answer and to the end of a `run`. Where llama.cpp's
//! own programs are named by `LLAMA_COMPLETION_BIN` and `LLAMA_CLI_BIN`, they answer the same question in turns with ours.
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
    use llama_rs_benches::{Failure, Options, Percentiles, Ratio, load_warning};
    use llama_testkit::fixtures::TempModels;
    use llama_testkit::golden;

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
        let cases = cases(&program);
        let mut times = vec![Vec::new(); cases.len()];
        for round in 0..rounds {
            for turn in 0..cases.len() {
                let i = if round % 2 == 0 { turn } else { cases.len() - 1 - turn };
                times[i].push(once(&cases[i])?);
            }
        }
        println!("  {:<40}{:>8}{:>8}{:>8}   to ours, quartiles", "to", "p50", "p90", "p99");
        // The first character of ours is what the others' is compared with.
        let ours = times[1].clone();
        for (case, times) in cases.iter().zip(times) {
            let ratios =
                times.iter().zip(&ours).map(|(theirs, ours)| theirs.as_secs_f64() / ours.as_secs_f64()).collect();
            let times = Percentiles::of(times);
            let [p50, p90, p99] = [50.0, 90.0, 99.0].map(|percent| times.at(percent) * 1e3);
            let ratio = Ratio::of(&[ratios]).filter(|_| case.program != program).map_or_else(String::new, |ratio| {
                format!("{:.2} [{:.2}, {:.2}]", ratio.median, ratio.spread[1], ratio.spread[2])
            });
            println!("  {:<40}{p50:>8.1}{p90:>8.1}{p99:>8.1}   {ratio}", case.name);
        }
        Ok(())
    }

    /// What is started, and what it has to print.
    struct Case {
        name: &'static str,
        program: PathBuf,
        args: Vec<String>,
        /// Lines that come before it: ours says that it uses the demo model.
        lines: usize,
        until: &'static [u8],
    }

    fn cases(program: &Path) -> Vec<Case> {
        let case = |name, program: &Path, args: &[&str], lines, until| {
            let args = args.iter().map(|arg| (*arg).to_owned()).collect();
            Case { name, program: program.to_owned(), args, lines, until }
        };
        let run = ["run", "-t", "1", "--temp", "0", "-p", "Who are you?"];
        let mut cases = vec![
            case("chat: the prompt", program, &["chat", "-t", "1"], 1, b"> "),
            case("run: the first character", program, &run, 1, b"I"),
            case("run: the whole answer", program, &run, 1, b"itself."),
        ];
        let model = golden::demo_model_path();
        let model = model.to_string_lossy();
        let theirs = ["-m", &model, "-t", "1", "--temp", "0", "-st", "-p", "Who are you?"];
        if let Some(program) = std::env::var_os("LLAMA_COMPLETION_BIN").map(PathBuf::from) {
            let theirs = [&theirs[..], &["--no-display-prompt"]].concat();
            cases.push(case("llama-completion: the first word", &program, &theirs, 0, b"I am"));
        }
        if let Some(program) = std::env::var_os("LLAMA_CLI_BIN").map(PathBuf::from) {
            cases.push(case("llama-cli of llama.cpp: the first word", &program, &theirs, 0, b"I am"));
        }
        cases
    }

    /// Starts the program with a home of its own, and waits until it has printed what is waited for.
    fn once(case: &Case) -> Result<std::time::Duration, Failure> {
        let home = TempModels::new()?;
        let mut command = Command::new(&case.program);
        command.args(&case.args).env("HOME", home.path()).env("TERM", "xterm-256color").current_dir(home.path());
        let started = Instant::now();
        let mut process = UnixProcess::spawn_command(command)?;
        let (mut from, mut to): (File, File) = (process.get_raw_handle()?, process.get_raw_handle()?);
        let (mut seen, mut answered) = (Vec::new(), 0);
        let mut piece = [0; 4096];
        let took = loop {
            // A terminal whose program has ended tells so by an error.
            let read = from.read(&mut piece).or_else(|error| if seen.is_empty() { Err(error) } else { Ok(0) })?;
            seen.extend_from_slice(&piece[..read]);
            let asked = seen.windows(WHERE.0.len()).filter(|window| *window == WHERE.0).count();
            for _ in answered..asked {
                to.write_all(WHERE.1)?;
            }
            answered = asked;
            let ends = seen.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
            let after = [0].into_iter().chain(ends).nth(case.lines).unwrap_or(seen.len());
            if seen[after..].windows(case.until.len()).any(|window| window == case.until) {
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
