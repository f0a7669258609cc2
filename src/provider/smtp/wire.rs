//! Lines to a mail server and back: one command, one reply, each within a time.
//!
//! Knows nothing of what is said. A reply is bounded in length, and nothing of it is logged.

use std::io;
use std::time::Duration;

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::time::timeout;

/// Longer lines come from no mail server (RFC 5321 4.5.3.1.5 asks for 512).
const MAX_LINE: u64 = 4096;
const MAX_LINES: usize = 100;

/// What a connection runs over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A class, subject and detail (RFC 3463).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Enhanced {
    pub(super) class: u8,
    pub(super) subject: u16,
    pub(super) detail: u16,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) enhanced: Option<Enhanced>,
    pub(super) lines: Vec<String>,
}

impl Reply {
    pub(super) fn new(code: u16, lines: Vec<String>) -> Self {
        let enhanced = lines.iter().find_map(|line| enhanced(line)).filter(|found| {
            // A code of another class is part of the text.
            u16::from(found.class) == code / 100
        });
        Self { code, enhanced, lines }
    }

    pub(super) const fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// Its text, with addresses left out: it is kept with the push and shown.
    pub(super) fn said(&self) -> String {
        let words = self.lines.iter().flat_map(|line| line.split_whitespace());
        let shown: Vec<&str> =
            words.map(|word| if word.contains('@') { "<address>" } else { word }).take(60).collect();
        let text: String = shown.join(" ").chars().filter(|letter| !letter.is_control()).take(400).collect();
        format!("{} {text}", self.code).trim_end().to_owned()
    }
}

/// The enhanced code that a line begins with.
fn enhanced(line: &str) -> Option<Enhanced> {
    let word = line.split(|letter: char| letter.is_whitespace() || letter == ':').next()?;
    let mut parts = word.split('.');
    let class = parts.next()?.parse().ok().filter(|class| matches!(class, 2 | 4 | 5))?;
    let subject = parts.next()?.parse().ok()?;
    let detail = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(Enhanced { class, subject, detail })
}

/// One connection.
pub(super) struct Wire {
    stream: BufReader<Box<dyn Stream>>,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// The stream again, to be wrapped in TLS. Fails where the server has said more than it was asked: whoever sits in
    /// between could put answers before the encryption.
    pub(super) fn into_stream(self) -> io::Result<Box<dyn Stream>> {
        if self.stream.buffer().is_empty() {
            return Ok(self.stream.into_inner());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "answers came before TLS began"))
    }

    pub(super) async fn write(&mut self, bytes: &[u8], patience: Duration) -> io::Result<()> {
        within(patience, async {
            self.stream.get_mut().write_all(bytes).await?;
            self.stream.get_mut().flush().await
        })
        .await
    }

    pub(super) async fn read(&mut self, patience: Duration) -> io::Result<Reply> {
        within(patience, self.reply()).await
    }

    async fn reply(&mut self) -> io::Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            (&mut self.stream).take(MAX_LINE).read_until(b'\n', &mut line).await?;
            if line.is_empty() {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended"));
            }
            let odd = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not one of a mail server");
            if !line.ends_with(b"\n") {
                return Err(odd());
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\r', '\n']);
            let code = text.get(..3).and_then(|digits| digits.parse::<u16>().ok()).ok_or_else(odd)?;
            let (last, said) = match text.get(3..).unwrap_or_default() {
                "" => (true, ""),
                rest => match rest.split_at_checked(1) {
                    Some((" ", said)) => (true, said),
                    Some(("-", said)) => (false, said),
                    _ => return Err(odd()),
                },
            };
            lines.push(said.to_owned());
            if last {
                let valid = (200..600).contains(&code);
                return if valid { Ok(Reply::new(code, lines)) } else { Err(odd()) };
            }
            if lines.len() >= MAX_LINES {
                return Err(odd());
            }
        }
    }
}

async fn within<T>(patience: Duration, what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(patience, what)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "there was no answer in time")))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reads(text: &str) -> io::Result<Reply> {
        let stream = std::io::Cursor::new(text.as_bytes().to_vec());
        Wire::new(Box::new(stream)).read(Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn replies_are_read_with_their_enhanced_code() {
        let reply = reads("550-5.1.1 <a@b.co> no such user\r\n550 5.1.1 see there\r\n").await.unwrap();
        assert_eq!((reply.code, reply.enhanced), (550, Some(Enhanced { class: 5, subject: 1, detail: 1 })));
        assert_eq!(reply.said(), "550 5.1.1 <address> no such user 5.1.1 see there");
        assert_eq!(reads("250\r\n").await.unwrap(), Reply::new(250, vec![String::new()]));
        // Of another class, or a version: no code of the answer.
        for text in ["450 5.1.1 odd\r\n", "550 4.80.1.2 mailer\r\n", "550 no\r\n"] {
            assert_eq!(reads(text).await.unwrap().enhanced, None, "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_no_reply_is_an_error() {
        for text in ["", "250 ok", "hello\r\n", "250_ok\r\n", "99 x\r\n", "650 x\r\n", "25é x\r\n"] {
            assert!(reads(text).await.is_err(), "{text}");
        }
        assert!(reads(&"250-x\r\n".repeat(1000)).await.is_err());
        assert!(reads(&format!("250 {}\r\n", "x".repeat(5000))).await.is_err());
    }
}
