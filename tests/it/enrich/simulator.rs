//! The stand-in for LeadMagic itself: what any other client would see of it.

use std::sync::Arc;

use outreachd::model::SystemClock;
use outreachd::simulate::leadmagic::{Options, Simulator};
use serde_json::{Value, json};

use crate::support::smartlead::client;

async fn start(options: Options) -> (String, tokio::task::JoinHandle<()>) {
    let simulator = Simulator::bind(options, Arc::new(SystemClock)).await.unwrap();
    let url = simulator.url().to_owned();
    (url, tokio::spawn(async move { simulator.serve().await.unwrap() }))
}

async fn validate(url: &str, email: &str) -> (u16, Value, Option<String>) {
    let response = client()
        .post(format!("{url}/v1/people/email-validation"))
        .header("x-api-key", "k")
        .json(&json!({ "email": email }))
        .send()
        .await
        .unwrap();
    let wait = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), response.json().await.unwrap(), wait)
}

#[tokio::test]
async fn it_keeps_credits_limits_and_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let options = Options {
        state: Some(state.clone()),
        credits: 1.into(),
        rate: "6/60".parse().unwrap(),
        ..Options::default()
    };
    let (url, server) = start(options.clone()).await;
    let (status, answer, _) = validate(&url, "Alive@acme.example").await;
    assert_eq!(
        (status, &answer["email_status"], &answer["credits_consumed"]),
        (200, &json!("valid"), &json!(0.25))
    );
    let free = validate(&url, "who.knows@acme.example").await;
    assert_eq!((&free.1["email_status"], &free.1["credits_consumed"]), (&json!("unknown"), &json!(0.0)));
    for expected in [200, 200, 200, 402] {
        assert_eq!(validate(&url, "dead@acme.example").await.0, expected);
    }
    let (status, body, wait) = validate(&url, "a@acme.example").await;
    assert_eq!((status, &body["title"]), (429, &json!("Too many requests")));
    assert!(wait.unwrap().parse::<u32>().unwrap() > 50, "seconds until the limit is reset");
    let unkeyed = client().get(format!("{url}/v1/credits")).send().await.unwrap();
    assert_eq!(unkeyed.status(), 401);
    // Saved within a moment.
    while !std::fs::read_to_string(&state).is_ok_and(|text| text.contains("\"spent\":\"1.00\"")) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    server.abort();

    let (url, server) = start(options).await;
    let summary: Value = client().get(format!("{url}/_sim")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&summary["spent"], &summary["credits"]), (&json!("1"), &json!("0")));
    server.abort();
}
