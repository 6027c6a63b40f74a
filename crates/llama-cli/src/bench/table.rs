//! What of a row stands in the table for people, and what stands below it.

use llama_runtime::{llama_cpp_source, llama_cpp_version};
use serde::Serialize;
use serde_json::Value;

use super::matrix::{Case, Layout, Test};
use super::options::Options;
use super::print::Cell;
use super::row::Row;
use super::samples;

/// Columns that are shown only where they tell rows apart or are not what they are by default.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Columns {
    batch: bool,
    ubatch: bool,
    type_k: bool,
    type_v: bool,
    flash: bool,
    kv_offload: bool,
    load_mode: bool,
    op_offload: bool,
    repack: bool,
    layers: bool,
    parallel: bool,
}

impl Columns {
    /// Those that these tests need.
    pub(super) fn of(cases: &[Case]) -> Self {
        let any = |differs: &dyn Fn(&Layout) -> bool| cases.iter().any(|case| differs(&case.layout));
        let Some(first) = cases.first() else { return Self::default() };
        Self {
            batch: any(&|layout| layout.n_batch != 2048),
            ubatch: any(&|layout| layout.at_once() != 512),
            type_k: any(&|layout| layout.type_k != llama_core::CacheType::F16),
            type_v: any(&|layout| layout.type_v != llama_core::CacheType::F16),
            flash: any(&|layout| layout.flash != llama_core::FlashAttention::Auto),
            kv_offload: any(&|layout| !layout.kv_offload),
            load_mode: cases.iter().any(|case| case.load.load_mode != llama_core::LoadMode::Auto),
            op_offload: any(&|layout| !layout.op_offload),
            repack: cases.iter().any(|case| !case.load.repack),
            layers: cases.iter().any(|case| case.load.gpu_layers != first.load.gpu_layers),
            parallel: cases.iter().any(|case| case.test.n_parallel > 1),
        }
    }

    /// The cells of what tells ways to compute apart, on a machine with these backends.
    pub(super) fn options(self, options: &Options, backends: &str) -> impl Iterator<Item = Cell> {
        let optional = [
            (self.layers || backends != "CPU", Cell::number("ngl", 3, options.n_gpu_layers)),
            (self.batch, Cell::number("n_batch", 7, options.n_batch)),
            (self.ubatch, Cell::number("n_ubatch", 8, options.n_ubatch)),
            (self.type_k, Cell::number("type_k", 6, &options.type_k)),
            (self.type_v, Cell::number("type_v", 6, &options.type_v)),
            (self.flash, Cell::number("fa", 3, options.flash_attn)),
            (self.kv_offload, Cell::number("nkvo", 4, u8::from(options.no_kv_offload))),
            (self.load_mode, Cell::number("lm", 10, &options.load_mode)),
            (self.op_offload, Cell::number("nopo", 4, u8::from(options.no_op_offload))),
            (self.repack, Cell::number("repack", 6, u8::from(options.repack))),
        ];
        optional.into_iter().filter(|(shown, _)| *shown).map(|(_, cell)| cell)
    }

    /// The cells of a row.
    pub(super) fn cells(self, row: &Row) -> Vec<Cell> {
        let mut cells = vec![
            Cell::text("model", 30, &row.model_type),
            Cell::number("size", 10, size(row.model_size)),
            Cell::number("params", 10, count(row.model_n_params)),
            Cell::text("backend", 10, &row.backends),
            Cell::number("threads", 7, row.options.n_threads),
        ];
        cells.extend(self.options(&row.options, &row.backends));
        if self.parallel {
            cells.push(Cell::number("npl", 4, row.n_parallel));
        }
        cells.push(Cell::text("kernels", 7, row.kernels));
        cells.push(Cell::number("test", 15, name(row)));
        cells.push(Cell::number("t/s", 20, format!("{:.2} ± {:.2}", row.avg_ts, row.stddev_ts)));
        cells.push(Cell::number("median", 10, format!("{:.2}", row.median_ts)));
        cells
    }
}

fn name(row: &Row) -> String {
    let test = Test { n_prompt: row.n_prompt, n_gen: row.n_gen, n_depth: row.n_depth, ..Default::default() };
    test.name()
}

/// What stands below the table: what computed, and how much faster with our kernels than without, where both were measured.
pub(super) fn notes(rows: &[Row]) -> Vec<String> {
    let mut notes = Vec::new();
    for on in rows.iter().filter(|row| row.kernels == "on") {
        let Some(off) = rows.iter().find(|row| on.is_other_side_of(row)) else { continue };
        let pairs = on.samples_ts.iter().zip(&off.samples_ts);
        let ratios: Vec<f64> = pairs.map(|(on, off)| on / off).collect();
        let width = if on.n_parallel > 1 { format!(" x {}", on.n_parallel) } else { String::new() };
        notes.push(format!(
            "{}{width}, {} threads: kernels on / off {:.2} [{:.2}, {:.2}]",
            name(on),
            on.options.n_threads,
            samples::median(&ratios),
            samples::quantile(&ratios, 0.25),
            samples::quantile(&ratios, 0.75)
        ));
    }
    notes.extend(made_by(rows.iter().find_map(|row| row.kernels_isa)));
    notes
}

/// Which kernels, and which llama.cpp.
pub(super) fn made_by(isa: Option<&str>) -> Vec<String> {
    let kernels = match (isa, llama_core::why_no_kernels()) {
        (Some(isa), _) => isa.to_owned(),
        (None, Some(why)) => format!("off, {why}"),
        (None, None) => "off".to_owned(),
    };
    let slow = cfg!(debug_assertions)
        .then(|| "warning: this is a debug build, which says little; build with --release".to_owned());
    let facts = [
        format!("kernels: {kernels}"),
        format!(
            "build: llama-cli {}, llama.cpp {} ({})",
            env!("CARGO_PKG_VERSION"),
            llama_cpp_version(),
            llama_cpp_source()
        ),
    ];
    slow.into_iter().chain(facts).collect()
}

/// A row as an object; its names keep their order.
pub(super) fn object(row: &impl Serialize) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(row)?)
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1 << 30 {
        format!("{:.2} MiB", bytes as f64 / (1_u64 << 20) as f64)
    } else {
        format!("{:.2} GiB", bytes as f64 / (1_u64 << 30) as f64)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number for people")]
pub(super) fn count(params: u64) -> String {
    if params < 1_000_000_000 {
        format!("{:.2} M", params as f64 / 1e6)
    } else {
        format!("{:.2} B", params as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn row(kernels: &'static str, n_parallel: u32, spent: &[u64]) -> Row {
        let mut row = Row { kernels, n_parallel, n_gen: 10, backends: "CPU".into(), ..Row::default() };
        row.options.n_threads = 2;
        row.kernels_isa = (kernels == "on").then_some("AVX2");
        let spent: Vec<Duration> = spent.iter().map(|ms| Duration::from_millis(*ms)).collect();
        row.measured(&spent, 10);
        row
    }

    #[test]
    fn both_sides_of_a_test_are_compared_repetition_by_repetition() {
        let rows = [row("on", 4, &[10, 10, 30]), row("off", 4, &[20, 30, 30]), row("on", 1, &[10])];
        let notes = notes(&rows);
        assert_eq!(notes[0], "tg10 x 4, 2 threads: kernels on / off 2.00 [1.50, 2.50]");
        let facts = &notes[notes.len() - 2..];
        assert_eq!(facts[0], "kernels: AVX2");
        assert!(facts[1].starts_with("build: llama-cli "), "{notes:?}");
    }

    #[test]
    fn what_is_as_ever_has_no_column() {
        let names = |columns: Columns| -> Vec<&str> {
            columns.cells(&row("on", 1, &[10])).iter().map(|cell| cell.name).collect()
        };
        let least = ["model", "size", "params", "backend", "threads", "kernels", "test", "t/s", "median"];
        assert_eq!(names(Columns::default()), least);
        assert!(names(Columns { parallel: true, ..Columns::default() }).contains(&"npl"));
        let more = names(Columns { op_offload: true, repack: true, ..Columns::default() });
        assert!(more.contains(&"nopo") && more.contains(&"repack"), "{more:?}");
        assert_eq!((size(3 << 20), count(3_500_000)), ("3.00 MiB".to_owned(), "3.50 M".to_owned()));
    }
}
