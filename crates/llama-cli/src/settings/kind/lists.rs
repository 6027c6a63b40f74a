//! Values that are lists: of texts, names, numbers, adapters, metadata and biases.

use llama_runtime::on_or_off;
use serde_json::{Map, Value, json};

use super::{Kind, Wrong, object};

/// Most members of a list: more than anybody writes, and few enough to look at one by one.
const MAX_MEMBERS: usize = 4096;

/// Reads a list as it stands on a command line or in a variable.
pub(super) fn read(kind: &Kind, text: &str) -> Result<Value, Wrong> {
    match kind {
        Kind::Names if text == "none" => Ok(json!([])),
        Kind::Names => commas(text).into_iter().map(|name| whole(kind, Value::String(name))).collect(),
        Kind::Shares => {
            let numbers = text.split([',', '/']).map(|part| part.trim().parse::<f64>().map(Value::from));
            let numbers: Result<Vec<_>, _> = numbers.collect();
            accept(kind, Value::Array(numbers.map_err(|_| kind.must())?))
        }
        Kind::Adapters => commas(text).into_iter().map(|file| adapter(kind, Value::String(file))).collect(),
        Kind::ScaledAdapters => commas(text).iter().map(|part| scaled(kind, part)).collect(),
        Kind::Overrides => {
            let pairs: Result<Map<_, _>, _> = commas(text).iter().map(|part| overriding(kind, part)).collect();
            pairs.map(Value::Object)
        }
        Kind::LogitBias => commas(text).iter().map(|part| bias(part).ok_or_else(|| kind.must())).collect(),
        _ => Err(kind.must()),
    }
}

/// Takes a list as it stands in a file.
pub(super) fn accept(kind: &Kind, value: Value) -> Result<Value, Wrong> {
    match (kind, value) {
        (_, Value::Array(members)) if members.len() > MAX_MEMBERS => {
            Err(format!("which has {} members; {MAX_MEMBERS} is the most", members.len()))
        }
        (Kind::Breakers, Value::String(text)) if text == "none" => Ok(json!([])),
        (Kind::Texts | Kind::Breakers, text @ Value::String(_)) => accept(kind, json!([text])),
        (Kind::Texts | Kind::Breakers | Kind::Names, Value::Array(texts)) => {
            texts.into_iter().map(|text| whole(kind, text)).collect()
        }
        (Kind::Names | Kind::LogitBias, Value::String(text)) => read(kind, &text),
        (Kind::Shares, Value::Array(numbers)) => {
            let fits = |number: &Value| number.as_f64().is_some_and(|number| number.is_finite() && number >= 0.0);
            if numbers.iter().all(fits) { Ok(Value::Array(numbers)) } else { Err(kind.must()) }
        }
        (Kind::Adapters, Value::Array(adapters)) => adapters.into_iter().map(|value| adapter(kind, value)).collect(),
        (Kind::Adapters, text @ Value::String(_)) => accept(kind, json!([text])),
        (Kind::Overrides, Value::Object(pairs)) => {
            let plain = |value: &Value| !value.is_array() && !value.is_object() && !value.is_null();
            if pairs.values().all(plain) { Ok(Value::Object(pairs)) } else { Err(kind.must()) }
        }
        (Kind::LogitBias, Value::Array(biases)) => biases
            .into_iter()
            .map(|value| match value {
                Value::String(text) => bias(&text),
                Value::Object(pair) => pair_of(&pair),
                _ => None,
            })
            .map(|bias| bias.ok_or_else(|| kind.must()))
            .collect(),
        _ => Err(kind.must()),
    }
}

/// A banned token has the bias `false` in files.
pub(super) fn ban_as_number(bias: Value) -> Value {
    match bias {
        Value::Object(mut pair) if pair.get("bias") == Some(&Value::Bool(false)) => {
            pair.insert("bias".to_owned(), json!(f64::MIN));
            Value::Object(pair)
        }
        bias => bias,
    }
}

/// `\n \r \t \\ \' \" \xHH` as upstream reads them; another character after a backslash stays with it.
///
/// # Errors
///
/// Bytes that are no text.
pub(crate) fn escaped(text: &str) -> Result<String, Wrong> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (taken, byte) = match (first, after) {
            (b'\\', [b'n', ..]) => (2, b'\n'),
            (b'\\', [b'r', ..]) => (2, b'\r'),
            (b'\\', [b't', ..]) => (2, b'\t'),
            (b'\\', [quoted @ (b'\\' | b'\'' | b'"'), ..]) => (2, *quoted),
            (b'\\', [b'x', high, low, ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (4, high * 16 + low),
                _ => (1, b'\\'),
            },
            (byte, _) => (1, *byte),
        };
        bytes.push(byte);
        rest = &rest[taken..];
    }
    String::from_utf8(bytes).map_err(|_| {
        "whose escapes make bytes that are not valid UTF-8; correct them, or double the backslashes".to_owned()
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Parts between commas; a part in double quotes may have commas in it.
fn commas(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match (c, parts.last_mut()) {
            ('"', _) => quoted = !quoted,
            (',', _) if !quoted => parts.push(String::new()),
            (c, Some(part)) => part.push(c),
            (_, None) => {}
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn whole(kind: &Kind, value: Value) -> Result<Value, Wrong> {
    if value.as_str().is_some_and(|text| !text.is_empty()) { Ok(value) } else { Err(kind.must()) }
}

fn adapter(kind: &Kind, value: Value) -> Result<Value, Wrong> {
    match value {
        Value::String(path) if !path.is_empty() => Ok(object([("path", path.into()), ("scale", json!(1.0))])),
        Value::Object(members) => {
            let known = members.keys().all(|name| name == "path" || name == "scale");
            let path = members.get("path").and_then(Value::as_str).filter(|path| !path.is_empty());
            let scale = members.get("scale").map_or(Some(1.0), Value::as_f64).filter(|scale| scale.is_finite());
            match (path, scale) {
                (Some(path), Some(scale)) if known => Ok(object([("path", path.into()), ("scale", json!(scale))])),
                _ => Err("must have a path, and may have a number as scale".to_owned()),
            }
        }
        _ => Err(kind.must()),
    }
}

fn scaled(kind: &Kind, text: &str) -> Result<Value, Wrong> {
    let (path, scale) = text.rsplit_once(':').ok_or_else(|| kind.must())?;
    let scale: f64 = scale.parse().ok().filter(|scale: &f64| scale.is_finite()).ok_or_else(|| kind.must())?;
    adapter(kind, object([("path", path.into()), ("scale", json!(scale))]))
}

fn overriding(kind: &Kind, text: &str) -> Result<(String, Value), Wrong> {
    let parts = text.split_once('=').and_then(|(key, rest)| Some((key, rest.split_once(':')?)));
    let value = parts.and_then(|(key, (name, value))| {
        let value = match name {
            "int" => value.parse::<i64>().ok()?.into(),
            "float" => value.parse::<f64>().ok().filter(|number| number.is_finite())?.into(),
            "bool" => on_or_off(value)?.into(),
            "str" => value.into(),
            _ => return None,
        };
        Some((key.to_owned(), value))
    });
    value.ok_or_else(|| kind.must())
}

fn bias(text: &str) -> Option<Value> {
    let end = text.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
    let (token, rest) = text.split_at(end);
    let token: i32 = token.parse().ok()?;
    let bias = match rest {
        "=false" | "-inf" => Value::Bool(false),
        _ => {
            let number: f64 = rest.strip_prefix('=').unwrap_or(rest).parse().ok()?;
            if !number.is_finite() {
                return None;
            }
            number.into()
        }
    };
    Some(object([("token", token.into()), ("bias", bias)]))
}

fn pair_of(pair: &Map<String, Value>) -> Option<Value> {
    let token = i32::try_from(pair.get("token")?.as_i64()?).ok().filter(|token| *token >= 0)?;
    let bias = pair.get("bias")?;
    let fits = bias == &Value::Bool(false) || bias.as_f64().is_some_and(f64::is_finite);
    (fits && pair.len() == 2).then(|| object([("token", token.into()), ("bias", bias.clone())]))
}
