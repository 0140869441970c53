//! Who is trusted with what: directories, peers, and what comes over the socket.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;

use crate::home::{Home, PATIENCE, finished};

/// A user that owns nothing.
const NOBODY: u32 = 65534;

/// A frame as PROTOCOL.md has it.
fn frame(kind: u8, payload: &str) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&[kind][..], &len, payload.as_bytes()].concat()
}

/// A connection that has said hello.
fn greeted(home: &Home) -> UnixStream {
    let mut stream = UnixStream::connect(home.path().join("run/supervisor.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let store = serde_json::json!({"kind": "sqlite", "data_dir": home.data()});
    let hello = serde_json::json!({"protocol": 1, "version": "test", "store": store});
    stream.write_all(&frame(0x01, &hello.to_string())).unwrap();
    assert_eq!(next_frame(&mut stream).0, 0x01);
    stream
}

fn next_frame(stream: &mut UnixStream) -> (u8, String) {
    let mut head = [0; 5];
    stream.read_exact(&mut head).unwrap();
    let len = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let mut payload = vec![0; len as usize];
    stream.read_exact(&mut payload).unwrap();
    (head[0], String::from_utf8(payload).unwrap())
}

#[test]
fn links_to_agents_are_made_only_where_nobody_else_can() {
    let mut home = Home::new();
    home.set("SSH_AUTH_SOCK", "/tmp/agent");
    home.start("first", "read go");
    let agents = home.path().join("run/agents");
    let mode = fs::metadata(&agents).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    let refused = |why: &str| {
        let ran = home.run(["new", "x", "-d", "--json", "--", "sh"]);
        assert_eq!((ran.code, ran.error()["kind"].as_str()), (1, Some("refused")), "{ran:?}");
        assert!(ran.error()["message"].as_str().unwrap().contains(why), "{ran:?}");
        assert_eq!(home.run(["show", "x"]).code, 3, "nothing was started");
    };
    fs::set_permissions(&agents, fs::Permissions::from_mode(0o777)).unwrap();
    refused("can be written to by other users");
    fs::set_permissions(&agents, fs::Permissions::from_mode(0o700)).unwrap();
    // Only root can give a directory away.
    if chown(&agents, Some(NOBODY), None).is_ok() {
        refused("belongs to another user");
    }
    fs::remove_dir_all(&agents).unwrap();
    let elsewhere = home.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &agents).unwrap();
    refused("is not a directory");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    fs::remove_file(&agents).unwrap();
    home.start("x", "read go");
}

/// Both sides look: whoever is let through by the directory is turned away by its user.
#[test]
fn another_user_is_not_served_and_does_not_speak() {
    let home = Home::new();
    home.start("x", "read go");
    let (run, socket) = (home.path().join("run"), home.path().join("run/supervisor.sock"));
    // Only root can be somebody else.
    if chown(&run, Some(NOBODY), None).is_err() {
        return;
    }
    let open = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(&home.path(), 0o755);
    open(&home.path().join("home"), 0o755);
    open(&run, 0o755);
    open(&socket, 0o666);
    let program = home.path().join("program");
    fs::copy(env!("CARGO_BIN_EXE_session"), &program).unwrap();
    let mut command = std::process::Command::new(&program);
    command.args(["supervisor", "status", "--json"]).env_clear().envs(home.variables());
    command.current_dir("/").stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    command.uid(NOBODY);
    let ran = finished(command, b"");
    assert_eq!(ran.error()["kind"], "refused", "{ran:?}");
    assert!(ran.error()["message"].as_str().unwrap().contains("another user"), "{ran:?}");
    chown(&run, Some(0), None).unwrap();
    open(&run, 0o700);
    assert_eq!(home.json("supervisor status")["sessions"], 1);
    let log = fs::read_to_string(run.join("supervisor.log")).unwrap();
    assert!(log.contains("refused a client of another user"), "{log}");
}

#[test]
fn a_frame_beyond_its_bound_ends_the_connection_and_nothing_else() {
    let home = Home::new();
    home.start("x", "read go");
    let mut stream = greeted(&home);
    // 16 MiB are allowed; nobody waits for, or makes room for, what is announced beyond.
    let beyond = ((16_u32 << 20) + 1).to_le_bytes();
    stream.write_all(&[&[0x02][..], &beyond].concat()).unwrap();
    match stream.read(&mut [0]) {
        Ok(0) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        open => panic!("{open:?}"),
    }
    assert_eq!(home.json("supervisor status")["sessions"], 1);
}

/// Sessions are named by their ids alone, which are no paths.
#[test]
fn what_comes_over_the_wire_is_never_a_path_that_is_opened() {
    let home = Home::new();
    home.start("x", "read go");
    let secret = home.path().join("secret.log");
    fs::write(&secret, "secret").unwrap();
    let before = home.files();
    let mut stream = greeted(&home);
    let viewer = serde_json::json!({"read_only": true, "feed": "log", "from": 0});
    for id in ["../../secret", "../secret", secret.to_str().unwrap(), ""] {
        for call in [
            serde_json::json!({"log": {"session": id}}),
            serde_json::json!({"screen": {"session": id, "history": 0}}),
            serde_json::json!({"attach": {"session": id, "viewer": viewer}}),
            serde_json::json!({"events": {"session": id, "cursor": null, "follow": false}}),
            serde_json::json!({"stop": {"session": id, "grace_ms": 0}}),
        ] {
            let request = serde_json::json!({"id": 1, "call": call}).to_string();
            stream.write_all(&frame(0x02, &request)).unwrap();
            let (kind, reply) = next_frame(&mut stream);
            let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
            assert_eq!(
                (kind, reply["error"]["kind"].as_str()),
                (0x03, Some("unsupported")),
                "{call}"
            );
            assert!(!reply.to_string().contains("secret\""), "{reply}");
        }
    }
    assert_eq!(home.files(), before);
}
