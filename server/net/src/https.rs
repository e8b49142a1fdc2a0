//! Fetching one small file over HTTPS from a stranger: bounded, and no step aside.

use std::future::poll_fn;
use std::pin::Pin;

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::http::request::Builder;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::Stream;

/// What may stand in an answer's header.
const MAX_HEADER_BYTES: usize = 16 << 10;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The status code. Redirects are answers like any other: nobody follows them.
    pub status: u16,
    /// `Content-Type`, if it can be read.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Asks for `path` of `host` over a connection that is under TLS already. The caller bounds the time.
///
/// # Errors
/// A sentence without a full stop: the connection broke, it is no HTTP, or the body is larger than `max_body`.
pub async fn get(stream: Stream, host: &str, path: &str, max_body: usize) -> Result<Fetched, String> {
    exchange(stream, Request::get(path), host, Bytes::new(), max_body).await
}

/// Brings `bytes` to `path` of `host`, as [`get`] asks for it; the answer's body is read up to `max_body`.
///
/// # Errors
/// As [`get`].
pub async fn post(
    stream: Stream,
    host: &str,
    path: &str,
    media_type: &str,
    bytes: &[u8],
    max_body: usize,
) -> Result<Fetched, String> {
    let request = Request::post(path).header(CONTENT_TYPE, media_type).header(CONTENT_LENGTH, bytes.len());
    exchange(stream, request, host, Bytes::copy_from_slice(bytes), max_body).await
}

async fn exchange(
    stream: Stream,
    request: Builder,
    host: &str,
    bytes: Bytes,
    max_body: usize,
) -> Result<Fetched, String> {
    let broken = |error: hyper::Error| format!("the answer can't be read: {}", error.to_string().escape_debug());
    let request = request
        .header(HOST, host)
        .header(USER_AGENT, concat!("Mailstead/", env!("CARGO_PKG_VERSION")))
        .body(Whole(bytes))
        .map_err(|error| error.to_string())?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEADER_BYTES);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let fetch = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        read(response, max_body).await
    };
    let mut fetch = std::pin::pin!(fetch);
    // The connection works only while it is driven, and ends with this call.
    tokio::select! {
        fetched = fetch.as_mut() => fetched,
        // What came before its end is still to be read; what failed is told there too.
        _ = connection => fetch.await,
    }
}

async fn read(response: Response<Incoming>, max_body: usize) -> Result<Fetched, String> {
    let status = response.status().as_u16();
    let content_type =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(|text| text.to_owned());
    let mut incoming = response.into_body();
    let mut body = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut incoming).poll_frame(context)).await {
        let frame = frame.map_err(|error| format!("the answer breaks off: {}", error.to_string().escape_debug()))?;
        let Some(data) = frame.data_ref() else { continue };
        if body.len() + data.len() > max_body {
            return Err(format!("the answer is larger than {max_body} octets"));
        }
        body.extend_from_slice(data);
    }
    Ok(Fetched { status, content_type, body })
}

/// A request's body, in one piece.
struct Whole(Bytes);

impl hyper::body::Body for Whole {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        let bytes = std::mem::take(&mut self.0);
        std::task::Poll::Ready((!bytes.is_empty()).then(|| Ok(hyper::body::Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}
