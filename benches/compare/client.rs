//! A client of upstream's server: one completion over loopback, streamed, with the time of each token.
//!
//! Only what that server sends is understood: HTTP/1.1, chunked or until the connection closes, events of server-sent
//! events that are one line each.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::Failure;

/// Of a header or an event.
const MOST_LINE: u64 = 1 << 20;
const MOST_HEADERS: usize = 100;
/// Far more than any request here asks for.
const MOST_TOKENS: usize = 1 << 16;
/// Longer than any step takes, prompts of others included.
const PATIENCE: Duration = Duration::from_secs(120);

/// When the tokens of an answer came.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// When the request began, before the connection.
    pub(crate) asked: Instant,
    /// When each token was there.
    pub(crate) tokens: Vec<Instant>,
}

/// An event of upstream's `/completion`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    tokens: Vec<i64>,
    stop: bool,
    tokens_predicted: Option<usize>,
    error: Option<serde_json::Value>,
}

/// Asks for a completion and reads it to its end.
pub(crate) fn complete(address: SocketAddr, body: &str) -> Result<Answer, Failure> {
    let asked = Instant::now();
    let mut reader = send(address, "POST", "/completion", body)?;
    let chunked = read_head(&mut reader)?;
    let mut body: Box<dyn BufRead> =
        if chunked { Box::new(BufReader::new(Chunks::new(reader))) } else { Box::new(reader) };
    let mut tokens = Vec::new();
    while let Some(line) = line(&mut body)? {
        let Some(data) = line.strip_prefix("data:").or_else(|| line.strip_prefix("error:")) else { continue };
        let now = Instant::now();
        let event: Event = match data.trim() {
            "[DONE]" => break,
            data => {
                serde_json::from_str(data).map_err(|error| format!("an event is not understood: {error}: {data}"))?
            }
        };
        if let Some(error) = event.error {
            return Err(format!("the server says {error}").into());
        }
        tokens.extend(event.tokens.iter().map(|_| now));
        if event.stop && event.tokens_predicted.is_none() {
            return Err("the last event does not count the tokens".into());
        }
        let predicted = event.tokens_predicted.unwrap_or(tokens.len());
        if !(tokens.len()..=MOST_TOKENS).contains(&predicted) {
            return Err(format!("{} tokens came, the server counts {predicted}", tokens.len()).into());
        }
        // While the text ends within a character the server sends nothing, and the event after has its own token only: those
        // before it are here with it, since nobody could show them sooner.
        tokens.resize(predicted, now);
        if event.stop {
            return Ok(Answer { asked, tokens });
        }
    }
    Err("the answer ended without its last event".into())
}

/// Whether the server says that it is ready.
pub(crate) fn is_ready(address: SocketAddr) -> bool {
    send(address, "GET", "/health", "").and_then(|mut reader| read_head(&mut reader)).is_ok()
}

fn send(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<BufReader<TcpStream>, Failure> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    Ok(BufReader::new(stream))
}

/// Reads to the end of the headers; whether the body is chunked. An error unless the status is 200.
fn read_head(reader: &mut BufReader<TcpStream>) -> Result<bool, Failure> {
    let status = line(reader)?.ok_or("the server closed the connection")?;
    let mut chunked = false;
    for _ in 0..MOST_HEADERS {
        let header = line(reader)?.ok_or("the answer ends within its headers")?.to_ascii_lowercase();
        if header.is_empty() {
            if status.split_whitespace().nth(1) == Some("200") {
                return Ok(chunked);
            }
            let why = line(reader).ok().flatten().unwrap_or_default();
            return Err(format!("{status}: {why}").into());
        }
        chunked |= header.strip_prefix("transfer-encoding:").is_some_and(|how| how.trim() == "chunked");
    }
    Err("too many headers".into())
}

/// The next line, without its end; `None` at the end of all.
fn line(reader: &mut impl BufRead) -> Result<Option<String>, Failure> {
    let mut bytes = Vec::new();
    let read = reader.take(MOST_LINE).read_until(b'\n', &mut bytes)?;
    if read as u64 == MOST_LINE {
        return Err("a line is longer than a mebibyte".into());
    }
    let text = String::from_utf8(bytes)?;
    Ok((read > 0).then(|| text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The bytes within chunks.
struct Chunks<R> {
    inner: R,
    /// Of the chunk that is being read.
    left: u64,
    begun: bool,
    ended: bool,
}

impl<R: BufRead> Chunks<R> {
    fn new(inner: R) -> Self {
        Self { inner, left: 0, begun: false, ended: false }
    }

    /// Reads the size of the next chunk, and the end of the line before.
    fn next(&mut self) -> Result<(), Failure> {
        if self.begun {
            line(&mut self.inner)?;
        }
        self.begun = true;
        let size = line(&mut self.inner)?.ok_or("the answer ends within its chunks")?;
        let digits = size.split(';').next().unwrap_or_default().trim();
        self.left = u64::from_str_radix(digits, 16).map_err(|_| format!("`{size}` is no size of a chunk"))?;
        self.ended = self.left == 0;
        Ok(())
    }
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            self.next().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        }
        if self.ended {
            return Ok(0);
        }
        let read = self.inner.by_ref().take(self.left).read(into)?;
        if read == 0 && !into.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    /// A server that answers one request with `pieces`, each in a write of its own, and returns what it was asked.
    fn served(pieces: Vec<String>) -> (SocketAddr, thread::JoinHandle<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("it has one");
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            let mut reader = BufReader::new(stream);
            let mut asked = String::new();
            while !asked.ends_with("\r\n\r\n") {
                assert!(reader.read_line(&mut asked).expect("a header") > 0);
            }
            let length = asked.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
            let mut body = vec![0; length.parse().expect("a number")];
            reader.read_exact(&mut body).expect("the body");
            for piece in pieces {
                // A client that has seen enough closes.
                let _ = reader.get_mut().write_all(piece.as_bytes());
            }
            asked + &String::from_utf8_lossy(&body)
        });
        (address, server)
    }

    const ONE: &str = "data: {\"content\":\"a\",\"tokens\":[7],\"stop\":false}\n\n";
    const END: &str = "data: {\"content\":\"\",\"tokens\":[],\"stop\":true,\"tokens_predicted\":2}\n\n";

    /// A server for one request.
    pub(in super::super) fn server_of_two_tokens() -> (SocketAddr, thread::JoinHandle<String>) {
        served(vec!["HTTP/1.1 200 OK\r\n\r\n".to_owned(), [ONE, ONE, END].concat()])
    }

    fn chunk(text: &str) -> String {
        format!("{:x}\r\n{text}\r\n", text.len())
    }

    #[test]
    fn tokens_of_a_chunked_stream_are_counted_wherever_it_is_cut() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
        let (first, second) = ONE.split_at(9);
        let pieces = vec![head, chunk(ONE), chunk(first), chunk(second), chunk(END), "0\r\n\r\n".to_owned()];
        let (address, server) = served(pieces);
        let answer = complete(address, "{\"n\": 1}").expect("two tokens");
        assert_eq!(answer.tokens.len(), 2);
        assert!(answer.tokens.iter().all(|token| *token >= answer.asked));
        let asked = server.join().expect("it answers");
        assert!(asked.starts_with("POST /completion HTTP/1.1\r\n") && asked.ends_with("{\"n\": 1}"), "{asked}");
    }

    #[test]
    fn a_stream_until_the_connection_closes_is_read_too() {
        let (address, _server) = server_of_two_tokens();
        assert_eq!(complete(address, "").expect("two tokens").tokens.len(), 2);
    }

    #[test]
    fn a_token_within_a_character_comes_with_the_event_that_ends_it() {
        let third = "data: {\"content\":\"\u{e9}\",\"tokens\":[9],\"stop\":false,\"tokens_predicted\":3}\n\n";
        let end = END.replace("2}", "4}");
        let (address, _server) =
            served(vec!["HTTP/1.1 200 OK\r\n\r\n".to_owned(), ONE.to_owned(), third.to_owned(), end]);
        let tokens = complete(address, "").expect("four tokens").tokens;
        assert_eq!(tokens.len(), 4);
        assert_eq!(tokens[1], tokens[2]);
        assert!(tokens[0] < tokens[1] && tokens[2] < tokens[3]);
    }

    #[test]
    fn a_refusal_says_why() {
        let (address, _server) = served(vec!["HTTP/1.1 503 Unavailable\r\n\r\n{\"error\":\"loading\"}\n".to_owned()]);
        let error = complete(address, "").expect_err("status 503").to_string();
        assert!(error.contains("503") && error.contains("loading"), "{error}");
    }

    #[test]
    fn an_answer_that_breaks_off_is_an_error() {
        let uncounted = END.replace(",\"tokens_predicted\":2", "");
        let too_many = END.replace("2}", "70000}");
        for pieces in [&[ONE][..], &[ONE, ONE, ONE, END], &[ONE, &uncounted], &[ONE, &too_many], &["data: {\n\n"]] {
            let pieces = pieces.iter().map(|piece| (*piece).to_owned()).collect();
            let (address, _server) = served([vec!["HTTP/1.1 200 OK\r\n\r\n".to_owned()], pieces].concat());
            assert!(complete(address, "").is_err());
        }
    }

    #[test]
    fn ready_is_who_answers_with_200() {
        let (address, _server) = served(vec!["HTTP/1.1 200 OK\r\n\r\n{}".to_owned()]);
        assert!(is_ready(address));
        let (address, _server) = served(vec!["HTTP/1.1 503 Loading\r\n\r\n{}".to_owned()]);
        assert!(!is_ready(address));
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        assert!(!is_ready(closed.expect("a port")));
    }
}
