//! How many mails a second one core reads, and a driver that looks for panics with broken mails.
//!
//! `cargo bench --bench classify` reads the mails of `tests/data/mails`, or of the folder in `OUTREACHD_MAIL_SAMPLES`.
//! `cargo bench --bench classify -- --fuzz 600` mutates them for so many seconds; a panic or a mail that takes over a
//! second ends it with the mail written to a file.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench talks to people and may panic")]

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use outreachd::reply;

/// The promise: mails a second a core.
const PROMISED: f64 = 5_000.0;
const SLOW: Duration = Duration::from_secs(1);

fn main() {
    let folder = std::env::var_os("OUTREACHD_MAIL_SAMPLES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mails"),
        |samples| PathBuf::from(samples).join("mails"),
    );
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_none_or(|extension| extension != "tsv"));
    files.sort();
    let mails: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "--fuzz") {
        Some(at) => {
            fuzz(&mails, arguments.get(at + 1).and_then(|seconds| seconds.parse().ok()).unwrap_or(60));
        }
        None => measure(&mails),
    }
}

fn measure(mails: &[Vec<u8>]) {
    let bytes: usize = mails.iter().map(Vec::len).sum();
    for mail in mails {
        reply::read(mail);
    }
    let mut best = 0.0_f64;
    for _ in 0..5 {
        let start = Instant::now();
        let mut rounds = 0;
        while start.elapsed() < Duration::from_secs(1) {
            for mail in mails {
                std::hint::black_box(reply::read(std::hint::black_box(mail)));
            }
            rounds += 1;
        }
        best = best.max((rounds * mails.len()) as f64 / start.elapsed().as_secs_f64());
    }
    println!("{} mails, {} bytes each on average", mails.len(), bytes / mails.len());
    println!("{best:.0} mails a second on one core, {:.1} times the promise", best / PROMISED);
}

/// xorshift: the same seed, the same mails.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(usize::MAX) % limit.max(1)
    }
}

/// Pieces by which mails fall apart.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\n\n",
    b"\n--b1\n",
    b"--",
    b"Content-Type: message/rfc822\n\n",
    b"Content-Type: multipart/report; boundary=b1\n\n",
    b"Content-Transfer-Encoding: base64\n",
    b"=?utf-8?B?",
    b"=?koi8-r?Q?=F0?=",
    b"@",
    b"<a@b>",
    b"Final-Recipient: rfc822;",
    b"Status: 5.",
    b"5.1.1",
    b"550 ",
    b"\xff\xfe",
    b"\xd0",
    b"<blockquote>",
    b"&#x",
    b"On 1.1.1 wrote:",
    b">",
    b":",
    b"\0",
    b"unsubscribe",
    b"+",
    b"\"",
    b"charset=utf-7",
    b"until 31 Feb",
];

fn fuzz(mails: &[Vec<u8>], seconds: u64) {
    let start = Instant::now();
    let mut dice = Dice(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() | 1);
    println!("seed {}", dice.0);
    let (mut count, mut slowest) = (0_u64, Duration::ZERO);
    while start.elapsed() < Duration::from_secs(seconds) {
        let mail = mutated(mails, &mut dice);
        let timed = || {
            let begun = Instant::now();
            (catch_unwind(|| reply::read(&mail)).is_err(), begun.elapsed())
        };
        let (mut panicked, mut took) = timed();
        if took > SLOW {
            // The machine may have been busy elsewhere.
            (panicked, took) = timed();
        }
        slowest = slowest.max(took);
        if panicked || took > SLOW {
            let file = std::env::temp_dir().join("outreachd-fuzz.eml");
            std::fs::write(&file, &mail).unwrap();
            panic!("after {count} mails: {} took {took:?}", file.display());
        }
        count += 1;
    }
    println!("{count} broken mails in {seconds} s, no panic; the slowest took {slowest:?}");
}

fn mutated(mails: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut mail = mails[dice.below(mails.len())].clone();
    for _ in 0..=dice.below(20) {
        let at = dice.below(mail.len() + 1);
        let end = (at + dice.below(60)).min(mail.len());
        match dice.below(6) {
            0 => drop(mail.splice(at..end, PIECES[dice.below(PIECES.len())].iter().copied())),
            1 => drop(mail.splice(at..at, PIECES[dice.below(PIECES.len())].iter().copied())),
            2 => drop(mail.drain(at..end)),
            3 => {
                let piece = mail[at..end].repeat(1 + dice.below(30));
                mail.splice(at..at, piece);
            }
            4 => {
                let other = &mails[dice.below(mails.len())];
                let from = dice.below(other.len());
                let piece = other[from..(from + dice.below(400)).min(other.len())].to_vec();
                mail.splice(at..end, piece);
            }
            _ => {
                if let Some(byte) = mail.get_mut(at) {
                    *byte = u8::try_from(dice.below(256)).unwrap_or(0);
                }
            }
        }
    }
    mail
}
