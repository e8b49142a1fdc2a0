//! Recipients who can never get a message that others can: they are left out, and its sender hears of it. SMTP has one
//! answer for all of them, and those who can have it must not go without for the others' sake.

use std::collections::HashSet;

use mailstead_message::dsn::{Action, Recipient};
use mailstead_message::received;
use mailstead_smtp::Reply;
use mailstead_smtp::server::RcptTo;
use mailstead_store::{Acceptance, Fate, StoreError, StoryEvent};

use super::{Arrival, Relay};
use crate::way::{Lead, Way};
use crate::{Letter, Refusal};

/// A recipient who can never get the message, and why.
pub(super) struct LeftOut<'a> {
    to: &'a RcptTo,
    reply: Reply,
}

impl Arrival {
    /// Where the recipients lead, without those who are left out.
    ///
    /// # Errors
    /// The refusal of all of them: nobody can get it, or somebody can't now, or there is nobody to tell of one who never
    /// can.
    pub(super) fn leads(
        &self,
        way: &mut Way,
        letter: &Letter,
        size: u64,
    ) -> Result<(Vec<Lead>, Vec<LeftOut<'_>>), Refusal> {
        let before = match self.reception.relay {
            Relay::Never => received::delivered(letter.header()),
            // What our own people send on by hand is no loop.
            Relay::LoggedIn => HashSet::new(),
        };
        let (mut leads, mut left_out) = (Vec::new(), Vec::new());
        for to in &self.envelope.recipients {
            let lead = if before.contains(&to.address.key()) { Err(circle(to)) } else { self.lead(way, to, size) };
            match lead {
                Ok(lead) => leads.push(lead),
                Err(Refusal::Said(reply)) if reply.code >= 500 => left_out.push(LeftOut { to, reply }),
                Err(refusal) => return Err(refusal),
            }
        }
        match left_out.first() {
            Some(first) if leads.is_empty() || !self.sender_can_be_told() => Err(first.reply.clone().into()),
            _ => Ok((leads, left_out)),
        }
    }

    /// The report about those who were left out, if they were not meant to be forgotten.
    pub(super) fn report_left_out(
        &self,
        head: &[u8],
        left_out: &[LeftOut<'_>],
        told: &mut Vec<StoryEvent>,
    ) -> Result<Option<Acceptance>, StoreError> {
        let tell = |text, to: &RcptTo| {
            let fates = vec![(to.address.clone(), Fate::Refused)];
            StoryEvent::new(self.at, text, vec![to.address.clone()]).meaning(None, fates)
        };
        told.extend(
            left_out.iter().map(|one| tell(format!("{} was left out: \"{}\".", one.to.address, one.reply), one.to)),
        );
        let unheard = |one: &&LeftOut<'_>| !one.to.notify.is_some_and(|notify| notify.never);
        let recipients: Vec<Recipient<'_>> = left_out.iter().filter(unheard).map(LeftOut::recipient).collect();
        let Some(sender) = self.envelope.from.reverse_path.as_ref().filter(|_| !recipients.is_empty()) else {
            return Ok(None);
        };
        let trace = self.reception.trace();
        let what = format!(
            "This is our report to {sender} on recipients of message {} who can't get it.",
            self.envelope.trace
        );
        let notice = self.notice(sender, trace, head, recipients, what);
        let made = notice.make(&self.reception.signing, self.reception.store().route(sender)?)?;
        let text = match &made {
            Some(_) => format!("{sender} is told who was left out (message {trace})."),
            None => format!("{sender} can't be told who was left out: there is no such address here."),
        };
        told.push(StoryEvent::new(self.at, text, vec![sender.clone()]));
        Ok(made)
    }

    /// Whether a report would reach who sent the message. Our own people hear it at once, from their mail program.
    fn sender_can_be_told(&self) -> bool {
        self.client.identity.is_none() && self.envelope.from.reverse_path.is_some() && self.may_answer()
    }
}

impl LeftOut<'_> {
    fn recipient(&self) -> Recipient<'_> {
        Recipient {
            address: &self.to.address,
            original: self.to.orcpt.as_ref().map(|(kind, address)| (kind.as_str(), address.as_str())),
            action: Action::Failed,
            status: self.reply.status.unwrap_or((5, 0, 0)),
            explanation: self.reply.lines.first().map_or("The address can't get the message.", String::as_str),
            remote: None,
            diagnostic: None,
            last_attempt: None,
            retry_until: None,
        }
    }
}

fn circle(to: &RcptTo) -> Refusal {
    let text = format!("the message goes in a circle: it was delivered to {} before", to.address);
    Reply::new(554, (5, 4, 6), text).into()
}
