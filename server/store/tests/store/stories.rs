//! What is told of a message, found again, and forgotten.

use mailstead_store::*;

use crate::world::{World, acceptance, address, letter, options, trace};

fn event(at: i64, text: &str, addresses: &[&str]) -> StoryEvent {
    StoryEvent::new(Timestamp(at), text.to_owned(), addresses.iter().map(|text| address(text)).collect())
}

fn texts(story: &Story) -> Vec<&str> {
    story.events.iter().map(|event| event.text.as_str()).collect()
}

/// Waits until what was told without waiting is written: a later change is answered after it.
async fn flushed(world: &World) {
    world.store.set_smarthost(None, None).await.unwrap();
}

#[tokio::test]
async fn a_story_is_told_in_order_and_found_under_each_of_its_addresses() {
    let world = World::new(options()).await;
    let mut message = acceptance(&letter(1), Vec::new());
    message.story = vec![event(5, "It came.", &["bob@world.test"]), event(6, "It stayed.", &["alice@home.test"])];
    world.store.accept(vec![message]).await.unwrap();
    world.store.tell(trace(1), vec![event(7, "It went.", &["Alice@home.test"])]);
    world.store.tell(trace(2), vec![event(8, "Another.", &["alice@home.test"])]);
    flushed(&world).await;
    let world = world.reopened(|_| {});
    let story = world.store.story(trace(1)).unwrap().unwrap();
    assert_eq!(texts(&story), ["It came.", "It stayed.", "It went."]);
    let hers = world.store.stories_of(&address("ALICE@home.test"), 10).unwrap();
    assert_eq!(hers.iter().map(|story| story.trace).collect::<Vec<_>>(), [trace(2), trace(1)], "newest first");
    assert_eq!(world.store.stories_of(&address("alice@home.test"), 1).unwrap().len(), 1);
    assert_eq!(world.store.stories_of(&address("bob@world.test"), 10).unwrap(), [story]);
    assert_eq!(world.store.stories_of(&address("bo@world.test"), 10).unwrap(), []);
    assert_eq!(world.store.story(trace(3)).unwrap(), None);
}

#[tokio::test]
async fn old_stories_are_forgotten_with_all_that_led_to_them() {
    let world = World::new(Options { story_days: 0, ..options() }).await;
    for number in 0..450 {
        world.store.tell(trace(number), vec![event(i64::from(number), "Old.", &["bob@world.test"])]);
    }
    world.store.tell(trace(9_999), vec![event(i64::MAX / 2, "To come.", &["bob@world.test"])]);
    flushed(&world).await;
    world.store.tidy().await.unwrap();
    let left = world.store.stories_of(&address("bob@world.test"), 1_000).unwrap();
    assert_eq!(left.iter().map(|story| story.trace).collect::<Vec<_>>(), [trace(9_999)]);
    assert_eq!(world.store.story(trace(7)).unwrap(), None);
}

#[tokio::test]
async fn young_stories_are_kept() {
    let world = World::new(options()).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let days_ago = |days: u64| i64::try_from(now - days * 24 * 60 * 60).unwrap();
    world.store.tell(trace(1), vec![event(days_ago(31), "Old.", &[])]);
    world.store.tell(trace(2), vec![event(days_ago(29), "Young.", &[])]);
    flushed(&world).await;
    world.store.tidy().await.unwrap();
    assert!(world.store.story(trace(1)).unwrap().is_none());
    assert!(world.store.story(trace(2)).unwrap().is_some());
}

#[tokio::test]
async fn a_story_without_end_is_cut() {
    let world = World::new(options()).await;
    let long = "ü".repeat(5_000);
    let events: Vec<_> = (0..1_500).map(|at| event(at, if at == 0 { &long } else { "More." }, &[])).collect();
    world.store.tell(trace(1), events);
    flushed(&world).await;
    let story = world.store.story(trace(1)).unwrap().unwrap();
    assert_eq!(story.events.len(), 1_000);
    assert_eq!(story.events[0].text.chars().count(), 2_000);
}

#[tokio::test]
async fn what_an_event_means_is_kept_and_lists_go_back_page_by_page() {
    let world = World::new(options()).await;
    let came = Came { direction: Direction::In, has_sender: true, refused: Some((550, Some((5, 1, 1)))) };
    let fates = vec![(address("alice@home.test"), Fate::Refused)];
    let told = event(5, "It came.", &["bob@world.test", "alice@home.test"]).meaning(Some(came), fates.clone());
    world.store.tell(trace(1), vec![told]);
    for number in 2..8 {
        world.store.tell(trace(number), vec![event(5, "Another.", &["alice@home.test"])]);
    }
    world.store.tell(trace(8), (0..1_000).map(|at| event(6 + at, &at.to_string(), &[])).collect());
    flushed(&world).await;
    let world = world.reopened(|_| {});
    let story = world.store.story(trace(1)).unwrap().unwrap();
    assert_eq!(story.events[0].meaning, Meaning { came: Some(came), fates });
    let traces = |stories: Vec<Story>| stories.into_iter().map(|story| story.trace).collect::<Vec<_>>();
    let latest = world.store.latest_glimpses(None, 3).unwrap();
    assert_eq!(latest[0].events.len(), 80, "a list reads the beginning and the end of a long story");
    assert_eq!((texts(&latest[0])[0], texts(&latest[0])[79]), ("0", "999"));
    assert_eq!(traces(latest), [trace(8), trace(7), trace(6)]);
    assert_eq!(traces(world.store.latest_glimpses(Some(trace(3)), 9).unwrap()), [trace(2), trace(1)]);
    let alice = address("alice@home.test");
    assert_eq!(traces(world.store.glimpses_of(&alice, Some(trace(7)), 2).unwrap()), [trace(6), trace(5)]);
}
