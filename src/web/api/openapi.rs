//! The OpenAPI document: what stands here beside the types is the list of routes, which a test holds to the
//! router.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{
    AnswersView, Approve, CampaignView, ContactView, Correct, DiagnosticsView, Done, DoubtsView, EventsView,
    Find, ForecastView, FoundList, HistoryView, Look, Me, Overview, Page, Pause, PlanView, ProvidersView,
    Resolve, Resume, Suppress, VerdictsView,
};

/// Collects operations; types that they name become components.
struct Document {
    types: SchemaGenerator,
    /// What is sent: there, what may be left out is not required.
    bodies: SchemaGenerator,
    paths: Map<String, Value>,
}

/// What a path's place holds.
const PLACES: [(&str, &str, &str); 5] = [
    ("id", "The mail's id.", r#"{"type":"string","format":"uuid"}"#),
    ("number", "The campaign's number.", r#"{"type":"integer","format":"int32"}"#),
    ("employee_id", "The contact's id.", r#"{"type":"string","format":"uuid"}"#),
    ("name", "The mailbox's name, as it is declared.", r#"{"type":"string"}"#),
    ("key", "The push's key, `campaign:employee:ordinal`.", r#"{"type":"string"}"#),
];

/// The document of this version.
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let bodies = settings.clone().for_deserialize().into_generator();
    let mut api = Document { types: settings.for_serialize().into_generator(), bodies, paths: Map::new() };
    api.get::<Me, ()>("/api/v1/me", "Who asks, and what it may do.");
    api.get::<Overview, ()>("/api/v1/overview", "All campaigns at a glance.");
    api.get::<CampaignView, ()>(
        "/api/v1/campaigns/{number}",
        "One campaign: declared, live, limits, passes.",
    );
    api.get::<PlanView, Look>("/api/v1/campaigns/{number}/plan", "What applying the campaign would do.");
    api.get::<ForecastView, ()>("/api/v1/campaigns/{number}/forecast", "What will be handed over when.");
    api.get::<HistoryView, Page>("/api/v1/campaigns/{number}/history", "Passes, newest first.");
    api.post::<Pause>("/api/v1/campaigns/{number}/pause", "Hold the campaign back; stops go out.");
    api.post::<Resume>("/api/v1/campaigns/{number}/resume", "Let a paused campaign go on.");
    api.post::<Approve>("/api/v1/campaigns/{number}/approve", "Let a blocked plan through once.");
    api.asked::<FoundList, Find>("/api/v1/contacts/find", "Contacts with an address or id.");
    api.get::<ContactView, ()>("/api/v1/contacts/{employee_id}", "One contact: rules, timeline, stops.");
    api.get::<VerdictsView, ()>(
        "/api/v1/contacts/{employee_id}/verdicts",
        "Why it is, or is not, in each campaign.",
    );
    api.get::<DoubtsView, ()>(
        "/api/v1/pushes/in-doubt",
        "Pushes of which nobody knows whether they arrived.",
    );
    api.post::<Resolve>("/api/v1/pushes/{key}/resolve", "Say whether a push in doubt arrived.");
    api.get::<AnswersView, ()>("/api/v1/replies", "Mails that wait for a person's word.");
    api.post::<Correct>("/api/v1/replies/{id}/correct", "Say what a mail is.");
    api.post::<Suppress>("/api/v1/suppressions", "Never write to an address or domain again.");
    api.get::<ProvidersView, ()>("/api/v1/providers", "Providers, mailboxes and daemons.");
    api.post::<Resume>("/api/v1/mailboxes/{name}/resume", "Let a mailbox that rests send again.");
    api.get::<DiagnosticsView, ()>("/api/v1/diagnostics", "What is wrong in the declared files.");
    api.get::<EventsView, Page>("/api/v1/events", "What people did by hand, newest first.");
    let mut schemas = api.types.take_definitions(true);
    for (name, body) in api.bodies.take_definitions(true) {
        debug_assert!(schemas.get(&name).is_none_or(|known| *known == body), "two types are called {name}");
        schemas.insert(name, body);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "outreachd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What operators see and do. Reading wants a token of role `view`, deeds one of role \
                            `operate`; without any declared token, a daemon on loopback asks for none.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }, {}],
        "paths": api.paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": {
                "Fault": {
                    "description": "Why there is no answer.",
                    "content": { "application/json": { "schema": {
                        "type": "object",
                        "properties": { "error": { "type": "string" } },
                        "required": ["error"],
                    } } },
                },
                "Refused": {
                    "description": "No token, or one that may only look.",
                    "content": {
                        "text/plain": { "schema": { "type": "string" } },
                        "application/json": { "schema": {
                            "type": "object",
                            "properties": { "error": { "type": "string" } },
                            "required": ["error"],
                        } },
                    },
                },
            },
        },
    })
}

impl Document {
    fn get<T: JsonSchema, Q: JsonSchema>(&mut self, path: &str, summary: &str) {
        let answer = self.types.subschema_for::<T>();
        let query = self.query::<Q>();
        self.add(path, "get", summary, query, None, &json!(answer));
    }

    fn post<B: JsonSchema>(&mut self, path: &str, summary: &str) {
        self.asked::<Done, B>(path, summary);
    }

    fn asked<T: JsonSchema, B: JsonSchema>(&mut self, path: &str, summary: &str) {
        let (answer, body) = (self.types.subschema_for::<T>(), self.bodies.subschema_for::<B>());
        self.add(path, "post", summary, Vec::new(), Some(json!(body)), &json!(answer));
    }

    /// The fields of the query's type as parameters.
    fn query<Q: JsonSchema>(&mut self) -> Vec<Value> {
        let schema = json!(Q::json_schema(&mut self.bodies));
        let fields = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        fields
            .into_iter()
            .map(|(name, mut schema)| {
                let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
                json!({ "name": name, "in": "query", "required": false, "schema": schema,
                    "description": description.unwrap_or_default() })
            })
            .collect()
    }

    fn add(
        &mut self,
        path: &str,
        method: &str,
        summary: &str,
        mut parameters: Vec<Value>,
        body: Option<Value>,
        answer: &Value,
    ) {
        for (name, description, schema) in PLACES {
            if path.contains(&format!("{{{name}}}")) {
                let schema: Value = serde_json::from_str(schema).unwrap_or_default();
                parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema,
                    "description": description }));
            }
        }
        let words: Vec<&str> = path
            .trim_start_matches("/api/v1/")
            .split(['/', '-'])
            .filter(|part| !part.contains('{'))
            .collect();
        let refused = json!({ "$ref": "#/components/responses/Refused" });
        let fault = json!({ "$ref": "#/components/responses/Fault" });
        let mut operation = json!({
            "operationId": format!("{method}_{}", words.join("_")),
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "200": { "description": "So it is.",
                    "content": { "application/json": { "schema": answer } } },
                "400": fault, "401": refused, "403": refused,
                "404": fault, "429": fault, "503": fault,
            },
        });
        if let Some(body) = body {
            operation["requestBody"] =
                json!({ "required": true, "content": { "application/json": { "schema": body } } });
            for (code, answer) in [("409", &fault), ("422", &fault), ("413", &refused), ("415", &refused)] {
                operation["responses"][code] = answer.clone();
            }
        }
        let at = self.paths.entry(path.to_owned()).or_insert_with(|| json!({}));
        at[method] = operation;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let document = openapi();
        let text = document.to_string();
        let mut found = 0;
        for part in text.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            found += 1;
        }
        assert!(found > 30, "{found}");
        assert!(!text.contains("$defs"));
    }

    #[test]
    fn the_list_is_the_routers() {
        let source = include_str!("mod.rs");
        let routed: Vec<&str> = source
            .split(".route(\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .filter(|path| path.starts_with("/api/v1") && !path.contains('*'))
            .collect();
        let document = openapi();
        let mut listed: Vec<&str> =
            document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut routed = routed;
        routed.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, routed);
        assert!(routed.len() > 15);
    }
}
