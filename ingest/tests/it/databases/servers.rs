//! PostgreSQL and MariaDB for tests: one server of each a test binary, a database a test.
//!
//! `.ci/databases` says where they are installed (`make test` installs them by it). They run as `nobody` where the tests run as root,
//! without syncs, in a folder that goes with them when the test binary ends, however it ends.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use mysql_async::prelude::Queryable;
use tempfile::TempDir;

/// User and group `nobody` of Debian.
const NOBODY: (u32, u32) = (65534, 65534);

pub(crate) const PASSWORD: &str = "ge'heim-7%";

/// A running server.
pub(crate) struct Running {
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
    /// The shell that ends the server when its standard input ends: with this process.
    _keeper: Child,
}

/// A database of one test.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) port: u16,
    scheme: &'static str,
}

static POSTGRES: OnceLock<Option<Running>> = OnceLock::new();
static MARIADB: OnceLock<Option<Running>> = OnceLock::new();
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The server, or `None` with a line that says so, where it is not installed.
pub(crate) fn postgres(test: &str) -> Option<&'static Running> {
    let started = POSTGRES.get_or_init(|| match &find("postgres")?[..] {
        [folder] => Some(start_postgres(folder)),
        other => panic!("{other:?}"),
    });
    say_skipped(started.as_ref(), test, "PostgreSQL")
}

/// The server, or `None` with a line that says so, where it is not installed.
pub(crate) fn mariadb(test: &str) -> Option<&'static Running> {
    let started = MARIADB.get_or_init(|| match &find("mariadb")?[..] {
        [server, installer] => Some(start_mariadb(server, installer)),
        other => panic!("{other:?}"),
    });
    say_skipped(started.as_ref(), test, "MariaDB")
}

/// What `.ci/databases` says behind the name of a server; none where it is not installed.
fn find(name: &str) -> Option<Vec<PathBuf>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/databases");
    let output = Command::new(&script).arg("find").output().unwrap();
    assert!(output.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(line.split(' ').map(PathBuf::from).collect())
}

fn say_skipped<'s>(started: Option<&'s Running>, test: &str, server: &str) -> Option<&'s Running> {
    if started.is_none() {
        assert!(std::env::var_os("XIANGYUN_REQUIRE_DATABASES").is_none(), "{server} is not installed");
        eprintln!("SKIPPED {test}: {server} is not installed (`.ci/databases install` says how)");
    }
    started
}

impl Database {
    /// A new database of PostgreSQL in which `setup` was run.
    pub(crate) async fn postgres(test: &str, setup: &str) -> Option<Self> {
        let port = postgres(test)?.port;
        let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let database = Self { name: "postgres".into(), port, scheme: "postgresql" };
        database.execute(&format!("CREATE DATABASE {name}")).await;
        let database = Self { name, ..database };
        database.execute(setup).await;
        Some(database)
    }

    /// A new database of MariaDB in which `setup` was run.
    pub(crate) async fn mariadb(test: &str, setup: &str) -> Option<Self> {
        let port = mariadb(test)?.port;
        let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let database = Self { name: "mysql".into(), port, scheme: "mysql" };
        database.execute(&format!("CREATE DATABASE {name}")).await;
        let database = Self { name, ..database };
        database.execute(setup).await;
        Some(database)
    }

    /// Statements, each ended by `;`.
    pub(crate) async fn execute(&self, sql: &str) {
        if self.scheme == "postgresql" {
            self.client().await.batch_execute(sql).await.unwrap();
            return;
        }
        let mut connection = self.connection().await;
        for statement in sql.split(";\n").filter(|statement| !statement.trim().is_empty()) {
            connection.query_drop(statement.trim().trim_end_matches(';')).await.unwrap();
        }
        connection.disconnect().await.unwrap();
    }

    /// One row of texts, as the server itself writes them.
    pub(crate) async fn row(&self, sql: &str) -> Vec<String> {
        if self.scheme == "postgresql" {
            let messages = self.client().await.simple_query(sql).await.unwrap();
            let row = messages.iter().find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            });
            let row = row.unwrap();
            return (0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned()).collect();
        }
        let mut connection = self.connection().await;
        let row: mysql_async::Row = connection.query_first(sql).await.unwrap().unwrap();
        connection.disconnect().await.unwrap();
        row.unwrap().into_iter().map(mysql_async::from_value::<String>).collect()
    }

    async fn client(&self) -> tokio_postgres::Client {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user("xiangyun").password(PASSWORD).dbname(&self.name);
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    async fn connection(&self) -> mysql_async::Conn {
        let options = mysql_async::OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port)
            .user(Some("xiangyun"))
            .pass(Some(PASSWORD))
            .db_name(Some(&self.name))
            .prefer_socket(false);
        mysql_async::Conn::new(options).await.unwrap()
    }

    /// `connections/hr.toml` for this database.
    pub(crate) fn connection_file(&self) -> String {
        self.connection_through(self.port, "xiangyun", "tls = \"off\"")
    }

    /// As [`Self::connection_file`], by another port, user and with other keys.
    pub(crate) fn connection_through(&self, port: u16, user: &str, extra: &str) -> String {
        format!(
            "version = 1\nname = \"hr\"\nurl = \"{}://127.0.0.1:{port}/{}\"\nuser = \"{user}\"\n\
             secret = {{ file = \"hr.secret\" }}\n{extra}\n",
            self.scheme, self.name
        )
    }
}

/// A folder that the server's user owns. It goes where the start fails; later the server's shell removes it.
fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("xiangyun-servers-").tempdir().unwrap();
    give(folder.path());
    folder
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0)
}

fn give(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY.0), Some(NOBODY.1)).unwrap();
    }
}

/// A command as the server's user.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    if is_root() {
        std::os::unix::process::CommandExt::uid(&mut command, NOBODY.0);
        std::os::unix::process::CommandExt::gid(&mut command, NOBODY.1);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a server until this process ends, and removes `folder` then.
fn keep(folder: &Path, program: &Path, arguments: &[String]) -> Child {
    let script = r#"folder=$1; shift; exec 3<&0
        "$@" </dev/null >"$folder/log" 2>&1 3<&- &
        cat <&3 >/dev/null; kill -QUIT $!; wait; rm -rf "$folder""#;
    let mut shell = command(Path::new("/bin/sh"));
    shell.arg("-c").arg(script).arg("sh").arg(folder).arg(program).args(arguments);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until the server writes that it takes connections.
fn await_line(folder: &Path, wanted: &str) {
    let log = folder.join("log");
    for _ in 0..600 {
        let text = fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        if text.contains(wanted) {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
    panic!("no server: {}", fs::read_to_string(&log).unwrap_or_default());
}

/// A certificate of an authority of the tests' own for 127.0.0.1: `ca.pem`, `server.pem`, `server.key`.
fn certificates(folder: &Path) {
    let script = r#"cd "$1" && printf 'subjectAltName=IP:127.0.0.1\n' >san \
        && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 -subj /CN=tests \
        && openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server \
        && openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile san -out server.pem \
        && chmod 600 server.key && chmod 755 ."#;
    run(command(Path::new("/bin/sh")).arg("-c").arg(script).arg("sh").arg(folder));
}

fn start_postgres(bin: &Path) -> Running {
    let temporary = folder();
    let folder = temporary.path();
    certificates(folder);
    let (data, secret, port) = (folder.join("data"), folder.join("secret"), free_port());
    fs::write(&secret, PASSWORD).unwrap();
    let initdb = ["-U", "xiangyun", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N"];
    run(command(&bin.join("initdb")).args(initdb).arg("--pwfile").arg(&secret).arg("-D").arg(&data));
    let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
    for setting in [
        format!("port={port}"),
        "listen_addresses=127.0.0.1".into(),
        format!("unix_socket_directories={}", folder.display()),
        "fsync=off".into(),
        "ssl=on".into(),
        format!("ssl_cert_file={}", folder.join("server.pem").display()),
        format!("ssl_key_file={}", folder.join("server.key").display()),
    ] {
        arguments.extend(["-c".into(), setting]);
    }
    let keeper = keep(folder, &bin.join("postgres"), &arguments);
    await_line(folder, "ready to accept connections");
    Running { port, folder: temporary.keep(), _keeper: keeper }
}

fn start_mariadb(server: &Path, installer: &Path) -> Running {
    let temporary = folder();
    let folder = temporary.path();
    certificates(folder);
    let (data, port) = (folder.join("data"), free_port());
    let data_setting = format!("--datadir={}", data.display());
    let install = ["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", &data_setting];
    run(command(installer).args(install).arg(format!("--tmpdir={}", folder.display())));
    let first = folder.join("first.sql");
    let mut file = fs::File::create(&first).unwrap();
    let secret = PASSWORD.replace('\'', "''");
    writeln!(file, "CREATE USER xiangyun@'127.0.0.1' IDENTIFIED BY '{secret}';").unwrap();
    writeln!(file, "GRANT ALL ON *.* TO xiangyun@'127.0.0.1' WITH GRANT OPTION;").unwrap();
    let settings = [
        "--no-defaults".to_owned(),
        data_setting,
        format!("--port={port}"),
        "--bind-address=127.0.0.1".into(),
        "--skip-name-resolve".into(),
        format!("--socket={}", folder.join("socket").display()),
        format!("--pid-file={}", folder.join("pid").display()),
        format!("--tmpdir={}", folder.display()),
        format!("--init-file={}", first.display()),
        "--innodb-flush-log-at-trx-commit=0".into(),
        "--innodb-use-native-aio=0".into(),
        format!("--ssl-ca={}", folder.join("ca.pem").display()),
        format!("--ssl-cert={}", folder.join("server.pem").display()),
        format!("--ssl-key={}", folder.join("server.key").display()),
    ];
    let keeper = keep(folder, server, &settings);
    await_line(folder, "ready for connections");
    Running { port, folder: temporary.keep(), _keeper: keeper }
}

/// Passes bytes on to `port` and breaks each connection after so many bytes of the server's as `cuts` says, in order;
/// connections beyond `cuts` are left whole. Gives its own port.
pub(crate) fn cutting_proxy(port: u16, cuts: Vec<u64>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut cuts = cuts.into_iter();
        for client in listener.incoming().map_while(Result::ok) {
            let limit = cuts.next();
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from_client, &mut to_server);
                let _ = to_server.shutdown(std::net::Shutdown::Both);
            });
            std::thread::spawn(move || {
                let mut limited = std::io::Read::take(&server, limit.unwrap_or(u64::MAX));
                let _ = std::io::copy(&mut limited, &mut &client);
                let _ = (client.shutdown(std::net::Shutdown::Both), server.shutdown(std::net::Shutdown::Both));
            });
        }
    });
    own
}
