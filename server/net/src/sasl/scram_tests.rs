#![allow(clippy::unwrap_used, clippy::expect_used)]
use aws_lc_rs::{digest, hmac};

use super::scram::Opening;
use super::*;

const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

fn bindings() -> Bindings {
    Bindings::made_up(Some([7; 32]), Some(vec![9; 32]))
}

fn opening(plus: bool, bindings: Bindings) -> Opening {
    let salt = STANDARD.decode(SALT).unwrap();
    Opening { plus, bindings, salt, rounds: 4096, nonce: SERVER_NONCE.to_owned() }
}

fn hash(key: &[u8], text: &[u8]) -> [u8; 32] {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().try_into().unwrap()
}

/// The salted password of `pencil`, as in RFC 7677 3.
fn salted() -> [u8; 32] {
    let mut salted = [0; 32];
    let rounds = std::num::NonZeroU32::new(4096).unwrap();
    let salt = STANDARD.decode(SALT).unwrap();
    aws_lc_rs::pbkdf2::derive(aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, b"pencil", &mut salted);
    salted
}

fn stored_key() -> [u8; 32] {
    digest::digest(&digest::SHA256, &hash(&salted(), b"Client Key")).as_ref().try_into().unwrap()
}

/// What a client of that password says in the end.
fn client_final(bare: &str, server_first: &str, bound: &[u8], nonce: &str) -> String {
    let before = format!("c={},r={nonce}", STANDARD.encode(bound));
    let said = format!("{bare},{server_first},{before}");
    let client_key = hash(&salted(), b"Client Key");
    let signature = hash(&stored_key(), said.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, signed)| key ^ signed).collect();
    format!("{before},p={}", STANDARD.encode(proof))
}

#[test]
fn the_rfcs_example_is_understood_word_for_word() {
    let first = format!("n,,n=user,r={CLIENT_NONCE}");
    let (said, challenged) = opening(false, Bindings::default()).answer(first.as_bytes()).unwrap();
    assert_eq!(said, format!("r={CLIENT_NONCE}{SERVER_NONCE},s={SALT},i=4096"));
    let last = format!("c=biws,r={CLIENT_NONCE}{SERVER_NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    let proof = challenged.answer(last.as_bytes()).unwrap();
    assert_eq!(proof.login, "user");
    assert!(proof.fits(&stored_key()));
    assert!(!proof.fits(&[0; 32]));
    let server_key = hash(&salted(), b"Server Key");
    assert_eq!(proof.answer(&server_key), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

#[test]
fn a_login_is_bound_to_its_connection_in_either_way() {
    for (kind, data) in [("tls-exporter", [7; 32]), ("tls-server-end-point", [9; 32])] {
        let header = format!("p={kind},,");
        let bare = format!("n=al=2Cice=3D,r={CLIENT_NONCE}");
        let (said, challenged) = opening(true, bindings()).answer(format!("{header}{bare}").as_bytes()).unwrap();
        let nonce = format!("{CLIENT_NONCE}{SERVER_NONCE}");
        let bound = [header.as_bytes(), &data].concat();
        let proof = challenged.answer(client_final(&bare, &said, &bound, &nonce).as_bytes()).unwrap();
        assert!(proof.fits(&stored_key()), "{kind}");
        assert_eq!(proof.login, "al,ice=");
        for wrong in [
            [header.as_bytes(), &[8; 32]].concat(),
            [header.as_bytes(), &data[..31]].concat(),
            header.as_bytes().to_vec(),
            b"n,,".to_vec(),
            Vec::new(),
        ] {
            let (said, challenged) = opening(true, bindings()).answer(format!("{header}{bare}").as_bytes()).unwrap();
            let answer = challenged.answer(client_final(&bare, &said, &wrong, &nonce).as_bytes());
            assert_eq!(answer.err(), Some(CredentialsError::Binding), "{kind} {wrong:?}");
        }
    }
}

#[test]
fn nobody_in_the_middle_can_take_the_binding_away() {
    let first = |plus: bool, bindings: Bindings, flag: &str| {
        opening(plus, bindings).answer(format!("{flag},,n=user,r=abc").as_bytes()).map(drop).err()
    };
    assert_eq!(first(false, bindings(), "y"), Some(CredentialsError::Binding), "we have offered it");
    assert_eq!(first(false, Bindings::default(), "y"), None, "we have not");
    assert_eq!(first(false, bindings(), "n"), None, "a client that can't");
    assert_eq!(first(false, bindings(), "p=tls-exporter"), Some(CredentialsError::Scram), "the other mechanism");
    for flag in ["y", "n"] {
        assert_eq!(first(true, bindings(), flag), Some(CredentialsError::Scram), "{flag}: bound in name only");
    }
    for flag in ["p=tls-unique", "p=", "p=TLS-EXPORTER"] {
        assert_eq!(first(true, bindings(), flag), Some(CredentialsError::BindingType), "{flag}");
    }
    let only = Bindings::made_up(None, Some(vec![9; 32]));
    assert_eq!(first(true, only, "p=tls-exporter"), Some(CredentialsError::BindingType));
    // The header of the first message is part of what is proved: a flag changed on the way is found in the last one.
    let (said, challenged) = opening(false, bindings()).answer(b"n,,n=user,r=abc").unwrap();
    let answer =
        challenged.answer(client_final("n=user,r=abc", &said, b"y,,", &format!("abc{SERVER_NONCE}")).as_bytes());
    assert_eq!(answer.err(), Some(CredentialsError::Binding));
}

#[test]
fn first_messages_that_are_none_are_refused() {
    let long = format!("n,,n=user,r={}", "x".repeat(5_000));
    for (message, error) in [
        ("", CredentialsError::Scram),
        ("n", CredentialsError::Scram),
        ("n,", CredentialsError::Scram),
        ("n,,", CredentialsError::Scram),
        ("n,,n=user", CredentialsError::Scram),
        ("n,,n=user,r=", CredentialsError::Scram),
        ("n,,r=abc,n=user", CredentialsError::Scram),
        ("n,,n=user,r=a b", CredentialsError::Scram),
        ("n,,n=user,r=a\u{e4}", CredentialsError::Scram),
        ("n,,n=user,r=abc,", CredentialsError::Scram),
        ("n,,n=user,r=abc,m=x", CredentialsError::Scram),
        ("n,,m=x,n=user,r=abc", CredentialsError::Extension),
        ("n,,n=,r=abc", CredentialsError::Text),
        ("n,,n=us\ner,r=abc", CredentialsError::Text),
        ("n,,n=us=er,r=abc", CredentialsError::Scram),
        ("n,,n=us=2cer,r=abc", CredentialsError::Scram),
        ("n,,n=user=,r=abc", CredentialsError::Scram),
        ("n,a=carol,n=user,r=abc", CredentialsError::Identity),
        ("n,b=user,n=user,r=abc", CredentialsError::Scram),
        ("x,,n=user,r=abc", CredentialsError::Scram),
        ("N,,n=user,r=abc", CredentialsError::Scram),
        (long.as_str(), CredentialsError::Scram),
    ] {
        let answer = opening(false, bindings()).answer(message.as_bytes());
        assert_eq!(answer.map(drop).err(), Some(error), "{message:.60}");
    }
    assert_eq!(opening(false, bindings()).answer(b"n,,n=\xff,r=a").map(drop).err(), Some(CredentialsError::Text));
    let answer = opening(false, bindings()).answer(b"n,a=user,n=user,r=abc,x=passed over");
    assert!(answer.is_ok());
}

#[test]
fn last_messages_that_are_none_or_anothers_are_refused() {
    let bare = "n=user,r=abc";
    let nonce = format!("abc{SERVER_NONCE}");
    let begun = || opening(false, bindings()).answer(format!("n,,{bare}").as_bytes()).unwrap();
    let (said, challenged) = begun();
    let good = client_final(bare, &said, b"n,,", &nonce);
    assert!(challenged.answer(good.as_bytes()).unwrap().fits(&stored_key()));
    for end in 0..good.len() {
        let cut = begun().1.answer(&good.as_bytes()[..end]);
        assert!(!cut.is_ok_and(|proof| proof.fits(&stored_key())), "cut after {end}");
    }
    for (message, error) in [
        (good.replace(&nonce, "abc"), CredentialsError::Nonce),
        (good.replace(&nonce, &format!("{nonce}x")), CredentialsError::Nonce),
        (good.replace("r=", "x="), CredentialsError::Scram),
        (good.replace("c=biws", "c=bi ws"), CredentialsError::Scram),
        (good.replace(",p=", ",m=x,p="), CredentialsError::Scram),
        (format!("{good}AAAA"), CredentialsError::Scram),
        (format!("{good},x=y"), CredentialsError::Scram),
        (good.clone() + &"x".repeat(5_000), CredentialsError::Scram),
    ] {
        assert_eq!(begun().1.answer(message.as_bytes()).map(drop).err(), Some(error), "{message:.90}");
    }
    // What was said is part of the proof: an extension slipped in does not fit.
    let slipped = good.replace(",p=", ",x=y,p=");
    assert!(!begun().1.answer(slipped.as_bytes()).unwrap().fits(&stored_key()));
}

#[test]
fn an_overheard_login_can_not_be_said_again() {
    let offer = Offer::new(bindings(), Some((STANDARD.decode(SALT).unwrap(), 4096)));
    let first = b"n,,n=user,r=abc";
    let ask = || match offer.begin(Mechanism::ScramSha256).unwrap().answer(first).unwrap() {
        Turn::Ask(said, exchange) => (String::from_utf8(STANDARD.decode(said).unwrap()).unwrap(), exchange),
        other => panic!("{other:?}"),
    };
    let (said, exchange) = ask();
    let nonce = said.strip_prefix("r=").unwrap().split(',').next().unwrap().to_owned();
    assert!(nonce.len() >= 3 + 24, "{nonce}");
    let last = client_final("n=user,r=abc", &said, b"n,,", &nonce);
    let Ok(Turn::Check(claim)) = exchange.answer(last.as_bytes()) else { panic!("nothing to check") };
    assert_eq!((claim.login(), claim.guess()), ("user", "SCRAM"), "a device that was not told guesses once");
    let (again, exchange) = ask();
    assert_ne!(said, again);
    assert_eq!(exchange.answer(last.as_bytes()).map(drop).err(), Some(CredentialsError::Nonce));
}

#[test]
fn what_is_offered_can_be_begun_and_nothing_else() {
    let all = [Mechanism::Plain, Mechanism::Login, Mechanism::ScramSha256, Mechanism::ScramSha256Plus];
    let terms = Some((vec![1; 16], 4096));
    for (offer, offered) in [
        (Offer::default(), &["PLAIN"][..]),
        (Offer::new(bindings(), None), &["PLAIN"]),
        (Offer::new(Bindings::default(), terms.clone()), &["PLAIN", "SCRAM-SHA-256"]),
        (Offer::new(bindings(), terms), &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"]),
    ] {
        assert_eq!(offer.mechanisms().collect::<Vec<_>>(), offered);
        for mechanism in all {
            assert_eq!(Mechanism::parse(&mechanism.name().to_lowercase()), Some(mechanism));
            let may = mechanism == Mechanism::Login || offered.contains(&mechanism.name());
            assert_eq!(offer.begin(mechanism).is_some(), may, "{mechanism:?} of {offered:?}");
        }
    }
    assert_eq!(Mechanism::parse("SCRAM-SHA-1"), None);
}
