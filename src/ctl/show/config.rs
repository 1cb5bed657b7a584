//! The configuration in force, as lines that a TOML file may have.

use crate::ctl::text::plain;
use serde_json::Value;

pub(in crate::ctl) fn text(config: &Value) -> String {
    let mut lines = Vec::new();
    flatten("", config, &mut lines);
    lines.iter().map(|line| plain(line) + "\n").collect()
}

/// `audio.output = "virtual"`; what is not set is left out.
fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (key, value) in fields {
                let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                let key = if bare { key.clone() } else { Value::from(key.as_str()).to_string() };
                let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                flatten(&path, value, lines);
            }
        }
        other => lines.push(format!("{path} = {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_configuration_is_shown_as_toml_without_what_is_not_set() {
        let config = json!({"name": "a \"b\"", "audio": {"output": "virtual", "ppm": 2.5, "x": null}, "a b": [1, 2]});
        assert_eq!(
            text(&config),
            "name = \"a \\\"b\\\"\"\naudio.output = \"virtual\"\naudio.ppm = 2.5\n\"a b\" = [1,2]\n"
        );
    }
}
