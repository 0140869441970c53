//! A restoration that was killed between two of its steps: never an empty store, and one command finishes it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::home::{Home, STORES};

/// A store that cannot be read, a sound one that is to take its place, and what was written down.
struct Scene {
    home: Home,
    store: &'static str,
    first: String,
}

const BROKEN: &str = "broken beyond reading";

impl Scene {
    fn set(store: &'static str) -> Self {
        let home = Home::with_store(store);
        home.ok("create a");
        home.ok("message add a --role user Hello");
        let first = home.ok("export --all");
        let scene = Self { home, store, first };
        fs::create_dir_all(scene.workshop().join("new")).unwrap();
        let built = scene.built();
        let copy = scene.home.path().join("copy");
        scene.home.ok(&format!("store backup {}", copy.display()));
        fs::rename(copy, &built).unwrap();
        let intent =
            serde_json::json!({"kept": scene.kept(), "inode": fs::metadata(built).unwrap().ino()});
        fs::write(scene.workshop().join("intent"), intent.to_string()).unwrap();
        fs::write(broken(store, &scene.location()), BROKEN).unwrap();
        if store == "sqlite" {
            fs::write(scene.log(&scene.location()), "a log").unwrap();
        }
        scene
    }

    fn file(&self) -> &'static str {
        if self.store == "sqlite" { "session.db" } else { "jsonl" }
    }

    fn location(&self) -> PathBuf {
        self.home.data().join(self.file())
    }

    fn workshop(&self) -> PathBuf {
        self.home.data().join(format!("building-{}", self.store))
    }

    fn built(&self) -> PathBuf {
        self.workshop().join("new").join(self.file())
    }

    fn kept(&self) -> PathBuf {
        fs::create_dir_all(self.home.data().join("backups")).unwrap();
        self.home.data().join("backups/kept")
    }

    fn log(&self, path: &Path) -> PathBuf {
        PathBuf::from(format!("{}-wal", path.display()))
    }

    /// Whoever reads is told what to type; then everything is there.
    #[track_caller]
    fn is_finished_by_the_command_that_is_named(&self) {
        for line in ["list --json", "store info --json", "show a --json"] {
            let ran = self.home.run(line.split(' '));
            assert_eq!((ran.code, ran.error()["kind"].as_str()), (4, Some("conflict")), "{ran:?}");
        }
        let error = self.home.run(["list", "--json"]).error();
        let hint = error["hint"].as_str().unwrap();
        self.home.shell(hint.split('`').nth(1).unwrap());
        self.is_finished();
    }

    #[track_caller]
    fn is_finished(&self) {
        assert_eq!(self.home.ok("export --all"), self.first);
        assert_eq!(fs::read_to_string(broken(self.store, &self.kept())).unwrap(), BROKEN);
        if self.store == "sqlite" {
            assert_eq!(fs::read_to_string(self.log(&self.kept())).unwrap(), "a log");
        }
        assert!(!self.workshop().exists());
    }
}

/// The file of a store that is broken here.
fn broken(store: &str, location: &Path) -> PathBuf {
    if store == "sqlite" { location.to_owned() } else { location.join("format.json") }
}

#[test]
fn before_its_first_step() {
    for store in STORES {
        Scene::set(store).is_finished_by_the_command_that_is_named();
    }
}

#[test]
fn whoever_writes_finishes_it_as_well() {
    for store in STORES {
        let scene = Scene::set(store);
        scene.home.ok("label a k=v");
        scene.home.ok("label a k-");
        assert!(!scene.workshop().exists());
        scene.home.ok("show a");
    }
}

#[test]
fn when_the_broken_database_has_two_names() {
    let scene = Scene::set("sqlite");
    fs::hard_link(scene.location(), scene.kept()).unwrap();
    scene.is_finished_by_the_command_that_is_named();
}

#[test]
fn when_the_broken_database_has_lost_its_log() {
    let scene = Scene::set("sqlite");
    fs::hard_link(scene.location(), scene.kept()).unwrap();
    fs::rename(scene.log(&scene.location()), scene.log(&scene.kept())).unwrap();
    scene.is_finished_by_the_command_that_is_named();
}

#[test]
fn when_the_directories_are_exchanged() {
    let scene = Scene::set("jsonl");
    let aside = scene.workshop().join("aside");
    fs::rename(scene.location(), &aside).unwrap();
    fs::rename(scene.built(), scene.location()).unwrap();
    fs::rename(aside, scene.built()).unwrap();
    scene.is_finished_by_the_command_that_is_named();
}

#[test]
fn where_directories_cannot_be_exchanged() {
    let scene = Scene::set("jsonl");
    fs::rename(scene.location(), scene.kept()).unwrap();
    scene.is_finished_by_the_command_that_is_named();
}

#[test]
fn after_its_last_step() {
    for store in STORES {
        let scene = Scene::set(store);
        fs::rename(scene.location(), scene.kept()).unwrap();
        if store == "sqlite" {
            fs::rename(scene.log(&scene.location()), scene.log(&scene.kept())).unwrap();
        }
        fs::rename(scene.built(), scene.location()).unwrap();
        scene.is_finished_by_the_command_that_is_named();
    }
}

#[test]
fn while_the_command_is_at_it_nobody_else_finishes_it() {
    for store in STORES {
        let scene = Scene::set(store);
        let lock = fs::File::create(scene.workshop().join("lock")).unwrap();
        lock.lock().unwrap();
        let ran = scene.home.run(["create", "b", "--json"]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (7, Some("locked")), "{ran:?}");
        drop(lock);
        let turn = if store == "sqlite" { "session.db.lock" } else { "jsonl/lock" };
        let writer = fs::File::create(scene.home.data().join(turn)).unwrap();
        writer.lock().unwrap();
        let ran = scene.home.run(["create", "b", "--json"]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (7, Some("locked")), "{ran:?}");
        assert!(
            scene.workshop().join("intent").exists(),
            "nothing is done between two of its writes"
        );
        drop(writer);
        scene.home.ok("store check --repair");
        scene.is_finished();
    }
}

#[test]
fn what_programs_before_moved_away_is_put_back() {
    for store in STORES {
        let scene = Scene::set(store);
        let old = scene.workshop().join("old");
        fs::create_dir(&old).unwrap();
        fs::rename(scene.built(), old.join(scene.file())).unwrap();
        fs::remove_file(scene.workshop().join("intent")).unwrap();
        fs::rename(scene.location(), scene.kept()).unwrap();
        if store == "sqlite" {
            fs::rename(scene.log(&scene.location()), scene.log(&scene.kept())).unwrap();
        }
        scene.is_finished_by_the_command_that_is_named();
    }
}

#[test]
fn a_log_without_its_database_is_no_empty_store() {
    let scene = Scene::set("sqlite");
    fs::remove_dir_all(scene.workshop()).unwrap();
    fs::rename(scene.location(), scene.home.path().join("gone")).unwrap();
    for line in ["list --json", "create b --json", "store info --json"] {
        let ran = scene.home.run(line.split(' '));
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (6, Some("corrupt")), "{ran:?}");
    }
    let hint = scene.home.run(["list", "--json"]).error()["hint"].to_string();
    assert!(hint.contains("store restore FILE"), "{hint}");

    let other = Home::new();
    other.ok("create a");
    let backup = other.ok("store backup");
    let words = ["store", "restore", backup.trim_end(), "--yes", "--json"];
    let ran = scene.home.run(words);
    assert_eq!(ran.code, 0, "{ran:?}");
    let kept = crate::home::parsed(&ran.out)["before"].as_str().unwrap().to_owned();
    assert_eq!(fs::read_to_string(format!("{kept}-wal")).unwrap(), "a log");
    scene.home.ok("show a");
}

#[test]
fn a_store_of_files_that_is_about_to_get_its_name_is_no_empty_one() {
    let scene = Scene::set("jsonl");
    let restoring = scene.home.data().join("jsonl.restoring");
    fs::rename(scene.built(), &restoring).unwrap();
    fs::write(restoring.join("restoring"), "").unwrap();
    fs::remove_dir_all(scene.workshop()).unwrap();
    fs::rename(scene.location(), scene.kept()).unwrap();
    scene.is_finished_by_the_command_that_is_named();
}

#[test]
fn a_file_in_the_place_of_a_store_of_files_is_kept() {
    let home = Home::with_store("jsonl");
    home.ok("create a");
    let backup = home.ok("store backup");
    let place = home.data().join("jsonl");
    fs::remove_dir_all(&place).unwrap();
    fs::write(&place, BROKEN).unwrap();
    let ran = home.run(["store", "restore", backup.trim_end(), "--yes", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let kept = crate::home::parsed(&ran.out)["before"].as_str().unwrap().to_owned();
    assert_eq!(fs::read_to_string(kept).unwrap(), BROKEN);
    home.ok("show a");
}
