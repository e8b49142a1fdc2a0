//! The machine: ports, disk, folder, limits.

use super::super::*;
use super::expect;
use super::world::{World, at};

fn stopped_with(listening: &[&str], holder: Option<(&str, u32, Option<&str>)>) -> Vec<Finding> {
    let mut world = World::good();
    world.running = false;
    let sockets = listening.iter().map(|address| Listening { address: address.parse().unwrap(), user: 0, socket: 9 });
    world.host.listening = sockets.collect();
    world.host.holder =
        holder.map(|(name, process, unit)| Holder { process, name: name.to_owned(), unit: unit.map(str::to_owned) });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = runtime.block_on(world.examined()).findings;
    found.into_iter().filter(|finding| finding.id.starts_with("ports")).collect()
}

#[test]
fn a_program_on_our_port_is_named_with_how_to_stop_it() {
    let found = stopped_with(&["127.0.0.1:25"], Some(("exim4", 812, Some("exim4.service"))));
    assert_eq!((found[0].id.as_str(), found[0].light), ("ports 25", Light::Bad));
    assert_eq!(found[0].what, "Port 25 (smtp) is taken by exim4 (process 812).");
    assert_eq!(found[0].remedies, [Remedy::Command("sudo systemctl disable --now exim4.service".to_owned())]);
    for (holder, command) in [
        (("docker-proxy", 5, None), "sudo docker ps --filter publish=25"),
        (("systemd", 1, None), "systemctl list-sockets --all"),
        (("python3", 77, None), "sudo kill 77"),
    ] {
        let found = stopped_with(&["0.0.0.0:25"], Some(holder));
        assert_eq!(found[0].remedies, [Remedy::Command(command.to_owned())]);
    }
    let hidden = stopped_with(&["[::]:25"], None);
    assert_eq!(hidden[0].what, "Port 25 (smtp) is taken by a program of root.");
    assert_eq!(hidden[0].remedies, [Remedy::Command("sudo ss -ltnp 'sport = :25'".to_owned())]);
}

#[test]
fn a_port_is_told_of_once_and_others_programs_elsewhere_do_not_matter() {
    let both = stopped_with(&["0.0.0.0:993", "[::]:993"], Some(("dovecot", 3, None)));
    assert_eq!(both.len(), 1, "{both:#?}");
    let elsewhere = stopped_with(&["0.0.0.0:22", "127.0.0.1:53"], None);
    assert_eq!((elsewhere.len(), elsewhere[0].light), (1, Light::Good), "{elsewhere:#?}");
    assert_eq!(elsewhere[0].what, "No other program holds port 25 and 993.");
}

#[test]
fn without_port_25_nothing_arrives() {
    let mut world = World::good();
    world.listen.retain(|(key, _)| key != "smtp");
    world.dns.host(super::world::HOST, &[super::world::V4]);
    world.own.retain(|own| own.is_ipv4());
    expect(world, Light::Warning, "port-25", "turned off");
    let mut world = World::good();
    world.listen.clear();
    world.dns.host(super::world::HOST, &[super::world::V4]);
    world.own.retain(|own| own.is_ipv4());
    expect(world, Light::Bad, "ports", "listen nowhere");
}

#[test]
fn a_stopped_server_is_bad_in_itself() {
    let mut world = World::good();
    world.running = false;
    expect(world, Light::Bad, "server", "not running");
}

#[test]
fn little_room_is_told_before_there_is_none() {
    let space = World::good().host.space;
    for (space, light, what) in [
        (Space { free_bytes: 3 << 20, ..space }, Light::Bad, "Only 3.1 MB of 27 GB are free"),
        (Space { free_bytes: 900_000_000, ..space }, Light::Warning, "Only 900 MB"),
        (Space { free_bytes: 1 << 30, ..space }, Light::Warning, "Only 1.1 GB"),
        (Space { free_inodes: 3, ..space }, Light::Bad, "only 3 more files"),
        (Space { free_inodes: 40_000, ..space }, Light::Warning, "only 40000 more files"),
    ] {
        let mut world = World::good();
        world.host.space = space;
        expect(world, light, "disk", what);
    }
    let mut world = World::good();
    world.host.space = Space { inodes: 0, free_inodes: 0, ..space };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(world.examined()).light(), Light::Good, "some file systems count no inodes");
}

#[test]
fn a_folder_others_may_look_into_is_closed_with_one_command() {
    let mut world = World::good();
    world.host.access.mode = 0o40755;
    let fault = expect(world, Light::Bad, "folder", "(mode 755)");
    assert_eq!(fault.remedies, [Remedy::Command("sudo chmod 700 /var/lib/mailstead".to_owned())]);
    let mut world = World::good();
    world.host.access.owner = 0;
    expect(world, Light::Bad, "folder", "belongs to user 0, but Mailstead runs as user 105");
}

#[test]
fn what_old_upgrades_left_is_told_when_it_is_old() {
    let copy = |name: &str, days: i64| Entry { name: name.to_owned(), size: 2_000_000, written: at(days * 86_400) };
    let mut world = World::good();
    world.host.entries =
        vec![copy("store.before-schema-2.redb", 100), copy("store.before-schema-3.redb", 2), copy("store.redb", 900)];
    let fault = expect(world, Light::Warning, "old-copies", "A copy of the store from before an upgrade takes 2.0 MB.");
    let remove = "sudo rm /var/lib/mailstead/store.before-schema-2.redb".to_owned();
    assert_eq!(fault.remedies, [Remedy::Command(remove)]);
}

#[test]
fn too_few_open_files_are_told_before_nobody_can_connect() {
    for (open, limit, light) in [(60, 1024, Light::Warning), (60_000, 65_536, Light::Bad), (900, 1024, Light::Bad)] {
        let mut world = World::good();
        world.host.open_files = OpenFiles { open, limit: Some(limit) };
        expect(world, light, "open-files", &limit.to_string());
    }
    let mut world = World::good();
    world.host.open_files.limit = None;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(world.examined()).light(), Light::Good);
}
