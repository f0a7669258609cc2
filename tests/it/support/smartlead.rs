//! The stand-in for Smartlead, running in the test's own process.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use outreachd::model::SystemClock;
use outreachd::simulate::smartlead::{BASE, Handle, Options, Simulator};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::TestDb;

pub(crate) const KEY: &str = "sl-key-that-must-not-leak";

pub(crate) struct Smartlead {
    url: String,
    handle: Handle,
    server: JoinHandle<()>,
}

impl Smartlead {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let options = Options { key: Some(KEY.to_owned()), ..options };
        let simulator = Simulator::bind(options, Arc::new(SystemClock)).await.unwrap();
        let (url, handle) = (simulator.url().to_owned(), simulator.handle());
        let server = tokio::spawn(async move { simulator.serve().await.unwrap() });
        Self { url, handle, server }
    }

    /// Where the API begins.
    pub(crate) fn base(&self) -> String {
        format!("{}{BASE}", self.url)
    }

    /// A control call.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        self.handle.ask(method, path, body)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.ask("GET", path, json!({}))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.ask("POST", "advance", json!({ "seconds": seconds }));
    }

    /// By its own clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.get("")["now"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn faults(&self, spec: &str) {
        assert_eq!(self.ask("POST", "faults", json!({ "spec": spec })), json!({ "ok": true }));
    }

    /// How long answers take, in milliseconds, such as `300-800`; counts anew how many calls are under way at once.
    pub(crate) fn latency(&self, ms: &str) {
        assert_eq!(self.ask("POST", "latency", json!({ "ms": ms })), json!({ "ok": true }));
    }

    pub(crate) fn reading(&self, set: &str) {
        assert_eq!(self.ask("POST", "reading", json!({ "set": set })), json!({ "ok": true }));
    }

    /// A call as any other client makes it: status and body.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let mut url = reqwest::Url::parse(&format!("{}/{path}", self.base())).unwrap();
        url.query_pairs_mut().append_pair("api_key", KEY);
        let method: Method = method.parse().unwrap();
        let mut request = client().request(method.clone(), url);
        if method != Method::GET {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Counted from this side, after quiet and with all feedback taken in: everybody who is live in the database is in
    /// the campaign once and goes on, with the fields that are declared; nobody else gets a mail any more; no step
    /// went to anybody twice. `stopped` are addresses that nothing may go to. Lets a month pass. Gives the members.
    pub(crate) async fn agrees(&self, db: &TestDb, stopped: &BTreeSet<String>) -> Value {
        let entered = self.get("entered");
        assert!(entered.as_object().unwrap().values().all(|times| times == 1), "never twice: {entered}");
        let remote: Option<String> =
            sqlx::query_scalar("select max(remote_id) from outreach.remote_campaigns")
                .fetch_one(db.pool())
                .await
                .unwrap();
        let inside = match remote {
            Some(id) => self.get(&format!("campaigns/{id}")),
            None => json!({ "members": {} }),
        };
        let members = inside["members"].as_object().unwrap();
        let known: Vec<(String, bool, String, Value)> = sqlx::query_as(
            "select email, live, status, fields from outreach.enrollments where status <> 'failed'",
        )
        .fetch_all(db.pool())
        .await
        .unwrap();
        for (email, _, _, fields) in known.iter().filter(|(_, live, ..)| *live) {
            let member = members.get(email).unwrap_or_else(|| panic!("{email} is live and not there"));
            for (name, value) in fields.as_object().unwrap() {
                let there = member["fields"].get(name).or_else(|| member["custom_fields"].get(name));
                assert_eq!(there, Some(value), "{email}: {name}");
            }
            let goes_on = ["STARTED", "INPROGRESS"].iter().any(|status| member["status"] == *status);
            assert!(goes_on, "{email}: {member}");
        }
        let known: HashMap<&str, (bool, &str)> =
            known.iter().map(|(email, live, status, _)| (email.as_str(), (*live, status.as_str()))).collect();
        let unknown: Vec<&String> =
            members.keys().filter(|email| !known.contains_key(email.as_str())).collect();
        assert!(unknown.is_empty(), "there and not known: {unknown:?} {known:?}");
        let mails = || self.get("mails").as_array().unwrap().clone();
        let before = mails().len();
        self.advance(30 * 86_400);
        let mails = mails();
        let mut steps = BTreeSet::new();
        for mail in &mails {
            let step = (mail["campaign"].to_string(), mail["email"].to_string(), mail["step"].to_string());
            assert!(steps.insert(step), "a step twice: {mail}");
        }
        let late: Vec<&Value> = mails[before..]
            .iter()
            .filter(|mail| {
                let email = mail["email"].as_str().unwrap_or_default();
                stopped.contains(email) || known.get(email).is_none_or(|(live, _)| !live)
            })
            .collect();
        assert!(late.is_empty(), "after stop: {late:?}");
        inside["members"].clone()
    }

    /// A campaign made by hand: its id.
    pub(crate) async fn campaign(&self, name: &str) -> i64 {
        let (status, made) = self.call("POST", "campaigns/create", json!({ "name": name })).await;
        assert_eq!(status, 200);
        made["id"].as_i64().unwrap()
    }
}

impl Drop for Smartlead {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().timeout(std::time::Duration::from_secs(20)).build().unwrap()
}
