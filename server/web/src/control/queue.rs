//! What is asked of the queue.

use mailstead_store::{QueueAction, QueueEntry, QueueId, RecipientState, StoreError};

use super::operator::{Operator, done, time};
use super::protocol::{Answer, Request};
use super::views::{QueueView, RecipientView};

impl Operator {
    pub(super) async fn queue(&self, request: Request) -> Result<Answer, StoreError> {
        match request {
            Request::Queue { id, action } => {
                self.store.queue_action(QueueId(id), action).await?;
                done(match action {
                    QueueAction::Retry if self.is_running() => format!("Message {id} is tried now."),
                    QueueAction::Retry => format!("Message {id} is tried as soon as the server starts."),
                    QueueAction::Hold => format!("Message {id} is held until you retry it."),
                    QueueAction::Remove => format!("Message {id} is removed from the queue."),
                })
            }
            Request::QueueBounce { id } => {
                let hostname = self.hostname.as_deref().ok_or_else(|| {
                    let text = "The host name is not known here: start the server first.";
                    StoreError::Invalid(text.to_owned())
                })?;
                done(mailstead_outbound::bounce(&self.store, hostname, QueueId(id)).await?)
            }
            Request::QueueRetryAll => {
                let when = if self.is_running() { "now" } else { "as soon as the server starts" };
                done(match self.store.retry_all().await? {
                    0 => "Nothing waits to be tried.".to_owned(),
                    1 => format!("One message is tried {when}."),
                    many => format!("{many} messages are tried {when}."),
                })
            }
            _ => Ok(Answer::Queue(self.store.queue()?.into_iter().map(queue_view).collect())),
        }
    }
}

fn queue_view(entry: QueueEntry) -> QueueView {
    let recipients = entry.recipients.into_iter().map(|recipient| RecipientView {
        address: recipient.address.to_string(),
        state: recipient.state,
        last: recipient.last,
    });
    let mut recipients: Vec<RecipientView> = recipients.collect();
    recipients.sort_by_key(|recipient| recipient.state != RecipientState::Waiting);
    QueueView {
        id: entry.id.0,
        trace: entry.trace.to_string(),
        from: entry.reverse_path.map(|address| address.to_string()).unwrap_or_default(),
        size: entry.size,
        created: time(entry.created),
        due: time(entry.due),
        attempts: entry.attempts,
        held: entry.held,
        tls: entry.tls,
        recipients,
    }
}
