//! A webhook receiver that behaves as badly as a real one and remembers what it really got.
//!
//! Speaks HTTP/1.1 by hand, because a well-behaved server cannot break a connection before its answer.
//! Never judges: tests count.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The shared signing secret of tests.
pub(crate) const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// What the receiver does with one request to take items.
#[derive(Debug, Clone)]
pub(crate) enum Behaviour {
    Accept,
    /// Gives the items of one address this status and does not keep them; keeps the others.
    Item {
        email: String,
        status: &'static str,
    },
    /// Keeps nothing.
    Status(u16),
    /// Keeps nothing and says when to come back.
    ComeBack {
        status: u16,
        after: String,
    },
    /// Refuses the whole batch while this address is in it.
    Poison(String),
    /// Never answers.
    Hang {
        keep: bool,
    },
    /// Keeps everything, and answers after a while.
    Slow(std::time::Duration),
    /// Breaks the connection instead of answering.
    Drop {
        keep: bool,
    },
    /// Keeps everything, and answers this.
    Say {
        status: u16,
        body: String,
    },
    /// Keeps everything, and mentions only every second item.
    HalfList,
}

/// What the receiver does with a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookUp {
    Honest,
    Status(u16),
    Garbage,
}

/// One item that the receiver took.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) key: String,
    pub(crate) action: String,
    pub(crate) email: String,
    pub(crate) fields: Value,
}

pub(crate) struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    state: Mutex<State>,
    requests: watch::Sender<usize>,
}

struct State {
    script: VecDeque<Behaviour>,
    then: Behaviour,
    look_up: LookUp,
    kept: Vec<Delivery>,
    batches: Vec<usize>,
    complaints: Vec<String>,
}

struct Request {
    method: String,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State {
            script: VecDeque::new(),
            then: Behaviour::Accept,
            look_up: LookUp::Honest,
            kept: Vec::new(),
            batches: Vec::new(),
            complaints: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), requests: watch::Sender::new(0) });
        let serving = Arc::clone(&shared);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                tokio::spawn(async move { serve(stream, &shared).await });
            }
        });
        Self { port, shared, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// The next requests, one behaviour each; then the standing behaviour holds again.
    pub(crate) fn script(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.shared.state.lock().unwrap().script = behaviours.into_iter().collect();
    }

    pub(crate) fn always(&self, behaviour: Behaviour) {
        let mut state = self.shared.state.lock().unwrap();
        state.script.clear();
        state.then = behaviour;
    }

    pub(crate) fn look_up(&self, look_up: LookUp) {
        self.shared.state.lock().unwrap().look_up = look_up;
    }

    /// Waits until so many requests have been dealt with: kept or lost, whatever the answer will be.
    pub(crate) async fn requests(&self, n: usize) {
        self.shared.requests.subscribe().wait_for(|seen| *seen >= n).await.unwrap();
    }

    /// Every item taken, each as often as it was taken.
    pub(crate) fn kept(&self) -> Vec<Delivery> {
        self.shared.state.lock().unwrap().kept.clone()
    }

    /// Sizes of the batches that came in, whatever became of them.
    pub(crate) fn batches(&self) -> Vec<usize> {
        self.shared.state.lock().unwrap().batches.clone()
    }

    /// What was wrong with requests: signatures, shapes.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().complaints.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) {
    let Some(request) = read(&mut stream).await else { return };
    let answer = match request.method.as_str() {
        "GET" => Some(looked_up(&request, shared)),
        _ => taken(&request, shared),
    };
    shared.requests.send_modify(|seen| *seen += usize::from(request.method == "POST"));
    match answer {
        Some(Answer::Send { status, headers, body }) => {
            let head = format!(
                "HTTP/1.1 {status} Whatever\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(body.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Some(Answer::Later { after, body }) => {
            tokio::time::sleep(after).await;
            let head = format!(
                "HTTP/1.1 200 Whatever\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(body.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        // Until the other side gives up or dies.
        Some(Answer::Never) => while matches!(stream.read(&mut [0; 64]).await, Ok(n) if n > 0) {},
        None => {}
    }
}

enum Answer {
    Send { status: u16, headers: String, body: String },
    Later { after: std::time::Duration, body: String },
    Never,
}

impl Answer {
    fn send(status: u16, body: impl Into<String>) -> Self {
        Self::Send { status, headers: String::new(), body: body.into() }
    }
}

fn looked_up(request: &Request, shared: &Shared) -> Answer {
    let state = shared.state.lock().unwrap();
    let url = reqwest::Url::parse(&format!("http://x{}", request.target)).unwrap();
    let key = url.query_pairs().find(|(name, _)| name == "key").map(|(_, key)| key.into_owned());
    match state.look_up {
        LookUp::Honest => Answer::send(
            200,
            json!({ "found": state.kept.iter().any(|item| Some(&item.key) == key.as_ref()) }).to_string(),
        ),
        LookUp::Status(status) => Answer::send(status, "{}"),
        LookUp::Garbage => Answer::send(200, "<html>"),
    }
}

/// `None` breaks the connection.
fn taken(request: &Request, shared: &Shared) -> Option<Answer> {
    let mut state = shared.state.lock().unwrap();
    if let Err(error) = Webhook::new(SECRET).unwrap().verify(&request.body, &request.headers) {
        state.complaints.push(format!("signature: {error}"));
        return Some(Answer::send(401, "{}"));
    }
    let items = match items(&request.body) {
        Ok(items) => items,
        Err(complaint) => {
            state.complaints.push(complaint);
            return Some(Answer::send(400, "{}"));
        }
    };
    state.batches.push(items.len());
    let behaviour = state.script.pop_front().unwrap_or_else(|| state.then.clone());
    let results = |status: &dyn Fn(&Delivery) -> &'static str| {
        let results: Vec<Value> = items
            .iter()
            .map(|item| json!({ "key": item.key, "status": status(item), "reason": "said the receiver" }))
            .collect();
        Answer::send(200, json!({ "results": results }).to_string())
    };
    let all = |_: &Delivery| "accepted";
    match behaviour {
        Behaviour::Item { email, status } => {
            // A key that it holds gets the answer that it got, as receivers that dedupe promise.
            let is_refused = |item: &Delivery| item.email == email && !holds(&state.kept, item);
            let answer = results(&|item| if is_refused(item) { status } else { "accepted" });
            let taken: Vec<Delivery> = items.iter().filter(|item| !is_refused(item)).cloned().collect();
            state.kept.extend(taken);
            Some(answer)
        }
        Behaviour::Status(status) => Some(Answer::send(status, "{}")),
        Behaviour::ComeBack { status, after } => {
            Some(Answer::Send { status, headers: format!("retry-after: {after}\r\n"), body: "{}".to_owned() })
        }
        Behaviour::Poison(email)
            if items.iter().any(|item| item.email == email && !holds(&state.kept, item)) =>
        {
            Some(Answer::send(400, "{}"))
        }
        Behaviour::Accept | Behaviour::Poison(_) => {
            let answer = results(&all);
            state.kept.extend(items);
            Some(answer)
        }
        Behaviour::Slow(after) => {
            let Answer::Send { body, .. } = results(&all) else { return None };
            state.kept.extend(items);
            Some(Answer::Later { after, body })
        }
        Behaviour::Hang { keep } => {
            state.kept.extend(items.into_iter().filter(|_| keep));
            Some(Answer::Never)
        }
        Behaviour::Drop { keep } => {
            state.kept.extend(items.into_iter().filter(|_| keep));
            None
        }
        Behaviour::Say { status, body } => {
            state.kept.extend(items);
            Some(Answer::send(status, body))
        }
        Behaviour::HalfList => {
            let half: Vec<Value> = items
                .iter()
                .step_by(2)
                .map(|item| json!({ "key": item.key, "status": "accepted" }))
                .collect();
            state.kept.extend(items);
            Some(Answer::send(200, json!({ "results": half }).to_string()))
        }
    }
}

fn holds(kept: &[Delivery], item: &Delivery) -> bool {
    kept.iter().any(|one| one.key == item.key)
}

/// The items of a body, or what is wrong with it.
fn items(body: &[u8]) -> Result<Vec<Delivery>, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
    if value["type"] != "outreach.push"
        || !value["timestamp"].is_string()
        || !value["data"]["number"].is_i64()
    {
        return Err(format!("not the documented body: {value}"));
    }
    let items: Vec<Delivery> = serde_json::from_value(value["data"]["items"].clone())
        .map_err(|error| format!("not the documented items: {error}"))?;
    let keys: HashSet<&str> = items.iter().map(|item| item.key.as_str()).collect();
    if items.is_empty() || keys.len() < items.len() {
        return Err("an empty batch, or one key twice in it".to_owned());
    }
    Ok(items)
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).ok()?;
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: HeaderMap = lines
        .filter_map(|line| line.split_once(':'))
        .filter_map(|(name, value)| {
            Some((HeaderName::try_from(name.trim()).ok()?, HeaderValue::try_from(value.trim()).ok()?))
        })
        .collect();
    let length: usize =
        headers.get("content-length").and_then(|text| text.to_str().ok()?.parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(head + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request { method, target, headers, body })
}
