//! Values as `llama-bench` takes them: several with commas between them, and ranges of numbers.
//!
//! `1,2,4`, `1-8` (each), `1-8+2` (1, 3, 5, 7), `1-8*2` (1, 2, 4, 8).

use llama_runtime::{CacheType, FlashAttention, GpuLayers, LoadMode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Most values of one list.
const MOST: usize = 1000;

/// The values that one use of a flag gives.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct List<T>(pub(super) Vec<T>);

/// The values of all uses of a flag.
pub(super) fn all<T: Clone>(given: &[List<T>]) -> Vec<T> {
    given.iter().flat_map(|list| list.0.iter().cloned()).collect()
}

/// Numbers and ranges of them.
pub(super) fn numbers(text: &str) -> Result<List<u32>, String> {
    let mut found = Vec::new();
    for part in parts(text)? {
        range(part, &mut found)?;
        if found.len() > MOST {
            return Err(format!("{part} makes more than {MOST} values"));
        }
    }
    Ok(List(found))
}

fn range(part: &str, found: &mut Vec<u32>) -> Result<(), String> {
    let number = |text: &str| {
        let expected = "must be numbers such as 128,256, or a range such as 1-8, 1-8+2 or 1-8*2";
        text.parse::<u32>().map_err(|_| expected.to_owned())
    };
    let Some((first, rest)) = part.split_once('-') else {
        found.push(number(part)?);
        return Ok(());
    };
    let (last, times, step) = match rest.split_once(['+', '*']) {
        Some((last, step)) => (last, rest.contains('*'), step),
        None => (rest, false, "1"),
    };
    let (mut at, last, step) = (number(first)?, number(last)?, number(step)?);
    let next = |at: u32| if times { at.checked_mul(step) } else { at.checked_add(step) };
    if at > last {
        return Err(format!("{part} ends before it begins"));
    }
    while at <= last && found.len() <= MOST {
        found.push(at);
        match next(at) {
            Some(next) if next > at => at = next,
            None => break,
            Some(_) => return Err(format!("{part} never comes to its end; give a larger step")),
        }
    }
    Ok(())
}

/// A pair of numbers.
pub(super) fn pair(text: &str) -> Result<(u32, u32), String> {
    let must = || "must be two numbers, PROMPT,ANSWER, such as 512,128".to_owned();
    let (first, second) = text.split_once(',').ok_or_else(must)?;
    Ok((first.trim().parse().map_err(|_| must())?, second.trim().parse().map_err(|_| must())?))
}

/// Number formats of the KV cache.
pub(super) fn cache_types(text: &str) -> Result<List<CacheType>, String> {
    named(text, "f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0 or iq4_nl")
}

/// Ways to load a file, by our names and by llama.cpp's.
pub(super) fn load_modes(text: &str) -> Result<List<LoadMode>, String> {
    let ours = text.replace("none", "read").replace('+', "_");
    let ours: Vec<&str> = ours.split(',').map(|word| if word == "dio" { "direct_io" } else { word }).collect();
    named(&ours.join(","), "auto, read (none), mmap, mlock, mmap_mlock or direct_io (dio)")
}

fn named<T: DeserializeOwned>(text: &str, names: &str) -> Result<List<T>, String> {
    let read = |word: &str| {
        let value = Value::from(word.to_ascii_lowercase());
        serde_json::from_value(value).map_err(|_| format!("{word} must be {names}"))
    };
    parts(text)?.into_iter().map(read).collect::<Result<_, _>>().map(List)
}

/// The name that such a value has in files and in rows.
pub(super) fn name(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

/// Whether attention is fused.
pub(super) fn flash(text: &str) -> Result<List<FlashAttention>, String> {
    words(text, "on, off or auto", |word| match word {
        "auto" | "-1" => Some(FlashAttention::Auto),
        word => llama_runtime::on_or_off(word).map(|on| if on { FlashAttention::On } else { FlashAttention::Off }),
    })
}

/// Layers on a GPU.
pub(super) fn layers(text: &str) -> Result<List<GpuLayers>, String> {
    if matches!(text, "-1" | "all" | "auto") {
        return Ok(List(vec![GpuLayers::All]));
    }
    let several = words(text, "a number of layers, all or -1", |word| match word {
        "-1" | "all" | "auto" => Some(GpuLayers::All),
        word => word.parse().ok().map(GpuLayers::AtMost),
    });
    several.or_else(|_| Ok(List(numbers(text)?.0.into_iter().map(GpuLayers::AtMost).collect())))
}

/// On or off, also as 1 and 0.
pub(super) fn switches(text: &str) -> Result<List<bool>, String> {
    words(text, "on or off (1 or 0)", llama_runtime::on_or_off)
}

fn words<T>(text: &str, names: &str, read: impl Fn(&str) -> Option<T>) -> Result<List<T>, String> {
    let one = |word: &str| read(word).ok_or_else(|| format!("{word} must be {names}"));
    parts(text)?.into_iter().map(one).collect::<Result<_, _>>().map(List)
}

fn parts(text: &str) -> Result<Vec<&str>, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err("there is nothing between two commas, or at an end".to_owned());
    }
    if parts.len() > MOST { Err(format!("there are more than {MOST} values")) } else { Ok(parts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_are_those_of_upstream() {
        for (text, expected) in [
            ("512", &[512][..]),
            ("128,256", &[128, 256]),
            ("1-4", &[1, 2, 3, 4]),
            ("1-8+3", &[1, 4, 7]),
            ("1-8*2,3", &[1, 2, 4, 8, 3]),
            ("0", &[0]),
        ] {
            assert_eq!(numbers(text), Ok(List(expected.to_vec())), "{text}");
        }
        for (text, expected) in [
            ("", "nothing between"),
            ("1,,2", "nothing between"),
            ("x", "must be numbers"),
            ("-1", "must be numbers"),
            ("4-1", "ends before"),
            ("0-8*2", "never comes"),
            ("1-8+0", "never comes"),
            ("5-5*1", "never comes"),
            ("1-100000", "more than 1000"),
            ("4294967296", "must be numbers"),
        ] {
            let error = numbers(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert_eq!(numbers("4294967295-4294967295"), Ok(List(vec![u32::MAX])));
    }

    #[test]
    fn pairs_are_two_numbers() {
        assert_eq!(pair("512, 128"), Ok((512, 128)));
        assert!(pair("512").is_err() && pair("1,2,3").is_err() && pair("a,b").is_err());
    }

    #[test]
    fn names_are_those_of_settings_and_of_upstream() {
        assert_eq!(cache_types("f16,Q8_0"), Ok(List(vec![CacheType::F16, CacheType::Q8_0])));
        assert_eq!(name(CacheType::IQ4_NL), "iq4_nl");
        assert!(cache_types("q8").unwrap_err().starts_with("q8 must be f32, "));
        let modes = vec![LoadMode::Read, LoadMode::MmapMlock, LoadMode::DirectIo];
        assert_eq!(load_modes("none,mmap+mlock,dio"), Ok(List(modes)));
        assert_eq!(flash("on,0,-1"), Ok(List(vec![FlashAttention::On, FlashAttention::Off, FlashAttention::Auto])));
        assert_eq!(layers("-1"), Ok(List(vec![GpuLayers::All])));
        assert_eq!(layers("0,all"), Ok(List(vec![GpuLayers::AtMost(0), GpuLayers::All])));
        assert_eq!(layers("1-2"), Ok(List(vec![GpuLayers::AtMost(1), GpuLayers::AtMost(2)])));
        assert_eq!(switches("on,0"), Ok(List(vec![true, false])));
        assert!(switches("yes").unwrap_err().contains("on or off"));
    }
}
