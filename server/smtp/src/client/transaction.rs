//! One message's envelope and its answers (RFC 5321 3.3), pipelined where offered (RFC 2920). Takes replies, gives
//! commands.

use std::collections::VecDeque;

use mailstead_message::{Address, xtext};

use super::capabilities::Capabilities;
use super::handshake::refused;
use super::{ClientError, Outgoing, Recipient};
use crate::Reply;

/// Commands written before their replies are read. Commands and replies of one batch fit into socket buffers, so that
/// neither side waits for the other for ever (RFC 2920 3.1).
const MAX_BATCH: usize = 50;
/// Longest ENVID passed on, encoded (RFC 3461 4.4).
const MAX_ENVID: usize = 100;
/// Longest ORCPT passed on, encoded (RFC 3461 4.2).
const MAX_ORCPT: usize = 500;

/// What a reply leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another reply is to come.
    Read,
    /// Take [`Transaction::commands`], write them, read on.
    Write,
    /// Send the message and the final dot, then read on.
    Message,
    /// Nobody is left to receive it, yet the server waits for it: send the final dot alone, then read on.
    DotAlone,
    /// It waits for a message whose sender it refused, for recipients it accepted all the same: even an empty one would
    /// reach them. The session is over.
    Muddled,
    /// All is said.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Rset,
    Mail,
    Rcpt(usize),
    Data,
    FinalDot,
}

/// A transaction under way.
#[derive(Debug)]
pub(super) struct Transaction {
    unsent: VecDeque<(Command, Vec<u8>)>,
    unanswered: VecDeque<Command>,
    /// The last word on each recipient.
    results: Vec<Option<Reply>>,
    accepted: usize,
    /// A recipient was accepted of a message whose sender was refused.
    muddled: bool,
    batch: usize,
    /// The server may still hold a transaction of ours, so that the next one begins with RSET.
    pub(super) unfinished: bool,
}

impl Transaction {
    /// Plans the commands. Recipients that can't be served are settled here with a reply of our own; if that is all of
    /// them, nothing is to be sent. `reset` puts RSET in front.
    pub(super) fn new(envelope: &Outgoing, offered: &Capabilities, reset: bool) -> Self {
        let mut transaction = Self {
            unsent: VecDeque::new(),
            unanswered: VecDeque::new(),
            results: envelope.recipients.iter().map(|recipient| unservable(envelope, recipient, offered)).collect(),
            accepted: 0,
            muddled: false,
            batch: if offered.pipelining { MAX_BATCH } else { 1 },
            unfinished: false,
        };
        if transaction.results.iter().all(Option::is_some) {
            return transaction;
        }
        if reset {
            transaction.unsent.push_back((Command::Rset, b"RSET\r\n".to_vec()));
        }
        transaction.unsent.push_back((Command::Mail, mail(envelope, offered)));
        for (index, recipient) in envelope.recipients.iter().enumerate() {
            if transaction.results.get(index).is_some_and(Option::is_none) {
                transaction.unsent.push_back((Command::Rcpt(index), rcpt(recipient, offered)));
            }
        }
        transaction.unsent.push_back((Command::Data, b"DATA\r\n".to_vec()));
        transaction
    }

    /// The bytes to write now, empty when there is nothing to do at all.
    pub(super) fn commands(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.unanswered.len() < self.batch {
            let Some((command, line)) = self.unsent.pop_front() else { break };
            self.unanswered.push_back(command);
            bytes.extend(line);
        }
        bytes
    }

    /// Which step the next reply answers, for errors.
    pub(super) fn awaited(&self) -> &'static str {
        match self.unanswered.front() {
            Some(Command::Rset) => "RSET",
            Some(Command::Mail) => "MAIL FROM",
            Some(Command::Rcpt(_)) => "RCPT TO",
            Some(Command::Data) => "DATA",
            Some(Command::FinalDot) | None => "end of data",
        }
    }

    /// The final dot is being sent.
    pub(super) fn final_dot(&mut self) {
        self.unanswered.push_back(Command::FinalDot);
    }

    /// Settles all recipients without a verdict, locally.
    pub(super) fn settle_rest(&mut self, reply: &Reply) {
        for result in &mut self.results {
            if result.as_ref().is_none_or(Reply::is_success) {
                *result = Some(reply.clone());
            }
        }
    }

    /// What the next reply means.
    ///
    /// # Errors
    /// 421 at any moment, and replies that make no sense: the session is over.
    pub(super) fn reply(&mut self, reply: Reply) -> Result<Next, ClientError> {
        let when = self.awaited();
        if reply.code == 421 {
            return Err(ClientError::Refused { when, reply });
        }
        let command = self.unanswered.pop_front();
        let intermediate = (300..400).contains(&reply.code);
        match command {
            Some(Command::Data) => return self.data_reply(reply),
            _ if intermediate => return Err(refused(reply, when)),
            Some(Command::Rset) if !reply.is_success() => return Err(refused(reply, when)),
            Some(Command::Mail) if reply.is_success() => self.unfinished = true,
            Some(Command::Mail) => {
                self.settle_rest(&reply);
                // What was pipelined behind it is answered all the same; what was not is spared.
                self.unsent.clear();
            }
            Some(Command::Rcpt(index)) => self.rcpt_reply(index, reply),
            Some(Command::FinalDot) => {
                self.unfinished = false;
                if self.accepted > 0 {
                    self.settle_rest(&reply);
                }
                return Ok(Next::Done);
            }
            Some(Command::Rset) | None => {}
        }
        Ok(self.next())
    }

    /// The last word on each recipient, in order.
    pub(super) fn results(self) -> Vec<Reply> {
        let unknown = || Reply::new(451, (4, 5, 0), "the server did not answer for this recipient");
        self.results.into_iter().map(|result| result.unwrap_or_else(unknown)).collect()
    }

    fn next(&mut self) -> Next {
        if !self.unanswered.is_empty() {
            return Next::Read;
        }
        // Without pipelining DATA need not be sent when nobody is left.
        if self.accepted == 0 && matches!(self.unsent.front(), None | Some((Command::Data, _))) {
            return Next::Done;
        }
        Next::Write
    }

    fn rcpt_reply(&mut self, index: usize, mut reply: Reply) {
        // RFC 5321 4.5.3.1.10: 552 here may be an old way to say "too many recipients", which is temporary.
        if reply.code == 552 && matches!(reply.status, None | Some((5, 5, 3))) {
            reply.code = 452;
            reply.status = Some((4, 5, 3));
        }
        match self.results.get_mut(index) {
            Some(result @ None) => {
                self.accepted += usize::from(reply.is_success());
                *result = Some(reply);
            }
            _ => self.muddled |= reply.is_success(),
        }
    }

    fn data_reply(&mut self, reply: Reply) -> Result<Next, ClientError> {
        match reply.code {
            354 if self.accepted > 0 => Ok(Next::Message),
            354 if self.muddled => Ok(Next::Muddled),
            354 => Ok(Next::DotAlone),
            400.. => {
                if self.accepted > 0 {
                    self.settle_rest(&reply);
                }
                Ok(Next::Done)
            }
            _ => Err(refused(reply, "DATA")),
        }
    }
}

/// Our own refusal of a recipient this server can't serve, without a byte sent.
fn unservable(envelope: &Outgoing, recipient: &Recipient, offered: &Capabilities) -> Option<Reply> {
    let utf8 = |address: &Address| address.needs_smtputf8();
    let needs_utf8 = envelope.smtputf8 || envelope.reverse_path.as_ref().is_some_and(utf8) || utf8(&recipient.address);
    if needs_utf8 && !offered.smtputf8 {
        let text = "the server does not take internationalised addresses (SMTPUTF8)";
        return Some(Reply::new(553, (5, 6, 7), text));
    }
    if envelope.eight_bit && !offered.eight_bit_mime {
        return Some(Reply::new(554, (5, 6, 3), "the server does not take 8-bit messages (8BITMIME)"));
    }
    if let Some(Some(limit)) = offered.size
        && envelope.size > limit
    {
        let text = format!("the message has {} bytes, the server takes at most {limit}", envelope.size);
        return Some(Reply::new(552, (5, 3, 4), text));
    }
    if envelope.require_tls && !offered.require_tls {
        return Some(Reply::new(550, (5, 7, 30), "the server does not offer REQUIRETLS, which the message needs"));
    }
    let breaks_line = |address: &Address| address.to_string().contains(|c: char| c.is_control());
    if breaks_line(&recipient.address) || envelope.reverse_path.as_ref().is_some_and(breaks_line) {
        return Some(Reply::new(553, (5, 1, 3), "an address has a control character"));
    }
    None
}

fn mail(envelope: &Outgoing, offered: &Capabilities) -> Vec<u8> {
    let path = envelope.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut line = format!("MAIL FROM:<{path}>");
    if offered.size.is_some() {
        line.push_str(&format!(" SIZE={}", envelope.size));
    }
    if envelope.eight_bit && offered.eight_bit_mime {
        line.push_str(" BODY=8BITMIME");
    }
    if offered.smtputf8 && needs_smtputf8(envelope) {
        line.push_str(" SMTPUTF8");
    }
    if offered.dsn {
        match envelope.ret_full {
            Some(true) => line.push_str(" RET=FULL"),
            Some(false) => line.push_str(" RET=HDRS"),
            None => {}
        }
        let envid = envelope.envid.as_deref().map(xtext::encode).filter(|id| !id.is_empty() && id.len() <= MAX_ENVID);
        if let Some(envid) = envid {
            line.push_str(&format!(" ENVID={envid}"));
        }
    }
    if envelope.require_tls {
        line.push_str(" REQUIRETLS");
    }
    line.push_str("\r\n");
    line.into_bytes()
}

fn needs_smtputf8(envelope: &Outgoing) -> bool {
    envelope.smtputf8
        || envelope.reverse_path.as_ref().is_some_and(Address::needs_smtputf8)
        || envelope.recipients.iter().any(|recipient| recipient.address.needs_smtputf8())
}

fn rcpt(recipient: &Recipient, offered: &Capabilities) -> Vec<u8> {
    let mut line = format!("RCPT TO:<{}>", recipient.address);
    if offered.dsn {
        if let Some(notify) = recipient.notify {
            let wishes = [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
            let words: Vec<&str> = wishes.iter().filter(|(wished, _)| *wished).map(|(_, word)| *word).collect();
            if notify.never {
                line.push_str(" NOTIFY=NEVER");
            } else if !words.is_empty() {
                line.push_str(&format!(" NOTIFY={}", words.join(",")));
            }
        }
        let orcpt = recipient.orcpt.as_ref().and_then(|(kind, address)| orcpt(kind, address));
        if let Some(orcpt) = orcpt.filter(|orcpt| orcpt.len() <= MAX_ORCPT) {
            line.push_str(&format!(" ORCPT={orcpt}"));
        }
    }
    line.push_str("\r\n");
    line.into_bytes()
}

/// The value of ORCPT: address type and encoded address.
fn orcpt(kind: &str, address: &str) -> Option<String> {
    if kind.eq_ignore_ascii_case("utf-8") || !address.is_ascii() {
        return Some(format!("utf-8;{}", xtext::encode_utf8_address(address, false)));
    }
    let is_atom = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_atom && !address.is_empty()).then(|| format!("{kind};{}", xtext::encode(address)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::server::NotifyParam;

    #[test]
    fn what_could_break_a_command_is_encoded_in_orcpt() {
        for (kind, address, value) in [
            ("rfc822", "bob@world.test", Some("rfc822;bob@world.test")),
            ("rfc822", "a+b=c@world.test", Some("rfc822;a+2Bb+3Dc@world.test")),
            ("rfc822", "a b\r\nRSET@x", Some("rfc822;a+20b+0D+0ARSET@x")),
            ("rfc822", "jörg@world.test", Some("utf-8;j\\x{F6}rg@world.test")),
            ("utf-8", "a\\b\u{7f}@world.test", Some("utf-8;a\\x{5C}b\\x{7F}@world.test")),
            ("x y\r\n", "z", None),
            ("", "z", None),
            ("rfc822", "", None),
        ] {
            assert_eq!(orcpt(kind, address).as_deref(), value);
        }
    }

    fn envelope(count: usize) -> Outgoing {
        Outgoing {
            reverse_path: Some(Address::parse("alice@home.test").unwrap()),
            recipients: (0..count)
                .map(|number| Recipient {
                    address: Address::parse(&format!("r{number}@world.test")).unwrap(),
                    notify: None,
                    orcpt: None,
                })
                .collect(),
            size: 100,
            eight_bit: false,
            smtputf8: false,
            envid: None,
            ret_full: None,
            require_tls: false,
        }
    }

    fn pipelining() -> Capabilities {
        Capabilities { pipelining: true, ..Capabilities::default() }
    }

    fn reply(code: u16) -> Reply {
        Reply { code, status: None, lines: vec![String::new()] }
    }

    /// Plays the replies against a transaction; gives what was written and the codes per recipient.
    fn play(mut transaction: Transaction, codes: &[u16]) -> (Vec<String>, Result<Vec<u16>, ClientError>) {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace("\r\n", "|");
        let mut written = vec![text(transaction.commands())];
        for code in codes {
            match transaction.reply(reply(*code)) {
                Ok(Next::Read) => {}
                Ok(Next::Write) => written.push(text(transaction.commands())),
                Ok(next @ (Next::Message | Next::DotAlone)) => {
                    written.push(format!("<{next:?}>"));
                    transaction.final_dot();
                }
                Ok(next @ (Next::Done | Next::Muddled)) => {
                    if next == Next::Muddled {
                        written.push(format!("<{next:?}>"));
                    }
                    return (written, Ok(transaction.results().iter().map(|reply| reply.code).collect()));
                }
                Err(error) => return (written, Err(error)),
            }
        }
        panic!("not done after the last reply: {written:?}");
    }

    #[test]
    fn with_pipelining_one_write_carries_the_whole_envelope() {
        let transaction = Transaction::new(&envelope(2), &pipelining(), false);
        let (written, codes) = play(transaction, &[250, 250, 250, 354, 250]);
        let all = "MAIL FROM:<alice@home.test>|RCPT TO:<r0@world.test>|RCPT TO:<r1@world.test>|DATA|";
        assert_eq!(written, [all, "<Message>"]);
        assert_eq!(codes.unwrap(), [250, 250]);
    }

    #[test]
    fn without_pipelining_each_command_waits_for_the_reply_before_it() {
        let transaction = Transaction::new(&envelope(1), &Capabilities::default(), true);
        let (written, codes) = play(transaction, &[250, 250, 250, 354, 250]);
        let lines = ["RSET|", "MAIL FROM:<alice@home.test>|", "RCPT TO:<r0@world.test>|", "DATA|", "<Message>"];
        assert_eq!(written, lines);
        assert_eq!(codes.unwrap(), [250]);
    }

    #[test]
    fn replies_are_given_to_their_recipients() {
        for (codes, expected) in [
            (&[250, 550, 250, 354, 250][..], &[550, 250][..]),
            (&[250, 550, 250, 354, 451], &[550, 451]),
            (&[250, 550, 250, 354, 554], &[550, 554]),
            (&[250, 451, 250, 452], &[451, 452]),
            (&[451, 503, 503, 503], &[451, 451]),
            (&[550, 503, 503, 503], &[550, 550]),
            (&[250, 550, 451, 554], &[550, 451]),
            (&[250, 552, 250, 354, 250], &[452, 250]),
            // All are refused and yet it says 354: only the dot goes out, and what it says to that means nothing.
            (&[250, 550, 451, 354, 250], &[550, 451]),
            (&[250, 550, 451, 354, 554], &[550, 451]),
            (&[550, 250, 250, 354, 250], &[550, 550]),
        ] {
            let (written, results) = play(Transaction::new(&envelope(2), &pipelining(), false), codes);
            assert_eq!(results.unwrap(), expected, "{codes:?}");
            let accepted = codes.get(4).is_some() && (codes[1] == 250 || codes[2] == 250) && codes[0] == 250;
            assert_eq!(written.iter().any(|text| text == "<Message>"), accepted, "{codes:?}");
        }
    }

    #[test]
    fn data_is_not_said_without_pipelining_when_nobody_is_left() {
        let (written, results) = play(Transaction::new(&envelope(1), &Capabilities::default(), false), &[250, 550]);
        assert_eq!(results.unwrap(), [550]);
        assert!(!written.iter().any(|text| text.contains("DATA")));
    }

    #[test]
    fn no_empty_message_reaches_recipients_accepted_behind_a_refused_sender() {
        let (written, codes) = play(Transaction::new(&envelope(1), &pipelining(), false), &[451, 250, 354]);
        assert_eq!(written.last().unwrap(), "<Muddled>");
        assert_eq!(codes.unwrap(), [451]);
        let (written, _) = play(Transaction::new(&envelope(1), &pipelining(), false), &[451, 503, 354, 554]);
        assert_eq!(written.last().unwrap(), "<DotAlone>");
    }

    #[test]
    fn a_notify_with_nothing_in_it_says_nothing() {
        let mut envelope = envelope(1);
        envelope.recipients[0].notify = Some(NotifyParam::default());
        let offered = Capabilities { dsn: true, ..Capabilities::default() };
        assert_eq!(rcpt(&envelope.recipients[0], &offered), b"RCPT TO:<r0@world.test>\r\n");
    }

    #[test]
    fn a_long_list_is_written_in_batches() {
        let mut transaction = Transaction::new(&envelope(120), &pipelining(), false);
        let mut batches = Vec::new();
        let mut bytes = transaction.commands();
        loop {
            let count = bytes.split(|byte| *byte == b'\n').count() - 1;
            batches.push(count);
            let mut next = Next::Read;
            for number in 0..count {
                let last = batches.len() == 3 && number + 1 == count;
                next = transaction.reply(reply(if last { 354 } else { 250 })).unwrap();
            }
            if next == Next::Message {
                break;
            }
            assert_eq!(next, Next::Write);
            bytes = transaction.commands();
        }
        assert_eq!(batches, [50, 50, 22]);
    }

    #[test]
    fn a_421_ends_the_session_wherever_it_comes() {
        for codes in [&[421][..], &[250, 421], &[250, 250, 421], &[250, 250, 250, 421], &[250, 250, 250, 354, 421]] {
            let (_, results) = play(Transaction::new(&envelope(2), &pipelining(), false), codes);
            assert!(matches!(results, Err(ClientError::Refused { .. })), "{codes:?}");
        }
    }

    #[test]
    fn replies_that_make_no_sense_are_protocol_errors() {
        for codes in [&[354][..], &[250, 354], &[250, 250, 250, 250], &[250, 250, 250, 354, 354]] {
            let (_, results) = play(Transaction::new(&envelope(2), &pipelining(), false), codes);
            assert!(matches!(results, Err(ClientError::Protocol(_))), "{codes:?}");
        }
    }

    #[test]
    fn parameters_go_only_to_servers_that_offer_them() {
        let mut envelope = envelope(1);
        envelope.eight_bit = true;
        envelope.envid = Some("a b".to_owned());
        envelope.ret_full = Some(false);
        envelope.recipients[0].notify = Some(NotifyParam { success: true, delay: true, ..NotifyParam::default() });
        envelope.recipients[0].orcpt = Some(("rfc822".to_owned(), "x@home.test".to_owned()));
        let bare = Capabilities { eight_bit_mime: true, ..pipelining() };
        let written = Transaction::new(&envelope, &bare, false).commands();
        let plain = "MAIL FROM:<alice@home.test> BODY=8BITMIME\r\nRCPT TO:<r0@world.test>\r\nDATA\r\n";
        assert_eq!(String::from_utf8(written).unwrap(), plain);
        let full = Capabilities { dsn: true, size: Some(None), smtputf8: true, ..bare };
        let written = Transaction::new(&envelope, &full, false).commands();
        let rich = "MAIL FROM:<alice@home.test> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=a+20b\r\n\
                    RCPT TO:<r0@world.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@home.test\r\nDATA\r\n";
        assert_eq!(String::from_utf8(written).unwrap(), rich);
    }

    #[test]
    fn what_the_server_cannot_take_fails_here_without_a_byte_sent() {
        let offered = Capabilities { size: Some(Some(99)), eight_bit_mime: true, ..pipelining() };
        let large = envelope(1);
        let eight = Outgoing { eight_bit: true, ..envelope(1) };
        let utf8 = Outgoing { smtputf8: true, ..envelope(1) };
        let safe = Outgoing { require_tls: true, ..envelope(1) };
        for (envelope, offered, status) in [
            (&large, &offered, (5, 3, 4)),
            (&eight, &pipelining(), (5, 6, 3)),
            (&utf8, &pipelining(), (5, 6, 7)),
            (&safe, &pipelining(), (5, 7, 30)),
        ] {
            let mut transaction = Transaction::new(envelope, offered, false);
            assert!(transaction.commands().is_empty());
            assert_eq!(transaction.results()[0].status, Some(status));
        }
    }

    #[test]
    fn one_internationalised_recipient_does_not_take_the_others_along() {
        let mut envelope = envelope(2);
        envelope.recipients[1].address = Address::parse("jörg@world.test").unwrap();
        let (written, results) = play(Transaction::new(&envelope, &pipelining(), false), &[250, 250, 354, 250]);
        assert_eq!(results.unwrap(), [250, 553]);
        assert!(!written[0].contains("SMTPUTF8") && !written[0].contains("rg@"));
    }

    #[test]
    fn requiretls_is_said_only_where_the_message_needs_it() {
        let offered = Capabilities { require_tls: true, ..pipelining() };
        let safe = Outgoing { require_tls: true, ..envelope(1) };
        for (envelope, line) in [
            (safe, &b"MAIL FROM:<alice@home.test> REQUIRETLS\r\n"[..]),
            (envelope(1), b"MAIL FROM:<alice@home.test>\r\n"),
        ] {
            assert!(Transaction::new(&envelope, &offered, false).commands().starts_with(line));
        }
    }

    #[test]
    fn the_null_reverse_path_is_empty_brackets() {
        let envelope = Outgoing { reverse_path: None, ..envelope(1) };
        assert!(Transaction::new(&envelope, &pipelining(), false).commands().starts_with(b"MAIL FROM:<>\r\n"));
    }
}
