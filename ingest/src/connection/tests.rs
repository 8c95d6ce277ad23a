#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs;

use super::*;

fn load(files: &[(&str, &str)]) -> (tempfile::TempDir, Vec<Document<ConnectionDef>>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("connections")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join("connections").join(name), text).unwrap();
    }
    let mut diagnostics = Diagnostics::default();
    let documents = load_connections(folder.path(), &mut diagnostics);
    let faults = diagnostics.iter().map(|fault| fault.message.clone()).collect();
    (folder, documents, faults)
}

#[test]
fn faults_are_told_all_at_once() {
    let (_folder, documents, faults) = load(&[
        ("a.toml", "version = 1\nname = \"a\"\nurl = \"postgresql://db.example:5432/hr\"\nuser = \"reader\"\n"),
        ("b.toml", "version = 1\nname = \"a\"\nurl = \"mysql://root:geheim@db/hr\"\nregion = \"x\"\n"),
        ("c.toml", "version = 1\nname = \"c\"\nurl = \"ftp://host/\"\nsecret = { env = \"PATH\" }\n"),
        ("g.toml", "version = 1\nname = \"g\"\nurl = \"s3://lake/in\"\nuser = \"key\"\n"),
        ("h.toml", "version = 1\nname = \"h\"\nurl = \"s3://lake/in\"\nsecret = { file = \"h.secret\" }\n"),
        ("d.toml", "version = 1\nname = \"d\"\nurl = \"http://host/\"\n"),
    ]);
    assert_eq!(documents.len(), 1);
    assert_eq!(
        faults,
        [
            "the URL holds a user or a password",
            "`region` means nothing for `mysql`",
            "connection `a` is declared in connections/a.toml:2:8 already",
            "`ftp` is no kind of connection",
            "the variable `PATH` may not be read",
            "`http` is not encrypted",
            "`user` is set and `secret` is not",
            "`secret` is set and `user` is not",
        ]
    );
}

#[test]
fn secrets_are_read_when_they_are_used_and_never_shown() {
    let (folder, documents, faults) = load(&[
        ("e.toml", "version = 1\nname = \"e\"\nurl = \"mysql://db/hr\"\nsecret = { env = \"XIANGYUN_SECRET_HR\" }\n"),
        ("f.toml", "version = 1\nname = \"f\"\nurl = \"mysql://db/hr\"\nsecret = { file = \"hr.secret\" }\n"),
    ]);
    assert_eq!(faults, [] as [String; 0]);
    let variables = [("XIANGYUN_SECRET_HR", "geheim"), ("HOME", "/nowhere")];
    let secrets = Secrets::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let connections = Connections::new(folder.path(), documents, secrets);
    let secret = |name: &str| connections.secret_of(connections.get(name).unwrap());
    assert_eq!(secret("e").unwrap().unwrap().expose(), "geheim");
    assert_eq!(secret("f").unwrap_err().to_string(), "the secret of connection `f` is not in the file hr.secret");
    fs::write(folder.path().join("hr.secret"), "pass word\n").unwrap();
    assert_eq!(secret("f").unwrap().unwrap().expose(), "pass word");
    assert!(!format!("{connections:?} {:?}", secret("e")).contains("geheim"));
    assert!(!format!("{connections:?}").contains("nowhere"));
    assert_eq!(connections.get("g").unwrap_err().to_string(), "there is no connection `g`");
}
