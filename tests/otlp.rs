//! Spans of the real binary, as a collector gets them; and one that is away.
#![cfg(test)]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A span as it came: Protocol Buffers, of which only what is asked about is read.
#[derive(Debug)]
struct Span {
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    keys: BTreeSet<String>,
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

/// The parts of a message that have this number and a length.
fn parts(mut message: &[u8], number: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let length = match tag & 7 {
            0 => {
                varint(&mut message);
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)).unwrap(),
            5 => 4,
            kind => panic!("no part is of kind {kind}"),
        };
        let (part, rest) = message.split_at(length);
        if tag == number << 3 | 2 {
            found.push(part);
        }
        message = rest;
    }
    found
}

/// `ExportTraceServiceRequest`: resources, scopes, spans.
fn spans_of(request: &[u8]) -> Vec<Span> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let first = |span, number| parts(span, number).first().map(|part| part.to_vec()).unwrap_or_default();
    let resources = parts(request, 1).into_iter();
    let scopes = resources.flat_map(|resource| parts(resource, 2));
    let spans = scopes.flat_map(|scope| parts(scope, 2));
    let read = |span| Span {
        id: first(span, 2),
        parent: first(span, 4),
        name: text(&first(span, 5)),
        keys: parts(span, 9).into_iter().map(|attribute| text(&first(attribute, 1))).collect(),
    };
    spans.map(read).collect()
}

/// One request with its body.
fn received(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        let n = stream.read(&mut part).ok().filter(|n| *n > 0)?;
        all.extend(&part[..n]);
        let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&all[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if all.len() >= end + 4 + length.map_or(0, |text| text.parse::<usize>().unwrap()) {
            return Some((head, all.split_off(end + 4)));
        }
    }
}

/// A collector, and every request that it was sent.
fn collector() -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::new(Mutex::new(Vec::new()));
    let keeps = Arc::clone(&taken);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, keeps) = (stream.unwrap(), Arc::clone(&keeps));
            std::thread::spawn(move || {
                while let Some((head, body)) = received(&mut stream) {
                    assert!(head.starts_with("post /v1/traces "), "{head}");
                    keeps.lock().unwrap().push(body);
                    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    (url, taken)
}

fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("outreachd-otlp-").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn outreachd(endpoint: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outreachd"));
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env_remove("DATABASE_URL");
    command
}

/// The demo: passes over several campaigns, on a database of its own.
fn demo(endpoint: &str, folder: &TempDir) -> Output {
    outreachd(endpoint).arg("demo").arg("--dir").arg(folder.path().join("demo")).output().unwrap()
}

/// The daemon in the demo's folder, asked for each path and stopped.
fn asked(endpoint: &str, folder: &TempDir, paths: &[&str]) {
    let mut daemon = outreachd(endpoint)
        .arg("-C")
        .arg(folder.path().join("demo"))
        .args(["run", "--listen", "127.0.0.1:0", "--log-format", "json"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(daemon.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = log
        .find_map(|line| Some(line.split_once("\"address\":\"")?.1.split_once('"')?.0.to_owned()))
        .expect("it listens");
    // Its log must go somewhere.
    let rest = std::thread::spawn(move || log.count());
    for path in paths {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 "), "{path}");
    }
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    assert!(daemon.wait().unwrap().success());
    rest.join().unwrap();
}

#[test]
fn a_collector_sees_each_pass_with_what_was_done_in_it() {
    let (url, taken) = collector();
    let folder = folder();
    let output = demo(&url, &folder);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), log.as_ref()), (Some(0), ""));
    let requests = taken.lock().unwrap().clone();
    let spans: Vec<Span> = requests.iter().flat_map(|request| spans_of(request)).collect();
    let passes: Vec<&Span> = spans.iter().filter(|span| span.name == "pass").collect();
    assert!(passes.len() > 1, "{spans:?}");
    for pass in passes {
        assert!(pass.keys.contains("campaign") && pass.keys.contains("run.id"), "{pass:?}");
        let inside: BTreeSet<&str> =
            spans.iter().filter(|span| span.parent == pass.id).map(|span| span.name.as_str()).collect();
        assert!(["plan", "recover", "push"].iter().all(|name| inside.contains(name)), "{inside:?}");
    }
    assert!(spans.iter().any(|span| span.name == "call"));
    // Ids only: what the demo's people are called and where they are written to stays here.
    let all = requests.iter().map(|request| String::from_utf8_lossy(request)).collect::<String>();
    assert!(all.contains("outreachd") && !all.contains(".example"), "an address left");

    // Of a request its route: the path of a link is a word between us and one person.
    taken.lock().unwrap().clear();
    asked(&url, &folder, &["/u/a-word-of-theirs", "/api/v1/campaigns/12", "/nowhere/a-word-of-theirs"]);
    let requests = taken.lock().unwrap().clone();
    let names: BTreeSet<String> =
        requests.iter().flat_map(|request| spans_of(request)).map(|span| span.name).collect();
    assert!(
        names.contains("GET /u/{token}") && names.contains("GET /api/v1/campaigns/{number}"),
        "{names:?}"
    );
    let all = requests.iter().map(|request| String::from_utf8_lossy(request)).collect::<String>();
    assert!(!all.contains("a-word-of-theirs"), "{names:?}");
}

#[test]
fn a_collector_that_is_away_fails_nothing_and_is_told_of_once() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = demo(&format!("http://{nobody}"), &folder());
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert_eq!(log.matches("the collector does not take spans").count(), 1, "{log}");
}
