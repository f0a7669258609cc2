//! Stub.
pub struct Template(String);
impl Template { pub fn parse(t: &str) -> Result<Self, String> { Ok(Self(t.into())) } pub fn render(&self, _: &serde_json::Value) -> Result<String, String> { Ok(self.0.clone()) } }
