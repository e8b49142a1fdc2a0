//! Zones' own servers, asked by their addresses.

use hickory_server::proto::op::{Message, ResponseCode};
use hickory_server::proto::rr::rdata::{CAA, NS, SRV};
use hickory_server::proto::rr::{RData, Record, RecordType};
use mailstead_net::dns::{Caa, Data, Dns, DnsError, Kind, Resolver, Srv};

use crate::fake::{By, Fake, Reply, answer, cname, denial, name, query};

const ZONE: &str = "home.test.";

/// Knows a zone, refers others elsewhere, and answers nobody who wants more.
fn zone(question: &Message, _: By) -> Reply {
    if question.metadata.recursion_desired {
        return answer(question, Vec::new()).into();
    }
    let asked = query(question);
    let record = |data| Record::from_rdata(asked.name().clone(), 60, data);
    let text = asked.name().to_ascii();
    match (text.as_str(), asked.query_type()) {
        (ZONE, RecordType::NS) => answer(question, vec![record(RData::NS(NS(name("ns.home.test."))))]).into(),
        ("web.home.test.", _) => answer(question, vec![cname(asked.name(), "web.far.test.")]).into(),
        ("_imaps._tcp.home.test.", RecordType::SRV) => {
            answer(question, vec![record(RData::SRV(SRV::new(1, 2, 993, name("Mail.home.test."))))]).into()
        }
        (ZONE, RecordType::CAA) => {
            let issue = CAA::new_issue(true, Some(name("ca.test")), Vec::new());
            answer(question, vec![record(RData::CAA(issue))]).into()
        }
        (ZONE, _) => denial(question, ResponseCode::NoError, ZONE).into(),
        (other, _) if other.ends_with(".home.test.") => denial(question, ResponseCode::NXDomain, ZONE).into(),
        _ => {
            let mut referral = answer(question, Vec::new());
            referral.metadata.authoritative = false;
            referral.add_authority(Record::from_rdata(name("test."), 60, RData::NS(NS(name("ns.test.")))));
            referral.into()
        }
    }
}

#[tokio::test]
async fn a_zones_own_servers_are_asked_for_what_they_know_and_for_no_more() {
    let server = Fake::start(zone).await;
    let resolver = Resolver::with_servers(&[server.address]).unwrap();
    let heart = resolver.of_servers(&[server.address.ip()]).unwrap();
    let ask = async |name: &str, kind| heart.ask(name, kind).await.map(|answer| answer.records);
    assert_eq!(ask("home.test", Kind::Ns).await, Ok(vec![Data::Name("ns.home.test".into())]));
    assert_eq!(ask("web.home.test", Kind::A).await, Ok(vec![Data::Name("web.far.test".into())]));
    assert_eq!(ask("web.home.test", Kind::Cname).await, Ok(vec![Data::Name("web.far.test".into())]));
    let srv = Srv { priority: 1, weight: 2, port: 993, host: "mail.home.test".into() };
    assert_eq!(ask("_imaps._tcp.home.test", Kind::Srv).await, Ok(vec![Data::Srv(srv)]));
    let caa = Caa { critical: true, tag: "issue".into(), value: "ca.test".into() };
    assert_eq!(ask("home.test", Kind::Caa).await, Ok(vec![Data::Caa(caa)]));
    assert_eq!(ask("home.test", Kind::Mx).await, Err(DnsError::NoRecords));
    assert_eq!(ask("no.home.test", Kind::A).await, Err(DnsError::NoName));
    assert!(matches!(ask("far.test", Kind::A).await, Err(DnsError::Temporary(_))));
}
