//! A name server that does as it is told, over UDP and TCP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_server::proto::op::{Message, Query, ResponseCode};
use hickory_server::proto::rr::rdata::{A, CNAME, SOA, TXT};
use hickory_server::proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

/// How a question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Udp,
    Tcp,
}

/// What is sent back.
pub(crate) enum Reply {
    /// These messages, one after the other.
    Messages(Vec<Message>),
    /// These bytes.
    Bytes(Vec<u8>),
    /// This, after a while.
    Late(Duration, Message),
    /// Nothing.
    Silence,
}

impl From<Message> for Reply {
    fn from(message: Message) -> Self {
        Self::Messages(vec![message])
    }
}

/// A running one. Dropped, it is gone.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

impl Fake {
    /// Starts one on loopback.
    pub(crate) async fn start(answer: impl Fn(&Message, By) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST, answer).await
    }

    /// Starts one on this loopback address.
    pub(crate) async fn start_at(
        address: Ipv4Addr,
        answer: impl Fn(&Message, By) -> Reply + Send + Sync + 'static,
    ) -> Self {
        loop {
            let udp = UdpSocket::bind((address, 0)).await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                return Self::serve(udp, tcp, answer);
            }
        }
    }

    fn serve(udp: UdpSocket, tcp: TcpListener, answer: impl Fn(&Message, By) -> Reply + Send + Sync + 'static) -> Self {
        let (address, asked, answer) = (udp.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)), Arc::new(answer));
        let (count, say) = (Arc::clone(&asked), Arc::clone(&answer));
        let by_udp = tokio::spawn(async move {
            let mut buffer = vec![0; 4_096];
            loop {
                let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                for bytes in bytes(say(&Message::from_vec(&buffer[..length]).unwrap(), By::Udp)).await {
                    udp.send_to(&bytes, from).await.unwrap();
                }
            }
        });
        let count = Arc::clone(&asked);
        let by_tcp = tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let (count, say) = (Arc::clone(&count), Arc::clone(&answer));
                tokio::spawn(async move {
                    while let Ok(length) = stream.read_u16().await {
                        let mut buffer = vec![0; usize::from(length)];
                        stream.read_exact(&mut buffer).await.unwrap();
                        count.fetch_add(1, Ordering::SeqCst);
                        for bytes in bytes(say(&Message::from_vec(&buffer).unwrap(), By::Tcp)).await {
                            stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
                            stream.write_all(&bytes).await.unwrap();
                        }
                    }
                });
            }
        });
        Self { address, asked, tasks: vec![by_udp, by_tcp] }
    }

    /// Questions so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn bytes(reply: Reply) -> Vec<Vec<u8>> {
    match reply {
        Reply::Messages(messages) => messages.iter().map(|message| message.to_vec().unwrap()).collect(),
        Reply::Bytes(bytes) => vec![bytes],
        Reply::Late(wait, message) => {
            tokio::time::sleep(wait).await;
            vec![message.to_vec().unwrap()]
        }
        Reply::Silence => Vec::new(),
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// An answer to this question with these records.
pub(crate) fn answer(question: &Message, records: Vec<Record>) -> Message {
    let mut reply = question.clone().into_response();
    reply.metadata.authoritative = true;
    reply.add_answers(records);
    reply
}

/// A refusal of some kind.
pub(crate) fn code(question: &Message, code: ResponseCode) -> Message {
    let mut reply = answer(question, Vec::new());
    reply.metadata.response_code = code;
    reply
}

/// A denial with the SOA record of a zone.
pub(crate) fn denial(question: &Message, response: ResponseCode, zone: &str) -> Message {
    let mut reply = code(question, response);
    let server = name("ns.test.");
    let soa = SOA::new(server.clone(), server, 1, 3_600, 600, 86_400, 60);
    reply.add_authority(Record::from_rdata(name(zone), 60, RData::SOA(soa)));
    reply
}

pub(crate) fn query(question: &Message) -> &Query {
    &question.queries[0]
}

pub(crate) fn a(owner: &Name, ttl: u32, last: u8) -> Record {
    Record::from_rdata(owner.clone(), ttl, RData::A(A(Ipv4Addr::new(192, 0, 2, last))))
}

pub(crate) fn cname(owner: &Name, target: &str) -> Record {
    Record::from_rdata(owner.clone(), 60, RData::CNAME(CNAME(name(target))))
}

pub(crate) fn txt(owner: &Name, strings: usize) -> Record {
    let strings = (0..strings).map(|_| "x".repeat(250)).collect();
    Record::from_rdata(owner.clone(), 60, RData::TXT(TXT::new(strings)))
}

pub(crate) fn last_octet(address: &IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) => v4.octets()[3],
        IpAddr::V6(_) => 0,
    }
}
