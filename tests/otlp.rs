//! Spans of the real binary, as a collector gets them; and one that is away.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

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
fn spans(request: &[u8]) -> Vec<Span> {
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

/// The demo: passes over several campaigns, on a database of its own.
fn demo(endpoint: &str) -> Output {
    let folder = tempfile::Builder::new().prefix("outreachd-otlp-").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    Command::new(env!("CARGO_BIN_EXE_outreachd"))
        .arg("demo")
        .arg("--dir")
        .arg(folder.path().join("demo"))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .output()
        .unwrap()
}

#[test]
fn a_collector_sees_each_pass_with_what_was_done_in_it() {
    let (url, taken) = collector();
    let output = demo(&url);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), log.as_ref()), (Some(0), ""));
    let requests = taken.lock().unwrap().clone();
    let spans: Vec<Span> = requests.iter().flat_map(|request| spans(request)).collect();
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
}

#[test]
fn a_collector_that_is_away_fails_nothing_and_is_told_of_once() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = demo(&format!("http://{nobody}"));
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert_eq!(log.matches("the collector does not take spans").count(), 1, "{log}");
}
