//! Adds up what test programs print.

/// Tests counted so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Counts {
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, ignored: 0 };
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1, ignored: 0 };

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }

    /// Makes sure that a program which failed counts as a failure, also when it died before it could say so.
    pub(crate) fn settled(mut self, success: bool) -> Self {
        if !success && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

/// Reads one line of a Rust test program: `test result: ok. 3 passed; 0 failed; 1 ignored; ..`.
///
/// A test that prints without a line end shares its line with the result, so the words may stand anywhere.
pub(crate) fn rust_line(line: &str) -> Option<Counts> {
    let (_, rest) = line.split_once("test result: ")?;
    let (verdict, figures) = rest.split_once(". ")?;
    if !matches!(verdict, "ok" | "FAILED") {
        return None;
    }
    let figure =
        |name: &str| figures.split(';').find_map(|part| part.trim().strip_suffix(name)?.trim().parse::<u64>().ok());
    Some(Counts { passed: figure("passed")?, failed: figure("failed")?, ignored: figure("ignored")? })
}

/// Reads what Python's unittest prints at its end: `Ran 12 tests in 0.1s`, then perhaps
/// `FAILED (failures=1, errors=2, skipped=3)`. `None` when the program is no unittest.
pub(crate) fn python_output(text: &str) -> Option<Counts> {
    let ran = text.lines().find_map(|line| line.strip_prefix("Ran ")?.split(' ').next()?.parse::<u64>().ok())?;
    let verdict = text.lines().rev().find(|line| line.starts_with("FAILED") || line.starts_with("OK")).unwrap_or("");
    let figure = |name: &str| {
        let after = verdict.split([' ', '(', ')', ',']).find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        after.and_then(|digits| digits.parse::<u64>().ok()).unwrap_or(0)
    };
    let failed = figure("failures") + figure("errors");
    let ignored = figure("skipped");
    Some(Counts { passed: ran.saturating_sub(failed + ignored), failed, ignored })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_of_cargo_add_up() {
        let output = "\
running 4 tests
test a ... ok
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.00s
";
        let mut sum = Counts::default();
        output.lines().filter_map(rust_line).for_each(|counts| sum.add(counts));
        assert_eq!(sum, Counts { passed: 5, failed: 5, ignored: 1 });
    }

    #[test]
    fn a_result_after_a_test_s_own_output_counts() {
        let line = "progress 50%test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(rust_line(line), Some(Counts::PASSED));
    }

    #[test]
    fn other_lines_do_not_count() {
        for line in ["", "test result: fine", "test result: ok. many passed; 0 failed; 0 ignored", "3 passed; 0 failed"]
        {
            assert_eq!(rust_line(line), None, "{line}");
        }
    }

    #[test]
    fn unittest_s_closing_lines_count() {
        assert_eq!(python_output("..\nRan 12 tests in 0.1s\n\nOK\n"), Some(Counts { passed: 12, ..Counts::default() }));
        assert_eq!(
            python_output("Ran 12 tests in 0.1s\n\nFAILED (failures=1, errors=2, skipped=3)\n"),
            Some(Counts { passed: 6, failed: 3, ignored: 3 })
        );
        assert_eq!(python_output("all good\n"), None);
    }

    #[test]
    fn a_program_that_dies_counts_as_one_failure() {
        assert_eq!(Counts::default().settled(false), Counts::FAILED);
        assert_eq!(Counts { failed: 3, ..Counts::default() }.settled(false).failed, 3);
        assert_eq!(Counts::PASSED.settled(true), Counts::PASSED);
    }
}
