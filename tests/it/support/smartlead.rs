//! The stand-in for Smartlead, running in the test's own process.

use std::sync::Arc;

use outreachd::model::SystemClock;
use outreachd::simulate::smartlead::{BASE, Handle, Options, Simulator};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

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

    pub(crate) fn faults(&self, spec: &str) {
        assert_eq!(self.ask("POST", "faults", json!({ "spec": spec })), json!({ "ok": true }));
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
