//! Objects: `properties` and what goes with them.

use serde_json::{Map, Value, json};

use super::{MAX_OBJECT_PATTERNS, Outcome, Place, Walk, copy_size};
use crate::structure::StructureError;

/// Most properties that one object names or demands by number: the compiler's work grows with their square.
const MAX_PROPERTIES: usize = 512;

impl<'s> Walk<'s> {
    pub(super) fn objects(
        &mut self,
        schema: &'s Map<String, Value>,
        at: &Place,
        out: &mut Map<String, Value>,
    ) -> Outcome {
        if let Some(value) = schema.get("properties") {
            out.insert("properties".into(), self.properties(value, &at.step("properties"))?);
        }
        if let Some(value) = schema.get("patternProperties") {
            out.insert("patternProperties".into(), self.pattern_properties(value, &at.step("patternProperties"))?);
        }
        if let Some(value) = schema.get("additionalProperties") {
            out.insert("additionalProperties".into(), self.schema(value, &at.step("additionalProperties"))?);
        }
        let required = required(schema, at)?;
        if required.len() > MAX_PROPERTIES {
            return Err(at.step("required").too_complex(format!("more than {MAX_PROPERTIES} names are required")));
        }
        if !required.is_empty() {
            for name in &required {
                self.count(at, name.len())?;
            }
            out.insert("required".into(), json!(required));
        }
        for word in ["minProperties", "maxProperties"] {
            copy_size(schema, word, MAX_PROPERTIES as u64, at, out)?;
        }
        // Properties beyond the named ones can repeat a name, and then count once: one more than the required ones can be
        // demanded, two cannot.
        let least = out.get("minProperties").and_then(Value::as_u64).unwrap_or(0);
        if least > required.len() as u64 + 1 {
            return Err(at.step("minProperties").unsupported(
                format!("`minProperties` is {least}, and {} properties are required by name", required.len()),
                "name the properties in `required`; one more than those can be demanded",
            ));
        }
        Ok(())
    }

    fn properties(&mut self, value: &'s Value, at: &Place) -> Result<Value, StructureError> {
        let map = object(value, at)?;
        if map.len() > MAX_PROPERTIES {
            return Err(at.too_complex(format!("it has {} properties, the limit is {MAX_PROPERTIES}", map.len())));
        }
        let mut named = Map::new();
        for (name, value) in map {
            self.count(at, name.len())?;
            named.insert(name.clone(), self.schema(value, &at.step(name))?);
        }
        Ok(Value::Object(named))
    }

    fn pattern_properties(&mut self, value: &'s Value, at: &Place) -> Result<Value, StructureError> {
        let map = object(value, at)?;
        if map.len() > MAX_OBJECT_PATTERNS {
            return Err(at.too_complex(format!("it has {} patterns, the limit is {MAX_OBJECT_PATTERNS}", map.len())));
        }
        let mut named = Map::new();
        for (pattern, value) in map {
            let at = at.step(pattern);
            let pattern = self.pattern(pattern, &at)?;
            named.insert(pattern, self.schema(value, &at)?);
        }
        Ok(Value::Object(named))
    }
}

fn object<'v>(value: &'v Value, at: &Place) -> Result<&'v Map<String, Value>, StructureError> {
    value.as_object().ok_or_else(|| at.invalid("an object with a schema per name is needed here"))
}

/// The names, each once.
fn required<'v>(schema: &'v Map<String, Value>, at: &Place) -> Result<Vec<&'v str>, StructureError> {
    let at = at.step("required");
    let names = match schema.get("required") {
        None => return Ok(Vec::new()),
        Some(Value::Array(names)) => names,
        Some(Value::Bool(_)) => {
            return Err(
                at.unsupported("`required` is a boolean", "list the names of required properties in the object")
            );
        }
        Some(_) => return Err(at.invalid("`required` is an array of names")),
    };
    let mut out: Vec<&str> = Vec::with_capacity(names.len());
    let mut seen = std::collections::HashSet::new();
    for (i, name) in names.iter().enumerate() {
        let name = name.as_str().ok_or_else(|| at.index(i).invalid("`required` is an array of names"))?;
        if seen.insert(name) {
            out.push(name);
        }
    }
    Ok(out)
}
