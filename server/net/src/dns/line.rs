//! The line to one name server: UDP first, TCP where UDP does not get through, and a server that can't answer is no
//! answer, so that the next one is asked.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::once;
use hickory_resolver::config::{ConnectionConfig, ProtocolConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::tcp::TcpClientStream;
use hickory_resolver::net::xfer::{DnsExchange, DnsHandle, FirstAnswer};
use hickory_resolver::proto::op::{DnsRequest, DnsResponse, ResponseCode};
use hickory_resolver::{ConnectionProvider, PoolContext};
use tokio::sync::Mutex;

use super::weight::{MAX_WEIGHT, weight};

/// After that many answers that came by TCP alone, UDP is taken for blocked and no longer tried first.
const UDP_LOST: u32 = 3;
/// Every so many questions it is tried again.
const UDP_AGAIN: u32 = 200;
/// Questions on one TCP connection at once.
const TCP_QUESTIONS: usize = 32;

/// Which ways are taken to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ways {
    /// UDP, and TCP when UDP fails or the answer is cut off.
    Both,
    /// Only UDP: to see whether it gets through.
    UdpAlone,
}

/// Makes lines.
#[derive(Clone)]
pub(super) struct Lines {
    /// The port of every server, instead of the usual one: for experiments.
    pub port: Option<u16>,
    /// How long an answer may take, on each way.
    pub patience: Duration,
    pub ways: Ways,
    pub runtime: TokioRuntimeProvider,
}

impl Lines {
    pub(super) fn new(port: Option<u16>, patience: Duration, ways: Ways) -> Self {
        Self { port, patience, ways, runtime: TokioRuntimeProvider::default() }
    }
}

impl ConnectionProvider for Lines {
    type Conn = Line;
    type FutureConn = Pin<Box<dyn Future<Output = Result<Line, NetError>> + Send>>;
    type RuntimeProvider = TokioRuntimeProvider;

    fn new_connection(
        &self,
        address: IpAddr,
        config: &ConnectionConfig,
        context: &PoolContext,
    ) -> Result<Self::FutureConn, NetError> {
        let mut config = config.clone();
        config.port = self.port.unwrap_or(config.port);
        let server = SocketAddr::new(address, config.port);
        let lines = self.clone();
        let udp = match &config.protocol {
            ProtocolConfig::Udp => Some(self.runtime.new_connection(address, &config, context)?),
            _ => None,
        };
        Ok(Box::pin(async move {
            let udp = match udp {
                Some(connecting) => Some(connecting.await?),
                None => None,
            };
            Ok(Line { server, udp, tcp: Arc::default(), lost: Arc::default(), lines })
        }))
    }

    fn runtime_provider(&self) -> &TokioRuntimeProvider {
        &self.runtime
    }
}

type Exchange = DnsExchange<TokioRuntimeProvider>;

/// One line; copies share the connection.
#[derive(Clone)]
pub(super) struct Line {
    server: SocketAddr,
    /// Nothing for a line that was asked for because UDP would not do.
    udp: Option<Exchange>,
    tcp: Arc<Mutex<Option<Exchange>>>,
    /// Answers in a row that came by TCP alone.
    lost: Arc<AtomicU32>,
    lines: Lines,
}

impl Line {
    /// True while UDP seems not to get through.
    fn udp_is_lost(&self) -> bool {
        let lost = self.lost.load(Ordering::Relaxed);
        lost >= UDP_LOST && !lost.is_multiple_of(UDP_AGAIN)
    }

    fn udp_came(&self) {
        self.lost.store(0, Ordering::Relaxed);
    }

    fn udp_went_missing(&self) {
        // A long outage must not wrap around.
        let _ = self.lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |lost| Some(lost.saturating_add(1)));
    }

    async fn ask(&self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let response = self.ask_either_way(request.clone()).await?;
        if response.response_code != ResponseCode::FormErr || request.edns.is_none() {
            return self.judge(response);
        }
        // Servers from before 1999 don't know EDNS (RFC 6891 7).
        let mut plain = request;
        plain.edns = None;
        self.ask_either_way(plain).await.and_then(|response| self.judge(response))
    }

    async fn ask_either_way(&self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let Some(udp) = &self.udp else { return self.ask_by_tcp(request).await };
        let both = self.lines.ways == Ways::Both;
        if both && self.udp_is_lost() {
            self.udp_went_missing();
            if let Ok(response) = self.ask_by_tcp(request.clone()).await {
                return Ok(response);
            }
        }
        match self.within(udp.send(request.clone()).first_answer()).await {
            Err(NetError::Timeout | NetError::Io(_)) if both => {
                let response = self.ask_by_tcp(request).await?;
                self.udp_went_missing();
                Ok(response)
            }
            answered => {
                if answered.is_ok() {
                    self.udp_came();
                }
                answered
            }
        }
    }

    async fn ask_by_tcp(&self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let exchange = self.within(self.connected()).await?;
        let answered = self.within(exchange.send(request.clone()).first_answer()).await;
        match answered {
            Ok(response) => Ok(response),
            // The server may have closed a connection that was idle: once more with a new one.
            Err(error) => {
                *self.tcp.lock().await = None;
                if matches!(error, NetError::Timeout) {
                    return Err(error);
                }
                let exchange = self.within(self.connected()).await?;
                self.within(exchange.send(request).first_answer()).await
            }
        }
    }

    async fn connected(&self) -> Result<Exchange, NetError> {
        let mut kept = self.tcp.lock().await;
        if let Some(exchange) = &*kept {
            return Ok(exchange.clone());
        }
        let runtime = self.lines.runtime.clone();
        let exchange =
            TcpClientStream::exchange(self.server, None, self.lines.patience, Some(TCP_QUESTIONS), runtime).await?;
        *kept = Some(exchange.clone());
        Ok(exchange)
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, NetError>>) -> Result<T, NetError> {
        tokio::time::timeout(self.lines.patience, work).await.unwrap_or(Err(NetError::Timeout))
    }

    /// A server that refuses, fails or does not understand has said nothing of the name: another one may know. Nor
    /// has one whose answer is so large that remembering many such would fill the memory.
    fn judge(&self, response: DnsResponse) -> Result<DnsResponse, NetError> {
        let what = match response.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain if weight(&response) <= MAX_WEIGHT => return Ok(response),
            ResponseCode::NoError | ResponseCode::NXDomain => "more than anybody needs to know".to_owned(),
            code => code.to_string(),
        };
        tracing::debug!(server = %self.server, %what, "a name server gives no answer");
        Err(std::io::Error::other(format!("{} says: {what}", self.server)).into())
    }
}

impl DnsHandle for Line {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let line = self.clone();
        Box::pin(once(async move { line.ask(request).await }))
    }
}
