//! The API: what it answers is what its document says.

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use super::Site;
use crate::support::project::until;

const FIRST: &str = "00000000-0000-0000-0000-000000000001";

/// The schema of an operation's answer, on its own.
fn answer_schema(document: &Value, path: &str, method: &str) -> Validator {
    let mut schema =
        document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"].clone();
    assert!(schema.is_object(), "{method} {path}");
    schema["components"] = document["components"].clone();
    jsonschema::draft202012::new(&schema).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_shape_of_the_document() {
    let site = Site::start(false).await;
    site.enrolled(3).await;
    let document = site.json("/api/openapi.json").await;
    assert_eq!(document, outreachd::web::openapi());
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        if operations.get("get").is_none() {
            continue;
        }
        let url = path.replace("{number}", "1").replace("{employee_id}", FIRST);
        let answer = site.json(&url).await;
        let schema = answer_schema(&document, path, "get");
        let wrong: Vec<String> = schema.iter_errors(&answer).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{path}: {wrong:?} {answer}");
        asked += 1;
    }
    assert!(asked > 10);

    let (status, found) = site.post("/api/v1/contacts/find", &json!({ "who": "p2@c2.example" })).await;
    assert_eq!((status, found["contacts"][0]["full_name"].as_str()), (200, Some("Person 2")));
    let deeds = [
        ("/api/v1/campaigns/1/pause", json!({ "reason": "x", "until": "3d" }), 200),
        ("/api/v1/campaigns/1/resume", json!({}), 200),
        ("/api/v1/campaigns/1/pause", json!({ "reason": "x", "untill": "3d" }), 422),
        ("/api/v1/campaigns/9/pause", json!({ "reason": "x" }), 404),
        ("/api/v1/suppressions", json!({ "target": "@c3.example", "note": "asked" }), 200),
        ("/api/v1/suppressions", json!({ "target": "nobody" }), 422),
        ("/api/v1/suppressions", json!({}), 422),
        ("/api/v1/campaigns/1/resume", json!([null]), 422),
        ("/api/v1/contacts/find", json!({ "who": "a\0b" }), 422),
        ("/api/v1/suppressions", json!({ "target": "a\0@b.example" }), 422),
        ("/api/v1/pushes/nonsense/resolve", json!({ "arrived": true }), 404),
        (&format!("/api/v1/pushes/1:{FIRST}:1/resolve"), json!({ "arrived": true }), 409),
    ];
    for (path, body, expected) in deeds {
        let (status, answer) = site.post(path, &body).await;
        assert_eq!(status, expected, "{path} {body}: {answer}");
        assert!(status == 200 || answer["error"].is_string(), "{answer}");
    }
    site.enrolled(2).await;
    assert!(
        site.actors()
            .await
            .iter()
            .any(|(_, kind, subject)| kind == "suppress" && subject == "domain:c3.example")
    );
    let unknown = site.get("/api/v1/nothing").await;
    assert_eq!((unknown.0, unknown.1.contains("no such path")), (404, true));
    for (path, status) in [
        ("/api/v1/campaigns/x", 400),
        ("/api/v1/contacts/nobody", 400),
        ("/api/v1/events?limit=x", 400),
        ("/api/v2", 404),
        ("/api", 404),
    ] {
        let (told, text) = site.get(path).await;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        assert!(told == status && answer["error"].is_string(), "{path}: {told} {text}");
    }
    let broken = site.ask(Method::POST, "/api/v1/suppressions").header("content-type", "application/json");
    assert_eq!(broken.body("{").send().await.unwrap().status(), 422);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_read_from_the_database() {
    let site = Site::start(false).await;
    site.enrolled(3).await;
    // The pass ends after its pushes do.
    until("told", || async { site.page("/metrics").await.contains("verdict=\"accepted\"} 3") }).await;
    let text = site.page("/metrics").await;
    for line in [
        "outreachd_enrolled{campaign=\"1\"} 3",
        "outreachd_pushes_total{campaign=\"1\",verdict=\"accepted\"} 3",
        "outreachd_condition{campaign=\"1\",kind=\"ready\",reason=\"InStep\"} 1",
        "outreachd_daemons 1",
        "outreachd_up 1",
        "outreachd_file_problems 0",
        "outreachd_plan_seconds{campaign=\"1\"} ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains('@'));
    // Every sample is of a metric that is told of.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(outreachd::web::METRICS.iter().any(|(known, ..)| *known == name), "{line}");
    }
    site.end().await;
}
