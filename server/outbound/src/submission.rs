//! The house behind ports 465 and 587: our own people's letters, to each other and to the world (RFC 6409).

use std::sync::Arc;
use std::time::Duration;

use mailstead_inbound::{Edited, Letter, Policy, Reception, Refusal, Relay};
use mailstead_message::{Address, TraceId};
use mailstead_net::{BoxFuture, Gate, Refusal as Refused};
use mailstead_smtp::Reply;
use mailstead_smtp::server::{Admitted, Body, Claim, Client, Envelope, Handler, Identity, MailFrom, RcptTo};
use mailstead_store::{AccountId, Store, StoreError, Timestamp};
use tokio::time::timeout;

use crate::completion::{self, Completion};

/// Checking a password may take this long: behind a crowd that guesses, an honest client hears that it should come
/// back before it gives up by itself.
const LOGIN_TIME: Duration = Duration::from_secs(60);

/// The house behind ports 465 and 587: a [`mailstead_smtp::server::Handler`].
pub struct Submission {
    reception: Reception,
    signs: bool,
}

impl Submission {
    /// Makes the house behind 465 and 587.
    pub fn new(store: Store, policy: Policy, gate: Arc<Gate>) -> Self {
        Self { reception: Reception::new(store, policy, gate, Relay::LoggedIn), signs: true }
    }

    /// Whether it signs (DKIM): not where a relay does.
    pub fn signing(mut self, signs: bool) -> Self {
        self.signs = signs;
        self
    }

    async fn log_in(&self, client: &Client, claim: Claim) -> Result<Admitted, Reply> {
        let (peer, login) = (client.peer.remote.ip(), claim.login());
        let store = self.reception.store();
        let check = claim.check(
            async |login, password| store.authenticate(login, password).await,
            |login, fits| store.authenticate_by_proof(login, fits),
        );
        let admitted = timeout(LOGIN_TIME, self.reception.gate().admit(peer, login, claim.guess(), check)).await;
        match admitted.unwrap_or_else(|_| Err(Refused::Error(StoreError::Io("no answer in time".to_owned())))) {
            Ok((found, last_word)) => {
                store.note_login(&found, "SMTP", peer);
                tracing::info!(%peer, login = %found.address, "logged in by SMTP");
                Ok(Admitted { identity: Identity { account: found.id.0, address: found.address }, last_word })
            }
            Err(Refused::Denied) => {
                tracing::info!(%peer, ?login, "wrong name or password by SMTP");
                Err(Reply::new(535, (5, 7, 8), claim.denial()))
            }
            Err(Refused::Banned) => {
                Err(Reply::new(421, (4, 7, 0), "too many wrong passwords from your network, come back later"))
            }
            Err(Refused::Error(error)) => {
                tracing::error!(%peer, ?login, "a login by SMTP can't be checked: {error}");
                Err(Reply::new(454, (4, 7, 0), "logins can't be checked at the moment, try again later"))
            }
        }
    }

    /// The null reverse-path is anybody's: receipts for reading must have it (RFC 8098 3), and what a message is can't
    /// be known yet. Whoever uses it is known all the same, and their From is looked at.
    fn may_begin(&self, client: &Client, from: &MailFrom) -> Result<(), Refusal> {
        let Some(identity) = &client.identity else {
            return Err(Reply::new(530, (5, 7, 0), "log in first (STARTTLS, then AUTH)").into());
        };
        let account = AccountId(identity.account);
        let active = self.reception.store().account(account)?.is_some_and(|account| !account.disabled);
        if !active {
            let text = format!("the account {} may not send any more", identity.address);
            return Err(Reply::new(550, (5, 7, 1), text).into());
        }
        match &from.reverse_path {
            Some(sender) if !self.reception.store().may_send_as(account, sender)? => {
                Err(completion::not_yours(sender).into())
            }
            _ => Ok(()),
        }
    }

    async fn submit(&self, client: &Client, envelope: Envelope, body: Body) -> Reply {
        let Some(identity) = client.identity.clone() else {
            return Reply::new(530, (5, 7, 0), "log in first (STARTTLS, then AUTH)");
        };
        let completion = Completion {
            hostname: self.reception.policy().hostname.clone(),
            id: envelope.trace.to_string(),
            author: envelope.from.reverse_path.clone().unwrap_or_else(|| identity.address.clone()),
            now: jiff::Timestamp::now().as_second(),
        };
        let (signing, signs) = (self.reception.signing().clone(), self.signs);
        let edit = move |letter: &Letter| {
            completion::check_authors(letter.header(), |address: &Address| {
                signing.store().may_send_as(AccountId(identity.account), address)
            })?;
            let header = completion.complete(letter.header());
            if !signs {
                let told = "It was not signed: delivery.sign is off.".to_owned();
                return Ok(Edited { header, found: None, told: vec![told] });
            }
            let domain = completion.domain(&header);
            let signature = signing.sign_letter(&domain, &header, letter, Timestamp(completion.now))?;
            Ok(Edited {
                header: [signature.fields.into_bytes(), header].concat(),
                found: None,
                told: vec![signature.told],
            })
        };
        self.reception.take_in(client, envelope, body, edit).await
    }
}

impl Handler for Submission {
    fn connected<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<(), Reply>> {
        Box::pin(async { self.reception.greet(client) })
    }

    fn trace(&self) -> TraceId {
        self.reception.trace()
    }

    fn scram(&self) -> Option<(Vec<u8>, u32)> {
        self.reception.store().scram_terms()
    }

    fn authenticate<'a>(&'a self, client: &'a Client, claim: Claim) -> BoxFuture<'a, Result<Admitted, Reply>> {
        Box::pin(self.log_in(client, claim))
    }

    fn mail<'a>(&'a self, client: &'a Client, trace: TraceId, from: &'a MailFrom) -> BoxFuture<'a, Result<(), Reply>> {
        Box::pin(async move {
            let begun = self.may_begin(client, from);
            begun.map_err(|refusal| self.reception.refuse(client, trace, from, &[], &refusal))
        })
    }

    fn rcpt<'a>(
        &'a self,
        client: &'a Client,
        trace: TraceId,
        from: &'a MailFrom,
        _: &'a [RcptTo],
        to: &'a RcptTo,
    ) -> BoxFuture<'a, Result<(), Reply>> {
        Box::pin(async move { self.reception.judge(client, trace, from, to) })
    }

    fn message<'a>(&'a self, client: &'a Client, envelope: Envelope, body: Body) -> BoxFuture<'a, Reply> {
        Box::pin(self.submit(client, envelope, body))
    }

    fn abandoned(&self, client: &Client, trace: TraceId, from: &MailFrom, recipients: &[RcptTo], why: &str) {
        self.reception.abandoned(client, trace, from, recipients, why);
    }
}
