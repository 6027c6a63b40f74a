//! `cargo xtask bench`: the benchmarks, with a warning when the machine is too busy to measure.

use std::process::{Command, ExitCode, Stdio};

use crate::outcome::{Failure, cannot_start, passed_on};
use crate::{setup, workspace};

/// Share of the cores that others may keep busy before figures mean little.
const BUSY_SHARE: f64 = 0.5;

/// Runs `cargo bench --workspace` with `args` appended: all benchmarks but the comparison with upstream's programs, which its
/// manifest leaves to those who name it.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let tools = setup::prepare()?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if let Some(load) = load_average().filter(|load| is_busy(*load, cores)) {
        eprintln!("warning: load average is {load:.2} on {cores} cores; figures will be too slow and unsteady");
    }
    let mut command = workspace::cargo();
    tools.apply(&mut command);
    command.current_dir(workspace::root()).args(["bench", "--workspace", "--benches"]).args(args);
    let status = command.status().map_err(|error| cannot_start(&command, &error))?;
    Ok(passed_on(status))
}

fn is_busy(load: f64, cores: usize) -> bool {
    #[allow(clippy::cast_precision_loss, reason = "no machine has 2^52 cores")]
    let cores = cores as f64;
    load > BUSY_SHARE * cores
}

/// Mean number of runnable processes over the last minute, where the system tells.
fn load_average() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok().or_else(|| {
        let output = Command::new("sysctl").args(["-n", "vm.loadavg"]).stderr(Stdio::null()).output().ok()?;
        String::from_utf8(output.stdout).ok()
    })?;
    first_number(&text)
}

/// Linux prints `0.42 0.36 ..`, macOS `{ 0.42 0.36 .. }`.
fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().find_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_print_the_load_are_read() {
        assert_eq!(first_number("0.42 0.36 0.30 1/234 5678\n"), Some(0.42));
        assert_eq!(first_number("{ 1.50 1.20 1.00 }\n"), Some(1.5));
        assert_eq!(first_number(""), None);
    }

    #[test]
    fn busy_is_more_than_half_of_the_cores() {
        assert!(is_busy(1.1, 2));
        assert!(!is_busy(1.0, 2));
    }
}
