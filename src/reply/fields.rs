//! Blocks of `Name: value` lines: delivery status, feedback reports, headers inside of text.

/// Fields in their order; names lower-cased, values unfolded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The fields of one block. What is no field continues the one before it: servers wrap without indenting.
    pub(super) fn parse(block: &str) -> Self {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in block.lines().map(|line| line.trim_end_matches('\r')) {
            match name_and_value(line) {
                Some((name, value)) => fields.push((name.to_ascii_lowercase(), value.trim().to_owned())),
                None => {
                    if let Some((_, value)) = fields.last_mut() {
                        value.push(' ');
                        value.push_str(line.trim());
                    }
                }
            }
        }
        Self(fields)
    }

    /// Blocks are parted by blank lines.
    pub(super) fn blocks(text: &str) -> Vec<Self> {
        let mut blocks = Vec::new();
        let mut block = String::new();
        for line in text.lines().chain([""]) {
            if line.trim().is_empty() {
                if !block.is_empty() {
                    blocks.push(Self::parse(&block));
                    block.clear();
                }
            } else {
                block.push_str(line);
                block.push('\n');
            }
        }
        blocks.retain(|fields| !fields.0.is_empty());
        blocks
    }

    /// The first field of a lower-case name that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, value)| own == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub(super) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0
            .iter()
            .filter(move |(own, value)| own == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Parts where a field of that name comes again: blocks whose blank line was lost.
    pub(super) fn split_at_each(self, name: &str) -> Vec<Self> {
        let mut parts = vec![Self::default()];
        for (own, value) in self.0 {
            let again = own == name && parts.last().is_some_and(|part| part.get(name).is_some());
            if again {
                parts.push(Self::default());
            }
            if let Some(part) = parts.last_mut() {
                part.0.push((own, value));
            }
        }
        parts
    }
}

/// A header line at the start of a line; the name is a token (RFC 5322, 2.2) of sane length.
pub(super) fn name_and_value(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim_end();
    let is_name = !name.is_empty()
        && name.len() <= 60
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && name.bytes().any(|byte| byte.is_ascii_alphabetic());
    is_name.then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_wrapped_and_run_together_blocks() {
        let text = "Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; a@x.example\nDiagnostic-Code: smtp; 550 no\n\
                    550 such user\n folded\nFinal-recipient: rfc822;b@x.example\n";
        let blocks = Fields::blocks(text);
        assert_eq!(blocks.len(), 2);
        let parts = blocks[1].clone().split_at_each("final-recipient");
        assert_eq!(parts[0].get("diagnostic-code"), Some("smtp; 550 no 550 such user folded"));
        assert_eq!(parts[1].get("final-recipient"), Some("rfc822;b@x.example"));
    }
}
