//! Puts tables and plots into `docs/`, and tells what there is not as the results say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::plots::Plot;
use super::results::Results;
use super::{plots, say, tables};
use crate::Failure;

const PAGE: &str = "docs/performance.md";
const PLOTS: &str = "docs/plots";

/// Writes what is not as it should be, and removes plots that nobody wants.
pub(crate) fn draw(results: &Results, top: &Path) -> Result<(), Failure> {
    for (file, wanted) in stale(results, top)? {
        let path = top.join(&file);
        let told = |error| Failure::from(format!("{}: {error}", path.display()));
        let Some(wanted) = wanted else {
            fs::remove_file(&path).map_err(told)?;
            say(&format!("removed: {file}"));
            continue;
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, wanted).map_err(told)?;
        say(&format!("drawn: {file}"));
    }
    Ok(())
}

/// The files that are not as the results say, and how they should be; nothing for a plot of what was not measured.
pub(crate) fn stale(results: &Results, top: &Path) -> Result<Vec<(String, Option<String>)>, Failure> {
    let page = fs::read_to_string(top.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let plots = plots::all(results);
    let page = (PAGE.to_owned(), filled(&page, results, &plots)?);
    let files: BTreeMap<_, _> =
        plots.into_iter().map(|plot| (format!("{PLOTS}/{}", plot.name), plot.svg)).chain([page]).collect();
    let unwanted: Vec<String> = drawn(top)?.into_iter().filter(|file| !files.contains_key(file)).collect();
    let differs = |(file, wanted): &(String, String)| fs::read_to_string(top.join(file)).ok().as_ref() != Some(wanted);
    let stale = files.into_iter().filter(differs).map(|(file, wanted)| (file, Some(wanted)));
    Ok(stale.chain(unwanted.into_iter().map(|file| (file, None))).collect())
}

/// The plots that are there.
fn drawn(top: &Path) -> Result<Vec<String>, Failure> {
    let folder = top.join(PLOTS);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.ends_with(".svg").then(|| format!("{PLOTS}/{name}")));
    }
    Ok(names)
}

/// The page with every block between its marks replaced: tables, and the lines that show plots.
fn filled(page: &str, results: &Results, plots: &[Plot]) -> Result<String, Failure> {
    let tables = tables::BLOCKS.into_iter().map(|(name, block)| (name, block(results)));
    let mut page = page.to_owned();
    for (name, block) in tables.chain(plots::PLACES.map(|place| (place, shown(plots, place)))) {
        let (begin, end) = (format!("<!-- measured: {name} -->\n"), "<!-- end -->");
        let from = page.find(&begin).ok_or_else(|| format!("{PAGE} has no line {}", begin.trim_end()))? + begin.len();
        let to = page[from..].find(end).ok_or_else(|| format!("{PAGE}: {} has no end", begin.trim_end()))? + from;
        page.replace_range(from..to, &format!("\n{block}\n"));
    }
    Ok(page)
}

/// The lines that show the plots of a place.
fn shown(plots: &[Plot], place: &str) -> String {
    let of_place = plots.iter().filter(|plot| plot.place == place);
    let lines: String = of_place.map(|plot| format!("![{}](plots/{})\n", plot.title, plot.name)).collect();
    if lines.is_empty() { "Not measured.\n".to_owned() } else { lines }
}

#[cfg(test)]
mod tests {
    use super::super::results::{Case, Measure, Side};
    use super::super::{kept, top};
    use super::*;

    /// A page with all marks, and nothing of today between them.
    fn old_page() -> String {
        let names = tables::BLOCKS.iter().map(|(name, _)| *name).chain(plots::PLACES);
        names.map(|name| format!("Before {name}.\n<!-- measured: {name} -->\nold\n<!-- end -->\nAfter.\n")).collect()
    }

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
        let filled = filled(&old_page(), &Results::default(), &[]).expect("all marks are there");
        assert!(!filled.contains("old"));
        assert!(filled.starts_with("Before how.\n<!-- measured: how -->\n\nNot measured.\n\n<!-- end -->\nAfter.\n"));
    }

    #[test]
    fn a_mark_that_is_missing_is_named() {
        let error = filled("no marks", &Results::default(), &[]).expect_err("there is none").to_string();
        assert!(error.contains("measured: how"), "{error}");
    }

    #[test]
    fn the_page_shows_the_plots_that_are_drawn_and_no_other_stays() {
        let folder = llama_testkit::fixtures::TempModels::new().expect("a folder");
        let plots = folder.path().join(PLOTS);
        fs::create_dir_all(&plots).expect("a folder for plots");
        fs::write(folder.path().join(PAGE), old_page()).expect("a page");
        fs::write(plots.join("decode-0.6b.svg"), "of an earlier run").expect("a plot");
        let mut results = Results::default();
        results.push(Case::new(Measure::Decode, "0.2b", "q8_0", 1), Side::On, 0, 1.0);
        draw(&results, folder.path()).expect("it is drawn");
        let page = fs::read_to_string(folder.path().join(PAGE)).expect("the page");
        let images: Vec<&str> = page.lines().filter(|line| line.starts_with("![")).collect();
        assert_eq!(images, ["![Decoding with 0.2b](plots/decode-0.2b.svg)", "![Kernels on to off](plots/gains.svg)"]);
        let mut files = drawn(folder.path()).expect("a folder");
        files.sort();
        assert_eq!(files, ["docs/plots/decode-0.2b.svg", "docs/plots/gains.svg"]);
        assert_eq!(stale(&results, folder.path()).expect("the page has all marks"), []);
    }
}
