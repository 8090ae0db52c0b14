//! The little HTTP that the servers' checks need: one request a connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context;

/// How long a server may be silent within one request.
const SILENCE_MAX_S: u64 = 60;

/// A server's answer.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The value of the `Location` header.
    pub location: Option<String>,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// Sends a request to `address` (`host:port`) and reads the answer.
///
/// # Errors
/// When the server cannot be reached or what it says is no HTTP; any status is an answer.
pub fn request(
    method: &str,
    address: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> anyhow::Result<Response> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(SILENCE_MAX_S)))?;
    // Version 1.0: the server closes the connection at the answer's end, and sends no chunks.
    let mut head = format!("{method} {target} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("{address} did not answer {method} {target}"))?;
    parse(&answer).with_context(|| format!("{address} gave no HTTP answer to {method} {target}"))
}

fn parse(answer: &[u8]) -> Option<Response> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    if status == 100 {
        // A DataNode says "continue" though nobody asked; the answer follows.
        return parse(&answer[end + 4..]);
    }
    let location = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("location"))
        .map(|(_, value)| value.trim().to_owned());
    Some(Response { status, location, body: answer[end + 4..].to_vec() })
}
