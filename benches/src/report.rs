//! What a person reads.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use crate::{Measured, Ratio};

/// The least a loop over our own types may reach of the same loop over raw calls.
pub const TARGET: f64 = 0.98;

/// Share of the cores that others may keep busy before times mean little.
const BUSY_SHARE: f64 = 0.5;

/// Whether the target is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The whole interval is at the target or above.
    Pass,
    /// The median is at the target or above, the interval reaches below.
    PassUnsure,
    /// The median is below, the interval reaches the target.
    FailUnsure,
    /// The whole interval is below.
    Fail,
}

impl Verdict {
    /// Judges a ratio against [`TARGET`].
    pub fn of(ratio: &Ratio) -> Self {
        match (ratio.median >= TARGET, ratio.interval) {
            (true, [low, _]) if low >= TARGET => Self::Pass,
            (true, _) => Self::PassUnsure,
            (false, [_, high]) if high >= TARGET => Self::FailUnsure,
            (false, _) => Self::Fail,
        }
    }

    /// Whether the median meets the target.
    pub fn passed(self) -> bool {
        matches!(self, Self::Pass | Self::PassUnsure)
    }

    /// Whether more measuring may turn it round.
    pub fn is_unsure(self) -> bool {
        matches!(self, Self::PassUnsure | Self::FailUnsure)
    }

    fn text(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::PassUnsure => "PASS (unsure)",
            Self::FailUnsure => "FAIL (unsure)",
            Self::Fail => "FAIL",
        }
    }
}

/// Prints a table of the loops: their rates, and the ratios to the first. With `judged`, each gets a verdict; the return
/// value says whether all pass. `single_thread`: whether the measuring thread did all the work, so that its own time says
/// something.
pub fn print_ratios(title: &str, names: &[&str], measured: &Measured, single_thread: bool, judged: bool) -> bool {
    println!("\n{title}: {} blocks of twice {} tokens", measured.blocks(), measured.units());
    println!(
        "  {:<10}{:>10}  {:<26}{:<32}{:<26}",
        "loop", "tokens/s", "ratio, 95% interval", "min, quartiles, max", "by CPU time, 95% interval"
    );
    let mut passed = true;
    for (i, name) in names.iter().enumerate() {
        let rate = measured.rate(i).unwrap_or(f64::NAN);
        if i == 0 {
            println!("  {name:<10}{rate:>10.0}");
            continue;
        }
        let Some(ratio) = measured.ratio(i) else {
            println!("  {name:<10} the clock is too coarse for these runs");
            passed = false;
            continue;
        };
        let by_cpu =
            measured.cpu_ratio(i).filter(|_| single_thread).map_or("-".to_owned(), |ratio| with_interval(&ratio));
        let spread = ratio.spread.map(|value| format!("{value:.4}")).join("  ");
        let verdict = Verdict::of(&ratio);
        let text = if judged { verdict.text() } else { "" };
        passed &= verdict.passed();
        println!("  {name:<10}{rate:>10.0}  {:<26}{spread:<32}{by_cpu:<26}{text}", with_interval(&ratio));
    }
    passed
}

fn with_interval(ratio: &Ratio) -> String {
    format!("{:.4} [{:.4}, {:.4}]", ratio.median, ratio.interval[0], ratio.interval[1])
}

/// A sentence for a machine that is too busy to measure on, where the system tells.
pub fn load_warning() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let load: f64 = text.split_whitespace().next()?.parse().ok()?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    #[allow(clippy::cast_precision_loss, reason = "no machine has 2^52 cores")]
    let limit = BUSY_SHARE * cores as f64;
    (load > limit).then(|| {
        format!(
            "warning: load average is {load:.2} on {cores} cores: ratios by time that passed are unsteady; go by CPU time, \
             or wait until the machine is idle"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(median: f64, interval: [f64; 2]) -> Verdict {
        Verdict::of(&Ratio { median, spread: [0.0; 4], interval })
    }

    #[test]
    fn the_median_decides_and_the_interval_says_how_sure_it_is() {
        assert_eq!(verdict(0.99, [0.985, 0.995]), Verdict::Pass);
        assert_eq!(verdict(0.99, [0.97, 1.01]), Verdict::PassUnsure);
        assert_eq!(verdict(0.97, [0.95, 0.99]), Verdict::FailUnsure);
        assert_eq!(verdict(0.97, [0.96, 0.975]), Verdict::Fail);
        assert!(verdict(0.98, [0.9, 1.1]).passed());
    }
}
