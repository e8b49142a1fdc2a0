//! What was found out about a letter, and what can be done about a refusal, in plain words.

use mailstead_message::Domain;
use mailstead_store::{AuthResult, Direction, DkimAuth, DmarcPolicy, ReplyCode, SpfAuth, Verdict};

use super::{CheckView, Remedy};

/// Signatures told of.
const MAX_SIGNATURES: usize = 5;

/// SPF, DKIM and DMARC, each with what it means.
pub(super) fn checks(verdict: &Verdict) -> Vec<CheckView> {
    let mut checks = vec![check("SPF", verdict.spf.result, spf(&verdict.spf))];
    if verdict.dkim.is_empty() {
        checks.push(check("DKIM", AuthResult::None, "Nobody has signed it.".to_owned()));
    }
    let signatures = verdict.dkim.iter().take(MAX_SIGNATURES);
    checks.extend(signatures.map(|signature| check("DKIM", signature.result, dkim(signature))));
    checks.push(check("DMARC", verdict.dmarc, dmarc(verdict)));
    checks
}

fn check(name: &str, result: AuthResult, meaning: String) -> CheckView {
    CheckView { name: name.to_owned(), result: result.as_str().to_owned(), meaning }
}

fn spf(spf: &SpfAuth) -> String {
    let domain = &spf.domain;
    match spf.result {
        AuthResult::Pass => format!("{domain} says that the server which brought it may send in its name."),
        AuthResult::Fail => format!("{domain} says that the server which brought it must not send in its name."),
        AuthResult::Softfail => {
            format!("{domain} says that the server which brought it should probably not send in its name.")
        }
        AuthResult::None if domain.is_empty() => "No domain was named that could have said who may send.".to_owned(),
        AuthResult::None => format!("{domain} does not say which servers may send in its name."),
        AuthResult::Neutral | AuthResult::Policy => {
            format!("{domain} leaves open whether the server which brought it may send in its name.")
        }
        AuthResult::Temperror => format!("What {domain} says of its servers could not be looked up at that time."),
        AuthResult::Permerror => {
            format!("What {domain} says of its servers can't be understood: its SPF record is wrong.")
        }
    }
}

fn dkim(signature: &DkimAuth) -> String {
    let domain = &signature.domain;
    match signature.result {
        AuthResult::Pass => format!("{domain} has signed it, and it is unchanged since."),
        AuthResult::Fail | AuthResult::Softfail => format!(
            "It has a signature of {domain} that does not fit: it was changed on its way, or the signature is forged."
        ),
        AuthResult::Policy => format!("It has a signature of {domain} that is good, but too weak to count."),
        AuthResult::None => format!("The signature of {domain} was not looked at."),
        AuthResult::Neutral | AuthResult::Permerror => {
            format!("It has a signature of {domain} that can't be checked: the signature or its key is faulty or gone.")
        }
        AuthResult::Temperror => format!("The key of {domain} could not be looked up at that time."),
    }
}

fn dmarc(verdict: &Verdict) -> String {
    let Some(author) = verdict.author.as_ref().map(Domain::to_unicode) else {
        return "It does not say clearly who wrote it, so nothing can be proved.".to_owned();
    };
    let done = match verdict.disposition {
        DmarcPolicy::None => "",
        DmarcPolicy::Quarantine => " It was put into Junk, as that domain asks.",
        DmarcPolicy::Reject => " It was refused, as that domain asks.",
    };
    match verdict.dmarc {
        AuthResult::Pass => format!("It is proved to be from {author}."),
        AuthResult::None => {
            format!("{author} does not say how to treat letters that are not proved to be from it, so it was let pass.")
        }
        AuthResult::Temperror => format!("What {author} asks for could not be looked up at that time."),
        AuthResult::Permerror => format!("What {author} asks for can't be understood: its DMARC record is wrong."),
        _ => format!("It says it is from {author}, but nothing proves it: anybody could have written that name.{done}"),
    }
}

/// Why it was refused with that reply, and what can be done.
pub(super) fn remedy(direction: Direction, (code, status): ReplyCode, verdict: Option<&Verdict>) -> Remedy {
    let (_, subject, detail) = status.unwrap_or((0, 0, 0));
    let unproved = verdict.and_then(|verdict| verdict.author.as_ref()).map(Domain::to_unicode);
    match (code, subject, detail, direction) {
        (_, 1, 1, _) => said(
            "There is no such address here.",
            "Look for a typing mistake in the address.",
            Some("If the address should exist, give it to an account, or make it an alias."),
        ),
        (500.., 7, 1, Direction::In) if unproved.is_some() => unproved_author(&unproved.unwrap_or_default()),
        (_, 7, 1, Direction::In) => said(
            "Its recipient is not on this server, and this server does not pass on letters of strangers.",
            "If it is one of your own people: their mail program has to log in, on port 465 or 587 instead of 25.",
            None,
        ),
        (_, 7, 1, _) => said(
            "It was to be sent in the name of an address that does not belong to the account that was logged in.",
            "Choose one of your own addresses as sender in the mail program.",
            Some("If the address should be theirs, give it to their account, or make it an alias that leads there."),
        ),
        (_, 7, _, Direction::Out) => said(
            "The mail program had not logged in, or with a wrong name or password.",
            "Put the account's address and password into the mail program, and log in for sending as well.",
            None,
        ),
        (400..500, 7, _, _) => said(
            "Too many wrong passwords or unknown recipients came from that network lately.",
            "Wait; the sending server tries again by itself.",
            Some(
                "If it is one of your own people: `mailstead ban list` shows who is locked out, `mailstead ban lift` lets them in.",
            ),
        ),
        (_, 2, 2 | 3, _) => said(
            "A recipient's mailbox has no room for it.",
            "A smaller letter may still fit; else the recipient has to make room first.",
            Some("Raise the account's quota, or ask its owner to delete something."),
        ),
        (_, 3, 4, _) => said(
            "It is larger than this server takes.",
            "Send it without large attachments, or in several letters.",
            Some("The limit stands in the configuration file."),
        ),
        (_, 3, 1, _) => said(
            "There was no room on the disk of this server.",
            "Nothing: the sending server tries again by itself.",
            Some("Make room on the disk now, before senders give up."),
        ),
        (_, 4, 6, _) => said(
            "It goes in a circle between servers that forward to each other.",
            "Nothing: it is for whoever set up the forwarding.",
            Some("Look for an alias here that forwards to an address which forwards back."),
        ),
        (400..500, 4, 3, _) => said(
            "It could not be told whether it is from who it says, because the DNS did not answer.",
            "Nothing: the sending server tries again by itself.",
            None,
        ),
        (_, 6, _, _) => said(
            "It breaks the rules of how a letter is written.",
            "The program that wrote it has to be mended or replaced; the reply below says what is wrong.",
            None,
        ),
        (400..500, _, _, _) => said(
            "This server could not take it at that moment.",
            "Nothing: the sending server tries again by itself.",
            Some("If it happens again and again, the log says why."),
        ),
        _ => said("This server refused it; the reply stands below.", "What the reply says.", None),
    }
}

fn unproved_author(author: &str) -> Remedy {
    Remedy {
        why: format!(
            "It says it is from {author}, but nothing proves it, and {author} asks everybody to refuse such letters. \
             Most of them are forged."
        ),
        sender: format!(
            "If it was genuine: send it through the servers of {author}, or have whoever runs {author} add the sending \
             server to its SPF record or sign what it sends with DKIM."
        ),
        operator: Some(
            "If it came through a mailing list or forwarder that you trust, believe its seal from now on: \
             `mailstead sealer trust DOMAIN`."
                .to_owned(),
        ),
    }
}

fn said(why: &str, sender: &str, operator: Option<&str>) -> Remedy {
    Remedy { why: why.to_owned(), sender: sender.to_owned(), operator: operator.map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(dmarc: AuthResult, disposition: DmarcPolicy) -> Verdict {
        Verdict {
            results: String::new(),
            told: Vec::new(),
            reverse_name: None,
            spf: SpfAuth { domain: "far.test".to_owned(), of_helo: false, result: AuthResult::Fail },
            dkim: Vec::new(),
            author: Domain::parse("far.test").ok(),
            dmarc,
            disposition,
        }
    }

    #[test]
    fn a_forged_letter_is_told_from_a_stranger_who_wants_to_relay() {
        let forged = verdict(AuthResult::Fail, DmarcPolicy::Reject);
        let reply = (550, Some((5, 7, 1)));
        assert!(remedy(Direction::In, reply, Some(&forged)).why.contains("nothing proves it"));
        assert!(remedy(Direction::In, reply, None).why.contains("strangers"));
        assert!(remedy(Direction::Out, reply, None).why.contains("does not belong to the account"));
        assert!(remedy(Direction::In, (550, Some((5, 1, 1))), None).why.contains("no such address"));
        assert!(remedy(Direction::In, (451, None), None).sender.contains("tries again by itself"));
    }

    #[test]
    fn each_check_says_what_it_means() {
        let checks = checks(&verdict(AuthResult::Fail, DmarcPolicy::Reject));
        let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["SPF", "DKIM", "DMARC"]);
        assert!(checks.iter().all(|check| check.meaning.ends_with('.')), "{checks:?}");
        assert!(checks.last().is_some_and(|check| check.meaning.contains("It was refused, as that domain asks.")));
    }
}
