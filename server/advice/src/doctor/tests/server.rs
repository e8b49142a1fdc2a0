//! What the server has written down: certificates, queue, reports, backups.

use mailstead_net::acme::Source;

use super::super::*;
use super::expect;
use super::world::{HOST, NOW, World, at};

fn waiting(minutes: i64, domain: &str) -> Waiting {
    Waiting {
        since: at(minutes * 60),
        size: 5_000,
        held: false,
        attempts: 3,
        domains: vec![domain.to_owned()],
        last: Some("mx.test said: 451 4.7.1 Greylisted,\r\ntry later".to_owned()),
    }
}

#[test]
fn a_letter_that_waits_for_long_is_told_with_what_was_said_last() {
    let mut world = World::good();
    world.books.queue = vec![waiting(300, "a.test"), waiting(2, "b.test")];
    let fault = expect(world, Light::Warning, "queue", "2 letters wait to go out (10 kB), the oldest for 5 hours");
    assert!(fault.what.contains("“mx.test said: 451 4.7.1 Greylisted,  try later”."), "{fault:#?}");
    assert_eq!(fault.remedies[0], Remedy::Page("/queue".to_owned()));
}

#[test]
fn when_nothing_gets_through_anywhere_it_is_not_the_others() {
    let mut world = World::good();
    world.books.queue = ["a.test", "b.test", "c.test"].map(|domain| waiting(90, domain)).into();
    expect(world, Light::Bad, "queue", "nothing gets through to 3 different domains");
}

#[test]
fn a_queue_no_household_writes_hints_at_a_stolen_password() {
    let mut world = World::good();
    world.books.queue = vec![waiting(5, "a.test"); 600];
    let fault = expect(world, Light::Bad, "queue", "600 letters wait");
    assert!(fault.todo.unwrap().contains("somebody has a password"));
}

#[test]
fn young_letters_are_well_and_held_ones_are_not_forgotten() {
    let mut world = World::good();
    world.books.queue = vec![waiting(30, "a.test"); 4];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(world.examined()).light(), Light::Good);
    let mut world = World::good();
    world.books.queue = vec![Waiting { held: true, ..waiting(9_000, "a.test") }];
    expect(world, Light::Warning, "queue", "1 letter is held by you");
}

#[test]
fn a_certificate_nobody_believes_is_bad_and_one_that_ends_is_told_in_time() {
    let mut world = World::good();
    world.books.certificates[0].source = Source::SelfSigned;
    world.books.certificates[0].trouble = Some("the authority could not connect to port 80.".to_owned());
    let fault =
        expect(world, Light::Bad, "certificates", "which nobody else believes; the last try failed: the authority");
    assert!(fault.remedies.contains(&Remedy::Command("mailstead certificate renew".to_owned())));

    let mut world = World::good();
    (world.books.certificates[0].expires, world.books.certificates[0].alarming) = (Some(NOW + 5 * 86_400), true);
    expect(world, Light::Warning, "certificates", "ends in 5 days");

    let mut world = World::good();
    (world.books.certificates[0].expires, world.books.certificates[0].alarming) = (Some(NOW - 60), true);
    expect(world, Light::Bad, "certificates", "has ended");

    let mut world = World::good();
    world.books.certificates.clear();
    expect(world, Light::Bad, "certificates", &format!("There is no certificate for {HOST}"));
}

#[test]
fn names_that_do_not_lead_here_are_no_fault_and_broken_ones_are() {
    let mut world = World::good();
    let mut other = world.books.certificates[0].clone();
    (other.name, other.expires, other.waits_for_dns) = ("autoconfig.example.org".to_owned(), None, true);
    other.trouble = Some("the name does not lead here".to_owned());
    world.books.certificates.push(other.clone());
    let mut broken = World::good();
    expect(world, Light::Unknown, "certificates waiting", "autoconfig.example.org does not lead here yet");
    other.waits_for_dns = false;
    broken.books.certificates.push(other);
    expect(broken, Light::Warning, "certificates autoconfig.example.org", "There is no certificate");
}

#[test]
fn reports_of_failures_are_passed_on() {
    let mut world = World::good();
    world.books.failed = (2, 1);
    let what = "2 reports tell of letters in your name that were not proved to be yours, and 1 report tells of";
    expect(world, Light::Warning, "reports", what);
}

#[test]
fn a_store_that_can_not_be_opened_is_told_and_nothing_is_made_up_about_what_is_in_it() {
    let mut world = World::good();
    world.books = Books { cannot_open: Some("it is damaged".to_owned()), ..Books::default() };
    expect(world, Light::Bad, "store", "The store can't be opened: it is damaged.");
}

#[test]
fn without_a_domain_nothing_is_taken_for_anybody() {
    let mut world = World::good();
    world.books.domains = 0;
    expect(world, Light::Warning, "domains", "There is no domain yet");
}

#[test]
fn an_old_backup_or_none_is_told_and_an_unknown_one_is_not() {
    for (copies, what) in [(Copies::Never, "No backup was ever made"), (Copies::Last(at(20 * 86_400)), "20 days ago")] {
        let mut world = World::good();
        world.books.copies = copies;
        expect(world, Light::Warning, "backup", what);
    }
    let mut world = World::good();
    world.books.copies = Copies::Unknown;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = runtime.block_on(world.examined());
    assert!(found.findings.iter().all(|finding| finding.id != "backup"));
}
