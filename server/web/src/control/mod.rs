//! What an operator can ask, and the unix socket over which a running server is asked.

mod activity;
mod app_passwords;
mod backups;
mod certificates;
mod doctor;
mod forwarding;
mod guidance;
mod keys;
mod operator;
mod people;
mod protocol;
mod queue;
mod reports;
mod setup;
mod socket;
mod sts;
mod views;

pub use activity::{CheckView, DirectionView, LetterDetail, LetterView, Outcome, Remedy};
pub use app_passwords::{AppPasswordView, NewAppPassword};
pub use backups::{BackupFailureView, BackupView, BackupsView, copy_picture};
pub use operator::Operator;
pub(crate) use operator::time;
pub use people::{AccountDetail, SessionView, generate_password};
pub use protocol::{Answer, Request, Response};
pub use reports::{DayDigest, ReportDigest, SourceDigest};
pub use setup::Naming;
pub use socket::{Client, ControlError, SOCKET_NAME, Server};
pub use views::{
    AccountView, AliasView, BanView, CertificateSource, CertificateView, DomainView, EventView, KeyView, QueueView,
    RecipientView, ReportDetail, ReportView, SetupLinkView, SetupView, SmarthostView, StatusView, StoryView,
};
