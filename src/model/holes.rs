//! Templates that only put names in, for providers that fill them in themselves. Pure.

/// The text with each `{{ name }}` made by `hole`; an error names the tag that does more than that.
pub fn fill_holes(text: &str, hole: impl Fn(&str) -> String) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = ["{{", "{%", "{#"].iter().filter_map(|open| rest.find(open)).min() {
        filled.push_str(&rest[..start]);
        let tag = &rest[start..];
        let end = tag.find("}}").map(|end| end + 2);
        let name = end
            .and_then(|end| tag.strip_prefix("{{")?.get(..end - 4))
            .map(|inside| inside.trim_start_matches('-').trim_end_matches('-').trim());
        match (name, end) {
            (Some(name), Some(end)) if is_name(name) => {
                filled.push_str(&hole(name));
                rest = &tag[end..];
            }
            _ => {
                let shown: String = tag.chars().take_while(|c| *c != '\n').take(60).collect();
                return Err(shown);
            }
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_in_and_anything_else_is_refused() {
        let fill = |text| fill_holes(text, |name| format!("<{name}>"));
        assert_eq!(fill("a {{ first_name }}, {{x1}}!").unwrap(), "a <first_name>, <x1>!");
        assert_eq!(fill("nothing {here}").unwrap(), "nothing {here}");
        for wrong in ["{{ a | upper }}", "{% if a %}x{% endif %}", "{{ a", "{{}}", "{{ a.b }}", "{# a #}"] {
            assert!(fill(wrong).is_err(), "{wrong}");
        }
        assert_eq!(fill("x {{ a | upper }}\ny").unwrap_err(), "{{ a | upper }}");
    }
}
