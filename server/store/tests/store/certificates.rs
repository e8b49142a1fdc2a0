//! What ACME wants kept.

use crate::world::{World, options};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_is_there_after_a_restart_and_found_by_its_beginning() {
    let world = World::new(options()).await;
    let store = &world.store;
    store.keep_certificate("account x".to_owned(), b"key".to_vec()).await.unwrap();
    store.keep_certificate("certificate x a.test".to_owned(), b"old".to_vec()).await.unwrap();
    store.keep_certificate("certificate x b.test".to_owned(), b"b".to_vec()).await.unwrap();
    store.keep_certificate("certificate x a.test".to_owned(), b"new".to_vec()).await.unwrap();
    let world = world.reopened(|_| ());
    let store = &world.store;
    assert_eq!(store.kept_certificate("account x").unwrap().as_deref(), Some(b"key".as_slice()));
    assert_eq!(store.kept_certificate("account y").unwrap(), None);
    let kept = store.kept_certificates("certificate ").unwrap();
    let kept: Vec<(&str, &[u8])> = kept.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    assert_eq!(kept, [("certificate x a.test", b"new".as_slice()), ("certificate x b.test", b"b".as_slice())]);
}
