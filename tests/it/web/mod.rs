//! The operators' side and what strangers may reach, asked over HTTP of the real binary.

mod access;
mod api;
mod deploy;
mod notices;
mod pages;
mod size;

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use crate::support::process::Running;
use crate::support::project::{Kind, Project, until};

pub(crate) const OPERATE: &str = "ort_operate";
pub(crate) const VIEW: &str = "ort_view";

/// A running daemon with three contacts enrolled, and where it answers.
pub(crate) struct Site {
    pub(crate) project: Project,
    pub(crate) daemon: Running,
    pub(crate) place: String,
    pub(crate) public: String,
    client: Client,
}

/// A port that nobody has at the moment.
fn port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(text))
}

impl Site {
    pub(crate) async fn start(with_tokens: bool) -> Self {
        Self::on(Project::new(Kind::Blind, 3).await, with_tokens).await
    }

    pub(crate) async fn on(project: Project, with_tokens: bool) -> Self {
        let (inside, outside) = (port(), port());
        project.declare("2s", "2s");
        let tokens = if with_tokens {
            format!(
                "tokens: [{{ name: olga, role: operate, sha256: {} }}, {{ name: vera, role: view, sha256: {} }}], ",
                sha256(OPERATE),
                sha256(VIEW)
            )
        } else {
            String::new()
        };
        let text = project.read("outreach.yaml");
        project.write(
            "outreach.yaml",
            &format!(
                "{text}daemon: {{ look_every: 1s, poll_files_every: 1s }}\nhttp: {{ listen: \"127.0.0.1:{inside}\", {tokens}public: {{ listen: \"127.0.0.1:{outside}\", per_minute: 60 }} }}\n"
            ),
        );
        let daemon = project.start(&["run"]);
        // A second installation fails and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(Duration::from_secs(20))
            .no_proxy()
            .build()
            .unwrap();
        let site = Self {
            project,
            daemon,
            place: format!("http://127.0.0.1:{inside}"),
            public: format!("http://127.0.0.1:{outside}"),
            client,
        };
        until("ready", || async {
            site.client
                .get(format!("{}/readyz", site.place))
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        site
    }

    pub(crate) async fn enrolled(&self, contacts: i64) {
        until("enrolled", || async {
            self.project.count("outreach.enrollments where live").await == contacts
                && self.project.count("outreach.pushes where settled_at is null").await == 0
        })
        .await;
    }

    pub(crate) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.place))
    }

    pub(crate) fn outside(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.public))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask(Method::GET, path).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// A page that must be there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let (status, text) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.page(path).await).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.ask(Method::POST, path).json(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// Opens a page as a browser does and sends one of its forms: with its hidden fields and its cookie.
    pub(crate) async fn form(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let answer = self.ask(Method::GET, page).send().await.unwrap();
        let cookie = answer.headers().get("set-cookie").unwrap().to_str().unwrap().to_owned();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let html = answer.text().await.unwrap();
        let form = html
            .split("<form ")
            .find(|form| form.contains(&format!("action=\"{action}\"")))
            .unwrap_or_else(|| panic!("no form {action} on {page}: {html}"));
        let key = form.split("name=\"form_key\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.append_pair("form_key", key);
        for (name, value) in fields {
            body.append_pair(name, value);
        }
        let sent = self
            .ask(Method::POST, action)
            .header("cookie", cookie)
            .header("origin", &self.place)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.finish())
            .send()
            .await
            .unwrap();
        let status = sent.status().as_u16();
        let to = sent.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (status, to.unwrap_or(sent.text().await.unwrap()))
    }

    pub(crate) async fn actors(&self) -> Vec<(String, String, String)> {
        sqlx::query_as("select actor, kind, subject from outreach.events order by at")
            .fetch_all(self.project.db.pool())
            .await
            .unwrap()
    }

    pub(crate) async fn end(self) -> String {
        self.daemon.terminate();
        self.daemon.finish().await.ended(0).stderr
    }
}
