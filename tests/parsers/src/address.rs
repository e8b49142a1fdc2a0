//! Addresses: alone, as header fields have them, and the encodings that carry them.

use mailstead_message::{Address, Domain, LocalPart, header, xtext};

use crate::assert_harmless;

/// What the header parser makes of a field is never much larger than the field.
const MAX_GROWTH: usize = 2;

/// Takes a text that may be an address, or a field full of them.
pub fn address(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(address) = Address::parse(&text) {
        assert_sound(&address);
    }
    if let Ok(domain) = Domain::parse(&text) {
        assert_canonical(&domain);
    }
    if let Ok(local) = LocalPart::parse(&text) {
        assert_eq!(LocalPart::parse(&local.to_string()), Ok(local));
    }
    assert_list(bytes);
    for decoded in [xtext::decode(&text), xtext::decode_utf8_address(&text)].into_iter().flatten() {
        assert_harmless(&decoded);
        assert_eq!(xtext::decode(&xtext::encode(&decoded)).as_ref(), Some(&decoded));
        for unicode in [false, true] {
            let encoded = xtext::encode_utf8_address(&decoded, unicode);
            assert!(unicode || encoded.is_ascii());
            assert_eq!(xtext::decode_utf8_address(&encoded).as_ref(), Some(&decoded));
        }
    }
}

fn assert_sound(address: &Address) {
    let printed = address.to_string();
    assert_harmless(&printed);
    let again = Address::parse(&printed);
    assert_eq!(again.as_ref(), Ok(address), "printed as {printed:?}");
    assert_eq!(again.unwrap().key(), address.key());
    assert!(address.local().as_str().len() <= 64);
    assert_eq!(address.needs_smtputf8(), !printed.is_ascii());
    assert_canonical(address.domain());
    let shown = address.to_unicode();
    assert_harmless(&shown);
    assert_eq!(Address::parse(&shown).as_ref(), Ok(address), "shown as {shown:?}");
}

fn assert_canonical(domain: &Domain) {
    let name = domain.as_str();
    assert!(name.is_ascii() && name.len() <= 253 && name == name.to_ascii_lowercase(), "{name:?}");
    assert!(name.split('.').all(|label| (1..=63).contains(&label.len())), "{name:?}");
    assert_eq!(Domain::parse(name).as_ref(), Ok(domain));
}

fn assert_list(field: &[u8]) {
    let mailboxes = header::addresses(field);
    let bytes = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
    let total: usize =
        mailboxes.iter().map(|mailbox| bytes(&mailbox.name) + bytes(&mailbox.mailbox) + bytes(&mailbox.host)).sum();
    assert!(mailboxes.len() <= field.len() + 1 && total <= MAX_GROWTH * field.len(), "{total} bytes in the list");
    for mailbox in mailboxes {
        for part in [&mailbox.name, &mailbox.mailbox, &mailbox.host].into_iter().flatten() {
            assert!(memchr::memchr3(b'\r', b'\n', 0, part).is_none(), "a line end in an address of a list");
        }
        if let Ok(address) = mailbox.address() {
            assert_sound(&address);
        }
    }
}
