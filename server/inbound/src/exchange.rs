//! The house behind port 25: mail from the world, for our own people only.

use std::sync::Arc;

use mailstead_auth::check;
use mailstead_message::{Address, TraceId, header};
use mailstead_net::{BoxFuture, Gate};
use mailstead_smtp::Reply;
use mailstead_smtp::server::{Admitted, Body, Claim, Client, Envelope, Handler, MailFrom, RcptTo};
use mailstead_store::Store;

use crate::{Checks, Edited, Judgement, Letter, Policy, Reception, Refusal, Relay};

/// The house behind port 25: a [`mailstead_smtp::server::Handler`].
pub struct Exchange {
    reception: Reception,
    checks: Option<Checks>,
}

impl Exchange {
    /// Makes the house behind port 25.
    pub fn new(store: Store, policy: Policy, gate: Arc<Gate>) -> Self {
        Self { reception: Reception::new(store, policy, gate, Relay::Never), checks: None }
    }

    /// Has strangers' letters judged: who they are from, and what their authors' domains ask for.
    #[must_use]
    pub fn checking(self, checks: Checks) -> Self {
        Self { checks: Some(checks), ..self }
    }

    async fn take_in(&self, client: &Client, envelope: Envelope, body: Body) -> Reply {
        let recipients: Vec<Address> = envelope.recipients.iter().map(|to| to.address.clone()).collect();
        let hostname = self.reception.policy().hostname.clone();
        let Some(checks) = &self.checks else {
            let edit = move |letter: &Letter| {
                Ok(Edited { header: incoming(letter.header(), &hostname), found: None, told: Vec::new() })
            };
            return self.reception.take_in(client, envelope, body, edit).await;
        };
        match self.judge(checks, client, &envelope, body).await {
            Ok((letter, judgement)) => {
                let (fields, found, told) = match &judgement {
                    Some(judgement) => (judgement.fields.clone(), judgement.found(), judgement.told.clone()),
                    None => Default::default(),
                };
                let edit = move |letter: &Letter| {
                    let header = [fields.into_bytes(), incoming(letter.header(), &hostname)].concat();
                    Ok(Edited { header, found, told })
                };
                self.reception.take_in_judged(client, envelope, letter, judgement, edit).await
            }
            Err(refusal) => self.reception.refuse(client, envelope.trace, &envelope.from, &recipients, &refusal),
        }
    }

    /// The letter with what was found out about it, if it may be taken.
    async fn judge(
        &self,
        checks: &Checks,
        client: &Client,
        envelope: &Envelope,
        body: Body,
    ) -> Result<(Letter, Option<Judgement>), Refusal> {
        let letter = Letter::read(body).await?;
        let (letter, judgement) = checks.judge(self.reception.store(), client, envelope, letter).await?;
        if let Some(judgement) = &judgement
            && let Some(refusal) = judgement.refusal()
        {
            let addresses = envelope.recipients.iter().map(|to| to.address.clone());
            let addresses = envelope.from.reverse_path.iter().cloned().chain(addresses).collect();
            self.reception.tell_judged(envelope.trace, judgement, addresses);
            return Err(refusal);
        }
        Ok((letter, judgement))
    }
}

impl Handler for Exchange {
    fn connected<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<(), Reply>> {
        Box::pin(async { self.reception.greet(client) })
    }

    fn trace(&self) -> TraceId {
        self.reception.trace()
    }

    fn authenticate<'a>(&'a self, _: &'a Client, _: Claim) -> BoxFuture<'a, Result<Admitted, Reply>> {
        Box::pin(async { Err(Reply::new(502, (5, 5, 1), "there is no login on this port, use submission")) })
    }

    fn mail<'a>(&'a self, _: &'a Client, _: TraceId, _: &'a MailFrom) -> BoxFuture<'a, Result<(), Reply>> {
        Box::pin(async { Ok(()) })
    }

    fn rcpt<'a>(
        &'a self,
        client: &'a Client,
        trace: TraceId,
        from: &'a MailFrom,
        _: &'a [RcptTo],
        to: &'a RcptTo,
    ) -> BoxFuture<'a, Result<(), Reply>> {
        Box::pin(async move {
            self.reception.judge(client, trace, from, to)?;
            if let Some(checks) = &self.checks {
                checks.begin(client, trace, from);
            }
            Ok(())
        })
    }

    fn message<'a>(&'a self, client: &'a Client, envelope: Envelope, body: Body) -> BoxFuture<'a, Reply> {
        Box::pin(self.take_in(client, envelope, body))
    }

    fn abandoned(&self, client: &Client, trace: TraceId, from: &MailFrom, recipients: &[RcptTo], why: &str) {
        if let Some(checks) = &self.checks {
            checks.forget(trace);
        }
        self.reception.abandoned(client, trace, from, recipients, why);
    }
}

/// What is kept of a stranger's header.
/// A header without what only we may write: final delivery the one `Return-Path` there is (RFC 5321 4.4), our checks
/// what was found out in our name (RFC 8601 5), whether they are on or off.
fn incoming(header: &[u8], hostname: &str) -> Vec<u8> {
    header::without(header, |field| field.is("Return-Path") || check::forged(field, hostname))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn what_only_we_may_write_is_dropped_and_nothing_else() {
        let header = b"Return-Path: <forged@bank.test>\r\nBcc: carol@home.test\r\nreturn-path:\r\n <x>\r\n\
            Authentication-Results: mail.home.test; dmarc=pass\r\nFrom: b@c.test\r\n\r\n";
        assert_eq!(incoming(header, "mail.home.test"), b"Bcc: carol@home.test\r\nFrom: b@c.test\r\n\r\n");
    }
}
