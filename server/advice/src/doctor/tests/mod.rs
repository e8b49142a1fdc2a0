//! Each check in a good world and in bad ones.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod host;
mod names;
mod server;
mod world;

use super::*;
use world::World;

/// What every finding must be to be understood at midnight.
#[track_caller]
fn assert_plain(finding: &Finding) {
    for (part, text) in [("what", &finding.what), ("why", &finding.why)] {
        assert!(text.ends_with(['.', '!', '?']) && text.len() > 10, "{part} is no sentence: {finding:#?}");
        assert!(text.len() < 420, "{part} is long: {finding:#?}");
    }
    let wants_something = matches!(finding.light, Light::Warning | Light::Bad);
    assert!(!wants_something || finding.todo.is_some(), "nothing to do: {finding:#?}");
    assert!(finding.todo.as_ref().is_none_or(|todo| todo.ends_with('.')), "{finding:#?}");
}

/// The fault a world has, which must be this one.
#[track_caller]
fn expect(world: World, light: Light, id: &str, what: &str) -> Finding {
    let fault = world.fault();
    assert_plain(&fault);
    assert_eq!((fault.light, fault.id.as_str()), (light, id), "{fault:#?}");
    assert!(fault.what.contains(what), "{fault:#?}");
    fault
}

#[tokio::test]
async fn where_all_is_well_every_light_is_green_and_nothing_is_to_be_done() {
    let found = World::good().examined().await;
    assert_eq!(found.light(), Light::Good, "{found:#?}");
    assert_eq!(found.count(Light::Good), found.findings.len());
    assert!(found.findings.len() >= 15, "{found:#?}");
    found.findings.iter().for_each(assert_plain);
    let mut ids: Vec<&str> = found.findings.iter().map(|finding| finding.id.as_str()).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id occurs twice");
}

#[tokio::test]
async fn the_worst_comes_first_and_gives_the_light_of_all() {
    let mut world = World::good();
    world.host.space.free_bytes = 1 << 20;
    world.books.failed = (1, 0);
    world.host.behind = None;
    let found = world.examined().await;
    let lights: Vec<Light> = found.findings.iter().take(4).map(|finding| finding.light).collect();
    assert_eq!(lights, [Light::Bad, Light::Warning, Light::Unknown, Light::Good]);
    assert_eq!(found.light(), Light::Bad);
}

#[tokio::test]
async fn findings_survive_their_way_through_json() {
    let mut world = World::good();
    world.running = false;
    let found = world.examined().await;
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Examination>(&text).unwrap(), found);
    assert!(text.contains(r#""light":"bad""#) && text.contains(r#"{"command":"sudo systemctl"#), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_world_that_never_answers_is_looked_at_in_under_ten_seconds() {
    let mut world = World::good();
    world.host.silent = true;
    world.host.greetings.clear();
    let start = tokio::time::Instant::now();
    let found = world.examined().await;
    assert!(start.elapsed() < std::time::Duration::from_secs(10));
    assert_eq!(found.light(), Light::Bad);
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_the_doctor_is_at_work_gets_the_same_result() {
    let mut world = World::good();
    world.host.silent = true;
    world.host.greetings.clear();
    let (doctor, books) = world.doctor();
    let doctor = std::sync::Arc::new(doctor);
    let mut latest = doctor.latest();
    assert!(latest.borrow().is_none());
    let start = tokio::time::Instant::now();
    let (one, other) = tokio::join!(doctor.examine(books.clone()), doctor.examine(books));
    assert_eq!(one, other);
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "it was looked twice");
    assert_eq!(latest.borrow_and_update().as_ref(), Some(&one));
}
