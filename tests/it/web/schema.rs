//! Holds an answer against its schema: as much of JSON Schema as our `OpenAPI` document uses.

use serde_json::Value;

/// What is wrong with `value`; empty if nothing is.
pub(super) fn problems(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    check(document, schema, value, "", &mut problems);
    problems
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
    for (key, rule) in schema.as_object().unwrap() {
        let is_right = match key.as_str() {
            "$ref" => {
                let path = rule.as_str().unwrap().strip_prefix('#').unwrap();
                let schema = document.pointer(path).unwrap_or_else(|| panic!("no {path}"));
                check(document, schema, value, at, problems);
                true
            }
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "integer" => value.is_i64() || value.is_u64(),
                "boolean" => value.is_boolean(),
                "null" => value.is_null(),
                other => panic!("an unknown type: {other}"),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "anyOf" => rule
                .as_array()
                .unwrap()
                .iter()
                .any(|schema| self::problems(document, schema, value).is_empty()),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(document, rule, item, &format!("{at}/{index}"), problems);
                }
                true
            }
            "properties" => {
                let fields = value.as_object().into_iter().flatten();
                for (name, field) in fields {
                    match rule.get(name) {
                        Some(schema) => {
                            check(document, schema, field, &format!("{at}/{name}"), problems);
                        }
                        None => problems.push(format!("{at}/{name}: not described")),
                    }
                }
                true
            }
            "required" => {
                let names = rule.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                names.into_iter().all(|name| value.get(name).is_some())
            }
            "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|number| number <= rule.as_i64().unwrap()),
            "minLength" => value.as_str().is_none_or(|text| !text.is_empty()),
            "pattern" => {
                assert_eq!(rule, "^[0-9a-f]{32}$");
                let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
                value.as_str().is_none_or(|text| text.len() == 32 && text.bytes().all(is_digit))
            }
            "description" | "format" | "additionalProperties" => true,
            other => panic!("an unknown rule: {other}"),
        };
        if !is_right {
            problems.push(format!("{at}: {value} is not {key} {rule}"));
        }
    }
}

#[test]
fn what_does_not_fit_is_seen() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": { "a": { "type": "integer", "minimum": 0 }, "b": { "enum": ["x"] } },
        "required": ["a"],
    });
    for (value, expected) in [
        (serde_json::json!({ "a": 1, "b": "x" }), 0),
        (serde_json::json!({ "a": -1 }), 1),
        (serde_json::json!({ "a": "1" }), 1),
        (serde_json::json!({ "b": "y" }), 2),
        (serde_json::json!({ "a": 1, "c": 1 }), 1),
        (serde_json::json!([]), 2),
    ] {
        assert_eq!(problems(&schema, &schema, &value).len(), expected, "{value}");
    }
}
