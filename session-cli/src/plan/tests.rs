//! What wins over what, and where things are when nothing is said.

use std::ffi::OsString;

use super::*;
use crate::args::GlobalArgs;

fn caller(variables: &[(&str, &str)]) -> Caller {
    Caller {
        variables: variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect(),
        directory: Some("/".into()),
        umask: 0o022,
        uid: 1234,
        stdin_is_terminal: false,
        stdout_is_terminal: true,
        stderr_is_terminal: false,
    }
}

fn plan(variables: &[(&str, &str)], change: impl FnOnce(&mut GlobalArgs)) -> Plan {
    let mut global = GlobalArgs::none();
    change(&mut global);
    Plan::new(&global, caller(variables)).unwrap_or_else(|error| panic!("{error:?}"))
}

fn refused(variables: &[(&str, &str)]) -> CliError {
    Plan::new(&GlobalArgs::none(), caller(variables)).unwrap_err()
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    std::fs::write(
        &config,
        "store = 'jsonl'\ndata_dir = '/from/config'\nruntime_dir = '/run/config'\n",
    )
    .unwrap();
    let file = ("SESSION_CONFIG", config.to_str().unwrap());
    let from_file = plan(&[file], |_| {});
    assert_eq!(from_file.store, StoreKind::Jsonl);
    assert_eq!(from_file.data_dir, Path::new("/from/config"));
    assert_eq!(from_file.runtime_dir, Path::new("/run/config"));

    let variables = [
        file,
        ("SESSION_STORE", "sqlite"),
        ("SESSION_DATA_DIR", "/from/env"),
        ("SESSION_RUNTIME_DIR", "/run/env"),
    ];
    let from_environment = plan(&variables, |_| {});
    assert_eq!(from_environment.store, StoreKind::Sqlite);
    assert_eq!(from_environment.data_dir, Path::new("/from/env"));
    assert_eq!(from_environment.runtime_dir, Path::new("/run/env"));

    let from_flags = plan(&variables, |global| {
        global.store = Some(StoreKind::Jsonl);
        global.data_dir = Some("/from/flag".into());
        global.runtime_dir = Some("/run/flag".into());
    });
    assert_eq!(from_flags.store, StoreKind::Jsonl);
    assert_eq!(from_flags.data_dir, Path::new("/from/flag"));
    assert_eq!(from_flags.runtime_dir, Path::new("/run/flag"));
}

#[test]
fn directories_follow_xdg_and_relative_values_are_ignored() {
    let xdg = plan(
        &[
            ("HOME", "/h"),
            ("XDG_DATA_HOME", "/x/data"),
            ("XDG_RUNTIME_DIR", "/x/run"),
            ("XDG_CONFIG_HOME", "/x/c"),
        ],
        |_| {},
    );
    assert_eq!(xdg.data_dir, Path::new("/x/data/session"));
    assert_eq!(xdg.runtime_dir, Path::new("/x/run/session"));
    assert_eq!(xdg.config.as_deref(), Some(Path::new("/x/c/session/config.toml")));

    let relative = plan(
        &[("HOME", "/h"), ("XDG_DATA_HOME", "data"), ("XDG_RUNTIME_DIR", "run"), ("TMPDIR", "tmp")],
        |_| {},
    );
    assert_eq!(relative.data_dir, Path::new("/h/.local/share/session"));
    assert_eq!(relative.runtime_dir, Path::new("/tmp/session-1234"));
    assert_eq!(relative.config.as_deref(), Some(Path::new("/h/.config/session/config.toml")));
}

#[test]
fn another_store_gets_a_runtime_directory_of_its_own_unless_one_is_given() {
    let home = [("HOME", "/h"), ("XDG_RUNTIME_DIR", "/x")];
    let default = plan(&home, |_| {}).runtime_dir;
    let same = plan(&home, |global| global.data_dir = Some("/h/.local/share/session".into()));
    assert_eq!(same.runtime_dir, default);
    let moved = plan(&home, |global| global.data_dir = Some("/other".into())).runtime_dir;
    let jsonl = plan(&home, |global| global.store = Some(StoreKind::Jsonl)).runtime_dir;
    assert_eq!(moved, Path::new("/x/session-39a70031"), "it must never change");
    assert!(jsonl != moved && jsonl != default, "{}", jsonl.display());
    let given = plan(&home, |global| {
        global.data_dir = Some("/other".into());
        global.runtime_dir = Some("/r".into());
    });
    assert_eq!(given.runtime_dir, Path::new("/r"));
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_refused() {
    let long = format!("/{}", "r".repeat(100));
    let error = refused(&[("HOME", "/h"), ("SESSION_RUNTIME_DIR", &long)]);
    assert!(error.message().contains("too long for a socket"), "{error:?}");
    let longest = format!("/{}", "r".repeat(107 - "/supervisor.sock".len() - 1));
    plan(&[("HOME", "/h"), ("SESSION_RUNTIME_DIR", &longest)], |_| {});
}

#[test]
fn what_makes_no_sense_is_refused_with_its_origin() {
    let error = refused(&[("HOME", "/h"), ("SESSION_STORE", "postgres")]);
    assert!(error.message().contains("SESSION_STORE"), "{error:?}");
    let error = refused(&[("HOME", "/h"), ("SESSION_CONFIG", "/not/there.toml")]);
    assert!(error.message().contains("/not/there.toml"), "{error:?}");
}

#[test]
fn two_spellings_of_a_directory_are_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let real = directory.path().canonicalize().unwrap();
    let link = real.join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let through = plan(&[("HOME", "/h")], |global| global.data_dir = Some(link.join("not/yet")));
    let straight = plan(&[("HOME", "/h")], |global| global.data_dir = Some(real.join("not/yet")));
    assert_eq!(through.data_dir, straight.data_dir);
    assert_eq!(through.runtime_dir, straight.runtime_dir);
}

#[test]
fn an_empty_variable_is_none_and_colours_follow_no_color() {
    let home = ("HOME", "/h");
    assert_eq!(plan(&[home, ("SESSION_ID", "")], |_| {}).inside, None);
    assert!(plan(&[home], |_| {}).color);
    assert!(!plan(&[home, ("NO_COLOR", "1")], |_| {}).color);
    assert!(plan(&[home, ("NO_COLOR", "")], |_| {}).color);
    assert!(plan(&[home, ("NO_COLOR", "1")], |global| global.color = Color::Always).color);
}
