//! The report for people: problems first, then everything in lines.

use super::model::Model;
use super::{Level, Report};
use crate::commands::devices;

/// Room for the first column.
const WIDTH: usize = 12;

/// The report as text.
pub(super) fn of(report: &Report) -> String {
    let mut out = problems(report);
    let (program, llama) = (&report.program, &report.llama_cpp);
    line(
        &mut out,
        "program",
        &format!("llama-cli {}, {} build for {}", program.version, program.profile, program.target),
    );
    line(&mut out, "", program.rustc);
    line(&mut out, "", &format!("features: {}", list(&program.features)));
    line(&mut out, "llama.cpp", &format!("{} ({})", llama.version, llama.source));
    line(&mut out, "", &format!("build: {}", llama.build));
    for (index, backend) in report.backends.iter().enumerate() {
        let found = backend.why_not.clone().unwrap_or_else(|| format!("found: {}", backend.devices.join(", ")));
        line(&mut out, if index == 0 { "backends" } else { "" }, &format!("{}: {found}", backend.name));
    }
    for (index, device) in report.devices.iter().enumerate() {
        let text = format!(
            "{}: {}, {}, {}",
            device.name,
            devices::kind(device.kind),
            devices::memory(device),
            device.description
        );
        line(&mut out, if index == 0 { "devices" } else { "" }, &text);
    }
    let of = |wanted: bool| -> Vec<&str> {
        report
            .cpu
            .features
            .iter()
            .filter(|feature| feature.used == wanted)
            .map(|feature| feature.name.as_str())
            .collect()
    };
    line(&mut out, "processor", &format!("{}, {} threads", report.cpu.description, report.cpu.threads));
    line(&mut out, "", &format!("used: {}", list(&of(true))));
    line(&mut out, "", &format!("not used: {}", list(&of(false))));
    let kernels = match (report.kernels.instructions, &report.kernels.why_not) {
        (Some(instructions), _) => format!("on: {instructions}"),
        (None, why) => format!("off: {}", why.as_deref().unwrap_or("unknown")),
    };
    line(&mut out, "kernels", &kernels);
    line(&mut out, "memory", &format!("{} free of {}", size(report.memory.free), size(report.memory.total)));
    let files: Vec<String> = report.config.files.iter().map(|path| path.display().to_string()).collect();
    line(&mut out, "config", &list(&files));
    let cache = match &report.cache {
        Some(cache) if cache.exists => format!("{}, {}", cache.path.display(), size(cache.bytes)),
        Some(cache) => format!("{}, not there yet", cache.path.display()),
        None => "none: there is no home folder".to_owned(),
    };
    line(&mut out, "cache", &cache);
    model(&mut out, &report.model);
    let terminal = &report.terminal;
    let word = |is: bool| if is { "terminal" } else { "no terminal" };
    let streams = format!(
        "stdin: {}, stdout: {}, stderr: {}, colours: {}",
        word(terminal.stdin),
        word(terminal.stdout),
        word(terminal.stderr),
        if terminal.colours { "on" } else { "off" }
    );
    line(&mut out, "terminal", &streams);
    out
}

fn problems(report: &Report) -> String {
    let mut out = String::new();
    for problem in &report.problems {
        let level = if problem.level == Level::Error { "error" } else { "warning" };
        out.push_str(&format!("{level}: {}\n  try: {}\n", problem.what, problem.remedy));
    }
    if report.problems.is_empty() {
        out.push_str("No problems found.\n");
    }
    out.push('\n');
    out
}

fn model(out: &mut String, model: &Model) {
    let unnamed = if model.source.is_some() { "without a name" } else { "not looked at" };
    let name = model.name.as_deref().unwrap_or(unnamed);
    let path = model.path.as_ref().map(|path| format!(" ({})", path.display())).unwrap_or_default();
    line(out, "model", &format!("{name}{path}"));
    if let (Some(needs), Some(fits)) = (&model.needs, model.fits) {
        let fits = if fits { "fits" } else { "does not fit" };
        line(out, "", &format!("needs {} for {} tokens: {fits}", size(needs.usage.total()), needs.n_ctx));
    }
    if let Some(largest) = model.largest_context {
        let trained = model.trained_context.map(|tokens| format!(", trained with {tokens}")).unwrap_or_default();
        line(out, "", &format!("longest context that fits: {largest} tokens{trained}"));
    }
    if let Some(threads) = &model.threads {
        line(out, "", &format!("threads: {threads}"));
    }
}

fn line(out: &mut String, name: &str, text: &str) {
    out.push_str(&format!("{name:WIDTH$}{text}\n"));
}

fn list<T: AsRef<str>>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn size(bytes: u64) -> String {
    const GIB: u64 = 1 << 30;
    if bytes >= GIB {
        format!("{:.1} GiB", bytes as f64 / GIB as f64)
    } else {
        format!("{:.1} MiB", bytes as f64 / 1048576.0)
    }
}
