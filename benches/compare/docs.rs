//! Puts tables and plots into `docs/`, and tells what there is not as the results say.

use std::fs;
use std::path::Path;

use super::results::Results;
use super::{plots, say, tables};
use crate::Failure;

const PAGE: &str = "docs/performance.md";
const PLOTS: &str = "docs/plots";

/// Writes what is not as it should be.
pub(crate) fn draw(results: &Results, top: &Path) -> Result<(), Failure> {
    for (file, wanted) in stale(results, top)? {
        let path = top.join(&file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, wanted).map_err(|error| format!("{}: {error}", path.display()))?;
        say(&format!("drawn: {file}"));
    }
    Ok(())
}

/// The files that are not as the results say, and how they should be.
pub(crate) fn stale(results: &Results, top: &Path) -> Result<Vec<(String, String)>, Failure> {
    let page = fs::read_to_string(top.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let plots = plots::all(results).into_iter().map(|(name, file)| (format!("{PLOTS}/{name}"), file));
    let wanted = plots.chain([(PAGE.to_owned(), filled(&page, results)?)]);
    Ok(wanted.filter(|(file, wanted)| fs::read_to_string(top.join(file)).ok().as_ref() != Some(wanted)).collect())
}

/// The page with every block between its marks replaced.
fn filled(page: &str, results: &Results) -> Result<String, Failure> {
    let mut page = page.to_owned();
    for (name, block) in tables::BLOCKS {
        let (begin, end) = (format!("<!-- measured: {name} -->\n"), "<!-- end -->");
        let from = page.find(&begin).ok_or_else(|| format!("{PAGE} has no line {}", begin.trim_end()))? + begin.len();
        let to = page[from..].find(end).ok_or_else(|| format!("{PAGE}: {} has no end", begin.trim_end()))? + from;
        page.replace_range(from..to, &format!("\n{}\n", block(results)));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::super::{kept, top};
    use super::*;

    /// `cargo bench -p llama-rs-benches --bench compare -- draw` makes them so.
    #[test]
    fn the_page_and_its_plots_are_as_the_results_say() {
        let results = Results::load(&kept()).expect("results are kept");
        let stale = stale(&results, &top()).expect("the page has all marks");
        let files: Vec<&str> = stale.iter().map(|(file, _)| file.as_str()).collect();
        assert!(files.is_empty(), "not as docs/performance.json says: {files:?}");
    }

    #[test]
    fn what_stands_between_the_marks_is_replaced_and_nothing_else() {
        let page: String = tables::BLOCKS
            .iter()
            .map(|(name, _)| format!("Before {name}.\n<!-- measured: {name} -->\nold\n<!-- end -->\nAfter.\n"))
            .collect();
        let filled = filled(&page, &Results::default()).expect("all marks are there");
        assert!(!filled.contains("old"));
        assert!(filled.starts_with("Before how.\n<!-- measured: how -->\n\nNot measured.\n\n<!-- end -->\nAfter.\n"));
    }

    #[test]
    fn a_mark_that_is_missing_is_named() {
        let error = filled("no marks", &Results::default()).expect_err("there is none").to_string();
        assert!(error.contains("measured: how"), "{error}");
    }
}
