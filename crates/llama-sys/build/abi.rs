//! Turns the layout assertions of the checked-in declarations into C++ ones, so that headers with other
//! structures or constants stop the build with a sentence instead of corrupting memory at run time.

use std::fmt::Write as _;

const ADVICE: &str = "differs from the declarations of llama-sys: use the pinned llama.cpp, or enable the feature `bindgen` of llama-sys";

/// Declarations as bindgen writes them in, assertions out.
pub(crate) fn checks(declarations: &str) -> String {
    let dense: String = declarations.split_whitespace().collect();
    let mut out = String::from("#include \"llama.h\"\n#include <cstddef>\n\n");
    for (name, size) in dense.split("::core::mem::size_of::<").skip(1).filter_map(|text| equation(text, ">()-")) {
        let _ = writeln!(out, "static_assert(sizeof(void *) != 8 || sizeof({name}) == {size}, \"{name} {ADVICE}\");");
    }
    for (field, offset) in dense.split("::core::mem::offset_of!(").skip(1).filter_map(|text| equation(text, ")-")) {
        let field = field.replace(',', ", ").trim_end_matches('_').to_owned();
        let _ =
            writeln!(out, "static_assert(sizeof(void *) != 8 || offsetof({field}) == {offset}, \"{field} {ADVICE}\");");
    }
    for line in declarations.lines() {
        if let Some((name, value)) = constant(line) {
            let _ = writeln!(out, "static_assert(static_cast<long long>({name}) == {value}, \"{name} {ADVICE}\");");
        }
    }
    out
}

/// `llama_batch>()-56usize...` as its two sides, for llama.cpp's own structures.
fn equation<'a>(text: &'a str, between: &str) -> Option<(&'a str, &'a str)> {
    let (left, right) = text.split_once(between)?;
    let upstream = left.starts_with("llama_") || left.starts_with("ggml_");
    (upstream && !left.contains("__bindgen")).then_some((left, right.split_once("usize")?.0))
}

/// `pub const LLAMA_X: type = 3;`. Counts and file versions grow without harm.
fn constant(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("pub const ")?.split_once(": ")?;
    let value = rest.split_once(" = ")?.1.strip_suffix(';')?;
    let upstream = name.starts_with("LLAMA_") || name.starts_with("GGML_");
    let grows = name.ends_with("_COUNT") || name.ends_with("_VERSION");
    (upstream && !grows && value.parse::<i64>().is_ok()).then_some((name, value))
}
